"""Scores of individuals: what a search asks for, and what those who compute them have in common."""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from typing import Protocol

from torch import Tensor

from ganprune.pruning.fitness import Scores
from ganprune.pruning.genome import genome_key
from ganprune.settings.words import Domain

Row = tuple[float, ...]
"""The terms of one individual, in the order of `Scores`."""


def nobody() -> None:
    """Told of every individual where nobody wants to know."""


class Scorer(Protocol):
    """Computes the loss terms of genomes: in this process, in several, or on a cluster."""

    def score(self, side: Domain, genomes: Tensor, partner: Tensor | None) -> Scores:
        """Score one population against one partner.

        genomes: bool [K, L] of ``side``; partner: bool [L'] genome of the other side, or None for its
        original generator. The result for a genome depends on nothing but the genome and the partner.
        """
        ...


class MemoScorer(ABC):
    """A `Scorer` that remembers every score, so that none is computed twice."""

    def __init__(self, on_scored: Callable[[], object]) -> None:
        """on_scored: called after every individual, to show progress."""
        self.evaluations = 0
        """Number of scores computed so far: of new genomes, and of known genomes with a new partner."""
        self._on_scored = on_scored
        self._rows = dict[tuple[Domain, bytes, bytes], Row]()
        """By side, genome and partner, as `genome_key` names them; the original's key is empty."""

    def score(self, side: Domain, genomes: Tensor, partner: Tensor | None) -> Scores:
        """See `Scorer.score`."""
        partner_key = b"" if partner is None else genome_key(partner)
        keys = [genome_key(genome) for genome in genomes]
        counts = Counter(keys)
        missing = [key for key in counts if (side, key, partner_key) not in self._rows]
        self._advance(len(keys) - sum(counts[key] for key in missing))
        for key, row in self.computed(side, missing, counts.keys(), partner_key):
            self._rows[side, key, partner_key] = row
            self.evaluations += 1
            self._advance(counts[key])
        return Scores.of(self._rows[side, key, partner_key] for key in keys)

    @abstractmethod
    def computed(
        self, side: Domain, missing: Collection[bytes], population: Collection[bytes], partner: bytes
    ) -> Iterable[tuple[bytes, Row]]:
        """Compute the scores of the ``missing`` of a ``population``, in any order."""

    def _advance(self, individuals: int) -> None:
        for _ in range(individuals):
            self._on_scored()
