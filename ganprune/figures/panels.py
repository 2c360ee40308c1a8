"""Curves over generations or steps: one small panel a quantity, one line a network."""

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ganprune.figures.style import LIGHT, WIDTH, clean, heading, place, series_colours, sheet, styled, to_svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HEIGHT = 232.0
_MOST = 300  # points a line; more would not be seen
Curves = Mapping[str, Sequence[tuple[float, float]]]  # label → points (x, y)

_SEARCH: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "Fitness F": ("higher is better", {"best": "fitness", "mean": "mean_fitness"}),
    "L_DisA of the best": ("lower is better: D sees less of a difference", {"": "L_DisA"}),
    "L_GenA of the best": ("lower is better: nearer to the original", {"": "L_GenA"}),
    "L_cyc of the best": ("lower is better: there and back again", {"": "L_cyc"}),
    "Kept share of MACs": ("lower is smaller and faster", {"best": "macs", "mean": "mean_macs"}),
    "Diversity": ("0: all individuals are the same", {"": "diversity"}),
}
"""Title → which way is better, and what a line of search.jsonl calls the curves."""
_BACK, MEET = ("L_cyc of the best",), "slim partner"
"""Charts of the way back; what stands at generation 1 there, where two generators co-evolve."""
_TRAINING = {
    "pixels": "Distance to the original's pixels", "maps": "Distance to its maps",
    "features": "Distance to its features", "G": "Adversarial loss", "D": "Discriminators' loss",
    "cycle": "Cycle loss", "idt": "Identity loss",
    "L_GenA": "L_GenA, validation", "L_DisA": "L_DisA, validation", "L_cyc": "L_cyc, validation",
}  # fmt: skip
"""Prefix of a value in train.jsonl and validation.jsonl → title."""
LOSSES = ("L_DisA", "L_GenA", "L_cyc")  # those of an individual, in search.jsonl
_RIVALS = ("G", "D")  # losses of two networks against each other, of which neither is better lower


def search_panels(lines: Sequence[Mapping[str, Any]], meet: bool = False) -> list["Figure"]:
    """Panels of search.jsonl: the best and the mean of both generators over the generations.

    meet: generation 0 is translated back by the originals, all others by the other slim generator, which a
    line in the chart of L_cyc says.
    """
    found: list[Figure] = []
    for title, curves in _search_curves(lines).items():
        better = _SEARCH[title][0]
        found += panel(title, curves, "generation", better, MEET if meet and title in _BACK else "")
    return found


def search_curves(lines: Sequence[Mapping[str, Any]], meet: bool = False) -> str:
    """The same as one SVG file."""
    better = {title: told for title, (told, _) in _SEARCH.items()}
    marks = dict.fromkeys(_BACK, MEET) if meet else {}
    return _stacked(_search_curves(lines), "generation", better, marks)


def training_panels(lines: Sequence[Mapping[str, Any]]) -> list["Figure"]:
    """Panels of train.jsonl and validation.jsonl: the losses of both generators over the steps."""
    found: list[Figure] = []
    for prefix, title in _TRAINING.items():
        curves = {
            f"G_{side}{label}": _points(lines, "step", f"{key}{prefix}_{side}")
            for side in ("A", "B") for label, key in (("", ""), (" average", "average_"))
        }  # fmt: skip
        better = "of two networks against each other" if prefix in _RIVALS else "lower is better"
        found += panel(title, curves, "step", better)
    return found


def curves(
    lines: Sequence[Mapping[str, float]], panels: Mapping[str, Mapping[str, str]], x: str = "step"
) -> str:
    """SVG file of the values of ``lines`` over ``x``. ``panels``: title → {label of a curve → its values}.

    Curves whose values no line has, and panels left without any, are left out.
    """
    drawn = {
        title: {label: _points(lines, x, name) for label, name in names.items()}
        for title, names in panels.items()
    }
    return _stacked(drawn, x, {})


