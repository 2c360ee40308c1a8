"""From values to places along an axis, with ticks at round numbers."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scale:
    """A linear axis."""

    low: float
    """Value at ``start``."""
    high: float
    """Value at ``end``."""
    start: float
    """Place of ``low``, units."""
    end: float
    """Place of ``high``, units."""

    def __call__(self, value: float) -> float:
        """Where a value lies, units."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self, most: int = 5) -> list[float]:
        """At most ``most`` + 1 round values within the axis."""
        step = _round_step((self.high - self.low) / most)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [i * step for i in range(first, last + 1)]

    def rounded(self, most: int = 5) -> "Scale":
        """The same, ending at a tick above instead of in between."""
        ticks = self.ticks(most)
        step = _round_step((self.high - self.low) / most)
        over = bool(ticks) and self.high > ticks[-1] + 1e-9 * step
        return Scale(self.low, ticks[-1] + step if over else self.high, self.start, self.end)


def scale_for(
    values: list[float], start: float, end: float, *, zero: bool = True, room: float = 0.0
) -> Scale:
    """An axis that holds all finite values and, unless ``zero`` is off, 0; ``room``: share left free."""
    finite = [value for value in values if math.isfinite(value)] or [0.0, 1.0]
    low, high = min(finite), max(finite)
    if zero:
        low, high = min(low, 0.0), max(high, 0.0)
    if high - low <= 1e-12 * max(abs(low), abs(high), 1e-300):
        low, high = (low, low + 1.0) if low == 0 else (low - abs(low) / 2, high + abs(high) / 2)
    free = room * (high - low)
    low = low if zero and low == 0 else low - free
    return Scale(low, high if zero and high == 0 else high + free, start, end)


def told(value: float) -> str:
    """A tick's label: at most three digits, thousands as k, no needless zeros."""
    if value == 0:
        return "0"
    size = abs(value)
    if size >= 1e6 or size < 1e-3:
        return f"{value:.0e}".replace("e-0", "e-").replace("e+0", "e")
    if size >= 1e4:
        return f"{value / 1e3:.3g}k"
    return f"{value:.3g}" if size < 1000 else f"{value:.0f}"


def _round_step(least: float) -> float:
    power = 10 ** math.floor(math.log10(least))
    return next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= least * (1 - 1e-9))
