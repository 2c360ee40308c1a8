"""A generator's layers from top to bottom: how many filters each had, and how many were kept."""

from collections.abc import Mapping

from ganprune.figures.colours import FAINT, MUTED, NETWORKS
from ganprune.figures.drawing import Drawing, Line, Rect, Shape, Text, fitted

WIDTH = 340.0
_LEFT, _RIGHT, _TOP, _ROW = 104.0, 84.0, 44.0, 21.0
_NAMES = {
    "stem": "7×7 stem", "down": "3×3 down", "trunk": "3×3 trunk", "up1": "3×3 up", "up2": "3×3 up",
}  # fmt: skip
"""Group of filters → its name in the drawing; residual blocks are numbered."""


def widths_diagram(name: str, before: Mapping[str, int], after: Mapping[str, int]) -> Drawing:
    """Bars around a middle line, as wide as layers are: pale what was, full what was kept.

    before, after: filters by group, see `ganprune.channels`. The trunk's
    filters are those of the third convolution and of what every residual block adds its output to.
    """
    middle, most = _LEFT + (WIDTH - _LEFT - _RIGHT) / 2, max(before.values())
    half, colour = (WIDTH - _LEFT - _RIGHT) / 2, NETWORKS[name]
    shapes: list[Shape] = [
        Text(0, 13, f"{name}: filters kept", bold=True, size=13),
        Rect(0, 24, 11, 11, colour), Text(16, 33, "slim", size=11),
        Rect(56, 24, 11, 11, FAINT, MUTED), Text(72, 33, "original", size=11),
        Line(((middle, _TOP - 4), (middle, _TOP + len(before) * _ROW + 4)), FAINT),
    ]  # fmt: skip
    for i, (group, whole) in enumerate(before.items()):
        kept, y = after[group], _TOP + i * _ROW
        was, now = half * whole / most, half * kept / most
        hint = f"{_name(group)}: {kept} of {whole} filters ({kept / whole:.0%})"
        shapes += [
            Text(_LEFT - 8, y + 13, fitted(_name(group), _LEFT - 10, 11), "end", 11, colour=MUTED),
            Rect(middle - was, y + 2, 2 * was, _ROW - 6, FAINT, MUTED, hint=hint),
            Rect(middle - now, y + 2, 2 * now, _ROW - 6, colour, hint=hint),
            Text(WIDTH - _RIGHT + 8, y + 13, f"{kept} of {whole}", size=11),
        ]
    total, left = sum(before.values()), sum(after.values())
    label = f"{name}: {left} of {total} filters kept; " + ", ".join(
        f"{_name(group)} {after[group]} of {whole}" for group, whole in before.items()
    )
    return Drawing(WIDTH, _TOP + len(before) * _ROW + 6, tuple(shapes), label)


def _name(group: str) -> str:
    if group.startswith("inner"):
        return f"block {int(group.removeprefix('inner')) + 1}"
    return _NAMES.get(group, group)
