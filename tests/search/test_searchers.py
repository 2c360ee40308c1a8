"""Annealing and swarm: against numbers worked out by hand, and as searches beside Algorithm 1."""

import json
import math
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import get_args

import pytest
import torch

from ganprune.errors import UsageError
from ganprune.models.cyclegan import resnet_widths
from ganprune.pruning.genome import pack, unpack
from ganprune.pruning.repair import Repairer
from ganprune.reporting import Silent, Task
from ganprune.runs import Run
from ganprune.scoring import Scores
from ganprune.search import SEARCHERS
from ganprune.search.annealing import Annealing, accepted
from ganprune.search.coevolution import Population, State
from ganprune.search.swarm import FASTEST, Swarm, velocity
from ganprune.settings import CompressSettings
from ganprune.settings.search import Searcher, SearchSettings
from ganprune.settings.words import Domain
from ganprune.stages import search
from tests.search.kit import LAYOUTS, Hidden, energies, population_of
from tests.tiny import layout_of, random_genomes, seeded, tiny_gan, tiny_job

SETTINGS = SearchSettings(
    population=9, generations=12, gamma=10, lambda_cycle=1, target_macs=(0.4, 0.4), cycle="whole"
)
OTHERS = ("annealing", "swarm")


def _end(settings: SearchSettings, scorer: Hidden, state: State | None = None) -> State:
    *_, last = SEARCHERS[settings.searcher](settings, LAYOUTS, scorer).states(state)
    return last


def _same(one: State, other: State) -> bool:
    a, b = one.to_tensors(), other.to_tensors()
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_every_searcher_of_the_settings_is_there() -> None:
    assert tuple(SEARCHERS) == get_args(Searcher)


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("population", [2, 9, 10])
def test_searchers_score_as_many_as_algorithm_1(name: Searcher, population: int) -> None:
    scorer = Hidden()
    _end(replace(SETTINGS, searcher=name, population=population), scorer)
    assert scorer.calls == [("A", population), ("B", population)] * 13


@pytest.mark.parametrize("name", OTHERS)
def test_searchers_keep_to_the_constraints(name: Searcher) -> None:
    settings = replace(SETTINGS, searcher=name, align=2, target_macs=(0.6, 0.6))
    last = _end(settings, Hidden())
    for side, population in last.populations.items():
        repair = Repairer(LAYOUTS[side], settings.constraints(side))
        assert torch.equal(repair(population.genomes, seeded(0)), population.genomes)


@pytest.mark.parametrize("name", OTHERS)
def test_search_goes_on_from_a_saved_state_to_the_same_end(name: Searcher) -> None:
    settings = replace(SETTINGS, searcher=name)
    whole = _end(settings, Hidden())
    half = _end(replace(settings, generations=5), Hidden()) if name == "swarm" else None
    states = SEARCHERS[settings.searcher](settings, LAYOUTS, Hidden()).states(None)
    fifth = [next(states) for _ in range(6)][-1]
    assert half is None or _same(half, fifth)  # how a swarm moves does not depend on where it ends
    read = State.from_tensors(fifth.to_tensors())
    assert _same(_end(settings, Hidden(), read), whole)


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("rate", [0.02, None])
def test_what_was_found_is_not_lost(name: Searcher, rate: float | None) -> None:
    settings = replace(SETTINGS, searcher=name, partners="original", mutation_rate=rate)
    best = [
        {side: float(population.fitness.max()) for side, population in state.populations.items()}
        for state in SEARCHERS[settings.searcher](settings, LAYOUTS, Hidden()).states(None)
    ]
    for earlier, later in pairwise(best):
        assert all(later[side] >= earlier[side] for side in later)
    assert all(best[-1][side] > best[0][side] for side in best[0])


def test_annealing_finds_what_is_hidden() -> None:
    settings = replace(SETTINGS, searcher="annealing", target_macs=None, generations=150, population=16,
                       gamma=100.0, mutation_rate=None)  # fmt: skip
    scorer = Hidden()
    first, *_, last = SEARCHERS[settings.searcher](settings, LAYOUTS, scorer).states(None)
    for side, wanted in scorer.wanted.items():
        before, after = ((s.populations[side].best_genome != wanted).double().mean() for s in (first, last))
        assert after < before / 2


