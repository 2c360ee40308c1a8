"""What is said about a row of measured times, and about the ratio of two of them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Milliseconds = NDArray[np.float64]  # [rounds]: the time of one run in each round


@dataclass(frozen=True, slots=True)
class Times:
    """Times of one network, in milliseconds."""

    runs: int  # how many runs were timed, warm-up left out
    median: float
    mean: float
    minimum: float
    maximum: float
    p10: float  # a tenth of the runs took no longer than this; so on for the others
    p90: float
    p95: float
    p99: float

    @property
    def spread(self) -> float:
        """(p90 - p10) / median: how much the middle 80 % of the runs differ; 0 is quiet."""
        return (self.p90 - self.p10) / self.median


@dataclass(frozen=True, slots=True)
class Ratio:
    """How many times as fast as another one network ran, with its 95 % confidence interval."""

    value: float
    low: float
    high: float

    @property
    def margin(self) -> float:
        """Half the width of the interval: the ± of the ratio."""
        return (self.high - self.low) / 2

    @property
    def relative_margin(self) -> float:
        """The margin as a fraction of the ratio."""
        return self.margin / self.value


def summary(times: Milliseconds) -> Times:
    """Median, mean, extremes and percentiles (linearly interpolated) of times in milliseconds."""
    p10, p90, p95, p99 = (float(p) for p in np.percentile(times, (10, 90, 95, 99)))
    return Times(
        runs=len(times), median=float(np.median(times)), mean=float(times.mean()), minimum=float(times.min()),
        maximum=float(times.max()), p10=p10, p90=p90, p95=p95, p99=p99,
    )  # fmt: skip


def ratio_of_medians(
    baseline: Milliseconds, candidate: Milliseconds, generator: np.random.Generator, resamples: int = 1000
) -> Ratio:
    """median(baseline) / median(candidate), with the 95 % interval of a percentile bootstrap.

    Both were timed once in each round, so rounds are drawn, not times: noise that hit a round hits
    both sides of the ratio (Efron & Tibshirani, An Introduction to the Bootstrap, 1993, ch. 8, 13).
    """
    rounds = generator.integers(len(baseline), size=(resamples, len(baseline)))
    ratios: NDArray[Any] = np.median(baseline[rounds], axis=1) / np.median(candidate[rounds], axis=1)
    low, high = (float(p) for p in np.percentile(ratios, (2.5, 97.5)))
    return Ratio(float(np.median(baseline) / np.median(candidate)), low, high)
