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

from ganprune.channels import ChannelGraph
from ganprune.genome import Layout

PICTURES = 8
"""So many pictures are looked at, the first ones; more change little."""


def importance(generator: nn.Module, layout: Layout, pictures: Tensor) -> Tensor:
    """Score of every bit: float64 [L], > 0, comparable within a gene only; its mean over each gene is 1.

    pictures: float32 [n, channels, h, w] in [-1, 1] of the domain that the generator translates.
    """
    energies = channel_energies(generator, layout.graph, pictures[:PICTURES])
    worth = {
        gene: torch.zeros(size, dtype=torch.float64)
        for gene, size in zip(layout.genes, layout.sizes, strict=True)
    }
    for layer in layout.graph.layers:
        weight = generator.get_parameter(f"{layer.name}.weight").detach().double().square()
        if layer.depthwise:
            continue
        weight = weight.transpose(0, 0 if layer.transposed else 1)  # [in, out, k, k]
        each = weight.flatten(1).sum(1).cpu() * energies[layer.name]
        for gene in layout.genes:
            bits = torch.from_numpy(layout.bits(layer.reads, gene))
            worth[gene].index_add_(0, bits[bits >= 0], each[bits >= 0])
    scores = [worth[gene].sqrt() for gene in layout.genes]
    return torch.cat([(score + 1e-12) / (score + 1e-12).mean() for score in scores])


@torch.no_grad()
def channel_energies(generator: nn.Module, graph: ChannelGraph, pictures: Tensor) -> dict[str, Tensor]:
    """Variance of every channel that a convolution reads, mean over the pictures: {its key: float64 [in]}.

    pictures: float [n, channels, h, w] in [-1, 1].
    """
    found: dict[str, Tensor] = {}

    def watch(key: str) -> torch.utils.hooks.RemovableHandle:
        def add(_module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            variance = inputs[0].var((2, 3), correction=0)[0].double().cpu() / len(pictures)
            found[key] = found.get(key, 0) + variance

        return generator.get_submodule(key).register_forward_pre_hook(add)

    handles = [watch(layer.name) for layer in graph.layers]
    like = next(generator.parameters())
    try:
        for picture in pictures.split(1):
            generator(picture.to(like))
    finally:
        for handle in handles:
            handle.remove()
    return found