@styled
def panel(title: str, curves: Curves, across: str, better: str = "", mark: str = "") -> list["Figure"]:
    """A panel of one quantity; none without a point. See `_draw`."""
    if not (shown := _finite(curves)):
        return []
    figure = sheet(WIDTH, HEIGHT, f"{title} over {across}: {', '.join(shown)}")
    _draw(figure, title, shown, across, better, 0, mark)
    return [figure]


@styled
def _stacked(
    panels: Mapping[str, Curves], across: str, better: Mapping[str, str],
    marks: Mapping[str, str] = MappingProxyType({}),
) -> str:  # fmt: skip
    shown = {title: known for title, curves in panels.items() if (known := _finite(curves))}
    figure = sheet(1.6 * WIDTH, HEIGHT * max(len(shown), 1), f"{', '.join(shown)} over {across}")
    for i, (title, known) in enumerate(shown.items()):
        _draw(figure, title, known, across, better.get(title, ""), i * HEIGHT, marks.get(title, ""))
    return to_svg(figure)


def _draw(
    figure: "Figure", title: str, curves: Curves, across: str, better: str, top: float, mark: str = ""
) -> None:
    """One panel, ``top`` pixels below the figure's upper edge. The second curve of a network is dashed.

    mark: what a thin line at 1 says.
    """
    heading(figure, title, better, top)
    width = 72 * figure.get_size_inches()[0]
    rows = 1 if len(curves) <= 2 else 2
    axes = place(figure, 58, top + 44 + 18 * rows, width - 66, HEIGHT - 84 - 18 * rows)
    colours, seen = series_colours(curves), set[str]()
    for label, points in curves.items():
        x, y = zip(*points[:: max(1, len(points) // _MOST)], strict=True)
        colour = colours[label]
        axes.plot(
            x, y, color=colour, linestyle="--" if colour in seen else "-", linewidth=1.8,
            marker="" if len(points) > 1 else "o", label=clean(label),
        )  # fmt: skip
        seen.add(colour)
    last = max(x for points in curves.values() for x, _ in points)
    if mark and last >= 1:
        axes.axvline(1, color=LIGHT["muted"], linewidth=0.8)
        shift, side = (4, "left") if last > 1 else (-4, "right")
        axes.annotate(
            mark, (1, 1), (shift, 0), axes.get_xaxis_transform(), "offset points",
            color=LIGHT["muted"], va="top", ha=side,
        )  # fmt: skip
    axes.locator_params("x", nbins=5, integer=across in ("step", "generation"))
    axes.locator_params("y", nbins=4)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(lambda value, _: f"{value:.4g}".replace("e-0", "e-").replace("e+0", "e"))  # pyright: ignore[reportArgumentType]
    axes.grid(axis="y")
    axes.set_xlabel(clean(across), loc="right", color=LIGHT["muted"], labelpad=2)
    handles, labels = axes.get_legend_handles_labels()
    anchor = (-58 / (width - 66), 1.06)
    axes.legend(handles, labels, loc="lower left", bbox_to_anchor=anchor, ncols=2 if rows > 1 else 4)


def measured_losses(lines: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Losses of search.jsonl that are not 0 throughout: those were not computed, or there is no D."""
    sides = [line[side] for line in lines for side in ("A", "B") if side in line]
    return tuple(key for key in LOSSES if any(scores.get(key) for scores in sides))


def _search_curves(lines: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, list[tuple[float, float]]]]:
    unknown = set(LOSSES) - set(measured_losses(lines))
    return {
        title: {
            f"G_{side} {word}".strip(): [
                (float(line["generation"]), float(line[side][key]))
                for line in lines
                if key in line.get(side, {})
            ]
            for side in ("A", "B")
            for word, key in names.items()
        }
        for title, (_, names) in _SEARCH.items()
        if not unknown & set(names.values())
    }


def _points(lines: Sequence[Mapping[str, float]], x: str, name: str) -> list[tuple[float, float]]:
    return [(float(line[x]), float(line[name])) for line in lines if name in line]


def _finite(curves: Curves) -> Curves:
    """Without what is no number, and without curves that have no points then."""
    finite = {
        label: [(x, y) for x, y in points if math.isfinite(x) and math.isfinite(y)]
        for label, points in curves.items()
    }
    return {label: points for label, points in finite.items() if points}
