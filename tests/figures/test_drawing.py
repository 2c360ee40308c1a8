"""Drawings as SVG and PNG."""

import io
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ganprune.figures import Drawing, below, beside, clean, framed, to_png, to_svg
from ganprune.figures.colours import BLUE, INK, ORANGE
from ganprune.figures.drawing import Dot, Line, Picture, Rect, Text, fitted, text_width

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = '</text><script>alert(1)</script>" onload="alert(2)'


def _parsed(drawing: Drawing) -> ElementTree.Element:
    return ElementTree.fromstring(to_svg(drawing))


@given(st.text())
def test_any_text_comes_out_of_an_svg_file_as_it_went_in(text: str) -> None:
    root = _parsed(Drawing(10, 10, (Text(0, 0, text), Rect(0, 0, 1, 1, INK, hint=text)), text))
    (drawn,) = root.iter(f"{SVG}text")
    assert (drawn.text or "") == clean(text)
    assert len(list(root.iter())) == len(["svg", "ground", "text", "rect"]) + bool(text)


def test_text_from_outside_adds_no_element_and_no_attribute() -> None:
    shapes = (Text(0, 9, HOSTILE), Dot(1, 1, 1, BLUE, hint=HOSTILE), Rect(0, 0, 1, 1, INK, hint=HOSTILE))
    root = _parsed(Drawing(10, 10, shapes, HOSTILE))
    assert {element.tag for element in root.iter()} == {
        f"{SVG}{name}" for name in ("svg", "rect", "text", "circle", "title")
    }
    assert not [name for element in root.iter() for name in element.attrib if name.startswith("on")]


def test_a_colour_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="a colour is #rrggbb or a tone"):
        to_svg(Drawing(1, 1, (Rect(0, 0, 1, 1, 'red" onload="alert(1)'),)))


def test_letters_that_turn_text_around_are_replaced() -> None:
    assert clean("a\u202eb\x00\ud800") == "a\ufffdb\ufffd\ufffd"


def test_svg_of_a_page_takes_the_colour_of_its_text() -> None:
    drawing = Drawing(10, 10, (Text(0, 9, "x"), Rect(0, 0, 1, 1, BLUE)))
    assert 'fill="currentColor"' in to_svg(drawing, "page")
    assert "currentColor" not in to_svg(drawing)
    assert BLUE in to_svg(drawing, "page")


def test_png_shows_every_shape_where_the_drawing_has_it() -> None:
    picture = np.full((2, 2, 3), (10, 200, 30), np.uint8)
    shapes = (
        Rect(10, 10, 20, 20, BLUE), Line(((40, 20), (80, 20)), ORANGE, 4), Dot(100, 20, 6, BLUE),
        Picture(120, 10, 20, 20, picture),
    )  # fmt: skip
    sheet = Image.open(io.BytesIO(to_png(Drawing(150, 40, shapes), 2)))
    assert sheet.size == (300, 80)
    wanted = {(40, 40): BLUE, (120, 40): ORANGE, (200, 40): BLUE, (260, 40): "#0ac81e", (290, 70): "#ffffff"}
    assert {at: "#%02x%02x%02x" % sheet.getpixel(at) for at in wanted} == {  # noqa: UP031
        at: colour.lower() for at, colour in wanted.items()
    }


def test_frames_lie_on_top_of_pictures() -> None:
    picture = Picture(10, 10, 20, 20, np.full((2, 2, 3), 255, np.uint8))
    sheet = Image.open(io.BytesIO(to_png(Drawing(40, 40, (picture, Rect(12, 12, 8, 8, stroke=BLUE))), 2)))
    assert sheet.getpixel((24, 32)) == (0x00, 0x72, 0xB2)


def test_drawings_side_by_side_keep_their_shapes() -> None:
    one = Drawing(30, 20, (Rect(1, 2, 3, 4, INK),))
    row, column = beside([one, one], 10), below([one, one], 10)
    assert (row.width, row.height) == (70, 20)
    assert (column.width, column.height) == (30, 50)
    assert [(s.x, s.y) for s in row.shapes if isinstance(s, Rect)] == [(1, 2), (41, 2)]
    assert [(s.x, s.y) for s in column.shapes if isinstance(s, Rect)] == [(1, 2), (1, 32)]
    assert framed(one, 5).shapes[0] == Rect(6, 7, 3, 4, INK)


def test_fitted_text_fits() -> None:
    for text in ("a", "W" * 60, "many words of all sorts, 100 %", ""):
        assert text_width(fitted(text, 80)) <= 80
    assert fitted("short", 80) == "short"
    assert re.fullmatch("W+…", fitted("W" * 60, 80))
