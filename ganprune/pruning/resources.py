"""What a slim network uses up, as a function of its numbers of kept filters, for many at once.

A residual block that keeps none is not there, with all that is in it (`ganprune.channels.blocks`).

How much of the weights a genome keeps is the paper's N(p), Eq. 10. Weights and multiply-accumulates are sums
over convolutions of factor · inputs · filters. One table of indices serves fitness, targets and repair.

*Work* stands for time where nothing was timed:

    work = MACs + κ · values written by convolutions

Every value of a map is also padded, normalised, activated and copied, which takes as long as κ
multiply-accumulates; so few filters on a large map take longer than their MACs say.
"""

import math
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import torch
from torch import Tensor

from ganprune.channels import WHOLE
from ganprune.pruning.genome import Layout

Use = Literal["weights", "params", "macs", "work"]
"""weights: of convolutions, as Eq. 10 counts them; params: of everything; macs: true multiply-accumulates;
work: see above."""

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
    """A `Resource`: Σ over convolutions, or parameters, of factor · inputs · filters, and Σ over filters of
    ``each``; of those that are there."""

    reads: np.ndarray
    """Inputs of every convolution for each kept bit of each gene; in the last column those that are always
    there: [convolutions, genes + 1]."""
    writes: np.ndarray
    """The same of its filters."""
    factor: np.ndarray
    """What one pair of an input and a filter counts: [convolutions]."""
    each: np.ndarray
    """What one filter counts besides."""
    needs: np.ndarray
    """Gene without which it is not there; the number of genes: it always is."""

    @classmethod
    def of_layout(cls, layout: Layout, use: Use) -> "Convolutions":
        """The resource ``use`` of the networks of a layout; MACs and work for each pixel of the picture."""
        layers = layout.graph.layers
        places = [list(layout.genes).index(layout.gene_of[group]) for group in layout.graph.groups]

        def by_gene(units: np.ndarray) -> np.ndarray:
            *of_groups, whole = layout.graph.counts(units)
            found = np.zeros(len(layout.genes) + 1)
            np.add.at(found, places, of_groups)
            found[-1] = whole
            return found

        def needed_by(name: str) -> int:
            held = (i for i, gene in enumerate(layout.genes) if gene in blocks and blocks[gene].holds(name))
            return next(held, always)

        none = np.full(1, WHOLE)  # one that is always there
        blocks, always = layout.blocks, len(layout.genes)
        # Of each: inputs, filters, factor, each, needs
        rows = list[tuple[np.ndarray, np.ndarray, float, float, int]]()
        if use in ("weights", "params"):
            weights = {layer.weight for layer in layers}
            for name, shape in layout.graph.parameters.items():
                if use == "params" or name in weights:
                    cuts = [cut for cut in layout.graph.cuts if cut.tensor == name][:2]
                    reads, writes = [*(cut.units for cut in cuts), none, none][:2]
                    factor = math.prod(shape) / len(reads) / len(writes)
                    rows.append((reads, writes, factor, 0.0, needed_by(name)))
            for gene, block in blocks.items() if use == "params" else ():
                if block.adds:  # one number a channel is left where the block is not
                    rows.append((none, block.units, 1.0, 0.0, always))
                    rows.append((none, block.units, -1.0, 0.0, list(layout.genes).index(gene)))
        else:
            for layer in layers:
                reads = none if layer.depthwise else layer.reads
                n = layer.taps * layer.positions * (1 if layer.depthwise else 1 / layer.groups)
                each = KAPPA * layer.outputs * (use == "work")
                rows.append((reads, layer.writes, n, each, needed_by(layer.name)))
        reads, writes, factor, each, needs = zip(*rows, strict=True) if rows else ((), (), (), (), ())
        return cls(
            np.array([by_gene(units) for units in reads]),
            np.array([by_gene(units) for units in writes]),
            np.array(factor),
            np.array(each),
            np.array(needs, dtype=int),
        )

    def of(self, counts: np.ndarray) -> np.ndarray:
        """See `Resource.of`."""
        always = np.ones((*counts.shape[:-1], 1))
        padded = np.concatenate([counts, always], axis=-1)
        filters = padded @ self.writes.T
        there = padded[..., self.needs] > 0
        return ((self.factor * (padded @ self.reads.T) + self.each) * filters * there).sum(-1)


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
