"""How much each filter matters, by what it adds to its readers: a start for the search, and a baseline.

A reader adds Σ_c w_c x_c over its input channels. So a channel is worth the squares of the weights that read
it, times the energy of its map: its variance within a picture, measured on some pictures where it is read.
The constant part of a map does not count, because a norm takes it away behind the reader, or a bias can.
Weights alone do not do: of a generator of affine instance norm, channels ranked by them were worse, once
refitted, than channels drawn by lot. Nor do the norm's own weights help: a channel of the trunk is a sum over
all blocks, whose parts may cancel, and behind a ReLU much of a channel may be zero.
"""

import torch
from torch import Tensor, nn

from ganprune.genome import Layout
from ganprune.networks import Generator, generator_convs

PICTURES = 8
"""So many pictures are looked at, the first ones; more change little."""


def importance(generator: Generator, layout: Layout, pictures: Tensor) -> Tensor:
    """Score of every bit: float64 [L], > 0, comparable within a gene only; its mean over each gene is 1.

    pictures: float32 [n, channels, h, w] in [-1, 1] of the domain that the generator translates.
    """
    energies = channel_energies(generator, pictures[:PICTURES])
    state = generator.state_dict()
    worth = {
        gene: torch.zeros(size, dtype=torch.float64)
        for gene, size in zip(layout.genes, layout.sizes, strict=True)
    }
    for conv in generator_convs(layout.widths.blocks):
        if conv.source is not None:
            weight = state[f"{conv.key}.weight"].double().square()
            weight = weight.transpose(0, 0 if conv.transposed else 1)  # [in, out, k, k]
            worth[layout.gene_of[conv.source]] += weight.flatten(1).sum(1).cpu() * energies[conv.key]
    scores = [worth[gene].sqrt() for gene in layout.genes]
    return torch.cat([(score + 1e-12) / (score + 1e-12).mean() for score in scores])


@torch.no_grad()
def channel_energies(generator: Generator, pictures: Tensor) -> dict[str, Tensor]:
    """Variance of every channel that a convolution reads, mean over the pictures: {its key: float64 [in]}.

    pictures: float [n, channels, h, w] in [-1, 1].
    """
    found: dict[str, Tensor] = {}

    def watch(key: str) -> torch.utils.hooks.RemovableHandle:
        def add(_module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            variance = inputs[0].var((2, 3), correction=0)[0].double().cpu() / len(pictures)
            found[key] = found.get(key, 0) + variance

        return generator.get_submodule(key).register_forward_pre_hook(add)

    handles = [watch(conv.key) for conv in generator_convs(generator.widths.blocks)]
    like = next(generator.parameters())
    try:
        for picture in pictures.split(1):
            generator(picture.to(like))
    finally:
        for handle in handles:
            handle.remove()
    return found
