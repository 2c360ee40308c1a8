"""The hand-out in simulated time: slow workers, workers that die and workers that come."""

from collections import Counter

import pytest
import torch
from torch import Tensor

from ganprune.errors import GanpruneError
from ganprune.evaluation import Domain, EvaluationSettings, Scores
from ganprune.evaluation.schedule import MOST_LOSSES
from ganprune.evaluation.serving import Row
from ganprune.evaluation.simulated import Costs, SimulatedCrew
from ganprune.evaluation.spread import SpreadEvaluator
from ganprune.pruning.genome import genome_key
from tests.tiny import seeded


def genomes(n: int, seed: int = 0) -> Tensor:
    return torch.rand(n, 64, generator=seeded(seed)) < 0.5


def size(key: bytes) -> int:
    return int.from_bytes(key, "big").bit_count()


def row(side: Domain, key: bytes, partner: bytes) -> Row:
    """Scores that tell all genomes, partners and sides apart."""
    number = float(int.from_bytes(key[:6], "big"))
    return number, -number, number + sum(partner), 0.5 if side == "A" else 2.0


def expected(side: Domain, population: Tensor, partner: Tensor | None, identity: bool) -> Scores:
    goal = b"" if partner is None else genome_key(partner)
    rows = [row(side, genome_key(genome), goal) for genome in population]
    table = torch.tensor(rows, dtype=torch.float64)
    return Scores(*(table * torch.tensor([1, 1, 1, float(identity)])).unbind(1))


def equal(a: Scores, b: Scores) -> bool:
    return all(torch.equal(getattr(a, name), getattr(b, name)) for name in Scores.__slots__)


def second(side: Domain, key: bytes, partner: bytes, held: bool) -> float:
    return 0.5 if held else 1.0


def evaluator_of(crew: SimulatedCrew) -> SpreadEvaluator:
    return SpreadEvaluator(crew, EvaluationSettings(), lambda: None, lasting=True)


def search_of(crew: SimulatedCrew) -> SpreadEvaluator:
    """A few generations of both sides with elites that meet new partners; checks every score."""
    evaluator = evaluator_of(crew)
    ours, theirs = genomes(12, 1), genomes(12, 2)
    for t in range(4):
        calls: list[tuple[Domain, Tensor, Tensor | None]]
        calls = [("A", ours, None if t == 0 else theirs[t]), ("B", theirs, ours[t])]
        for side, population, partner in calls:
            found = evaluator.score(side, population, partner, identity=t == 2)
            assert equal(found, expected(side, population, partner, t == 2))
        ours, theirs = torch.cat([ours[:4], genomes(8, 10 + t)]), torch.cat([theirs[:3], genomes(9, 20 + t)])
    assert evaluator.evaluations == 8 * 12
    return evaluator


@pytest.mark.parametrize("workers", [1, 2, 5, 40])
@pytest.mark.parametrize("patience", [None, 2.0])
def test_scores_and_their_number_do_not_depend_on_the_crew(workers: int, patience: float | None) -> None:
    search_of(SimulatedCrew(workers, second, row, Costs(0.01, 0.02, 0.1), patience))


def test_equal_workers_share_the_work_and_the_largest_goes_first() -> None:
    crew = SimulatedCrew(4, second, row)
    evaluator_of(crew).score("A", genomes(16), None)
    assert crew.now == 4.0
    begun = [size(worker.tasks[step].keys[-1]) for step in range(4) for worker in crew.all]
    assert begun == sorted(begun, reverse=True)


def test_slow_worker_does_not_hold_a_generation_up() -> None:
    """Three workers take a second an individual, one a hundred: it gets one, which another does again."""
    P, times = genomes(12), dict[float | None, float]()
    for patience in (None, 2.0):
        crew = SimulatedCrew(4, second, row, patience=patience, slowness={3: 100.0})
        evaluator = evaluator_of(crew)
        assert equal(evaluator.score("A", P, None), expected("A", P, None, False))
        times[patience] = crew.now
        assert evaluator.evaluations == 12
    assert times[None] == 100.0
    assert times[2.0] == 4.0  # twelve by three
    assert evaluator.schedule.copies == 1


def test_late_worker_goes_on_into_the_next_population_and_then_takes_part() -> None:
    crew = SimulatedCrew(2, second, row, patience=2.0, slowness={1: 7.0})
    evaluator = evaluator_of(crew)
    for seed in range(3):
        P = genomes(6, seed)
        assert equal(evaluator.score("A", P, None), expected("A", P, None, False))
    assert len(crew.all[1].tasks) > 1


def test_dead_worker_costs_its_own_individual_and_nothing_else() -> None:
    P = genomes(12)
    crew = SimulatedCrew(3, second, row, deaths={1: 1.5})
    evaluator = evaluator_of(crew)
    assert equal(evaluator.score("A", P, None), expected("A", P, None, False))
    done = Counter(key for worker in crew.all for key in {task.keys[-1] for task in worker.tasks})
    assert sorted(done.values()) == [1] * 11 + [2]
    assert evaluator.schedule.again == 1
    assert crew.now == 6.0  # three in the first second, one is lost, nine by two


def test_worker_that_comes_later_takes_part_at_once() -> None:
    P = genomes(12)
    crew = SimulatedCrew(3, second, row, joins={1: 2.0, 2: 2.0})
    assert equal(evaluator_of(crew).score("A", P, None), expected("A", P, None, False))
    assert [len(worker.tasks) for worker in crew.all] == [6, 3, 3]


def test_deaths_and_arrivals_in_every_generation_change_no_score() -> None:
    alternating = {n: 1.3 * n for n in range(1, 30)}
    crew = SimulatedCrew(
        30, second, row, Costs(0.01, 0.01, 0.05), 2.0,
        joins=alternating, deaths={n: t + 2.9 for n, t in alternating.items()},
    )  # fmt: skip
    assert search_of(crew).schedule.again > 10


def test_individual_that_workers_die_of_is_given_up() -> None:
    crew = SimulatedCrew(9, second, row, deaths={n: 0.5 * (n + 1) for n in range(9)})
    with pytest.raises(
        GanpruneError, match=f"{MOST_LOSSES} workers in a row have died of the same individual"
    ):
        evaluator_of(crew).score("A", genomes(1), None)


def test_late_worker_that_dies_has_nothing_to_give_back() -> None:
    """Its individual was copied and answered before; no loss is counted, and none is done a third time."""
    crew = SimulatedCrew(2, second, row, patience=2.0, slowness={1: 50.0}, deaths={1: 9.0})
    evaluator = evaluator_of(crew)
    for seed in range(4):
        P = genomes(4, seed)
        assert equal(evaluator.score("A", P, None), expected("A", P, None, False))
    assert (evaluator.schedule.copies, evaluator.schedule.again) == (1, 0)
