"""The hand-out in simulated time: slow workers, workers that die and workers that come."""

from collections import Counter

import pytest
import torch
from torch import Tensor

from benchmarks.simulated import Costs, SimulatedPool
from ganprune.errors import GanpruneError
from ganprune.images.sources import Domain
from ganprune.pruning.genome import genome_key
from ganprune.scoring import PoolScorer, Scores
from ganprune.scoring.pool import MOST_LOSSES
from ganprune.scoring.scores import Row
from tests.reliability.kit import Told
from tests.scoring.test_local import exactly_equal
from tests.tiny import seeded


def genomes(n: int, seed: int = 0) -> Tensor:
    return torch.rand(n, 64, generator=seeded(seed)) < 0.5


def size(key: bytes) -> int:
    return int.from_bytes(key, "big").bit_count()


def row(side: Domain, key: bytes, partner: bytes) -> Row:
    """Scores that tell all genomes, partners and sides apart."""
    number = float(int.from_bytes(key[:6], "big"))
    return number, -number, number + sum(partner), 0.5 if side == "A" else 2.0


def expected(side: Domain, population: Tensor, partner: Tensor | None = None) -> Scores:
    goal = b"" if partner is None else genome_key(partner)
    return Scores.of(row(side, genome_key(genome), goal) for genome in population)


def second(side: Domain, key: bytes, partner: bytes) -> float:
    return 1.0


def search_of(pool: SimulatedPool) -> PoolScorer:
    """A few generations of both sides with elites that meet new partners; checks every score."""
    scorer = PoolScorer(pool)
    ours, theirs = genomes(12, 1), genomes(12, 2)
    for t in range(4):
        calls: list[tuple[Domain, Tensor, Tensor | None]]
        calls = [("A", ours, None if t == 0 else theirs[t]), ("B", theirs, ours[t])]
        for side, population, partner in calls:
            found = scorer.score(side, population, partner)
            assert exactly_equal(found, expected(side, population, partner))
        ours, theirs = torch.cat([ours[:4], genomes(8, 10 + t)]), torch.cat([theirs[:3], genomes(9, 20 + t)])
    assert scorer.evaluations == 8 * 12
    return scorer


@pytest.mark.parametrize("workers", [1, 2, 5, 40])
@pytest.mark.parametrize("patience", [None, 2.0])
def test_scores_and_their_number_do_not_depend_on_the_pool(workers: int, patience: float | None) -> None:
    search_of(SimulatedPool(workers, second, row, Costs(0.01, 0.02, 0.1), patience))


def test_equal_workers_share_the_work_and_the_largest_goes_first() -> None:
    pool = SimulatedPool(4, second, row)
    PoolScorer(pool).score("A", genomes(16), None)
    assert pool.now == 4.0
    begun = [size(worker.tasks[step].key) for step in range(4) for worker in pool.all]
    assert begun == sorted(begun, reverse=True)


def test_slow_worker_does_not_hold_a_generation_up() -> None:
    """Three workers take a second an individual, one a hundred: it gets one, which another does again."""
    P, times = genomes(12), dict[float | None, float]()
    for patience in (None, 2.0):
        pool = SimulatedPool(4, second, row, patience=patience, slowness={3: 100.0})
        scorer = PoolScorer(pool)
        assert exactly_equal(scorer.score("A", P, None), expected("A", P))
        times[patience] = pool.now
        assert scorer.evaluations == 12
    assert times[None] == 100.0
    assert times[2.0] == 4.0  # twelve by three
    assert scorer.copies == 1


def test_late_worker_goes_on_into_the_next_population_and_then_takes_part() -> None:
    pool = SimulatedPool(2, second, row, patience=2.0, slowness={1: 7.0})
    scorer = PoolScorer(pool)
    for seed in range(3):
        P = genomes(6, seed)
        assert exactly_equal(scorer.score("A", P, None), expected("A", P))
    assert len(pool.all[1].tasks) > 1


def test_dead_worker_costs_its_own_individual_and_nothing_else() -> None:
    P = genomes(12)
    pool = SimulatedPool(3, second, row, deaths={1: 1.5})
    scorer = PoolScorer(pool)
    assert exactly_equal(scorer.score("A", P, None), expected("A", P))
    done = Counter(task.key for worker in pool.all for task in worker.tasks)
    assert sorted(done.values()) == [1] * 11 + [2]
    assert scorer.again == 1
    assert pool.now == 6.0  # three in the first second, one is lost, nine by two


def test_worker_that_comes_later_takes_part_at_once() -> None:
    P = genomes(12)
    pool = SimulatedPool(3, second, row, joins={1: 2.0, 2: 2.0})
    assert exactly_equal(PoolScorer(pool).score("A", P, None), expected("A", P))
    assert [len(worker.tasks) for worker in pool.all] == [6, 3, 3]


def test_deaths_and_arrivals_in_every_generation_change_no_score() -> None:
    alternating = {n: 1.3 * n for n in range(1, 30)}
    pool = SimulatedPool(
        30, second, row, Costs(0.01, 0.01, 0.05), 2.0,
        joins=alternating, deaths={n: t + 2.9 for n, t in alternating.items()},
    )  # fmt: skip
    assert search_of(pool).again > 10


def test_individual_that_workers_die_of_is_given_up() -> None:
    pool = SimulatedPool(9, second, row, deaths={n: 0.5 * (n + 1) for n in range(9)})
    with pytest.raises(
        GanpruneError, match=f"{MOST_LOSSES} workers in a row have died of the same individual"
    ):
        PoolScorer(pool).score("A", genomes(1), None)


def test_late_worker_that_dies_has_nothing_to_give_back() -> None:
    """Its individual was copied and answered before; no loss is counted, and none is done a third time."""
    pool = SimulatedPool(2, second, row, patience=2.0, slowness={1: 50.0}, deaths={1: 9.0})
    scorer = PoolScorer(pool)
    for seed in range(4):
        P = genomes(4, seed)
        assert exactly_equal(scorer.score("A", P, None), expected("A", P))
    assert (scorer.copies, scorer.again) == (1, 0)


def test_workers_on_unlike_hardware_are_told_once() -> None:
    told = Told()
    kinds = {0: "one kind", 1: "another kind", 2: "another kind", 3: "a third"}
    PoolScorer(SimulatedPool(4, second, row, hardware=kinds), reporter=told).score("A", genomes(8), None)
    (line,) = told.warnings
    assert "workers on unlike hardware (another kind; one kind): the last digits of a score depend" in line
