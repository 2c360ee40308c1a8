"""What a rival is given, what it gives back, and which convolutions a filter's bit touches."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ganprune.channels import Layer
from ganprune.pruning.genome import Layout
from ganprune.pruning.rebuild import rebuilt
from ganprune.pruning.repair import Repairer
from ganprune.pruning.statistics import following, seen_by_norms


@dataclass(frozen=True, slots=True)
class Subject:
    """One generator that is to become smaller."""

    generator: nn.Module  # the original; it is left as it is
    layout: Layout  # which bit is which filter
    pictures: Tensor
    """Of the domain that it translates, for methods that look at maps: float32 [n, 3, h, w] in [-1, 1]."""
    repairer: Repairer  # the size to come to, and what else every genome must satisfy
    chance: torch.Generator  # of every random choice, on the CPU

    def cut(self, genome: Tensor, generator: nn.Module | None = None) -> "Pruned":
        """The slim network of a genome: slices of the original, or of ``generator`` with changed weights."""
        slim = rebuilt(generator or self.generator, self.layout, genome)
        seen = seen_by_norms(self.generator, self.pictures.split(1))
        return Pruned(genome, following(slim, self.layout, genome, seen, self.pictures.split(1)))


@dataclass(frozen=True, slots=True)
class Pruned:
    """What a rival has made of a generator."""

    genome: Tensor  # which filters are kept: bool [L]; it satisfies the constraints
    network: nn.Module  # the slim generator, with whatever weights the method has changed; not fine-tuned


Method = Callable[[Subject], Pruned]  # a rival


def writers(layout: Layout, gene: str) -> list[Layer]:
    """Convolutions whose filters are the bits of a gene."""
    return [layer for layer in layout.graph.layers if (layout.bits(layer.writes, gene) >= 0).any()]


def readers(layout: Layout, gene: str) -> list[Layer]:
    """Convolutions whose inputs are the bits of a gene."""
    return [layer for layer in layout.graph.layers if (layout.bits(layer.reads, gene) >= 0).any()]


def per_bit(layout: Layout, value: Callable[[Layer], Tensor | None]) -> tuple[Tensor, Tensor]:
    """A value of each channel, summed over the convolutions that write a bit, and their number: [L] each.

    value: of a convolution, float64 [channels]; None: it does not count.
    """
    found = torch.zeros(2, layout.length, dtype=torch.float64)
    for gene, piece in layout.genes.items():
        for layer in writers(layout, gene):
            if (each := value(layer)) is not None:
                bits = torch.from_numpy(layout.bits(layer.writes, gene))
                both = torch.stack([each, torch.ones_like(each)])[:, bits >= 0]
                found[:, piece].index_add_(1, bits[bits >= 0], both)
    return found[0], found[1]


def filters_of(generator: nn.Module, layer: Layer) -> Tensor:
    """A convolution's weights, a row a filter: float64 [filters, inputs · k · k]."""
    weight = layer.tensor(generator).detach().double().cpu()
    return (weight.transpose(0, 1) if layer.transposed else weight).flatten(1)


@torch.no_grad()
def scale_inputs(generator: nn.Module, layer: Layer, scales: Tensor) -> None:
    """Multiply the weights that read each input of a convolution, in place. scales: [inputs]."""
    weight = layer.tensor(generator)
    shape = (-1, 1, 1, 1) if layer.transposed or layer.depthwise else (1, -1, 1, 1)
    weight.mul_(scales.to(weight).view(shape))


def of_channels(values: Tensor, bits: NDArray[np.int64], others: float = 1.0) -> Tensor:
    """One value a channel: that of its bit, [bits of a gene], or ``others`` for channels of other genes."""
    index = torch.from_numpy(bits).to(values.device)
    return torch.where(index >= 0, values[index.clamp_min(0)], others)
