"""NSGA-II against a worked example and a plain loop, and as a search for all sizes."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from torch import Tensor

from ganprune.coevolution import State
from ganprune.errors import TargetError
from ganprune.evaluation import Side
from ganprune.runs import Run
from ganprune.search import Front
from ganprune.search.front import (
    best_within,
    crowding,
    front_of,
    objectives,
    order_of,
    ranks,
    survivors_of,
    tournament,
)
from ganprune.search_settings import SearchSettings
from ganprune.stages.family import pair_within, shares_of, write_front
from tests.search.kit import LAYOUTS, Hidden
from tests.tiny import seeded

SETTINGS = SearchSettings(searcher="front", population=12, generations=15, lambda_cycle=0, mutation_rate=None)


def _costs(*points: tuple[float, float]) -> Tensor:
    return torch.tensor(points, dtype=torch.float64)


EXAMPLE = _costs((1, 9), (2, 4), (4, 3), (9, 1), (3, 5), (9, 9))
"""The first four do not dominate each other. (2, 4) dominates (3, 5); (9, 9) is dominated by all of these."""


def test_fronts_are_those_of_the_example() -> None:
    assert ranks(EXAMPLE).tolist() == [0, 0, 0, 0, 1, 2]


def test_crowding_is_that_of_the_example() -> None:
    # Extents of the first front: 9 - 1 = 8 in both objectives. (2, 4): (4-1)/8 + (9-3)/8 = 1.125;
    # (4, 3): (9-2)/8 + (4-1)/8 = 1.25. The ends are infinitely far.
    assert crowding(EXAMPLE[:4]).tolist() == [torch.inf, 1.125, 1.25, torch.inf]
    assert crowding(EXAMPLE[:1]).tolist() == [torch.inf]


def test_lonelier_of_one_front_survives() -> None:
    # Places: the ends of the first front, then (4, 3), then (2, 4), then the second front and the third.
    assert order_of(EXAMPLE).tolist() == [0, 3, 2, 1, 4, 5]
    assert survivors_of(EXAMPLE, 3).tolist() == [0, 3, 2]


def test_equal_individuals_come_last() -> None:
    twice = torch.cat([EXAMPLE, EXAMPLE[:2]])
    assert survivors_of(twice, 6).tolist() == [0, 3, 2, 1, 4, 5]


def test_ranks_are_those_of_a_plain_loop() -> None:
    costs = torch.rand(40, 2, generator=seeded(0), dtype=torch.float64).mul(8).round()
    left, expected, front = set(range(40)), [-1] * 40, 0
    while left:

        def dominated(i: int) -> bool:
            return any((costs[j] <= costs[i]).all() and (costs[j] < costs[i]).any() for j in left)  # noqa: B023

        best = [i for i in left if not dominated(i)]
        for i in best:
            expected[i] = front
        left -= set(best)
        front += 1
    assert ranks(costs).tolist() == expected


def test_tournament_takes_the_better_of_two() -> None:
    order = torch.tensor([2, 0, 1])  # the second individual is the best
    won = tournament(order, 9000, seeded(0)).bincount(minlength=3) / 9000
    assert won.tolist() == pytest.approx([1 / 9, 5 / 9, 3 / 9], abs=0.02)


def _states(settings: SearchSettings = SETTINGS, state: State | None = None) -> list[State]:
    # Larger ones are nearer.
    whole: dict[Side, Tensor] = {side: layout.full() for side, layout in LAYOUTS.items()}
    return list(Front(settings, LAYOUTS, Hidden(whole)).states(state))


def test_front_covers_sizes_and_gets_no_worse() -> None:
    states = _states()
    for side, population in states[-1].populations.items():
        front = front_of(population, SETTINGS)
        assert front.macs.min() < 0.3
        assert front.macs.max() > 0.6
        losses = objectives(front, SETTINGS)[:, 1].tolist()
        assert all(one > other for one, other in pairwise(losses))  # larger, and so nearer
        assert len(losses) >= 6
        first = objectives(front_of(states[0].populations[side], SETTINGS), SETTINGS)
        last = objectives(front, SETTINGS)
        # Nothing that was on the first front beats anything on the last.
        beats = (first[:, None] <= last[None]).all(2) & (first[:, None] < last[None]).any(2)
        assert not beats.any()


def test_generation_scores_as_many_as_algorithm_1() -> None:
    evaluator = Hidden()
    *_, last = Front(SETTINGS, LAYOUTS, evaluator).states(None)
    assert evaluator.calls == [("A", 12), ("B", 12)] * 16
    assert last.populations["A"].genomes.shape == (12, LAYOUTS["A"].length)


def test_search_goes_on_to_the_same_end() -> None:
    whole = _states()
    again = _states(state=State.from_tensors(whole[6].to_tensors()))
    a, b = whole[-1].to_tensors(), again[-1].to_tensors()
    assert all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("genes", [0.0, 1.0])
def test_every_child_keeps_a_filter_a_layer(genes: float) -> None:
    last = _states(replace(SETTINGS, p_genes=genes, mutation_rate=0.3, generations=4))[-1]
    for side, population in last.populations.items():
        assert LAYOUTS[side].gene_counts(population.genomes).min() >= 1


def test_pair_is_the_nearest_of_the_size(tmp_path: Path) -> None:
    state = _states()[-1]
    pair = pair_within(state, 0.5, SETTINGS)
    for side, found in pair.populations.items():
        front = front_of(state.populations[side], SETTINGS)
        assert float(found.macs) == max(share for share in front.macs.tolist() if share <= 0.5)
        assert best_within(front, 0.0, SETTINGS) is None
    with pytest.raises(TargetError, match=r"G_A of at most 0.0001 of the MACs was asked for; the smallest"):
        pair_within(state, 0.0001, SETTINGS)
    run = Run(tmp_path)
    found = write_front(run, state, SETTINGS)
    assert {path.name for path in tmp_path.iterdir()} == {"front.json", "front.svg", "provenance.json"}
    assert [len(found["sides"][side]) for side in "AB"] == [
        len(front_of(population, SETTINGS).macs) for population in state.populations.values()
    ]


def test_shares_are_read_largest_first() -> None:
    assert shares_of("0.25, 0.5,0.25") == (0.5, 0.25)
    for wrong in ("0", "1.5", "half", ""):
        with pytest.raises(ValueError, match=r"could not convert|^" + wrong):
            shares_of(wrong)
