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

import numpy as np
import torch
from torch import Tensor

from ganprune.images.sources import DOMAINS, Domain
from ganprune.pruning.fitness import fitness
from ganprune.pruning.genome import Layout, pack, unpack
from ganprune.pruning.repair import Repairer
from ganprune.pruning.resources import Resource, kept_macs, kept_weights
from ganprune.scoring.scores import Scorer, Scores
from ganprune.search.operators import breed, mutated
from ganprune.search.settings import SearchSettings


@dataclass(frozen=True, slots=True)
class Population:
    """The scored individuals of one side."""

    genomes: Tensor
    """bool [K, L]."""
    N: Tensor
    """Eq. 10, float64 [K]; so are all below."""
    macs: Tensor
    """Share of the original's true MACs."""
    L_DisA: Tensor
    L_GenA: Tensor
    L_cyc: Tensor
    L_idt: Tensor
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

    def to_tensors(self) -> dict[str, Tensor]:
        """For a safetensors file: genomes packed to bytes, scores as they are, bit for bit."""
        tensors = {"generation": torch.tensor(self.generation)}
        for side, population in self.populations.items():
            tensors[f"{side}.length"] = torch.tensor(population.genomes.shape[1])
            tensors[f"{side}.genomes"] = pack(population.genomes)
            tensors |= {f"{side}.{name}": getattr(population, name).clone() for name in _SCORES}
        return tensors | {f"memory.{name}": tensor.clone() for name, tensor in self.memory.items()}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor]) -> "State":
        """The reverse of `to_tensors`. Raises `KeyError` where something of a population is missing."""

        def population(side: Domain) -> Population:
            genomes = unpack(tensors[f"{side}.genomes"], int(tensors[f"{side}.length"]))
            return Population(genomes, **{name: tensors[f"{side}.{name}"] for name in _SCORES})

        sides: list[Domain] = [side for side in DOMAINS if f"{side}.length" in tensors]
        kept = {name.removeprefix("memory."): t for name, t in tensors.items() if name.startswith("memory.")}
        return cls(int(tensors["generation"]), {side: population(side) for side in sides}, kept)


