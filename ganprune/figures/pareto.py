"""Size, milliseconds and quality against each other: a dot a network, the best ones joined."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import hypot

from ganprune.figures.colours import FAINT, MUTED, ORIGINAL, network_colour
from ganprune.figures.drawing import (
    Anchor,
    Dot,
    Drawing,
    Line,
    Shape,
    Text,
    below,
    beside,
    fitted,
    text_width,
)
from ganprune.figures.scales import scale_for, told

_WIDTH, _HEIGHT = 340.0, 280.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 52.0, 14.0, 30.0, 42.0
_LABEL = 11.0

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Point:
    """One network."""

    network: str
    """``G_A``, ``original_G_A``, …: decides the colour."""
    label: str
    """Of its run, beside its dot."""
    values: dict[str, float]
    """Axis → value; smaller is better on all."""


def pareto(points: Sequence[Point], axes: Sequence[tuple[str, str]]) -> Drawing:
    """One panel a pair of axes (x, y), headed by y, a legend below.

    Points that lack a value are left out of a panel. Of each generator the points that no other beats on
    both axes are joined; originals are hollow.
    """
    panels = [_panel(points, x, y) for x, y in axes]
    names = dict.fromkeys(p.network for p in points if not _is_original(p))
    names |= dict.fromkeys("original" for p in points if _is_original(p))
    shapes, left = list[Shape](), 0.0
    for name in names:
        shapes.append(Dot(left + 5, 8, 4, network_colour(name), name == "original"))
        shapes.append(Text(left + 15, 12, name, size=_LABEL))
        left += 30 + text_width(name, _LABEL)
    shapes.append(Text(left, 12, "smaller is better on every axis", size=_LABEL, colour=MUTED))
    width = left + text_width("smaller is better on every axis", _LABEL)
    label = "Pareto plots of " + "; ".join(f"{y} against {x}" for x, y in axes)
    return below([beside(panels, 24), Drawing(width, 18, tuple(shapes))], 8, label)


def front(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Those that no other is at least as good as on both axes, left to right; smaller is better."""
    found: list[tuple[float, float]] = []
    for point in sorted(set(points)):
        if not found or point[1] < found[-1][1]:
            found.append(point)
    return found


def _panel(points: Sequence[Point], across: str, up: str) -> Drawing:
    shown = [point for point in points if across in point.values and up in point.values]
    title = Text(0, 14, fitted(up, _WIDTH, 13, bold=True), size=13, bold=True)
    if not shown:
        return Drawing(_WIDTH, _HEIGHT, (title, Text(0, 40, "not measured", colour=MUTED)))
    right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
    place_x = scale_for([p.values[across] for p in shown], _LEFT, right, room=0.08)
    place_y = scale_for([p.values[up] for p in shown], bottom, _TOP, room=0.08)
    shapes: list[Shape] = [title]
    for value in place_y.ticks(5):
        shapes.append(Line(((_LEFT, place_y(value)), (right, place_y(value))), FAINT))
        shapes.append(Text(_LEFT - 6, place_y(value) + 4, told(value), "end", _LABEL, colour=MUTED))
    for value in place_x.ticks(5):
        shapes.append(Line(((place_x(value), _TOP), (place_x(value), bottom)), FAINT))
        shapes.append(Text(place_x(value), bottom + 16, told(value), "middle", _LABEL, colour=MUTED))
    shapes.append(Line(((_LEFT, _TOP), (_LEFT, bottom), (right, bottom)), MUTED))
    shapes.append(Text((_LEFT + right) / 2, bottom + 34, across, "middle", _LABEL))
    joined: list[Box] = []
    for network in dict.fromkeys(p.network for p in shown if not _is_original(p)):
        ends = [(p.values[across], p.values[up]) for p in shown if p.network == network]
        path = tuple((place_x(x), place_y(y)) for x, y in front(ends))
        shapes += [Line(path, network_colour(network), 1.5)] if len(path) > 1 else []
        joined += [box for ends in pairwise(path) for box in _along(*ends)]
    places = [(place_x(p.values[across]), place_y(p.values[up])) for p in shown]
    taken: list[Box] = [(x - 5, y - 5, x + 5, y + 5) for x, y in places]
    for point, (x, y) in zip(shown, places, strict=True):
        hollow = _is_original(point)
        colour = ORIGINAL if hollow else network_colour(point.network)
        where = f"{across} {point.values[across]:.4g}, {up} {point.values[up]:.4g}"
        hint = f"{point.network}, {point.label}: {where}"
        shapes.append(Dot(x, y, 4.5, colour, hollow, hint))
        places_of_text = () if hollow else ([*taken, *joined], taken)  # across a line rather than nowhere
        text = next(filter(None, (_beside_dot(point.label, x, y, busy) for busy in places_of_text)), None)
        if text is not None:
            taken.append(text.box)
            shapes.append(text)
    return Drawing(_WIDTH, _HEIGHT, tuple(shapes))


def _beside_dot(label: str, x: float, y: float, taken: Sequence[Box]) -> Text | None:
    """The label at the first place around its dot that is free; None where there is none."""
    places: tuple[tuple[float, float, Anchor], ...] = (
        (8, 4, "start"), (-8, 4, "end"), (0, -9, "middle"), (0, 17, "middle"), (8, -8, "start"),
        (8, 15, "start"), (-8, -8, "end"), (-8, 15, "end"), (-12, 19, "start"), (-12, -11, "start"),
    )  # fmt: skip
    for dx, dy, anchor in places:
        text = Text(x + dx, y + dy, label, anchor, _LABEL)
        left, top, right, bottom = text.box
        inside = left >= _LEFT and right <= _WIDTH and top >= _TOP - 8 and bottom <= _HEIGHT - _BOTTOM
        if inside and not any(overlap(text.box, box) for box in taken):
            return text
    return None


def _along(start: tuple[float, float], end: tuple[float, float]) -> list[Box]:
    """Small boxes along a line."""
    steps = 1 + int(hypot(end[0] - start[0], end[1] - start[1]) / 3)
    ways = [(end[0] - start[0]) / steps, (end[1] - start[1]) / steps]
    places = [(start[0] + i * ways[0], start[1] + i * ways[1]) for i in range(steps + 1)]
    return [(x - 1, y - 1, x + 1, y + 1) for x, y in places]


def overlap(a: Box, b: Box) -> bool:
    """Whether two boxes (left, top, right, bottom) share more than an edge."""
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _is_original(point: Point) -> bool:
    return point.network.startswith("original")
