from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from ganprune.pruning.fitness import (
    UNSEEN,
    Scores,
    fitness,
    l_cyc,
    l_disa,
    l_gena,
    l_idt,
    losses,
    squared_norm,
)
from ganprune.settings.search import SearchSettings
from ganprune.settings.words import Reduction

Distance = Callable[..., float]
DISTANCES = pytest.mark.parametrize("distance", [l_gena, l_disa, l_cyc, l_idt])


def f64(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


@DISTANCES
def test_distances_by_hand(distance: Distance) -> None:
    ours = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]], [[[0.0, 0.0], [0.0, 0.0]]]])
    other = torch.tensor([[[[1.0, 0.0], [0.0, 4.0]]], [[[0.0, 0.0], [0.0, 5.0]]]])
    # squares: 0 + 4 + 9 + 0 = 13 and 25; a quarter of each as a mean
    assert distance(ours, other) == distance(ours, other, "mean") == (13 / 4 + 25 / 4) / 2
    assert distance(ours, other, "sum") == (13 + 25) / 2
    assert distance(other, other) == 0


def test_a_geometric_mean_does_not_leave_the_word_to_the_hardest_picture() -> None:
    original = torch.zeros(2, 1, 2, 2)
    one, other = (torch.tensor(errors).sqrt().view(2, 1, 1, 1) for errors in ([1.0, 16.0], [2.0, 12.0]))
    assert l_gena(original, original + one, mean="geometric") == pytest.approx(4)
    assert l_gena(original, original + other, mean="geometric") == pytest.approx(24**0.5)
    assert l_gena(original, original + one) > l_gena(original, original + other)
    assert l_gena(original, original, mean="geometric") == 0


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_one_picture_drawn_to_the_bit_does_not_make_up_for_all_others(reduction: Reduction) -> None:
    original, slim = torch.zeros(2, 3, 4, 4), torch.zeros(2, 3, 4, 4)
    slim[1] = 1
    size = 1 if reduction == "mean" else 48
    assert l_gena(original, slim, reduction, "geometric") == pytest.approx(size * UNSEEN**0.5)
    levels = torch.rand(1, 1, 200, 200) * 2 - 1  # and nobody sees the difference
    assert l_gena(levels, ((levels + 1) * 127.5).round() / 127.5 - 1) == pytest.approx(UNSEEN, rel=0.02)


def test_squared_norm_is_of_each_picture_alone() -> None:
    pictures = torch.arange(12.0).view(3, 1, 2, 2)
    assert squared_norm(pictures, "sum").tolist() == [14, 16 + 25 + 36 + 49, 64 + 81 + 100 + 121]
    assert squared_norm(pictures, "mean").tolist() == [3.5, 31.5, 91.5]


@DISTANCES
def test_distances_of_low_precision_are_taken_in_double_precision(distance: Distance) -> None:
    ours = torch.full((1, 3, 64, 64), 1.0, dtype=torch.bfloat16)
    other = torch.full((1, 3, 64, 64), 1.0 - 2**-8, dtype=torch.bfloat16)
    assert distance(ours, other, "sum") == 3 * 64 * 64 * 2**-16
    assert distance(ours, other) == 2**-16


def scored(L_DisA: Tensor, L_cyc: Tensor, L_idt: Tensor | None = None) -> Scores:
    none = torch.zeros_like(L_DisA)
    return Scores(L_DisA, none, L_cyc, none if L_idt is None else L_idt)


def test_fitness_by_hand() -> None:
    N, found = f64(0.25, 1), scored(f64(0.01, 0), f64(0.02, 0.3), f64(0.5, 0.4))
    s = SearchSettings(gamma=10, lambda_cycle=10, lambda_identity=2)
    # 1 / (0.25 + 10 (0.01 + 0.2 + 1)) and 1 / (1 + 10 (0 + 3 + 0.8))
    F = fitness(N, losses(found, s), s.gamma)
    torch.testing.assert_close(F, f64(1 / 12.35, 1 / 39), atol=0, rtol=1e-14)


def test_identity_is_not_weighed_unless_asked() -> None:
    found = losses(scored(f64(0.01), f64(0.02), f64(1e9)), SearchSettings(lambda_cycle=10))
    assert found.item() == pytest.approx(0.21, rel=1e-14)


def test_the_ablation_sees_pictures_in_place_of_patch_maps() -> None:
    found = Scores(f64(1), f64(2), f64(0.5), f64(0))
    assert losses(found, SearchSettings(loss="gena", lambda_cycle=2)).item() == 3


def test_the_cycle_counts_above_the_floor_and_never_below_nothing() -> None:
    found = scored(f64(0, 0), f64(0.5, 0.1))
    assert losses(found, SearchSettings(lambda_cycle=2), floor=0.25).tolist() == [0.5, 0]


def test_gamma_zero_counts_size_alone_and_lambda_zero_leaves_the_cycle_out() -> None:
    assert fitness(f64(0.5), f64(43), gamma=0).item() == 2
    found = losses(scored(f64(3), f64(4)), SearchSettings(lambda_cycle=0))
    assert fitness(f64(0.5), found, gamma=1).item() == 1 / 3.5


def test_a_larger_gamma_prefers_the_larger_network() -> None:
    N = f64(0.2, 0.6)  # a small one, and a faithful one
    found = losses(scored(f64(0.05, 0.01), f64(0.01, 0.005)), SearchSettings(lambda_cycle=10))
    winners = [int(fitness(N, found, gamma).argmax()) for gamma in (0.1, 1, 10, 100)]
    # 0.6 - 0.2 = γ (0.15 - 0.06) at γ = 4.4
    assert winners == [0, 0, 1, 1]


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize("term", [0, 1, 2])
def test_a_loss_that_is_not_finite_gives_no_fitness(bad: float, term: int) -> None:
    terms = [f64(0.1, 0.1), f64(0.2, 0.2), f64(0.3, 0.3)]
    terms[term][0] = bad
    s = SearchSettings(lambda_cycle=10, lambda_identity=1)
    F = fitness(f64(0.5, 0.5), losses(scored(*terms), s), gamma=10)
    assert F[0] == 0
    assert F[1].item() == pytest.approx(1 / (0.5 + 10 * (0.1 + 2 + 0.3)))