def test_change_is_accepted_by_metropolis_rule() -> None:
    # Three chains of energies 1, 2, 3 and their changes of 1.5, 1.9 and 3.4, at a temperature of 1.
    # Chain 0 is the fittest: 1.5 is worse, it stays. Chain 1: 1.9 is better, it goes. Chain 2 rises by 0.4
    # and goes with the probability exp(-0.4) = 0.670.
    energy = energies(1, 2, 3, 1.5, 1.9, 3.4)
    taken = 0
    for seed in range(1000):
        stand = accepted(energy, 3, 1.0, seeded(seed)).tolist()
        assert stand[:2] == [0, 4]  # the fittest first
        taken += stand[2] == 5
    assert taken / 1000 == pytest.approx(math.exp(-0.4), abs=0.04)
    # Without temperature only better ones go.
    assert accepted(energy, 3, 0.0, seeded(0)).tolist() == [0, 4, 2]


def test_odd_population_changes_the_fittest_chain_twice() -> None:
    # Two chains of 1 and 2; changes of chain 0 to 0.9, of chain 1 to 2.5, of chain 0 again to 0.7.
    assert accepted(energies(1, 2, 0.9, 2.5, 0.7), 2, 0.0, seeded(0)).tolist() == [4, 1]


def test_temperature_falls_from_the_spread_of_the_first_energies_to_a_hundredth() -> None:
    search = Annealing(replace(SETTINGS, searcher="annealing"), LAYOUTS, Hidden())
    first = search.init()
    energy = 1 / first.populations["A"].fitness
    expected = (energy - energy.mean()).square().mean().sqrt()
    assert float(first.memory["A.first"]) == pytest.approx(float(expected))
    assert search.temperature(3.0, 0) == 3.0
    assert search.temperature(3.0, 6) == pytest.approx(0.3)
    assert search.temperature(3.0, 12) == pytest.approx(0.03)


def test_changes_are_of_the_chains_that_they_are_judged_against() -> None:
    search = Annealing(
        replace(SETTINGS, searcher="annealing", mutation="exchange", mutation_rate=0.0), LAYOUTS, Hidden()
    )
    first = search.init()
    now = first.populations["A"].genomes[first.memory["A.chains"]]
    assert len(now.unique(dim=0)) == 4
    # Nine a generation: where four chains stand, a change of each, here none, and the fittest's second.
    bred = search._breed(first, "A", 1)
    assert torch.equal(bred, now[[0, 1, 2, 3, 0, 1, 2, 3, 0]])
    # 4 is of chain 0 and better; 5 is of chain 1 and better, but worse than chain 0; 8 is of chain 0 again.
    assert accepted(energies(1, 4, 5, 6, 0.9, 3, 9, 9, 0.8), 4, 0.0, seeded(0)).tolist() == [8, 5, 2, 3]


@pytest.mark.parametrize(
    ("changes", "widths_stay"),
    [
        ({}, False),
        ({"target_macs": None}, False),
        ({"mutation": "flip"}, False),
        ({"mutation": "exchange"}, True),
    ],
    ids=str,
)
def test_changes_are_made_by_the_mutation_of_the_settings(changes: dict[str, str], widths_stay: bool) -> None:
    settings = replace(SETTINGS, searcher="annealing", mutation_rate=0.2, **changes)  # pyright: ignore[reportArgumentType]
    search, layout, chance = Annealing(settings, LAYOUTS, Hidden()), LAYOUTS["A"], seeded(0)
    now = search.init().populations["A"].genomes
    changed = search._mutated("A", now, chance)
    assert (changed != now).any(1).all()
    assert torch.equal(layout.gene_counts(changed), layout.gene_counts(now)) == widths_stay
    bred = search._breed(search.init(), "A", 1)  # where four chains stand, a change of each
    assert torch.equal(layout.gene_counts(bred[4:8]), layout.gene_counts(bred[:4])) or not widths_stay


