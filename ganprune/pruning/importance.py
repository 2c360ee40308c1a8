"""How much each filter matters, by what it adds to its readers: a start for the search, and a baseline.

A reader adds Σ_c w_c x_c over its input channels. So a channel is worth the squares of the weights that read
it, times the energy of its map: its variance within a picture, measured on some pictures where it is read.
The constant part of a map does not count, because a norm takes it away behind the reader, or a bias can.
Weights alone do not do: of a generator of affine instance norm, channels ranked by them were worse, once
refitted, than channels drawn by lot. Nor do the norm's own weights help: a channel of the trunk is a sum over
all blocks, whose parts may cancel, and behind a ReLU much of a channel may be zero.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ganprune.channels import ChannelGraph
from ganprune.pruning.genome import Layout

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
    for layer in {layer.weight: layer for layer in layout.graph.layers}.values():
        if layer.depthwise or layer.groups > 1 or not layer.weight:
            continue
        weight = layer.tensor(generator).detach().double().square()
        weight = weight.transpose(0, 0 if layer.transposed else 1)  # [in, out, k, k]
        each = weight.flatten(1).sum(1).cpu() * energies[layer.weight]
        for gene in layout.genes:
            bits = torch.from_numpy(layout.bits(layer.reads, gene))
            worth[gene].index_add_(0, bits[bits >= 0], each[bits >= 0])
    scores = [worth[gene].sqrt() for gene in layout.genes]
    none = torch.zeros(0, dtype=torch.float64)
    return torch.cat([none, *((score + 1e-12) / (score + 1e-12).mean() for score in scores)])


@torch.no_grad()
def channel_energies(generator: nn.Module, graph: ChannelGraph, pictures: Tensor) -> dict[str, Tensor]:
    """Variance of every channel that a convolution reads, mean over the pictures.

    Returns float64 [in] by the name of each convolution's weight.

    pictures: float [n, channels, h, w] in [-1, 1].
    """
    watching = _Watching(
        {id(layer.tensor(generator)): layer.weight for layer in graph.layers if layer.weight}
    )
    like = next(generator.parameters())
    for picture in pictures.split(1):
        with watching:
            generator(picture.to(like))
    return {weight: energy / len(pictures) for weight, energy in watching.energies.items()}


class _Watching(TorchFunctionMode):
    """Sums up the variances of what convolutions read, of one picture after the other."""

    def __init__(self, weights: Mapping[int, str]) -> None:
        super().__init__()
        self._weights, self.energies = weights, dict[str, Tensor]()

    def __torch_function__(
        self,
        func: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        given = kwargs or {}
        if getattr(func, "__name__", "") in ("conv2d", "conv_transpose2d"):
            x, weight = (
                args[i] if i < len(args) else given[key] for i, key in enumerate(("input", "weight"))
            )
            if (name := self._weights.get(id(weight))) is not None:
                variance = x.var((2, 3), correction=0)[0].double().cpu()
                self.energies[name] = self.energies.get(name, 0) + variance
        return func(*args, **given)
