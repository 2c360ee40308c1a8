"""Drawings as PNG, by Pillow alone.

The font is the first of a few that the system has; without any, Pillow's own, which lacks Greek.
"""

import io
from functools import lru_cache

from PIL import Image, ImageDraw, ImageFont

from ganprune.figures.colours import FAINT, INK, MUTED, PAPER
from ganprune.figures.drawing import Dot, Drawing, Line, Picture, Rect, Shape, Text

_SHADES = {INK: "#1a1a1a", MUTED: "#5f5f5f", FAINT: "#dddddd", PAPER: "#ffffff"}
_FONTS = {
    False: ("LiberationSans-Regular.ttf", "Arial.ttf", "arial.ttf", "DejaVuSans.ttf"),
    True: ("LiberationSans-Bold.ttf", "Arial Bold.ttf", "arialbd.ttf", "DejaVuSans-Bold.ttf"),
}
_PLAIN = {"γ": "gamma", "λ": "lambda", "×": "x", "–": "-", "→": "to", "²": "2", "μ": "u", "₁": "1", "₂": "2"}
_SMOOTH = 2
"""Lines are drawn this much larger and then shrunk."""
_ANCHORS = {"start": "ls", "middle": "ms", "end": "rs"}

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def to_png(drawing: Drawing, scale: float = 2.5) -> bytes:
    """A PNG file of ``scale`` pixels a unit, on white; 2.5 prints well up to 170 mm of width."""
    k = scale * _SMOOTH
    size = round(drawing.width * k), round(drawing.height * k)
    sheet = Image.new("RGB", size, _SHADES[PAPER])
    pen = ImageDraw.Draw(sheet)
    pictures = [shape for shape in drawing.shapes if isinstance(shape, Picture)]
    for shape in drawing.shapes:
        if not isinstance(shape, Text | Picture):
            _draw(pen, shape, k)
    small = sheet.resize((round(drawing.width * scale), round(drawing.height * scale)), Image.Resampling.BOX)
    frames = [shape for shape in drawing.shapes if isinstance(shape, Rect) and shape.fill is None]
    for picture in pictures:
        _paste(small, picture, scale)
    pen = ImageDraw.Draw(small)
    for frame in frames:  # frames lie on top of pictures
        _draw(pen, frame, scale)
    for text in drawing.texts:
        _write(pen, text, scale)
    buffer = io.BytesIO()
    small.save(buffer, "PNG", optimize=True, dpi=(300, 300))
    return buffer.getvalue()


def _draw(pen: ImageDraw.ImageDraw, shape: Shape, k: float) -> None:
    if isinstance(shape, Rect):
        box = (shape.x * k, shape.y * k, (shape.x + shape.width) * k - 1, (shape.y + shape.height) * k - 1)
        if box[2] >= box[0] and box[3] >= box[1]:
            fill = None if shape.fill is None else _shade(shape.fill)
            if shape.stroke is None:
                pen.rectangle(box, fill)
            else:
                grown = shape.stroke_width * k / 2
                outer = (box[0] - grown, box[1] - grown, box[2] + grown, box[3] + grown)
                pen.rectangle(outer, fill, _shade(shape.stroke), max(1, round(shape.stroke_width * k)))
    elif isinstance(shape, Line):
        for start, end in (
            _dashes(shape) if shape.dashed else zip(shape.points, shape.points[1:], strict=False)
        ):
            ends = [start[0] * k, start[1] * k, end[0] * k, end[1] * k]
            pen.line(ends, _shade(shape.colour), max(1, round(shape.width * k)), joint="curve")
    elif isinstance(shape, Dot):
        r = shape.radius * k
        box = (shape.x * k - r, shape.y * k - r, shape.x * k + r, shape.y * k + r)
        fill = _SHADES[PAPER] if shape.hollow else _shade(shape.colour)
        pen.ellipse(box, fill, _shade(shape.colour), max(1, round(k)))


def _dashes(line: Line) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    """The line in pieces of 4 units with gaps of 3, each straight piece by itself."""
    found: list[tuple[tuple[float, float], tuple[float, float]]] = []
    for (x0, y0), (x1, y1) in zip(line.points, line.points[1:], strict=False):
        length = max(((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5, 1e-9)
        at = 0.0
        while at < length:
            a, b = at / length, min(at + 4, length) / length
            found.append(((x0 + a * (x1 - x0), y0 + a * (y1 - y0)), (x0 + b * (x1 - x0), y0 + b * (y1 - y0))))
            at += 7
    return found


def _paste(sheet: Image.Image, picture: Picture, k: float) -> None:
    left, top = round(picture.x * k), round(picture.y * k)
    size = round((picture.x + picture.width) * k) - left, round((picture.y + picture.height) * k) - top
    how = Image.Resampling.NEAREST if picture.crisp else Image.Resampling.LANCZOS
    sheet.paste(Image.fromarray(picture.pixels).resize(size, how), (left, top))


def _write(pen: ImageDraw.ImageDraw, text: Text, k: float) -> None:
    font, whole = _font(round(text.size * k), text.bold)
    said = text.text if whole else "".join(_PLAIN.get(letter, letter) for letter in text.text)
    pen.text((text.x * k, text.y * k), said, _shade(text.colour), font, anchor=_ANCHORS[text.anchor])


@lru_cache(maxsize=32)
def _font(size: int, bold: bool) -> tuple[Font, bool]:
    """A font of this size in pixels, and whether it has Greek letters and arrows."""
    for name in _FONTS[bold]:
        try:
            return ImageFont.truetype(name, size), True
        except OSError:
            continue
    return ImageFont.load_default(size), False


def _shade(colour: str) -> str:
    return _SHADES.get(colour, colour)
