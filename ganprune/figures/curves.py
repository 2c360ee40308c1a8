"""Curves over generations or steps: one small panel a quantity, one line a network."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ganprune.figures.colours import FAINT, INK, MUTED, series_colours
from ganprune.figures.drawing import Drawing, Line, Rect, Shape, Text, text_width
from ganprune.figures.scales import scale_for, told

WIDTH, HEIGHT = 340.0, 190.0
"""Of a panel: readable on a phone, three beside each other on a desk."""
_LEFT, _RIGHT, _TOP, _BOTTOM = 46.0, 10.0, 44.0, 24.0
_MOST = 300
"""Points a line; more would not be seen."""

SEARCH_PANELS: dict[str, dict[str, str]] = {
    "Fitness F": {"best": "fitness", "mean": "mean_fitness"},
    "L_DisA of the best": {"": "L_DisA"},
    "L_cyc of the best": {"": "L_cyc"},
    "Kept share of MACs": {"best": "macs", "mean": "mean_macs"},
    "Diversity of the population": {"": "diversity"},
}
"""Title → what a line of search.jsonl calls it."""
_TRAINING = {
    "pixels": "Distance to the original's pixels", "maps": "Distance to its maps",
    "features": "Distance to its features", "G": "Adversarial loss", "D": "Discriminators' loss",
    "cycle": "Cycle loss", "idt": "Identity loss",
    "L_GenA": "L_GenA, validation", "L_DisA": "L_DisA, validation", "L_cyc": "L_cyc, validation",
}  # fmt: skip
"""Prefix of a value in train.jsonl and validation.jsonl → title."""


def search_panels(lines: Sequence[Mapping[str, Any]]) -> list[Drawing]:
    """Panels of search.jsonl: the best and the mean of both generators over the generations."""
    found: list[Drawing] = []
    for title, drawn in SEARCH_PANELS.items():
        curves: dict[str, list[tuple[float, float]]] = {}
        for side in ("A", "B"):
            for word, key in drawn.items():
                points = [
                    (float(line["generation"]), float(line[side][key]))
                    for line in lines
                    if key in line.get(side, {})
                ]
                curves[f"G_{side} {word}".strip()] = points
        found.append(panel(title, curves, "generation"))
    return [drawing for drawing in found if drawing.shapes]


def training_panels(lines: Sequence[Mapping[str, Any]]) -> list[Drawing]:
    """Panels of train.jsonl and validation.jsonl: the losses of both generators over the steps."""
    found: list[Drawing] = []
    for prefix, title in _TRAINING.items():
        curves: dict[str, list[tuple[float, float]]] = {}
        for side in ("A", "B"):
            for label, key in (("", f"{prefix}_{side}"), (" average", f"average_{prefix}_{side}")):
                points = [(float(line["step"]), float(line[key])) for line in lines if key in line]
                curves[f"G_{side}{label}"] = points
        found.append(panel(title, curves, "step"))
    return [drawing for drawing in found if drawing.shapes]


def panel(title: str, curves: Mapping[str, Sequence[tuple[float, float]]], across: str) -> Drawing:
    """One panel. curves: label → points (x, y); empty ones and what is no number are left out.

    The second curve of a network is dashed. Without any point the drawing has no shapes.
    """
    finite = {
        label: [(x, y) for x, y in points if math.isfinite(x) and math.isfinite(y)]
        for label, points in curves.items()
    }
    shown = {label: points for label, points in finite.items() if points}
    if not shown:
        return Drawing(WIDTH, HEIGHT, (), title)
    xs = [x for points in shown.values() for x, _ in points]
    ys = [y for points in shown.values() for _, y in points]
    place_x = scale_for(xs, _LEFT, WIDTH - _RIGHT, zero=False)
    place_y = scale_for(ys, HEIGHT - _BOTTOM, _TOP + 6).rounded(4)
    shapes: list[Shape] = [Text(0, 13, title, bold=True, size=13)]
    for value in place_y.ticks(4):
        y = place_y(value)
        shapes.append(Line(((_LEFT, y), (WIDTH - _RIGHT, y)), FAINT))
        shapes.append(Text(_LEFT - 6, y + 4, told(value), "end", 11, colour=MUTED))
    bottom = HEIGHT - _BOTTOM
    shapes.append(Line(((_LEFT, bottom), (WIDTH - _RIGHT, bottom)), MUTED))
    last = Text(WIDTH - _RIGHT, HEIGHT - 7, f"{across} {max(xs):g}", "end", 11, colour=MUTED)
    for value in place_x.ticks(5):
        tick = Text(place_x(value), HEIGHT - 7, told(value), "middle", 11, colour=MUTED)
        if tick.box[2] < last.box[0] - 4:
            shapes.append(tick)
    shapes.append(last)
    colours, seen = series_colours(shown), dict[str, int]()
    left = 0.0
    for label, points in shown.items():
        colour = colours[label]
        dashed = seen.get(colour, 0) > 0
        seen[colour] = seen.get(colour, 0) + 1
        kept = points[:: max(1, len(points) // _MOST)]
        path = tuple((place_x(x), place_y(y)) for x, y in kept)
        if len(path) == 1:
            (x, y), path = path[0], ()
            shapes.append(Rect(x - 2, y - 2, 4, 4, colour, hint=f"{label}: {points[0][1]:.4g}"))
        shapes += [Line(path, colour, 1.8, dashed)] if path else []
        shapes.append(Line(((left, 28), (left + 16, 28)), colour, 2.4, dashed))
        shapes.append(Text(left + 20, 32, label, size=11, colour=INK))
        left += 30 + text_width(label, 11)
    return Drawing(WIDTH, HEIGHT, tuple(shapes), f"{title} over {across}: {', '.join(shown)}")
