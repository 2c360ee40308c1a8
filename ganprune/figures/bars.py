"""Bars: how long each network takes, what its time goes to, and how many filters its layers keep."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ganprune.figures.style import (
    LIGHT,
    NETWORKS,
    ORIGINAL,
    OTHERS,
    WIDTH,
    box,
    cut,
    heading,
    key,
    network_colour,
    operator_colour,
    operator_kind,
    sheet,
    styled,
    write,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_TOP, _STEP, _BAR, _ROOM = 26.0, 42.0, 15.0, WIDTH - 84
_NAMES = {
    "stem": "7×7 stem", "down": "3×3 down", "trunk": "3×3 trunk", "up1": "3×3 up", "up2": "3×3 up",
}  # fmt: skip
"""Group of filters → its name in the drawing; residual blocks are numbered."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar."""

    name: str  # what it stands for
    value: float  # its length; 0 or more
    told: str  # what stands behind it
    low: float | None = None  # where 10 % of the values lie below; None: not drawn
    high: float | None = None  # where 10 % lie above


@styled
def bar_chart(title: str, bars: Sequence[Bar]) -> "Figure":
    """One bar under the other, names above them; whiskers from ``low`` to ``high``."""
    told = "; ".join(f"{bar.name} {bar.told}" for bar in bars)
    figure = sheet(WIDTH, _TOP + len(bars) * _STEP, f"{title}: {told}")
    heading(figure, title)
    unit = _ROOM / (max((max(bar.value, bar.high or 0) for bar in bars), default=1) or 1)
    for i, bar in enumerate(bars):
        top = _row(figure, i, bar.name)
        box(figure, 0, top, unit * bar.value, _BAR, network_colour(bar.name))
        if bar.low is not None and bar.high is not None:
            low, high = unit * bar.low, unit * bar.high
            box(figure, low, top + _BAR / 2 - 0.6, high - low, 1.2, LIGHT["ink"])
            for end in (low, high):
                box(figure, end - 0.6, top + _BAR / 2 - 3, 1.2, 6, LIGHT["ink"])
        end = unit * max(bar.value, bar.high or 0)
        write(figure, end + 7, top + 12, bar.told, color=LIGHT["muted"])
    return figure


@styled
def operator_chart(title: str, groups: Sequence[Mapping[str, Mapping[str, float]]]) -> "Figure":
    """Milliseconds by kind of operator, one bar a network, with its largest share of the time in words.

    groups: network → kind → milliseconds, an original and its slim ones together.
    """
    profiles = {name: _with_others(kinds) for group in groups for name, kinds in group.items()}
    most = max((sum(kinds.values()) for kinds in profiles.values()), default=1) or 1
    kinds = list(dict.fromkeys(kind for known in profiles.values() for kind in known))
    kinds.sort(key=lambda kind: (kind == OTHERS, -max(p.get(kind, 0.0) for p in profiles.values())))
    top, rows = _TOP + len(profiles) * _STEP, -(-len(kinds) // 2)
    figure = sheet(WIDTH, top + 8 + 20 * rows, f"{title}: {', '.join(profiles)}")
    heading(figure, title)
    for i, (name, profile) in enumerate(profiles.items()):
        y, left, whole = _row(figure, i, cut(name, 30)), 0.0, sum(profile.values())
        largest = max(profile, key=lambda kind: profile[kind])
        share = f"{largest} {profile[largest] / whole:.0%}" if whole else ""
        write(figure, WIDTH, y - 5, share, ha="right", color=LIGHT["muted"])
        for kind in kinds:
            width = _ROOM * profile.get(kind, 0.0) / most
            box(figure, left, y, max(width - 1, 0), _BAR, operator_colour(kind))
            left += width
        write(figure, left + 7, y + 12, f"{whole:.1f} ms", color=LIGHT["muted"])
    for i, kind in enumerate(kinds):
        key(figure, WIDTH / 2 * (i // rows), top + 20 + 20 * (i % rows), cut(kind, 22), operator_colour(kind))
    return figure


@styled
def widths_diagram(name: str, before: Mapping[str, int], after: Mapping[str, int]) -> "Figure":
    """Bars around a middle line, as wide as layers are: pale what was, full what was kept.

    before, after: filters by group, see `ganprune.channels`. The trunk's
    filters are those of the third convolution and of what every residual block adds its output to.
    """
    told = ", ".join(f"{_layer(group)} {after[group]} of {before[group]}" for group in before)
    label = f"{name}: {sum(after.values())} of {sum(before.values())} filters kept; {told}"
    figure = sheet(WIDTH, 50 + 22 * len(before), label)
    heading(figure, f"{name}: filters kept")
    key(figure, 0, 33, "slim", NETWORKS[name])
    key(figure, 70, 33, "original", ORIGINAL)
    left, right = 92, WIDTH - 90
    unit, middle = (right - left) / (max(before.values(), default=1) or 1), (left + right) / 2
    for i, (group, whole) in enumerate(before.items()):
        y = 44 + 22 * i
        for filters, colour in ((whole, ORIGINAL), (after[group], NETWORKS[name])):
            box(figure, middle - unit * filters / 2, y, unit * filters, 15, colour)
        write(figure, left - 8, y + 12, cut(_layer(group), 12), ha="right", color=LIGHT["muted"])
        write(figure, right + 8, y + 12, f"{after[group]} of {whole}")
    return figure


def _row(figure: "Figure", i: int, name: str) -> float:
    """Write the name above a bar; returns where the bar is to begin."""
    write(figure, 0, _TOP + i * _STEP + 12, cut(name, 42))
    return _TOP + i * _STEP + 17


def _with_others(kinds: Mapping[str, float]) -> dict[str, float]:
    """The same with kinds that have no colour of their own added up."""
    found: dict[str, float] = {}
    for kind, ms in kinds.items():
        found[operator_kind(kind)] = found.get(operator_kind(kind), 0.0) + ms
    return found


def _layer(group: str) -> str:
    if group.startswith("inner"):
        return f"block {int(group.removeprefix('inner')) + 1}"
    return _NAMES.get(group, group)
