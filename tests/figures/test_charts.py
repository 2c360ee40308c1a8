"""Curves, bars, layers and Pareto plots say what their numbers say."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from ganprune.figures import Bar, bar_chart, operator_chart, search_panels
from ganprune.figures import widths_diagram as widths
from ganprune.figures.panels import MEET, panel
from ganprune.figures.pareto import Point, front, pareto
from ganprune.figures.style import COLOURS, LIGHT, NETWORKS, ORIGINAL, operator_colour

finite = st.floats(-1e6, 1e6)


def lines_of(figure: Figure) -> dict[str, Any]:
    """Label → x and y of every curve."""
    return {
        str(line.get_label()): np.asarray(line.get_xydata()).tolist()
        for ax in figure.axes
        for line in ax.lines
    }


def bars_of(figure: Figure) -> list[tuple[str, float]]:
    """Colour and width in pixels of all rectangles with an extent to speak of, from the first drawn."""
    width = 72 * figure.get_size_inches()[0]
    found = [a for a in figure.artists if isinstance(a, Rectangle)]
    return [(to_hex(bar.get_facecolor()), bar.get_width() * width) for bar in found]


def texts_of(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(Text)]  # type: ignore[attr-defined]


def test_a_curve_goes_through_its_points() -> None:
    points = [(0.0, 0.0), (1.0, 4.0), (2.0, 1.0)]
    (drawn,) = panel("t", {"G_A": points}, "step")
    assert lines_of(drawn) == {"G_A": [list(point) for point in points]}
    assert to_hex(drawn.axes[0].lines[0].get_color()) == NETWORKS["G_A"]


def test_values_that_are_no_numbers_are_left_out() -> None:
    assert panel("t", {"G_A": [(0.0, math.nan), (1.0, math.inf)]}, "step") == []
    (some,) = panel("t", {"G_A": [(0.0, math.nan), (1.0, 2.0), (2.0, 3.0)]}, "step")
    assert lines_of(some) == {"G_A": [[1, 2], [2, 3]]}


def test_search_charts_say_which_way_is_better() -> None:
    best = {"fitness": 0.1, "mean_fitness": 0.05, "L_DisA": 1.0, "L_GenA": 1.0, "L_cyc": 1.0, "macs": 0.25,
            "mean_macs": 0.25, "diversity": 0.0}  # fmt: skip
    charts = search_panels([{"generation": i, "A": best, "B": best} for i in range(10)])
    assert len(charts) == 6
    assert {"Fitness F", "higher is better"} <= set(texts_of(charts[0]))
    assert {"L_cyc of the best", "lower is better: there and back again"} <= set(texts_of(charts[3]))


def test_the_way_back_says_from_where_the_slim_partner_goes_it() -> None:
    best = dict.fromkeys(("fitness", "L_DisA", "L_GenA", "L_cyc", "macs", "diversity"), 1.0)
    lines = [{"generation": i, "A": best, "B": best} for i in range(3)]
    told = [MEET in texts_of(chart) for chart in search_panels(lines, True)]
    assert told == [False, False, False, True, False, False]
    assert not any(MEET in texts_of(chart) for chart in search_panels(lines))


def test_a_loss_that_was_not_computed_has_no_chart() -> None:
    alone = {"fitness": 0.1, "mean_fitness": 0.05, "L_DisA": 0.0, "L_GenA": 1.0, "L_cyc": 0.0, "macs": 0.25,
             "mean_macs": 0.25, "diversity": 0.0}  # fmt: skip
    charts = search_panels([{"generation": i, "A": alone} for i in range(10)])
    titles = {text for chart in charts for text in texts_of(chart)}
    assert "L_GenA of the best" in titles
    assert not {"L_DisA of the best", "L_cyc of the best"} & titles


def test_bars_are_as_long_as_their_values() -> None:
    drawn = bars_of(bar_chart("ms", [Bar("original_G_A", 500, "500"), Bar("G_A", 125, "125")]))
    (grey, long), (blue, short) = drawn
    assert long == pytest.approx(4 * short)
    assert (grey, blue) == (ORIGINAL, NETWORKS["G_A"])


def test_operators_without_a_colour_are_added_up() -> None:
    drawn = operator_chart("ms", [{"G_A": {"Conv": 6.0, "Odd": 1.0, "Strange": 2.0}}])
    (conv, six), (others, three), *legend = bars_of(drawn)
    assert [conv, others] == [operator_colour("Conv"), LIGHT["grey"]] == [colour for colour, _ in legend]
    assert six + 1 == pytest.approx(2 * (three + 1))  # a pixel of each is the gap to the next
    assert {"Conv 67%", "9.0 ms", "others"} <= set(texts_of(drawn))


def test_an_operator_has_one_colour_in_every_picture() -> None:
    one = bars_of(operator_chart("ms", [{"G": {"Conv": 1.0, "Pad": 1.0}}]))
    other = bars_of(operator_chart("ms", [{"G": {"Pad": 1.0, "Conv": 5.0, "Odd": 1.0}}]))
    assert {colour for colour, _ in one} < {colour for colour, _ in other}
    assert len({colour for colour, _ in other}) == 3


def test_a_layer_is_drawn_in_proportion_to_its_filters() -> None:
    drawn = widths("G_A", {"stem": 64, "trunk": 256}, {"stem": 16, "trunk": 128})
    found = [width for _, width in bars_of(drawn)[2:]]  # the first two are the legend
    assert found == pytest.approx([found[2] / 4, found[2] / 16, found[2], found[2] / 2])
    assert {"7×7 stem", "16 of 64", "3×3 trunk", "128 of 256"} <= set(texts_of(drawn))
    assert "144 of 320 filters kept" in str(drawn.get_label())


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
    front_line, *dots = pareto(points, [("x", "y")]).axes[0].lines
    assert np.asarray(front_line.get_xydata()).tolist() == [[1, 2], [2, 1]]
    assert [(dot.get_fillstyle(), to_hex(dot.get_color())) for dot in dots] == [
        ("full", NETWORKS["G_A"]), ("full", NETWORKS["G_A"]), ("none", ORIGINAL),
    ]  # fmt: skip


def _luminance(colour: str) -> float:
    """WCAG 2.2, relative luminance."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(share * part for share, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def _contrast(one: str, other: str) -> float:
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_text_has_a_contrast_of_4_5_and_what_is_drawn_of_3(theme: int) -> None:
    shade = {name: pair[theme] for name, pair in COLOURS.items()}
    assert _contrast("#ffffff", "#767676") == pytest.approx(4.54, abs=0.01)  # WCAG's own example
    low = [
        (name, ground, _contrast(shade[name], shade[ground]))
        for ground in ("paper", "soft")
        for name in sorted(shade.keys() - {"paper", "soft", "line"})
        if _contrast(shade[name], shade[ground])
        < (4.5 if name in ("ink", "muted", "accent", "good", "bad") else 3)
    ]
    assert low == []
    inside = [
        name for name in ("blue", "vermillion", "green") if _contrast(shade[name], shade["paper"]) < 4.5
    ]
    assert inside == []  # shares stand in these bars, in the ground's colour
