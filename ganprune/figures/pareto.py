"""Size, milliseconds and quality against each other: a dot a network, the best ones joined."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ganprune.figures.style import LIGHT, WIDTH, clean, cut, network_colour, place, sheet, styled, write

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.transforms import BboxBase

_HEIGHT, _GAP = 320.0, 24.0
_PLACES = ((9, 0, "left", "center"), (-9, 0, "right", "center"), (0, 8, "center", "bottom"),
           (0, -8, "center", "top"), (7, 6, "left", "bottom"), (7, -6, "left", "top"),
           (-7, 6, "right", "bottom"), (-7, -6, "right", "top"))  # fmt: skip
"""Where a label may stand beside its dot, the best place first."""


@dataclass(frozen=True, slots=True)
class Point:
    """One network."""

    network: str  # ``G_A``, ``original_G_A``, …: decides the colour
    label: str  # of its run, beside its dot
    values: dict[str, float]  # axis → value; smaller is better on all

    @property
    def is_original(self) -> bool:
        """Whether it is no slim network."""
        return self.network.startswith("original")


@styled
def pareto(points: Sequence[Point], axes: Sequence[tuple[str, str]]) -> "Figure":
    """One panel a pair of axes (x, y), headed by y, a legend below.

    Points that lack a value are left out of a panel. Of each generator the points that no other beats on
    both axes are joined; originals are hollow.
    """
    from matplotlib.lines import Line2D

    label = "Pareto plots of " + "; ".join(f"{y} against {x}" for x, y in axes)
    figure = sheet(len(axes) * (WIDTH + _GAP) - _GAP, _HEIGHT, label)
    for i, (across, up) in enumerate(axes):
        _panel(figure, i * (WIDTH + _GAP), points, across, up)
    names = dict.fromkeys(sorted("original" if p.is_original else p.network for p in points))
    handles = [
        Line2D([], [], linestyle="", marker="o", color=network_colour(name), label=name,
               fillstyle="none" if name == "original" else "full")
        for name in names
    ]  # fmt: skip
    figure.legend(
        handles=handles, loc="lower left", ncols=4, title="smaller is better on every axis",
        alignment="left", bbox_to_anchor=(0, 0), title_fontproperties={"size": 13},
    )  # fmt: skip
    return figure


def front(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Those that no other is at least as good as on both axes, left to right; smaller is better."""
    found: list[tuple[float, float]] = []
    for point in sorted(set(points)):
        if not found or point[1] < found[-1][1]:
            found.append(point)
    return found


def _panel(figure: "Figure", left: float, points: Sequence[Point], across: str, up: str) -> None:
    shown = [point for point in points if across in point.values and up in point.values]
    write(figure, left, 14, cut(up, 38), weight="bold")
    axes = place(figure, left + 56, 34, WIDTH - 70, _HEIGHT - 34 - 96)
    axes.set_xlabel(clean(across))
    axes.grid(visible=True)
    if not shown:
        axes.text(0.5, 0.5, "not measured", ha="center", transform=axes.transAxes, color=LIGHT["muted"])
        return
    for network in dict.fromkeys(p.network for p in shown if not p.is_original):
        ends = [(p.values[across], p.values[up]) for p in shown if p.network == network]
        axes.plot(*zip(*front(ends), strict=True), color=network_colour(network), linewidth=1.5)
    for point in shown:
        filled = "none" if point.is_original else "full"
        axes.plot(point.values[across], point.values[up], "o", color=network_colour(point.network),
                  fillstyle=filled, clip_on=False)  # fmt: skip
    axes.margins(0.08)
    axes.set_xlim(left=min(0, *(p.values[across] for p in shown)))
    axes.set_ylim(bottom=min(0, *(p.values[up] for p in shown)))
    _label(axes, [(p.label, (p.values[across], p.values[up])) for p in shown if not p.is_original],
           [(p.values[across], p.values[up]) for p in shown])  # fmt: skip


def _label(
    axes: "Axes", labels: Sequence[tuple[str, tuple[float, float]]], dots: Sequence[tuple[float, float]]
) -> None:
    """Write labels beside their dots, each where it covers no dot and no other label; else nowhere."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.transforms import Bbox

    renderer = FigureCanvasAgg(axes.get_figure(root=True)).get_renderer()  # pyright: ignore
    room = axes.get_window_extent(renderer)
    at = axes.transData.transform(dots)
    taken: list[BboxBase] = [Bbox([dot - 5, dot + 5]) for dot in at]
    for label, dot in labels:
        for dx, dy, across, up in _PLACES:
            text = axes.annotate(
                clean(label), dot, (dx, dy), textcoords="offset points", ha=across, va=up, fontsize=12
            )
            box = text.get_window_extent(renderer)
            if room.contains(*box.min) and room.contains(*box.max) and not box.count_overlaps(taken):
                taken.append(box)
                break
            text.remove()
