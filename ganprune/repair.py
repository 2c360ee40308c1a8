"""Repair: from any genome to the nearest one that is allowed, by seeded flips of few bits.

Allowed means: every gene keeps at least one filter, in multiples of ``align`` where asked for, and
the network's multiply-accumulates lie within a target. Allowed genomes come back unchanged, so the
elite stays what it is.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ganprune.errors import UsageError
from ganprune.genome import Layout, conv_factors
from ganprune.networks import generator_convs

ON_TARGET = 0.98
"""A result counts as on target from 2 % below it up to the target itself."""


@dataclass(frozen=True, slots=True)
class Constraints:
    """What every genome of one generator must satisfy."""

    align: int = 1
    """Kept filters of every gene come in multiples of this many (or all are kept)."""
    target_macs: float | None = None
    """Share of the original's true multiply-accumulates to come to: never more, and no less than
    `ON_TARGET` times it where steps of ``align`` allow; None: any."""

    def __post_init__(self) -> None:
        if self.align < 1:
            raise UsageError(f"--align must be 1 or more, found {self.align}")
        if self.target_macs is not None and not 0 < self.target_macs <= 1:
            raise UsageError(f"--target-macs must be above 0 and at most 1, found {self.target_macs}")


class Repairer:
    """Repairs genomes of one layout under one set of constraints; holds tables, no state."""

    def __init__(self, layout: Layout, constraints: Constraints) -> None:
        self.layout, self.constraints = layout, constraints
        genes = list(layout.genes)
        self._pieces = list(layout.genes.values())
        self._sizes = np.array([piece.stop - piece.start for piece in self._pieces])
        self._legal = [_legal_counts(int(size), constraints.align) for size in self._sizes]
        # MACs are a sum over convolutions of factor · inputs · filters; the picture's channels stand
        # behind the genes' counts as two constants, so that one index addresses either.
        widths = layout.widths
        place = {None: len(genes), **{group: genes.index(gene) for group, gene in layout.gene_of.items()}}
        convs = generator_convs(widths.blocks)
        self._source = np.array([place[c.source] for c in convs])
        self._target = np.array([place[c.target] if c.target else len(genes) + 1 for c in convs])
        self._factor = np.array(
            [c.kernel**2 * f for c, f in zip(convs, conv_factors(layout, "macs"), strict=True)], dtype=float
        )
        self._picture = np.array([widths.in_channels, widths.out_channels])
        self._whole = float(self._macs(self._sizes))
        least = self._macs(np.array([legal[0] for legal in self._legal])) / self._whole
        if constraints.target_macs is not None and least > constraints.target_macs:
            raise UsageError(
                f"--target-macs {constraints.target_macs:g} cannot be reached with --align "
                f"{constraints.align}: the smallest such network has {least:.4f} of the MACs; allow more"
                + (", or use a smaller --align" if constraints.align > 1 else "")
            )

    def __call__(self, genomes: Tensor, generator: torch.Generator) -> Tensor:
        """Repair a population: bool [K, L] → bool [K, L], all allowed. The input is left as it is."""
        return torch.stack([self._repair(genome, generator) for genome in genomes])

    def share(self, counts: np.ndarray) -> float:
        """Share of the original's true MACs with ``counts`` filters kept in every gene."""
        return float(self._macs(counts) / self._whole)

    def _macs(self, counts: np.ndarray) -> np.ndarray:
        """[..., genes] → [...], in units of one use of a weight in a 4×4-pixel picture."""
        picture = np.broadcast_to(self._picture, (*counts.shape[:-1], 2))
        padded = np.concatenate([counts, picture], axis=-1).astype(float)
        return (self._factor * padded[..., self._source] * padded[..., self._target]).sum(-1)

    def _repair(self, genome: Tensor, generator: torch.Generator) -> Tensor:
        before = np.array([int(genome[piece].sum()) for piece in self._pieces])
        after = self._to_target(self._to_legal(before, generator), generator)
        genome = genome.clone()
        for piece, change in zip(self._pieces, (after - before).tolist(), strict=True):
            bits = genome[piece]  # a view
            candidates = (~bits if change > 0 else bits).nonzero().flatten()
            chosen = candidates[torch.randperm(len(candidates), generator=generator)[: abs(change)]]
            bits[chosen] = change > 0
        return genome

    def _to_legal(self, counts: np.ndarray, generator: torch.Generator) -> np.ndarray:
        """Round every count to a neighbouring legal one, at random in proportion to its nearness."""
        draws = torch.rand(len(counts), generator=generator).tolist()
        rounded = counts.copy()
        for i, (count, legal, draw) in enumerate(zip(counts.tolist(), self._legal, draws, strict=True)):
            above = legal[min(int(np.searchsorted(legal, count)), len(legal) - 1)]
            below = legal[max(int(np.searchsorted(legal, count, side="right")) - 1, 0)]
            near = 0.0 if above == below else (count - below) / (above - below)
            rounded[i] = above if draw < near else below
        return rounded

    def _to_target(self, counts: np.ndarray, generator: torch.Generator) -> np.ndarray:
        """Step genes down, at random by their number of kept filters, until the target holds; then
        up, by their number of dropped ones, while a step fits and the target is not yet met."""
        target = self.constraints.target_macs
        if target is None:
            return counts
        counts = counts.copy()
        while self.share(counts) > target:
            counts = self._step(counts, -1, self._steps(counts, -1) * counts, generator)
        while self.share(counts) < ON_TARGET * target:
            fits = self._macs(self._stepped(counts, +1)) / self._whole <= target
            weights = self._steps(counts, +1) * fits * (self._sizes - counts)
            if not weights.any():
                break
            counts = self._step(counts, +1, weights, generator)
        return counts

    def _neighbour(self, gene: int, count: int, direction: int) -> int:
        legal = self._legal[gene]
        place = int(np.searchsorted(legal, count)) + direction
        return int(legal[place]) if 0 <= place < len(legal) else count

    def _steps(self, counts: np.ndarray, direction: int) -> np.ndarray:
        """Which genes can be stepped: bool [genes]."""
        moved = [self._neighbour(i, c, direction) != c for i, c in enumerate(counts.tolist())]
        return np.array(moved)

    def _stepped(self, counts: np.ndarray, direction: int) -> np.ndarray:
        """Counts after stepping each gene alone: [genes, genes]."""
        alone = np.tile(counts, (len(counts), 1))
        for i, count in enumerate(counts.tolist()):
            alone[i, i] = self._neighbour(i, count, direction)
        return alone

    def _step(
        self, counts: np.ndarray, direction: int, weights: np.ndarray, generator: torch.Generator
    ) -> np.ndarray:
        gene = int(torch.multinomial(torch.from_numpy(weights.astype(float)), 1, generator=generator))
        counts = counts.copy()
        counts[gene] = self._neighbour(gene, int(counts[gene]), direction)
        return counts


def _legal_counts(size: int, align: int) -> np.ndarray:
    """Allowed numbers of kept filters of a gene: multiples of ``align``, and all of them."""
    multiples = list(range(align, size + 1, align))
    return np.array(multiples if multiples and multiples[-1] == size else [*multiples, size])
