"""Repair: from any genome to the nearest one that is allowed, by seeded flips of few bits.

Allowed means: every gene keeps at least one filter, or none where a residual block may go with it, in
multiples of ``align`` where asked for, and the network lies within its targets: multiply-accumulates,
parameters, milliseconds. Allowed genomes come back unchanged, so the elite stays what it is.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ganprune.errors import UsageError
from ganprune.pruning.genome import Layout
from ganprune.pruning.resources import Convolutions, Resource, Share

ON_TARGET = 0.98
"""A result counts as on target from 2 % below it up to the target itself."""
TRIES = 8
"""Moves of width, the first that a target does not undo is taken."""
WANDER = 0.25
"""Where it is known how hard filters are to do without: how far chance moves one, as a share of all ranks."""


@dataclass(frozen=True, slots=True)
class Constraints:
    """What every genome of one generator must satisfy."""

    align: int = 1
    """Kept filters of every gene come in multiples of this many (or all are kept)."""
    target_macs: float | None = None
    """Share of the original's true multiply-accumulates to come to: never more, and no less than
    `ON_TARGET` times it where steps of ``align`` allow; None: any."""
    target_params: float | None = None
    """The same of its parameters. Of several targets all are kept, and one is met."""
    target_ms: float | None = None
    """The same in predicted milliseconds a picture."""
    min_filters: int = 1
    """Fewest filters of a gene; all of them where it has no more."""
    remove_blocks: bool = False
    """Whether the inner gene of a residual block may keep no filter, so that the block is taken out."""
    speed_up: float | None = None
    """How many times as fast as the original as it is, by the count of work in
    `ganprune.pruning.resources`: the same on every machine, as nothing is timed."""

    @property
    def share(self) -> float | None:
        """Of the original's arithmetic, or time, that a network may keep; None: without a target, or where
        only milliseconds say it."""
        fastest = None if self.speed_up is None else 1 / self.speed_up
        shares = [s for s in (self.target_macs, self.target_params, fastest) if s is not None]
        return min(shares, default=None)

    @property
    def aimless(self) -> bool:
        """Whether there is no target."""
        return self.share is None and self.target_ms is None


class Repairer:
    """Repairs genomes of one layout under one set of constraints; holds tables, no state."""

    def __init__(
        self,
        layout: Layout,
        constraints: Constraints,
        latency: Resource | None = None,
        scores: Tensor | None = None,
    ) -> None:
        """latency: for ``target_ms``. scores: how hard each filter is to do without, float64 [L]; those that
        are easy then go first, and those that are hard come first, give or take `WANDER`. Without them any.

        Raises `UsageError` for targets out of reach.
        """
        self.layout, self.constraints = layout, constraints
        self._pieces = list(layout.genes.values())
        notes = layout.graph.notes
        if not layout.genes:
            raise UsageError(
                "nothing of this generator can be taken out" + "".join(f": {note}" for note in notes[:1])
            )
        self._sizes = np.array(layout.sizes)
        self._standing = None if scores is None else _standing(scores, self._pieces)
        self._legal = [
            _legal_counts(size, constraints, gene in layout.blocks)
            for gene, size in zip(layout.genes, layout.sizes, strict=True)
        ]
        self._next = {step: _next_counts(self._legal, step) for step in (-1, 1)}
        self._limits = list(self._limits_of(constraints, latency))
        self.least = least = np.array([legal[0] for legal in self._legal])
        """Filters of each gene in the smallest network that is allowed."""
        for option, resource, limit, unit in self._limits:
            if resource.of(least) > limit:
                raise UsageError(
                    f"{option} cannot be reached with --set align={constraints.align}: the smallest such "
                    f"network has {unit.format(float(resource.of(least)))}; allow more"
                    + (", or use a smaller --set align=N" if constraints.align > 1 else "")
                    + (f" (`ganprune inspect` says what is kept whole: {notes[0]})" if notes else "")
                )

    def _limits_of(
        self, constraints: Constraints, latency: Resource | None
    ) -> Iterator[tuple[str, Resource, float, str]]:
        """Option, resource in its unit, limit, and how an amount is told."""
        if (share := constraints.target_macs) is not None:
            macs = Share(Convolutions.of_layout(self.layout, "macs"), self.layout)
            yield f"--target-macs {share:g}", macs, share, "{:.4f} of the MACs"
        if (share := constraints.target_params) is not None:
            params = Share(Convolutions.of_layout(self.layout, "params"), self.layout)
            yield f"--set target-params={share:g}", params, share, "{:.4f} of the parameters"
        if (times := constraints.speed_up) is not None:
            work = Share(Convolutions.of_layout(self.layout, "work"), self.layout)
            yield f"--speed-up {times:g}", work, 1 / times, "{:.4f} of the original's work"
        if constraints.target_ms is not None:
            if latency is None:
                raise UsageError("--target-ms needs a table of this machine's speed, found none")
            yield f"--target-ms {constraints.target_ms:g}", latency, constraints.target_ms, "{:.1f} ms"

    def outcome(self, genome: Tensor) -> list[tuple[str, str, bool]]:
        """What one genome came to: bool [L] → for each target its option, the amount, whether it is met.

        Met is what lies within 2 % below the target; of several targets the one that binds.
        """
        counts = self.layout.gene_counts(genome[None]).numpy()[0]
        met = bool(self.used(counts) >= ON_TARGET)
        return [
            (option, unit.format(float(resource.of(counts))), met)
            for option, resource, _, unit in self._limits
        ]

    def __call__(self, genomes: Tensor, generator: torch.Generator) -> Tensor:
        """Repair a population: bool [K, L] → bool [K, L], all allowed. The input is left as it is."""
        return torch.stack([self._repair(genome, generator) for genome in genomes])

    def used(self, counts: np.ndarray) -> np.ndarray:
        """The largest of amounts over their limits; 1 is on target. [..., genes] → [...]; 0 without any."""
        shares = [resource.of(counts) / limit for _, resource, limit, _ in self._limits]
        return np.max(shares, axis=0) if shares else np.zeros(counts.shape[:-1])

    def uniform_share(self) -> float:
        """Share of all genes' filters, the same for each, at which a network comes to its targets: 0 … 1."""
        low, high = 0.0, 1.0
        if self.used(self._sizes) <= 1:
            return high
        for _ in range(40):
            share = (low + high) / 2
            counts = np.maximum(np.rint(share * self._sizes).astype(int), 1)
            low, high = (share, high) if self.used(counts) <= 1 else (low, share)
        return low

    def cheapest(self, costs: Sequence[np.ndarray]) -> np.ndarray:
        """Legal counts that come to the targets at little cost: int [genes]. costs: float [filters + 1] each.

        From all filters down, each time a step of the gene that costs least for what it saves; then up again,
        by the steps that gain most for what they use, while one fits.
        """

        def cost(counts: np.ndarray) -> np.ndarray:
            return sum(of[counts[..., i]] for i, of in enumerate(costs))  # pyright: ignore[reportReturnType]

        counts = np.array([legal[-1] for legal in self._legal])
        for direction in (-1, +1):
            while self.used(counts) > 1 or direction > 0:
                tried = self._stepped(counts, direction)
                possible = (tried != counts).any(1) & ((direction < 0) | (self.used(tried) <= 1))
                if not possible.any():
                    break
                change = np.abs(self.used(tried) - self.used(counts)).clip(1e-12)
                ratio = (cost(counts) - cost(tried)) / change
                counts = tried[np.where(possible, ratio, -np.inf).argmax()]
        return counts

    def reshaped(self, genomes: Tensor, generator: torch.Generator) -> Tensor:
        """Move width from one gene to others: bool [n, L] → bool [n, L], all allowed.

        A gene that is drawn becomes a step of ``align`` narrower or wider, or a few of them, half as often
        for each more; the others make up for it, by chance, until the targets are met again.
        """
        young: list[Tensor] = []
        for genome in genomes:
            before = after = self._counts(genome)
            for _ in range(TRIES):
                if (after != before).any():
                    break
                after = self._to_target(self._moved(before, generator), generator)
            young.append(self._with_counts(genome, after, generator))
        return torch.stack(young) if young else genomes

    def _moved(self, counts: np.ndarray, generator: torch.Generator) -> np.ndarray:
        counts = counts.copy()
        gene, up = (int(torch.randint(n, (), generator=generator)) for n in (len(counts), 2))
        more = True
        while more:
            counts[gene] = self._neighbour(gene, int(counts[gene]), 2 * up - 1)
            more = float(torch.rand((), generator=generator)) < 0.5
        return counts

    def _repair(self, genome: Tensor, generator: torch.Generator) -> Tensor:
        counts = self._to_target(self._to_legal(self._counts(genome), generator), generator)
        return self._with_counts(genome, counts, generator)

    def _counts(self, genome: Tensor) -> np.ndarray:
        return np.array([int(genome[piece].sum()) for piece in self._pieces])

    def _with_counts(self, genome: Tensor, counts: np.ndarray, generator: torch.Generator) -> Tensor:
        """A genome that keeps so many filters of each gene, by as few flips as that takes."""
        genome = genome.clone()
        for piece, change in zip(self._pieces, (counts - self._counts(genome)).tolist(), strict=True):
            bits = genome[piece]  # a view
            candidates = (~bits if change > 0 else bits).nonzero().flatten()
            if self._standing is None:
                order = torch.randperm(len(candidates), generator=generator)
            else:
                chance = WANDER * torch.rand(len(candidates), generator=generator)
                order = (self._standing[piece][candidates] + chance).argsort(descending=change > 0)
            bits[candidates[order[: abs(change)]]] = change > 0
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
        if not self._limits:
            return counts
        counts = counts.copy()
        while self.used(counts) > 1:
            counts = self._step(counts, -1, self._steps(counts, -1) * counts, generator)
        while self.used(counts) < ON_TARGET:
            fits = self.used(self._stepped(counts, +1)) <= 1
            weights = self._steps(counts, +1) * fits * (self._sizes - counts)
            if weights.any():
                counts = self._step(counts, +1, weights, generator)
                continue
            nearer = self._exchanged(counts, generator)
            if nearer is None:
                break
            counts = nearer
        return counts

    def _exchanged(self, counts: np.ndarray, generator: torch.Generator) -> np.ndarray | None:
        """Counts nearer to the target, one gene a step down and another one or more steps up; where there
        are none, one gene a step up and others down until these fit; None: none either."""
        nearer = self._nearest(self._one_lower(counts), counts, generator)
        return self._nearest(self._one_higher(counts), counts, generator) if nearer is None else nearer

    def _nearest(
        self, tried: list[np.ndarray], counts: np.ndarray, generator: torch.Generator
    ) -> np.ndarray | None:
        """One at random of those that are on target, else the nearest, if it is nearer than ``counts``."""
        if not tried:
            return None
        candidates = np.unique(np.array(tried), axis=0)
        used = self.used(candidates)
        if (used >= ON_TARGET).any():
            candidates = candidates[used >= ON_TARGET]
            return candidates[int(torch.randint(len(candidates), (), generator=generator))]
        best = int(used.argmax())
        return candidates[best] if used[best] > self.used(counts) + 1e-9 else None

    def _one_lower(self, counts: np.ndarray) -> list[np.ndarray]:
        """What fits of one gene a step down and another one or more steps up."""
        tried: list[np.ndarray] = []
        for lower in self._stepped(counts, -1):
            changed = (lower != counts).any()
            raised = self._stepped(lower, +1)
            while changed and len(raised):
                raised = raised[
                    (self.used(raised) <= 1) & (raised != lower).any(1) & ~(raised == counts).all(1)
                ]
                tried.extend(raised)
                higher = [self._raised_again(row, lower) for row in raised]
                raised = np.array([row for row in higher if row is not None]).reshape(-1, len(counts))
        return tried

    def _one_higher(self, counts: np.ndarray) -> list[np.ndarray]:
        """One gene a step up, and the others down, each time by the step that takes the least."""
        tried: list[np.ndarray] = []
        for gene, row in enumerate(self._stepped(counts, +1)):
            raised = row[gene] != counts[gene]
            while raised and self.used(row) > 1:
                lower = np.delete(self._stepped(row, -1), gene, axis=0)
                lower = lower[(lower != row).any(1)]
                if not len(lower):
                    break
                row = lower[int(self.used(lower).argmax())]
            if raised and self.used(row) <= 1:
                tried.append(row)
        return tried

    def _raised_again(self, row: np.ndarray, lower: np.ndarray) -> np.ndarray | None:
        """One step more of the gene that is above ``lower``; None where it has no more."""
        gene = int((row > lower).argmax())
        count = self._neighbour(gene, int(row[gene]), +1)
        if count == row[gene]:
            return None
        row = row.copy()
        row[gene] = count
        return row

    def _neighbour(self, gene: int, count: int, direction: int) -> int:
        return int(self._next[direction][gene, count])

    def _neighbours(self, counts: np.ndarray, direction: int) -> np.ndarray:
        """Of each gene the next legal count; the same where there is none: int [genes]."""
        return self._next[direction][np.arange(len(counts)), counts]

    def _steps(self, counts: np.ndarray, direction: int) -> np.ndarray:
        """Which genes can be stepped: bool [genes]."""
        return self._neighbours(counts, direction) != counts

    def _stepped(self, counts: np.ndarray, direction: int) -> np.ndarray:
        """Counts after stepping each gene alone: [genes, genes]."""
        alone = np.tile(counts, (len(counts), 1))
        np.fill_diagonal(alone, self._neighbours(counts, direction))
        return alone

    def _step(
        self, counts: np.ndarray, direction: int, weights: np.ndarray, generator: torch.Generator
    ) -> np.ndarray:
        gene = int(torch.multinomial(torch.from_numpy(weights.astype(float)), 1, generator=generator))
        counts = counts.copy()
        counts[gene] = self._neighbour(gene, int(counts[gene]), direction)
        return counts


def _standing(scores: Tensor, pieces: Sequence[slice]) -> Tensor:
    """Rank of each filter among those of its gene, above 0 and at most 1: float64 [L]."""
    ranks = [(scores[piece].argsort().argsort() + 1) / (piece.stop - piece.start) for piece in pieces]
    return torch.cat(ranks)


def _legal_counts(size: int, constraints: Constraints, removable: bool) -> np.ndarray:
    """Allowed numbers of kept filters of a gene: multiples of ``align``, all, and none where it may go."""
    multiples = range(constraints.align, size, constraints.align)
    none = [0] if removable and constraints.remove_blocks else []
    return np.array(none + [count for count in multiples if count >= constraints.min_filters] + [size])


def _next_counts(legal: Sequence[np.ndarray], step: int) -> np.ndarray:
    """For each gene and number of kept filters the next legal one; itself where there is none."""
    found = np.tile(np.arange(max(counts[-1] for counts in legal) + 1), (len(legal), 1))
    for row, counts in zip(found, legal, strict=True):
        row[counts[:-1] if step > 0 else counts[1:]] = counts[1:] if step > 0 else counts[:-1]
    return found
