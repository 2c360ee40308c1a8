"""Against numbers worked out by hand."""

import numpy as np
import pytest

from ganprune.bench.statistics import ratio_of_medians, summary
from ganprune.storage.tables import plus_minus


def test_summary_of_times_is_that_worked_out_by_hand() -> None:
    times = summary(np.array([5.0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11]))
    assert (times.runs, times.median, times.mean, times.minimum, times.maximum) == (11, 6, 6, 1, 11)
    assert (times.p10, times.p90) == (2, 10)
    assert (times.p95, times.p99) == pytest.approx((10.5, 10.9))
    assert times.spread == pytest.approx(8 / 6)


def test_ratio_is_of_medians_and_not_of_means() -> None:
    baseline, candidate = np.array([6.0, 8, 1000]), np.array([2.0, 1, 5])
    assert ratio_of_medians(baseline, candidate, np.random.default_rng(0)).value == 4


def test_noise_that_hits_both_alike_leaves_the_ratio_exact() -> None:
    noise = np.random.default_rng(1).uniform(1, 3, 41)
    ratio = ratio_of_medians(12 * noise, 4 * noise, np.random.default_rng(0))
    assert (ratio.low, ratio.value, ratio.high) == pytest.approx((3, 3, 3))


def test_bootstrap_interval_agrees_with_the_exact_one_of_three_rounds() -> None:
    # Of 27 draws of 3 rounds, 7 have the median 1, 13 have 2, and 7 have 3: each more than 2.5 %.
    ratio = ratio_of_medians(np.array([1.0, 2, 3]), np.ones(3), np.random.default_rng(0), resamples=5000)
    assert (ratio.low, ratio.value, ratio.high) == (1, 2, 3)
    assert ratio.margin == 1
    assert ratio.relative_margin == 0.5


def test_bootstrap_interval_covers_the_truth_about_19_times_in_20() -> None:
    generator = np.random.default_rng(0)
    covered = 0
    for _ in range(200):
        baseline, candidate = generator.normal(30, 2, 60), generator.normal(10, 1, 60)
        ratio = ratio_of_medians(baseline, candidate, generator, resamples=300)
        covered += ratio.low <= 3 <= ratio.high
    assert 180 <= covered <= 199


def test_same_seed_gives_the_same_interval() -> None:
    times = np.random.default_rng(3).uniform(1, 2, (2, 30))
    first, again = (ratio_of_medians(times[0], times[1], np.random.default_rng(7)) for _ in range(2))
    assert first == again


def test_margins_are_never_rounded_to_nothing() -> None:
    assert plus_minus(3.412, 0.12) == "3.4 ± 0.1"
    assert plus_minus(3.412, 0.034) == "3.41 ± 0.03"
    assert plus_minus(3.412, 0.0001) == "3.41 ± 0.01"
    assert plus_minus(10.96, 0.06) == "11.0 ± 0.1"
