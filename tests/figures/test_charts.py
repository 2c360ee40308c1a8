"""Curves, bars, layers and Pareto plots say what their numbers say."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganprune.figures import Bar, Point, bar_chart, front, operator_chart, panel, pareto, widths_diagram
from ganprune.figures.colours import GREY, NETWORKS, ORIGINAL
from ganprune.figures.drawing import Dot, Line, Rect
from ganprune.figures.scales import scale_for, told

finite = st.floats(-1e6, 1e6)


@given(st.lists(finite, min_size=1), st.booleans())
def test_an_axis_holds_all_values_and_ticks_lie_on_it(values: list[float], zero: bool) -> None:
    scale = scale_for(values, 0, 100, zero=zero)
    assert all(-1e-6 <= scale(value) <= 100 + 1e-6 for value in values)
    ticks = scale.ticks()
    assert 1 <= len(ticks) <= 7
    assert all(-1e-6 <= scale(tick) <= 100 + 1e-6 for tick in ticks)
    assert scale.rounded().high >= scale.high - 1e-9 * abs(scale.high)


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (0.25, "0.25"), (150, "150"), (12000, "12k"), (2e6, "2e6"), (3e-7, "3e-7")]
)
def test_ticks_are_short(value: float, text: str) -> None:
    assert told(value) == text


def test_a_curve_goes_through_its_points() -> None:
    points = [(0.0, 0.0), (1.0, 4.0), (2.0, 1.0)]
    drawn = [s for s in panel("t", {"G_A": points}, "step").shapes if isinstance(s, Line)]
    (curve,) = [line for line in drawn if line.colour == NETWORKS["G_A"] and len(line.points) == 3]
    (x0, y0), (x1, y1), (x2, y2) = curve.points
    assert x1 - x0 == pytest.approx(x2 - x1)
    assert (y0 - y1) / 4 == pytest.approx((y0 - y2) / 1)


def test_values_that_are_no_numbers_are_left_out() -> None:
    nothing = panel("t", {"G_A": [(0.0, math.nan), (1.0, math.inf)]}, "step")
    assert not nothing.shapes
    some = panel("t", {"G_A": [(0.0, math.nan), (1.0, 2.0), (2.0, 3.0)]}, "step")
    assert all(math.isfinite(v) for s in some.shapes if isinstance(s, Line) for p in s.points for v in p)


def test_bars_are_as_long_as_their_values() -> None:
    drawn = bar_chart("ms", [Bar("original_G_A", 500, "500"), Bar("G_A", 125, "125")]).shapes
    long, short = [shape for shape in drawn if isinstance(shape, Rect)]
    assert long.width == pytest.approx(4 * short.width)
    assert (long.fill, short.fill) == (ORIGINAL, NETWORKS["G_A"])


def test_operators_without_a_colour_are_added_up() -> None:
    profiles = {"G_A": {"Conv": 6.0, "Odd": 1.0, "Strange": 2.0}}
    drawn = [s for s in operator_chart("ms", profiles).shapes if isinstance(s, Rect) and s.hint]
    assert [shape.hint for shape in drawn] == ["G_A, Conv: 6.00 ms (67%)", "G_A, others: 3.00 ms (33%)"]
    assert drawn[1].fill == GREY
    assert drawn[0].width == pytest.approx(2 * drawn[1].width)


def test_a_layer_is_drawn_in_proportion_to_its_filters() -> None:
    drawn = widths_diagram("G_A", {"stem": 64, "trunk": 256}, {"stem": 16, "trunk": 128})
    bars = [s for s in drawn.shapes if isinstance(s, Rect) and s.hint]
    widths = [bar.width for bar in bars]
    assert widths == pytest.approx(
        [256 / 4 * widths[2] / 256, 16 / 256 * widths[2], widths[2], widths[2] / 2]
    )
    assert bars[0].hint == "7×7 stem: 16 of 64 filters (25%)"
    assert "144 of 320 filters kept" in drawn.label


@given(st.lists(st.tuples(finite, finite), max_size=30))
def test_front_is_what_no_other_point_beats(points: list[tuple[float, float]]) -> None:
    unique = set(points)
    wanted = [
        p for p in sorted(unique)
        if not any(q != p and q[0] <= p[0] and q[1] <= p[1] for q in unique)
    ]  # fmt: skip
    assert front(points) == wanted


def test_originals_are_hollow_and_grey_and_on_no_front() -> None:
    points = [
        Point("G_A", "a", {"x": 1.0, "y": 2.0}), Point("G_A", "b", {"x": 2.0, "y": 1.0}),
        Point("original_G_A", "original", {"x": 0.0, "y": 0.0}), Point("G_B", "c", {"x": 1.0}),
    ]  # fmt: skip
    drawn = pareto(points, [("x", "y")]).shapes
    dots = [s for s in drawn if isinstance(s, Dot) and s.hint]
    assert [(d.hollow, d.colour) for d in dots] == [(False, NETWORKS["G_A"])] * 2 + [(True, ORIGINAL)]
    (joined,) = [s for s in drawn if isinstance(s, Line) and s.colour == NETWORKS["G_A"]]
    assert joined.points == tuple((dot.x, dot.y) for dot in dots[:2])
