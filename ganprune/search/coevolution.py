"""Co-evolutionary compression, Algorithm 1 of the paper: two populations, each scored against the
best of the other.

`ganprune.search.settings` says what to do, `State` is where the search stands, `init` and `step` go from one
state to the next. A state can be saved after every generation and holds no random generator: each
generation of each side draws from a stream of its own, derived from the seed. So a search that was
killed and resumed ends in the same genomes as one that was not.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import partial
from typing import NotRequired, TypedDict

import numpy as np
import torch
from torch import Tensor

from ganprune.pruning.fitness import Scores, fitness, losses
from ganprune.pruning.genome import Layout, pack, unpack
from ganprune.pruning.repair import Repairer
from ganprune.pruning.resources import Resource, kept_macs, kept_weights
from ganprune.scoring.scores import Scorer
from ganprune.search.operators import breed, exchange, mutate, mutate_power_law
from ganprune.settings.search import SearchSettings
from ganprune.settings.words import DOMAINS, OTHER, Domain


@dataclass(frozen=True, slots=True, kw_only=True)
class Population(Scores):
    """The scored individuals of one side."""

    genomes: Tensor
    """bool [K, L]."""
    N: Tensor
    """Eq. 10, float64 [K]; so are all others."""
    macs: Tensor
    """Share of the original's true MACs."""
    fitness: Tensor
    """Eq. 11 or 13."""

    @property
    def best(self) -> int:
        """Index of the fittest individual, the first of equals."""
        return int(self.fitness.argmax())

    @property
    def best_genome(self) -> Tensor:
        """bool [L]."""
        return self.genomes[self.best]

    def diversity(self) -> float:
        """Mean share of bits in which two individuals differ; 0.5 for coin flips."""
        ones = self.genomes.double().mean(0)
        return float((2 * ones * (1 - ones)).mean()) * len(self.genomes) / max(len(self.genomes) - 1, 1)


@dataclass(frozen=True, slots=True)
class State:
    """Where a search stands after some generation: all that the next one needs."""

    generation: int
    populations: Mapping[Domain, Population]
    """One for each generator that evolves."""
    memory: Mapping[str, Tensor] = field(default_factory=dict[str, Tensor])
    """What a searcher of `ganprune.search` keeps besides."""
    floor: Mapping[Domain, float] = field(default_factory=dict[Domain, float])
    """L_cyc of each original pair, above which it counts (`SearchSettings.cycle`); 0 where all of it does."""

    def to_tensors(self) -> dict[str, Tensor]:
        """For a safetensors file: genomes packed to bytes, scores as they are, bit for bit."""
        tensors = {"generation": torch.tensor(self.generation)}
        for side, population in self.populations.items():
            tensors[f"{side}.length"] = torch.tensor(population.genomes.shape[1])
            tensors[f"{side}.genomes"] = pack(population.genomes)
            tensors |= {f"{side}.{name}": getattr(population, name).clone() for name in _SCORES}
            tensors[f"{side}.floor"] = torch.tensor(self.floor.get(side, 0.0), dtype=torch.float64)
        return tensors | {f"memory.{name}": tensor.clone() for name, tensor in self.memory.items()}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor]) -> "State":
        """The reverse of `to_tensors`. Raises `KeyError` where something of a population is missing."""

        def population(side: Domain) -> Population:
            genomes = unpack(tensors[f"{side}.genomes"], int(tensors[f"{side}.length"]))
            return Population(genomes=genomes, **{name: tensors[f"{side}.{name}"] for name in _SCORES})

        sides: list[Domain] = [side for side in DOMAINS if f"{side}.length" in tensors]
        kept = {name.removeprefix("memory."): t for name, t in tensors.items() if name.startswith("memory.")}
        floor: dict[Domain, float] = {side: float(tensors.get(f"{side}.floor", 0.0)) for side in sides}
        return cls(int(tensors["generation"]), {side: population(side) for side in sides}, kept, floor)


CONTROLS = ("original", "inputs")
"""What individuals are seen beside: the original itself, and pictures that no network has touched."""
_TERMS = tuple(item.name for item in fields(Scores))
_SCORES = ("N", "macs", *_TERMS, "fitness")


