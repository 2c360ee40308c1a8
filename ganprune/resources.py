"""What a slim network uses up, as a function of its numbers of kept filters, for many at once.

How much of the weights a genome keeps is the paper's N(p), Eq. 10. Weights and multiply-accumulates are sums
over convolutions of factor · inputs · filters. One table of indices serves fitness, targets and repair.

*Work* stands for time where nothing was timed:

    work = MACs + κ · values written by convolutions

Every value of a map is also padded, normalised, activated and copied, which takes as long as κ
multiply-accumulates; so few filters on a large map take longer than their MACs say.
"""

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import torch
from torch import Tensor

from ganprune.cost import positions_of
from ganprune.genome import Layout
from ganprune.networks import DOWNSAMPLING, generator_convs

Use = Literal["weights", "params", "macs", "work"]
"""weights: of convolutions, as Eq. 10 counts them; params: biases too; macs: true multiply-accumulates; work:
see above."""

KAPPA = 200.0
"""κ. Measured in ONNX Runtime, one thread, against the plainly exported original: see "Targets and repair" in
docs/method.md."""


class Resource(Protocol):
    """Something that a network has less of the fewer filters it keeps."""

    def of(self, counts: np.ndarray) -> np.ndarray:
        """Amount for numbers of kept filters, one a gene of the layout: int [..., genes] → float [...]."""
        ...


@dataclass(frozen=True, slots=True)
class Convolutions:
    """A `Resource`: Σ over convolutions of factor · inputs · filters, and Σ over filters of ``each``."""

    source: np.ndarray
    """Place of every convolution's inputs among the genes; the picture's channels stand behind them."""
    target: np.ndarray
    """Place of its filters."""
    factor: np.ndarray
    """What one pair of an input and a filter counts."""
    each: np.ndarray
    """What one filter counts besides, by convolution."""
    picture: np.ndarray
    """Channels of the picture that goes in and of that which comes out."""

    @classmethod
    def of_layout(cls, layout: Layout, use: Use) -> "Convolutions":
        """The resource ``use`` of the networks of a layout; MACs and work of a picture of 4×4 pixels."""
        genes, convs = list(layout.genes), generator_convs(layout.widths.blocks)
        place = {None: len(genes), **{group: genes.index(gene) for group, gene in layout.gene_of.items()}}
        by_picture, side = use in ("macs", "work"), DOWNSAMPLING
        uses = [positions_of(c, side, side, "true") if by_picture else 1 for c in convs]
        each = np.full(len(convs), float(use == "params"))
        if use == "work":
            each = np.array([KAPPA * (side // c.output_stride) ** 2 for c in convs])
        return cls(
            np.array([place[c.source] for c in convs]),
            np.array([place[c.target] if c.target else len(genes) + 1 for c in convs]),
            np.array([c.kernel**2 * n for c, n in zip(convs, uses, strict=True)], dtype=float),
            each,
            np.array([layout.widths.in_channels, layout.widths.out_channels]),
        )

    def of(self, counts: np.ndarray) -> np.ndarray:
        """See `Resource.of`."""
        picture = np.broadcast_to(self.picture, (*counts.shape[:-1], 2))
        padded = np.concatenate([counts, picture], axis=-1).astype(float)
        filters = padded[..., self.target]
        return (self.factor * padded[..., self.source] * filters + self.each * filters).sum(-1)


class Share:
    """A `Resource`: another one over what the original uses of it."""

    def __init__(self, resource: Resource, layout: Layout) -> None:
        self._resource, self._whole = resource, resource.of(np.array(layout.sizes))

    def of(self, counts: np.ndarray) -> np.ndarray:
        """See `Resource.of`."""
        return self._resource.of(counts) / self._whole


def kept_weights(layout: Layout, genomes: Tensor) -> Tensor:
    """N(p), Eq. 10: kept weights over all weights, biases left out. bool [K, L] → float64 [K]."""
    return _kept(Convolutions.of_layout(layout, "weights"), layout, genomes)


def kept_macs(layout: Layout, genomes: Tensor) -> Tensor:
    """Kept over all true multiply-accumulates, the same at every picture size. [K, L] → float64 [K]."""
    return _kept(Convolutions.of_layout(layout, "macs"), layout, genomes)


def _kept(resource: Resource, layout: Layout, genomes: Tensor) -> Tensor:
    return torch.from_numpy(Share(resource, layout).of(layout.gene_counts(genomes).numpy()))
