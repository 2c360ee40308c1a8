"""Every figure: words inside the sheet, none over another, whatever the runs are called."""

from itertools import combinations

import numpy as np
import pytest
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from ganprune.figures import Bar, bar_chart, operator_chart, search_panels, training_panels, widths_diagram
from ganprune.figures.filters import FirstLayer, filter_figure
from ganprune.figures.pareto import Point, pareto
from ganprune.figures.sheets import SheetCell, draw_sheet
from ganprune.models.cyclegan import resnet_widths

LONG = "a run with a name of many words and Averyverylongwordwithoutanyspacesinit"
PIXELS = np.zeros((8, 8, 3), np.uint8)


def _search(n: int) -> list[dict[str, object]]:
    best = {"fitness": 0.1, "mean_fitness": 0.05, "L_DisA": 3e-7, "L_GenA": 0.0, "L_cyc": 1e5, "macs": 0.25,
            "mean_macs": 0.25, "diversity": 0.0}  # fmt: skip
    return [{"generation": i, "A": best, "B": best} for i in range(n)]


def _layer() -> FirstLayer:
    weights = np.random.default_rng(0).normal(size=(20, 3, 7, 7)).astype(np.float32)
    return FirstLayer("G_A", weights, tuple(range(0, 20, 2)), weights[::2] * 1.1)


def _points(same: bool) -> list[Point]:
    axes = [{"MiB": 10.0 + (0 if same else i), "ms": 100.0 - i, "KID": 0.1 + i / 1e3} for i in range(12)]
    points = [Point("G_A", f"{LONG} {i}" if i == 3 else f"run {i}", values) for i, values in enumerate(axes)]
    return [*points, Point("original_G_A", "original", {"MiB": 43.0, "ms": 500.0, "KID": 0.1})]


def _cells(n: int) -> list[SheetCell]:
    return [SheetCell(PIXELS, "1,234.56 MiB of float32 weights")] * n


WIDE = resnet_widths(64, 9).groups()
FIGURES: dict[str, list[Figure]] = {
    "search": search_panels(_search(101)),
    "search of two that meet": [f for n in (2, 3, 101) for f in search_panels(_search(n), meet=True)],
    "one generation": search_panels(_search(1)),
    "training": training_panels([{"step": 10**6 + i, "pixels_A": 1e-9, "L_cyc_B": 1e4} for i in range(3)]),
    "bars": [bar_chart(LONG, [Bar(LONG, 1.0, "1.00 ms", 0.5, 9.0), Bar("G_A", 0.0, "0.00 ms")])],
    "operators": [operator_chart(LONG, [{LONG: {"Conv": 1.0, "Relu": 0.0, "Odd": 0.01}, "G_A": {"Add": 2}}])],
    "layers": [widths_diagram("G_B", WIDE, dict.fromkeys(WIDE, 16))],
    "filters": [filter_figure(_layer(), {"ThiNet": range(10)})],
    "pareto": [pareto(_points(False), [("MiB", "KID"), ("ms", "KID"), ("MiB", "ms")])],
    "pareto, crowded": [pareto(_points(True), [("MiB", "KID")])],
    "pareto, unknown": [pareto(_points(True), [("MiB", "no such")])],
    "two rows": [draw_sheet([(text, _cells(2)) for text in ("γ = 10", LONG, "a")], ["A → B", "B"], "")],
    "three rows": [draw_sheet([("input", _cells(3)), *[(LONG, _cells(3))] * 4], ["A → B", "", "B"], "")],
}  # fmt: skip


def _unseen(axis: Axis) -> list[Text]:
    """Labels of ticks beyond the ends of an axis, which are not drawn."""
    low, high = sorted(axis.get_view_interval())
    return [tick.label1 for tick in axis.get_major_ticks() if not low <= tick.get_loc() <= high]


@pytest.mark.parametrize("name", FIGURES)
def test_no_two_words_overlap_and_none_leaves_the_sheet(name: str) -> None:
    assert FIGURES[name]
    for figure in FIGURES[name]:
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        unseen = {
            id(label) for axes in figure.axes for axis in (axes.xaxis, axes.yaxis) for label in _unseen(axis)
        }
        texts = [t for t in figure.findobj(Text) if t.get_text().strip() and id(t) not in unseen]
        drawn = [(t.get_text(), t.get_window_extent(canvas.get_renderer())) for t in texts]
        boxes = [(text, box) for text, box in drawn if box.width > 1]
        assert boxes, figure.get_label()
        width, height = figure.bbox.size
        for text, box in boxes:
            inside = box.x0 >= -1 and box.y0 >= -1 and box.x1 <= width + 1 and box.y1 <= height + 1
            assert inside, (text, box.extents, width, height)
        for (a, one), (b, other) in combinations(boxes, 2):
            assert not one.padded(-1).overlaps(other.padded(-1)), (a, one.extents, b, other.extents)