class CoEvolution:
    """Algorithm 1 over two layouts, or one, and a scorer; holds no state of the search."""

    def __init__(
        self,
        settings: SearchSettings,
        layouts: Mapping[Domain, Layout],
        scorer: Scorer,
        scores: Mapping[Domain, Tensor] | None = None,
        latency: Mapping[Domain, Resource] | None = None,
        costs: Mapping[Domain, Sequence[np.ndarray]] | None = None,
        floor: Mapping[Domain, float] | None = None,
    ) -> None:
        """scores: how hard each bit is to do without: float64 [L]. costs: of each gene, by the number of
        filters that it keeps: float [filters + 1] each, see `ganprune.refit.surgeon`. latency: for
        ``target_ms``. floor: L_cyc of each original pair, for ``cycle``, see `State`.

        Raises `UsageError` for a target that cannot be reached.
        """
        self.settings, self.layouts, self.scorer = settings, layouts, scorer
        self._scores, self._costs, self._floor = scores, costs, dict(floor or {})
        self._repair = {
            side: Repairer(
                layouts[side], settings.constraints(side), (latency or {}).get(side), (scores or {}).get(side)
            )
            for side in settings.sides
        }

    def init(self) -> State:
        """Generation 0, scored with the original partners."""
        populations: dict[Domain, Population] = {}
        for side in self.settings.sides:
            genomes = self._first(side, random_stream(self.settings.seed, 0, side))
            populations[side] = self._score(side, genomes, None, self._floor.get(side, 0.0))
        return State(0, populations, self._memory(None, populations, 0), self._floor)

    def _first(self, side: Domain, generator: torch.Generator) -> Tensor:
        """Coin flips, fair without a target; where it is known what filters are worth, half of them instead
        keep those worth most: with a target, the cheapest network of all and walks away from it."""
        K, layout, repair = self.settings.population, self.layouts[side], self._repair[side]
        limits = self.settings.constraints(side)
        # A width w of every layer costs about w² MACs.
        keep = 0.5 if limits.share is None else limits.share**0.5
        if limits.target_ms is not None:
            keep = repair.uniform_share()
        genomes = repair(torch.rand(K, layout.length, generator=generator) < keep, generator)
        if self._scores is None or self._costs is None:
            return genomes
        scores = self._scores[side]
        if limits.aimless:
            genomes[: K // 2] = torch.stack(
                [layout.keeping(counts, scores) for counts in layout.gene_counts(genomes[: K // 2]).numpy()]
            )
            return genomes
        genomes[0] = layout.keeping(repair.cheapest(self._costs[side]), scores)
        for i in range(1, K // 2):
            genomes[i] = repair.reshaped(genomes[i - 1 : i], generator)[0]
        return genomes

    def step(self, state: State) -> State:
        """One generation: breed both populations, score P against the best q, then Q against the best p."""
        t, scored = state.generation + 1, dict[Domain, Population]()
        for side in self.settings.sides:
            latest = scored if self.settings.order == "alternate" else {}
            partners = latest.get(OTHER[side]) or state.populations.get(OTHER[side])
            partner, floor = self._partner(partners), state.floor.get(side, 0.0)
            scored[side] = self._score(side, self._breed(state, side, t), partner, floor)
        return State(t, scored, self._memory(state, scored, t), state.floor)

    def states(self, state: State | None) -> Iterator[State]:
        """Every state from here to the last generation: after None generation 0, after t generation t + 1."""
        if state is None:
            state = self.init()
            yield state
        while state.generation < self.settings.generations:
            state = self.step(state)
            yield state

    def _partner(self, population: Population | None) -> Tensor | None:
        """The best of the other side; None, the original, where that side stays whole."""
        if population is None or self.settings.partners == "original":
            return None
        return population.best_genome

    @staticmethod
    def memory_of(population: int, length: int) -> Mapping[str, tuple[torch.dtype, tuple[int, ...]]]:
        """Kind and shape of each tensor of a side that `State.memory` holds between generations.

        population: K; length: L, bits of a genome.
        """
        del population, length
        return {}

    def _memory(
        self, before: State | None, scored: Mapping[Domain, Population], t: int
    ) -> Mapping[str, Tensor]:
        """What another searcher keeps of a generation, beside its individuals."""
        del before, scored, t
        return {}

    def _breed(self, state: State, side: Domain, t: int) -> Tensor:
        s, population = self.settings, state.populations[side]
        generator = random_stream(s.seed, t, side)
        children = breed(
            population.genomes, population.fitness, generator,
            p_select=s.p_select, p_crossover=s.p_crossover, parents=s.parents,
            change=partial(self._mutated, side),
        )  # fmt: skip
        return self._repair[side](children, generator)

    def _mutated(self, side: Domain, genomes: Tensor, generator: torch.Generator) -> Tensor:
        """A change of each genome, not yet repaired, by the settings' mutation. bool [n, L] → bool [n, L]."""
        s = self.settings
        kind = s.mutation if s.mutation != "auto" else "flip" if s.aimless else "both"
        if kind == "flip":
            rate = s.mutation_rate
            return mutate_power_law(genomes, generator) if rate is None else mutate(genomes, rate, generator)
        if kind == "reshape":
            return self._repair[side].reshaped(genomes, generator)
        young = exchange(genomes, s.mutation_rate, list(self.layouts[side].genes.values()), generator)
        if kind == "both":
            moved = torch.rand(len(genomes), generator=generator) < 0.5
            young[moved] = self._repair[side].reshaped(genomes[moved], generator)
        return young

    def _score(self, side: Domain, genomes: Tensor, partner: Tensor | None, floor: float) -> Population:
        layout, scores = self.layouts[side], self.scorer.score(side, genomes, partner)
        N, macs = kept_weights(layout, genomes), kept_macs(layout, genomes)
        return _scored(self.settings, side, genomes, N, macs, scores, floor)


def _scored(
    s: SearchSettings, side: Domain, genomes: Tensor, N: Tensor, macs: Tensor, scores: Scores, floor: float
) -> Population:
    terms = {name: getattr(scores, name) for name in _TERMS}
    # At equal speed, N would choose who keeps fewer weights, not who draws better.
    same = s.size_for_all(side)
    F = fitness(N if same is None else torch.full_like(N, same), losses(scores, s, floor), s.gamma)
    return Population(genomes=genomes, N=N, macs=macs, fitness=F, **terms)


def random_stream(seed: int, generation: int, side: str) -> torch.Generator:
    """The random numbers of one side, or of one purpose, in one generation, independent of all others."""
    digest = hashlib.sha256(f"{seed}/{generation}/{side}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)


class Generation(TypedDict):
    """A line of search.jsonl: the best of each side with its terms, means, diversity."""

    generation: int
    A: NotRequired[dict[str, float]]
    B: NotRequired[dict[str, float]]
    evaluations: NotRequired[int]
    seconds: NotRequired[float]
    controls: NotRequired[dict[Domain, dict[str, dict[str, float]]]]
    """In the first one, see `describe_controls`."""


def describe(state: State, settings: SearchSettings) -> Generation:
    """The line of a generation, but for what it cost."""
    line: Generation = {"generation": state.generation}
    for side, population in state.populations.items():
        line[side] = _figures(settings, side, population, population.best) | {
            "mean_fitness": float(population.fitness.mean()),
            "mean_macs": float(population.macs.mean()),
            "diversity": population.diversity(),
        }
    return line


def describe_controls(
    settings: SearchSettings, side: Domain, scores: Scores, floor: float
) -> dict[str, dict[str, float]]:
    """What the original itself and the untouched inputs score, by the names of `CONTROLS`; for search.jsonl.

    scores: [2] each, in that order. floor: as `State.floor`. The original keeps all weights, what returns its
    input needs none.
    """
    N = torch.tensor([1.0, 0.0], dtype=torch.float64)
    population = _scored(settings, side, torch.zeros(2, 0, dtype=torch.bool), N, N, scores, floor)
    return {name: _figures(settings, side, population, i) for i, name in enumerate(CONTROLS)}


def _figures(s: SearchSettings, side: Domain, population: Population, i: int) -> dict[str, float]:
    """With ``losses``, all of 1 / F but size, where F is not 0."""
    told = {name: float(getattr(population, name)[i]) for name in _SCORES}
    if told["fitness"]:
        told["losses"] = 1 / told["fitness"] - (s.size_for_all(side) or told["N"])
    return told
