"""Bars: how long each network takes, and what its time goes to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ganprune.figures.colours import (
    FAINT,
    INK,
    MUTED,
    OTHERS,
    has_colour,
    network_colour,
    operator_colour,
)
from ganprune.figures.drawing import Drawing, Line, Rect, Shape, Text, fitted, text_width

WIDTH = 340.0
_NAME, _BAR, _STEP, _TOP = 14.0, 14.0, 38.0, 24.0


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar."""

    name: str
    """What it stands for."""
    value: float
    """Its length; 0 or more."""
    told: str
    """What stands behind it."""
    low: float | None = None
    """Where 10 % of the values lie below; None: not drawn."""
    high: float | None = None
    """Where 10 % lie above."""


def bar_chart(title: str, bars: Sequence[Bar]) -> Drawing:
    """One bar under the other, names above them; whiskers from ``low`` to ``high``."""
    bars = [bar for bar in bars if bar.value >= 0]
    if not bars:
        return Drawing(WIDTH, _TOP, (), title)
    room = WIDTH - 12 - max(text_width(bar.told, 11) for bar in bars)
    most = max(max(bar.value, bar.high or 0.0) for bar in bars) or 1.0
    shapes: list[Shape] = [_heading(title)]
    for i, bar in enumerate(bars):
        top = _TOP + i * _STEP
        y, length = top + _NAME + 2, room * bar.value / most
        shapes.append(Text(0, top + 11, fitted(bar.name, WIDTH, 11), size=11))
        shapes.append(
            Rect(0, y, max(length, 1), _BAR, network_colour(bar.name), hint=f"{bar.name}: {bar.told}")
        )
        end = length
        if bar.low is not None and bar.high is not None:
            a, b, middle = room * bar.low / most, room * bar.high / most, y + _BAR / 2
            shapes.append(Line(((a, middle), (b, middle)), INK, 1.2))
            shapes += [Line(((x, middle - 3), (x, middle + 3)), INK, 1.2) for x in (a, b)]
            end = max(end, b)
        shapes.append(Text(end + 8, y + 11, bar.told, size=11, colour=MUTED))
    label = f"{title}: {'; '.join(f'{bar.name} {bar.told}' for bar in bars)}"
    return Drawing(WIDTH, _TOP + len(bars) * _STEP, tuple(shapes), label)


def operator_chart(title: str, profiles: Mapping[str, Mapping[str, float]]) -> Drawing:
    """Milliseconds by kind of operator, one bar a network. profiles: network → kind → milliseconds."""
    sums = {name: _with_others(kinds) for name, kinds in profiles.items() if sum(kinds.values()) > 0}
    if not sums:
        return Drawing(WIDTH, _TOP, (), title)
    seen = dict.fromkeys(kind for kinds in sums.values() for kind in kinds)
    order = sorted(seen, key=lambda kind: (kind == OTHERS, -max(k.get(kind, 0.0) for k in sums.values())))
    most = max(sum(kinds.values()) for kinds in sums.values())
    room = WIDTH - 12 - text_width(f"{most:.1f} ms", 11)
    shapes: list[Shape] = [_heading(title)]
    for i, (name, kinds) in enumerate(sums.items()):
        top, left = _TOP + i * _STEP, 0.0
        shapes.append(Text(0, top + 11, fitted(name, WIDTH, 11), size=11))
        for kind in order:
            ms = kinds.get(kind, 0.0)
            width = room * ms / most
            hint = f"{name}, {kind}: {ms:.2f} ms ({ms / sum(kinds.values()):.0%})"
            if width > 0:
                shapes.append(Rect(left, top + _NAME + 2, width, _BAR, operator_colour(kind), hint=hint))
            left += width
        whole = f"{sum(kinds.values()):.1f} ms"
        shapes.append(Text(left + 8, top + _NAME + 13, whole, size=11, colour=MUTED))
    legend, height = _legend(order, _TOP + len(sums) * _STEP + 4)
    return Drawing(WIDTH, height, (*shapes, *legend), f"{title}: {', '.join(sums)}")


def _heading(title: str) -> Text:
    return Text(0, 13, fitted(title, WIDTH, 13, bold=True), bold=True, size=13)


def _with_others(kinds: Mapping[str, float]) -> dict[str, float]:
    """The same with kinds that have no colour of their own added up."""
    found: dict[str, float] = {}
    for kind, ms in kinds.items():
        name = kind if has_colour(kind) else OTHERS
        found[name] = found.get(name, 0.0) + ms
    return found


def _legend(kinds: Sequence[str], top: float) -> tuple[list[Shape], float]:
    """Squares of colour with names, as many in a row as fit; and where they end."""
    shapes, left, row = list[Shape](), 0.0, top
    for kind in kinds:
        width = 30 + text_width(kind, 11)
        if left + width > WIDTH and left > 0:
            left, row = 0.0, row + 18
        shapes.append(Rect(left, row, 11, 11, operator_colour(kind), FAINT))
        shapes.append(Text(left + 16, row + 10, kind, size=11))
        left += width
    return shapes, row + 18
