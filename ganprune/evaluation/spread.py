"""Scores computed by several workers, each with a `LocalEvaluator` of its own.

The calling process keeps every score and hands out what is missing, see `ganprune.evaluation.schedule`. Where
and when something was computed never shows: the result equals that of a `LocalEvaluator` with the same
settings and as many threads as each worker has, bit for bit on the same kind of hardware.
"""

from collections import Counter
from collections.abc import Callable
from typing import Any, Self

import torch
from torch import Tensor

from ganprune.evaluation.interface import Domain, Scores
from ganprune.evaluation.local import EvaluationSettings
from ganprune.evaluation.schedule import Crew, Schedule
from ganprune.evaluation.serving import Row
from ganprune.images.sources import DOMAINS
from ganprune.pruning.genome import genome_key


class SpreadEvaluator:
    """An `Evaluator` that spreads its work over a crew. Close it, or use it as a context manager."""

    def __init__(
        self, crew: Crew[Any], settings: EvaluationSettings, on_scored: Callable[[], object], lasting: bool
    ) -> None:
        """on_scored: called after every individual. lasting: whether a genome translates alike beside every
        partner."""
        self.settings, self._crew, self._on_scored = settings, crew, on_scored
        self.schedule = Schedule(crew, lasting)
        self.evaluations = 0
        """Number of slim networks whose scores were asked for: new genomes, and known genomes with a new
        partner."""
        self._known: dict[Domain, dict[tuple[bytes, bytes], Row]] = {side: {} for side in DOMAINS}
        """By the keys of a genome and of its partner, see `ganprune.evaluation.serving.Request`."""
        self._identities: dict[Domain, dict[bytes, float]] = {side: {} for side in DOMAINS}
        """L_idt by genome; of fine-tuned ones by genome and partner."""
        self._lasting, self._closed = lasting, False

    def close(self) -> None:
        """End all workers at once. May be called again."""
        self._closed = True
        self._crew.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def score(
        self, side: Domain, genomes: Tensor, partner: Tensor | None, *, identity: bool = False
    ) -> Scores:
        """See `Evaluator.score`. Raises what a worker raises, and `GanpruneError` where none can go on.

        After any error, Ctrl-C too, the workers are closed.
        """
        if self._closed:
            raise RuntimeError("the workers are closed")
        goal = b"" if partner is None else genome_key(partner)
        keys = [genome_key(genome) for genome in genomes]
        known, identities = self._known[side], self._identities[side]
        names = {key: key if self._lasting else key + goal for key in keys}
        count = Counter(keys)
        missing = {
            key: n
            for key, n in count.items()
            if (key, goal) not in known or (identity and names[key] not in identities)
        }
        try:
            self._advance(len(keys) - sum(missing.values()))
            for key, row in self.schedule.computed(side, missing, count, goal, identity):
                known[key, goal] = row
                if identity:
                    identities[names[key]] = row[3]
                self.evaluations += 1
                self._advance(count[key])
        except BaseException:
            self.close()
            raise
        rows = [(*known[key, goal][:3], identities[names[key]] if identity else 0.0) for key in keys]
        return Scores(*torch.tensor(rows, dtype=torch.float64).unbind(1))

    def _advance(self, individuals: int) -> None:
        for _ in range(individuals):
            self._on_scored()
