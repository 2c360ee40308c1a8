"""What a rival is given, what it gives back, and which convolutions a filter's bit touches."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ganprune.genome import Layout
from ganprune.networks import Conv, Generator, generator_convs
from ganprune.rebuild import rebuilt, recalibrated
from ganprune.repair import Repairer


@dataclass(frozen=True, slots=True)
class Subject:
    """One generator that is to become smaller."""

    generator: Generator
    """The original; it is left as it is."""
    layout: Layout
    """Which bit is which filter."""
    pictures: Tensor
    """Of the domain that it translates, for methods that look at maps: float32 [n, 3, h, w] in [-1, 1]."""
    repairer: Repairer
    """The size to come to, and what else every genome must satisfy."""
    chance: torch.Generator
    """Of every random choice, on the CPU."""

    def cut(self, genome: Tensor, generator: Generator | None = None) -> "Pruned":
        """The slim network of a genome: slices of the original, or of ``generator`` with changed weights."""
        slim = rebuilt(generator or self.generator, self.layout, genome)
        return Pruned(genome, recalibrated(slim, self.pictures.split(1)))


@dataclass(frozen=True, slots=True)
class Pruned:
    """What a rival has made of a generator."""

    genome: Tensor
    """Which filters are kept: bool [L]; it satisfies the constraints."""
    network: Generator
    """The slim generator, with whatever weights the method has changed; not fine-tuned."""


Method = Callable[[Subject], Pruned]
"""A rival."""


def writers(layout: Layout, gene: str) -> list[Conv]:
    """Convolutions whose filters are the bits of a gene."""
    return [c for c in generator_convs(layout.widths.blocks) if c.target and layout.gene_of[c.target] == gene]


def readers(layout: Layout, gene: str) -> list[Conv]:
    """Convolutions whose inputs are the bits of a gene."""
    return [c for c in generator_convs(layout.widths.blocks) if c.source and layout.gene_of[c.source] == gene]


def filters_of(generator: Generator, conv: Conv) -> Tensor:
    """A convolution's weights, a row a filter: float64 [filters, inputs · k · k]."""
    weight = generator.state_dict()[f"{conv.key}.weight"].double().cpu()
    return (weight.transpose(0, 1) if conv.transposed else weight).flatten(1)


@torch.no_grad()
def scale_inputs(generator: Generator, conv: Conv, scales: Tensor) -> None:
    """Multiply the weights that read each input of a convolution, in place. scales: [inputs]."""
    weight = generator.get_parameter(f"{conv.key}.weight")
    shape = (-1, 1, 1, 1) if conv.transposed else (1, -1, 1, 1)
    weight.mul_(scales.to(weight).view(shape))
