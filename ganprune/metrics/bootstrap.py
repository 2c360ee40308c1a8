"""How sure a figure is: intervals by drawing pictures again, with replacement.

Source: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13: percentiles of the
redrawn figures. Those of KID and FID are moved so that their mean is the figure itself: FID grows as distinct
pictures get fewer, and so every redrawn one is too large.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ganprune.metrics.frechet import fid
from ganprune.metrics.kernel import Kernels

LEVEL = 0.95  # share of redrawn figures inside an interval


@dataclass(frozen=True, slots=True)
class Interval:
    """From where to where a figure may lie."""

    low: float  # 2.5 % lie below
    high: float  # 2.5 % lie above

    @classmethod
    def of(cls, redrawn: Tensor) -> "Interval":
        """From figures of redrawn pictures, [resamples]."""
        tail = (1 - LEVEL) / 2
        low, high = redrawn.double().quantile(torch.tensor([tail, 1 - tail], dtype=torch.float64)).tolist()
        return cls(low, high)

    @classmethod
    def around(cls, value: float, redrawn: Tensor) -> "Interval":
        """The same, moved so that the mean of what was redrawn is the figure itself."""
        return cls.of(redrawn.double() - redrawn.double().mean() + value)


def redraw(n: int, generator: torch.Generator) -> Tensor:
    """n indices below n, with replacement; two different ones at least, where there are two."""
    chosen = torch.randint(n, (n,), generator=generator)
    while n > 1 and bool((chosen == chosen[0]).all()):
        chosen = torch.randint(n, (n,), generator=generator)
    return chosen


def kid_interval(
    fakes: Tensor, real: Tensor, resamples: int, generator: torch.Generator, less: Tensor | None = None
) -> Interval:
    """Of `kid`, both sides redrawn; a picture that is drawn twice is not compared with itself.

    less: what another network makes of the same inputs, in order: of kid(fakes) - kid(less) then. The same
    inputs are redrawn for both, so that what both share, easy pictures and hard ones, drops out.
    """
    kernels = [Kernels.of(part, real) for part in (fakes, less) if part is not None]
    m, n = len(fakes), len(real)

    def difference(*counts: Tensor) -> float:
        first, *second = (one.mmd(*counts) for one in kernels)
        return first - sum(second)

    def once() -> float:
        counts = redraw(m, generator).bincount(minlength=m), redraw(n, generator).bincount(minlength=n)
        return difference(*counts)

    return Interval.around(difference(), _repeated(once, resamples))


def fid_interval(fakes: Tensor, real: Tensor, resamples: int, generator: torch.Generator) -> Interval:
    """Of `fid`, both sides redrawn; no lower than 0, as no distance is."""

    def once() -> float:
        return fid(fakes[redraw(len(fakes), generator)], real[redraw(len(real), generator)])

    found = Interval.around(fid(fakes, real), _repeated(once, resamples))
    return Interval(max(0.0, found.low), max(0.0, found.high))


def ratio_interval(above: Tensor, below: Tensor, resamples: int, generator: torch.Generator) -> Interval:
    """Of sum(above) / sum(below), pictures redrawn in pairs. Both [n]."""

    def once() -> float:
        chosen = redraw(len(above), generator)
        return float(above[chosen].sum() / below[chosen].sum())

    return Interval.of(_repeated(once, resamples))


def _repeated(once: Callable[[], float], times: int) -> Tensor:
    return torch.tensor([once() for _ in range(times)], dtype=torch.float64)