@pytest.mark.parametrize(("t", "share"), [(1, 0.864), (6, 0.368), (12, 0.0)])
def test_changes_for_the_worse_are_rarer_as_it_cools(t: int, share: float) -> None:
    # From a temperature of 1 over 12 generations to 0.01; a rise of 0.1 is taken with the probability
    # exp(-0.1 / T): T = 10^(-1/6) = 0.681, 0.1 and 0.01.
    settings = replace(SETTINGS, searcher="annealing", population=4000, direction="AtoB")
    search = Annealing(settings, LAYOUTS, Hidden())
    energy = torch.full((4000,), 2.0, dtype=torch.float64)
    energy[0] = 1
    energy[2000:] = 2.1
    genomes = LAYOUTS["A"].full().expand(4000, -1)
    scored: dict[Domain, Population] = {"A": population_of(genomes, fitness=1 / energy)}
    before = State(t - 1, scored, {"A.first": torch.tensor(1.0, dtype=torch.float64)})
    stand = search._memory(before, scored, t)["A.chains"]
    assert (stand >= 2000).double().mean() == pytest.approx(share, abs=0.03)
    assert stand[0] == 0


def test_velocity_is_pulled_where_best_places_differ() -> None:
    # x = 0 1 0 1, own best = 1 1 0 0, the swarm's = 1 1 1 1, v = 0.5 everywhere, r uniform on 0 … 1.
    # Bit 0: both pull up, by 2 r1 + 2 r2, 2 on average. Bit 1: none. Bit 2: the swarm's, 1 on average.
    # Bit 3: its own pulls down, -1 on average.
    n = 20_000
    x = torch.tensor([0, 1, 0, 1], dtype=torch.bool).expand(n, 4)
    own = torch.tensor([1, 1, 0, 0], dtype=torch.bool).expand(n, 4)
    v = velocity(torch.full((n, 4), 0.5), x, own, torch.ones(4, dtype=torch.bool), seeded(0))
    assert v.mean(0).tolist() == pytest.approx([2.5, 0.5, 1.5, -0.5], abs=0.03)
    assert v[:, 1].eq(0.5).all()
    fast = velocity(torch.full((1, 4), 5.9), x[:1], own[:1], torch.ones(4, dtype=torch.bool), seeded(0))
    assert fast.max() == FASTEST


