"""NSGA-II against a worked example and a plain loop, and as a search for all sizes."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from torch import Tensor

from ganprune.errors import TargetError
from ganprune.runs import Run
from ganprune.scoring import Scores
from ganprune.search.coevolution import State
from ganprune.search.front import (
    Front,
    best_within,
    crowding,
    front_of,
    objectives,
    order_of,
    ranks,
    survivors_of,
    tournament,
)
from ganprune.settings import CompressSettings
from ganprune.settings.search import SearchSettings
from ganprune.settings.words import DOMAINS, Domain
from ganprune.stages.family import pair_within, shares_of, write_front
from tests.search.kit import LAYOUTS, Hidden, energies, population_of
from tests.tiny import seeded, tiny_gan, tiny_job

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


def test_what_is_not_finite_comes_behind_all_others() -> None:
    # (0.5, ∞) is the smallest of all, and no other dominates it.
    broken = _costs((0.5, torch.inf), (2, torch.nan), (1.5, torch.inf), (torch.inf, 1), (1, -torch.inf))
    mixed = torch.cat([broken[:2], EXAMPLE, broken[2:], EXAMPLE[:1]])
    # Places of the example as without these, then of the first of it again, then of these as they stand.
    assert order_of(mixed).tolist() == [7, 8, 0, 3, 2, 1, 4, 5, 9, 10, 11, 6]
    assert ranks(mixed).tolist() == [3, 3, 0, 0, 0, 0, 1, 2, 3, 3, 3, 0]
    assert survivors_of(_costs((1, 9), (3, 6), (2, torch.inf), (4, 3), (9, 1)), 4).tolist() == [0, 4, 3, 1]


@pytest.mark.parametrize("loss", [torch.nan, torch.inf, -torch.inf])
def test_individual_of_a_broken_loss_is_not_on_the_front(loss: float) -> None:
    genomes = torch.ones(3, 4, dtype=torch.bool)
    population = population_of(genomes, macs=energies(0.1, 0.2, 0.9), L_DisA=energies(loss, 2, 1))
    assert front_of(population, SETTINGS).macs.tolist() == [0.2, 0.9]
    assert objectives(population, SETTINGS)[:, 1].tolist() == [torch.inf, 2, 1]
    assert best_within(front_of(population, SETTINGS), 0.15, SETTINGS) is None


@pytest.mark.parametrize(("loss", "losses"), [("disa", [1 + 6 + 20, 2 + 8 + 25]), ("gena", [36, 48])])
def test_objectives_are_macs_and_the_losses_of_eq_11(
    loss: Literal["disa", "gena"], losses: list[int]
) -> None:
    # L_DisA or L_GenA, + 2 L_cyc + 5 L_idt.
    population = population_of(
        torch.ones(2, 4, dtype=torch.bool), N=energies(0.7, 0.8), macs=energies(0.5, 0.6),
        L_DisA=energies(1, 2), L_GenA=energies(10, 15), L_cyc=energies(3, 4), L_idt=energies(4, 5),
    )  # fmt: skip
    found = objectives(population, replace(SETTINGS, loss=loss, lambda_cycle=2, lambda_identity=5))
    assert found.tolist() == [[0.5, losses[0]], [0.6, losses[1]]]


def _bred(winners: Tensor, others: Tensor, **changes: Any) -> Tensor:
    """2000 children of two kinds of parents, a half each: the first kind's front dominates the other's."""
    genomes = torch.cat([winners.expand(1000, -1), others.expand(1000, -1)])
    rising = torch.linspace(0, 1, 1000, dtype=torch.float64)
    macs, losses = torch.cat([rising, rising + 2]), torch.cat([1 - rising, 3 - rising])
    settings = replace(SETTINGS, population=2000, direction="AtoB", **changes)
    population = population_of(genomes, macs=macs, L_DisA=losses)
    return Front(settings, LAYOUTS, Hidden())._breed(State(0, {"A": population}), "A", 1)


def test_nine_of_ten_children_have_two_parents_that_won_tournaments() -> None:
    layout = LAYOUTS["A"]
    winners, others = layout.full(), torch.zeros(layout.length, dtype=torch.bool)
    others[[piece.start for piece in layout.genes.values()]] = True
    young = _bred(winners, others, mutation_rate=0.0)
    # The worse kind wins where both of a tournament are of it: 1/4. The better kind's are 3/4 of the bits.
    assert young[:, ~others].double().mean() == pytest.approx(3 / 4, abs=0.03)
    # Mother and father are of different kinds in 2 · 3/4 · 1/4 = 3/8, and 9/10 of these are crossed, of which
    # few come out as one parent is.
    mixed = (young != winners).any(1) & (young != others).any(1)
    assert mixed.double().mean() == pytest.approx(9 / 10 * 3 / 8, abs=0.025)


def test_children_are_mutated() -> None:
    parent = torch.arange(LAYOUTS["A"].length) % 2 == 0
    changed = _bred(parent, parent, mutation_rate=0.1) != parent
    assert changed.double().mean() == pytest.approx(0.1, abs=0.01)
    by_power_law = _bred(parent, parent, mutation_rate=None) != parent
    assert by_power_law.any(1).double().mean() > 0.5
    assert by_power_law.double().sum(1).median() <= 2  # most change a little


def test_partners_are_the_originals() -> None:
    partners: list[Tensor | None] = []

    class Watched(Hidden):
        def score(self, side: Domain, genomes: Tensor, partner: Tensor | None) -> Scores:
            partners.append(partner)
            return super().score(side, genomes, partner)

    list(Front(replace(SETTINGS, generations=3), LAYOUTS, Watched()).states(None))
    assert partners == [None] * 8


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
    whole: dict[Domain, Tensor] = {side: layout.full() for side, layout in LAYOUTS.items()}
    return list(Front(settings, LAYOUTS, Hidden(whole)).states(state))


def _covered(front: Tensor, corner: Tensor) -> float:
    """Area of what is no better than some point of a front, up to a corner: its hypervolume."""
    macs, losses = front[front[:, 0].argsort()].T
    widths = torch.cat([macs[1:], corner[:1]]) - macs
    return float((widths * (corner[1] - losses.cummin(0).values).clamp_min(0)).sum())


def test_front_covers_sizes_and_gets_better() -> None:
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
        corner = torch.cat([first, last]).max(0).values
        assert _covered(last, corner) > _covered(first, corner)


def test_the_way_back_counts_above_that_of_the_original_pair_alone() -> None:
    floor: dict[Domain, float] = {"A": 0.2, "B": 0.1}
    settings = replace(SETTINGS, lambda_cycle=1.0, generations=1)
    *_, last = Front(settings, LAYOUTS, Hidden(), floor=floor).states(None)
    assert last.floor == floor
    below = {"L_cyc": torch.full((12,), 0.05, dtype=torch.float64)}
    for side, population in last.populations.items():
        as_good_as_none = replace(population, **below)
        found = objectives(as_good_as_none, settings, floor[side])[:, 1]
        assert torch.equal(found, population.L_DisA)


def test_generation_scores_as_many_as_algorithm_1() -> None:
    scorer = Hidden()
    *_, last = Front(SETTINGS, LAYOUTS, scorer).states(None)
    assert scorer.calls == [("A", 12), ("B", 12)] * 16
    assert last.populations["A"].genomes.shape == (12, LAYOUTS["A"].length)


def test_search_goes_on_to_the_same_end() -> None:
    whole = _states()
    again = _states(state=State.from_tensors(whole[6].to_tensors()))
    a, b = whole[-1].to_tensors(), again[-1].to_tensors()
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_every_child_keeps_a_filter_a_layer() -> None:
    last = _states(replace(SETTINGS, mutation_rate=0.3, generations=4))[-1]
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
    found = write_front(tiny_job(run, tiny_gan(), CompressSettings(SETTINGS)), state)
    assert {path.name for path in tmp_path.glob("[!.]*")} == {"front.json", "front.svg", "provenance.json"}
    assert [len(found[side]) for side in DOMAINS] == [
        len(front_of(population, SETTINGS).macs) for population in state.populations.values()
    ]


def test_shares_are_read_largest_first() -> None:
    assert shares_of("0.25, 0.5,0.25") == (0.5, 0.25)
    for wrong in ("0", "1.5", "half", ""):
        with pytest.raises(ValueError, match=r"could not convert|^" + wrong):
            shares_of(wrong)