CONTROLS = ("original", "inputs")
"""What individuals are seen beside: the original itself, and pictures that no network has touched."""
_SCORES = tuple(item.name for item in fields(Population) if item.name != "genomes")


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
    ) -> None:
        """scores: how hard each bit is to do without, for ``informed``. latency: for ``target_ms``. costs: of
        keeping few filters of a gene, see `ganprune.pruning.repair.Repairer`.

        Raises `UsageError` for a target that cannot be reached.
        """
        self.settings, self.layouts, self.scorer, self._scores = settings, layouts, scorer, scores
        self._repair = {
            side: Repairer(
                layouts[side], settings.constraints(side), (latency or {}).get(side), (costs or {}).get(side)
            )
            for side in settings.sides
        }

    def init(self) -> State:
        """Generation 0: coin flips, fair without a target, scored with the original partners."""
        populations: dict[Domain, Population] = {}
        for side in self.settings.sides:
            generator = random_stream(self.settings.seed, 0, side)
            limits = self.settings.constraints(side)
            # A width w of every layer costs about w² MACs.
            keep = 0.5 if limits.share is None else limits.share**0.5
            if limits.target_ms is not None:
                keep = self._repair[side].uniform_share()
            genomes = (
                torch.rand(self.settings.population, self.layouts[side].length, generator=generator) < keep
            )
            genomes = self._repair[side](genomes, generator)
            if self._scores is not None:
                informed = round(self.settings.informed * self.settings.population)
                genomes[:informed] = self._informed(genomes[:informed], self._scores[side], side, generator)
            populations[side] = self._score(side, genomes, None)
        return State(0, populations, self._memory(None, populations, 0))

    def _informed(self, genomes: Tensor, scores: Tensor, side: Domain, generator: torch.Generator) -> Tensor:
        """Genomes of the same widths that keep the filters of the best scores; all but the first with noise.

        The first has the widths that cost least, where they are known. So pruning by scores alone is in the
        population, and whatever the search finds is no worse.
        """
        layout, chosen, middle = self.layouts[side], genomes.clone(), self._repair[side].middle
        for i, genome in enumerate(genomes):
            noise = torch.randn(len(scores), generator=generator, dtype=torch.float64)
            noisy = scores.log() + (noise * scores.log().std() * i / len(genomes) if i else 0)
            for gene, piece in enumerate(layout.genes.values()):
                kept = int(genome[piece].sum() if i or middle is None else middle[gene])
                chosen[i, piece] = False
                chosen[i, piece.start + noisy[piece].topk(kept).indices] = True
        return chosen

    def step(self, state: State) -> State:
        """One generation: breed both populations, score P against the best q, then Q against the best p."""
        t, scored = state.generation + 1, dict[Domain, Population]()
        for side in self.settings.sides:
            other: Domain = "B" if side == "A" else "A"
            latest = scored if self.settings.order == "alternate" else {}
            partners = latest.get(other) or state.populations.get(other)
            scored[side] = self._score(side, self._breed(state, side, t), self._partner(partners, t))
        return State(t, scored, self._memory(state, scored, t))

    def states(self, state: State | None) -> Iterator[State]:
        """Every state from here to the last generation: after None generation 0, after t generation t + 1."""
        if state is None:
            state = self.init()
            yield state
        while state.generation < self.settings.generations:
            state = self.step(state)
            yield state

    def _partner(self, population: Population | None, t: int) -> Tensor | None:
        """The best of the other side; None, the original, where that side stays whole or t is early."""
        return None if population is None or self._is_apart(t) else population.best_genome

    def _is_apart(self, t: int) -> bool:
        """Whether the partners of generation t are the originals; in generation 0 they always are."""
        s = self.settings
        return s.partners == "original" or t <= round(s.apart * s.generations)

    def _memory(
        self, before: State | None, scored: Mapping[Domain, Population], t: int
    ) -> Mapping[str, Tensor]:
        """What another searcher keeps of a generation, beside its individuals."""
        del before, scored, t
        return {}

    def _breed(self, state: State, side: Domain, t: int) -> Tensor:
        s, population, generator = (
            self.settings,
            state.populations[side],
            random_stream(self.settings.seed, t, side),
        )
        children = breed(
            population.genomes, population.fitness, generator,
            p_select=s.p_select, p_crossover=s.p_crossover, mutation_rate=s.mutation_rate,
            p_genes=s.p_genes, genes=list(self.layouts[side].genes.values()),
            mutation=s.operator, parents=s.parents,
        )  # fmt: skip
        return self._repair[side](children, generator)

    def _mutated(self, side: Domain, genomes: Tensor, generator: torch.Generator) -> Tensor:
        """A change of each genome, not yet repaired, by the settings' mutation. bool [n, L] → bool [n, L]."""
        s, genes = self.settings, list(self.layouts[side].genes.values())
        return mutated(genomes, generator, mutation=s.operator, rate=s.mutation_rate, genes=genes)

    def _score(self, side: Domain, genomes: Tensor, partner: Tensor | None) -> Population:
        layout, scores = self.layouts[side], self.scorer.score(side, genomes, partner)
        N, macs = kept_weights(layout, genomes), kept_macs(layout, genomes)
        return _scored(self.settings, genomes, N, macs, scores)


def _scored(s: SearchSettings, genomes: Tensor, N: Tensor, macs: Tensor, scores: Scores) -> Population:
    F = fitness(
        N, scores.L_DisA if s.loss == "disa" else scores.L_GenA, scores.L_cyc, scores.L_idt,
        gamma=s.gamma, lambda_cycle=s.lambda_cycle, lambda_identity=s.lambda_identity,
    )  # fmt: skip
    return Population(genomes, N, macs, scores.L_DisA, scores.L_GenA, scores.L_cyc, scores.L_idt, F)


def random_stream(seed: int, generation: int, side: str) -> torch.Generator:
    """The random numbers of one side, or of one purpose, in one generation, independent of all others."""
    digest = hashlib.sha256(f"{seed}/{generation}/{side}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)


def describe(state: State) -> dict[str, object]:
    """One line of search.jsonl: the best of each side with its terms, means, diversity."""
    line: dict[str, object] = {"generation": state.generation}
    for side, population in state.populations.items():
        line[side] = _figures(population, population.best) | {
            "mean_fitness": float(population.fitness.mean()),
            "mean_macs": float(population.macs.mean()),
            "diversity": population.diversity(),
        }
    return line


def describe_controls(settings: SearchSettings, scores: Scores) -> dict[str, dict[str, float]]:
    """What the original itself and the untouched inputs score, by the names of `CONTROLS`; for search.jsonl.

    scores: [2] each, in that order. The original keeps all weights, what returns its input needs none.
    """
    N = torch.tensor([1.0, 0.0], dtype=torch.float64)
    population = _scored(settings, torch.zeros(2, 0, dtype=torch.bool), N, N, scores)
    return {name: _figures(population, i) for i, name in enumerate(CONTROLS)}


def _figures(population: Population, i: int) -> dict[str, float]:
    return {name: float(getattr(population, name)[i]) for name in _SCORES}
