"""Drawings as SVG: files for print, and parts of an HTML page that follow its colours."""

import base64
import io
import re
import unicodedata
from html import escape
from typing import Literal

from PIL import Image

from ganprune.figures.colours import FAINT, INK, MUTED, PAPER
from ganprune.figures.drawing import Dot, Drawing, Line, Picture, Pixels, Rect, Shape

FONT = "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"
_PRINT = {INK: "#1a1a1a", MUTED: "#5f5f5f", FAINT: "#dddddd", PAPER: "#ffffff"}
_PAGE = {INK: "currentColor", MUTED: "currentColor", FAINT: "currentColor", PAPER: "none"}
_OPACITY = {MUTED: 0.72, FAINT: 0.2}
_BIDI = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
"""Marks that turn the direction of writing around."""
_CRISP = 9
"""Times that pixels of a crisp picture are repeated each way."""
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")

Use = Literal["file", "page"]
"""file: on white, by itself. page: within HTML, text in the page's own colour, no ground."""


def to_svg(drawing: Drawing, use: Use = "file") -> str:
    """SVG 1.1 of a drawing; pictures lie within it as PNG."""
    width, height = _number(drawing.width), _number(drawing.height)
    namespace = ' xmlns="http://www.w3.org/2000/svg"' if use == "file" else ""
    parts = [
        f'<svg{namespace} viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-label="{_quoted(drawing.label)}" font-family="{FONT}">'
    ]
    if use == "file":
        parts.append(f'<rect width="{width}" height="{height}" fill="{_PRINT[PAPER]}"/>')
    parts += [_shape(shape, use) for shape in drawing.shapes]
    return "\n".join([*parts, "</svg>", ""])


def clean(text: str) -> str:
    """Without what no document may hold or what plays tricks: control letters, surrogates, bidi marks."""
    return "".join("\ufffd" if _is_bad(letter) else letter for letter in text)


def _is_bad(letter: str) -> bool:
    if letter in "\n\t":
        return False
    return unicodedata.category(letter) in ("Cc", "Cs", "Cn", "Co") or letter in _BIDI


def png_bytes(pixels: Pixels) -> bytes:
    """A picture, uint8 [h, w, 3], as a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _shape(shape: Shape, use: Use) -> str:
    if isinstance(shape, Rect):
        paint = _paint("fill", shape.fill, use) + _paint("stroke", shape.stroke, use)
        if shape.stroke is not None:
            paint += f' stroke-width="{_number(shape.stroke_width)}"'
        return _hinted("rect", _box(shape) + paint, shape.hint)
    if isinstance(shape, Line):
        points = " ".join(f"{_number(x)},{_number(y)}" for x, y in shape.points)
        dashes = ' stroke-dasharray="4 3"' if shape.dashed else ""
        paint = _paint("stroke", shape.colour, use) + f' stroke-width="{_number(shape.width)}"'
        return f'<polyline points="{points}" fill="none"{paint}{dashes} stroke-linejoin="round"/>'
    if isinstance(shape, Dot):
        at = f' cx="{_number(shape.x)}" cy="{_number(shape.y)}" r="{_number(shape.radius)}"'
        paint = _paint("fill", None if shape.hollow else shape.colour, use)
        return _hinted("circle", at + paint + _paint("stroke", shape.colour, use), shape.hint)
    if isinstance(shape, Picture):
        pixels = shape.pixels
        if shape.crisp:  # not all programs that draw SVG can be told to keep pixels square
            pixels = pixels.repeat(_CRISP, axis=0).repeat(_CRISP, axis=1)
        data = base64.b64encode(png_bytes(pixels)).decode()
        link = f' href="data:image/png;base64,{data}" preserveAspectRatio="none"'
        return _hinted("image", _box(shape) + link, shape.hint)
    weight = ' font-weight="bold"' if shape.bold else ""
    return (
        f'<text x="{_number(shape.x)}" y="{_number(shape.y)}" text-anchor="{shape.anchor}" '
        f'font-size="{_number(shape.size)}"{weight}{_paint("fill", shape.colour, use)}>'
        f"{_quoted(shape.text)}</text>"
    )


def _hinted(name: str, attributes: str, hint: str) -> str:
    return (
        f"<{name}{attributes}><title>{_quoted(hint)}</title></{name}>" if hint else f"<{name}{attributes}/>"
    )


def _box(shape: Rect | Picture) -> str:
    return (
        f' x="{_number(shape.x)}" y="{_number(shape.y)}" '
        f'width="{_number(shape.width)}" height="{_number(shape.height)}"'
    )


def _paint(name: str, colour: str | None, use: Use) -> str:
    if colour is None:
        return ' fill="none"' if name == "fill" else ""
    shades = _PRINT if use == "file" else _PAGE
    if colour in shades:
        opacity = _OPACITY.get(colour) if use == "page" else None
        return f' {name}="{shades[colour]}"' + (f' {name}-opacity="{opacity}"' if opacity else "")
    if not _COLOUR.fullmatch(colour):
        raise ValueError(f"a colour is #rrggbb or a tone, found {colour!r}")
    return f' {name}="{colour}"'


def _quoted(text: str) -> str:
    return escape(clean(text))


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