def test_particles_move_by_their_velocities() -> None:
    # All are where both best places are, so velocities stay. Bits of v = 6, 1, 0, -1 are then 1 with the
    # probability 1 / (1 + exp(-v)).
    settings = replace(SETTINGS, searcher="swarm", target_macs=None, direction="AtoB")
    n, length = 1000, LAYOUTS["A"].length
    genomes = random_genomes(LAYOUTS["A"], 1).expand(n + 1, -1)
    v = torch.tensor([6.0, 1.0, 0.0, -1.0]).repeat(length // 4).expand(n, -1)
    memory = {"A.velocity": v, "A.own": pack(genomes[1:]), "A.own_fitness": torch.zeros(n)}
    state = State(3, {"A": population_of(genomes)}, memory)
    bred = Swarm(settings, LAYOUTS, Hidden())._breed(state, "A", 4)
    assert torch.equal(bred[0], genomes[0])
    ones = bred[1:].view(n, -1, 4).double().mean((0, 1)).tolist()
    assert ones == pytest.approx([0.9975, 0.731, 0.5, 0.269], abs=0.015)
    assert ones[0] == pytest.approx(0.9975, abs=0.0015)


def test_particles_begin_by_drawing_as_many_filters_as_they_have() -> None:
    layout = layout_of(resnet_widths(16, 3))
    settings = SearchSettings(population=9, searcher="swarm", target_macs=(1 / 15, 1 / 15), direction="AtoB")
    search, chance = Swarm(settings, {"A": layout}, _Blind()), seeded(0)
    x, v = (first := search.init()).populations["A"].genomes[1:], first.memory["A.velocity"]
    for i, piece in enumerate(layout.genes.values()):
        share = x[:, piece].double().mean(1)
        assert torch.allclose(
            v[:, piece].double().sigmoid(), share[:, None].expand(-1, layout.sizes[i]), atol=3e-3
        )

    def repaired(v: torch.Tensor) -> float:
        """Share of the drawn filters that repair takes away."""
        drawn = torch.rand(v.shape, generator=chance) < v.sigmoid()
        return float((drawn & ~search._repair["A"](drawn, chance)).sum() / drawn.sum())

    assert repaired(v) < 0.15
    assert repaired(torch.zeros_like(v)) > 0.4  # where they began before


def test_bit_on_which_all_places_agree_keeps_its_velocity() -> None:
    settings = replace(SETTINGS, searcher="swarm")
    moving, pulled = 0, 0
    for before, after in pairwise(SEARCHERS[settings.searcher](settings, LAYOUTS, Hidden()).states(None)):
        population, v, w = before.populations["A"], before.memory["A.velocity"], after.memory["A.velocity"]
        x, best = population.genomes[1:], population.best_genome
        own = unpack(before.memory["A.own"], LAYOUTS["A"].length)
        agreed, up = (x == own) & (x == best), ~x & own & best
        assert torch.equal(w[agreed], v[agreed])
        assert (w[up] > v[up]).logical_or(w[up] == FASTEST).all()
        moving, pulled = moving + int((v[agreed] != 0).sum()), pulled + int(up.sum())
    assert min(moving, pulled) > 100


@pytest.mark.parametrize(
    ("changes", "forgets"),
    [({}, 1), ({"partners": "original"}, None), ({"direction": "AtoB"}, None)],
    ids=str,
)
def test_particle_remembers_its_own_best_place(changes: dict[str, str], forgets: int | None) -> None:
    """But for that of generation 0, whose partners are the originals."""
    settings = replace(SETTINGS, searcher="swarm", **changes)  # pyright: ignore[reportArgumentType]
    best: dict[int, tuple[float, list[bool]]] = {}
    for state in SEARCHERS[settings.searcher](settings, LAYOUTS, Hidden()).states(None):
        population = state.populations["A"]
        if state.generation == forgets:
            assert population.fitness.max() < min(fitness for fitness, _ in best.values())
            best.clear()
        for i, fitness in enumerate(population.fitness[1:].tolist()):
            if i not in best or fitness > best[i][0]:
                best[i] = fitness, population.genomes[1 + i].tolist()
        assert state.memory["A.own_fitness"].tolist() == [best[i][0] for i in range(8)]
        own = unpack(state.memory["A.own"], LAYOUTS["A"].length)
        assert own.tolist() == [best[i][1] for i in range(8)]


class _Blind:
    """A `Scorer` to which all are alike."""

    def score(self, side: Domain, genomes: torch.Tensor, partner: object) -> Scores:
        del side, partner
        none = torch.zeros(len(genomes), dtype=torch.float64)
        return Scores(none, none, none, none)


class _Stopper(Silent):
    """A reporter that interrupts after some individuals."""

    def __init__(self, left: int) -> None:
        self.left = left

    @contextmanager
    def task(self, title: str, total: int, done: int = 0) -> Generator[Task]:
        del title, total, done
        yield self

    def advance(self, steps: int = 1, **figures: float | str) -> None:
        del figures
        self.left -= steps
        if self.left < 0:
            raise KeyboardInterrupt


@pytest.mark.parametrize("name", OTHERS)
def test_interrupted_run_of_another_searcher_goes_on_to_the_same_end(name: str, tmp_path: Path) -> None:
    gan = tiny_gan()
    settings = CompressSettings.from_flat(
        {"searcher": name, "population": 4, "generations": 3, "pictures": 2, "size": 32, "device": "cpu"}
    )
    for folder in ("calm", "broken"):
        (tmp_path / folder).mkdir()
    calm, broken = (tiny_job(Run(tmp_path / folder), gan, settings) for folder in ("calm", "broken"))
    with pytest.raises(KeyboardInterrupt):
        search(replace(broken, reporter=_Stopper(20)))  # in the third generation
    assert _same(search(broken), search(calm))
    lines = (tmp_path / "broken" / "search.jsonl").read_text().splitlines()
    assert [json.loads(line)["generation"] for line in lines] == [0, 1, 2, 3]


def test_unknown_searcher_is_named() -> None:
    with pytest.raises(
        UsageError, match="--set searcher must be one of coevolution, annealing, swarm, front, found"
    ):
        SearchSettings(searcher="x")  # pyright: ignore[reportArgumentType]
