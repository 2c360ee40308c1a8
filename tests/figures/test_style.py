"""Figures as SVG and PNG files and as parts of a page: escaped, in the page's colours, the same each time."""

import io
import re
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from PIL import Image

from ganprune.figures import Bar, bar_chart, clean, to_page, to_svg
from ganprune.figures.panels import panel
from ganprune.figures.sheets import SheetCell, draw_sheet
from ganprune.figures.style import COLOURS, look, sheet, to_png, write

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = '</text><script>alert(1)</script>" onload="alert(2) $\\frac{1}$ \u202e\x07'


def _curves(label: str = "G_A") -> Figure:
    (drawn,) = panel(label, {label: [(0.0, 1.0), (1.0, 2.0)]}, label, label)
    return drawn


def _texts(svg: str) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(svg).iter(f"{SVG}text")]


@settings(max_examples=20, deadline=None)
@given(st.text(st.characters(exclude_characters="\n\r"), min_size=1, max_size=20).filter(str.strip))
def test_any_text_comes_out_of_an_svg_as_it_went_in(text: str) -> None:
    with look():
        figure = sheet(100, 20, text)
        write(figure, 0, 10, text)
    for svg in (to_svg(figure), to_page(figure)):
        assert [" ".join(found.split()) for found in _texts(svg)] == [" ".join(clean(text).split())]


def test_text_from_outside_adds_no_element_and_no_attribute() -> None:
    for figure in (_curves(HOSTILE), bar_chart(HOSTILE, [Bar(HOSTILE, 1, HOSTILE)])):
        for svg in (to_svg(figure), to_page(figure)):
            root = ElementTree.fromstring(svg)
            assert not [e for e in root.iter() if e.tag.endswith(("script", "a", "foreignObject"))]
            assert not [name for e in root.iter() for name in e.attrib if name.startswith("on")]
        assert any("<script>" in text for text in _texts(to_page(figure)))


def test_letters_that_turn_text_around_are_replaced() -> None:
    assert clean("a\u202eb\x00\ud800") == "a\ufffdb\ufffd\ufffd"


def test_a_figure_in_a_page_has_the_pages_colours_and_font_and_no_styles() -> None:
    page = to_page(_curves())
    root = ElementTree.fromstring(page)
    assert not [e for e in root.iter() if "style" in e.attrib or e.tag == f"{SVG}style"]
    assert "font-family" not in page
    assert "var(--blue)" in page
    assert re.findall("#[0-9a-f]{6}", page) == []
    assert set(re.findall(r"var\(--(\w+)\)", page)) <= COLOURS.keys()
    assert root.get("aria-label") == "G_A over G_A: G_A"
    assert {e.get("font-size") for e in root.iter(f"{SVG}text")} <= {"13px", "11px"}


def test_the_same_figure_has_the_same_bytes_whatever_its_user_has_set() -> None:
    one = _curves()
    wanted = to_svg(one), to_png(one), to_page(one)
    with matplotlib.rc_context({"font.size": 40, "svg.fonttype": "path", "axes.facecolor": "red"}):
        other = _curves()
        assert (to_svg(other), to_png(other), to_page(other)) == wanted
        assert matplotlib.rcParams["font.size"] == 40


def test_png_shows_pictures_and_bars_in_their_colours() -> None:
    green = np.full((8, 8, 3), (10, 200, 30), np.uint8)
    cells = [SheetCell(green, "1 MiB")]
    for figure, colour in (
        (draw_sheet([("original", cells), ("a", cells)], ["A → B"], ""), "#0ac81e"),
        (bar_chart("ms", [Bar("G_A", 1.0, "1 ms")]), COLOURS["blue"][0]),
    ):
        with Image.open(io.BytesIO(to_png(figure))) as drawn:
            shades = drawn.convert("RGB").getcolors(1 << 24) or []
        assert max(n for n, rgb in shades if "#%02x%02x%02x" % rgb == colour) > 1000  # noqa: UP031
        assert drawn.info["dpi"] == pytest.approx((180, 180), abs=1)
