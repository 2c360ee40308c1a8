"""Drawings: a few kinds of shapes on a sheet, which `svg` and `png` turn into files.

Lengths are in units of about a pixel at the size a figure is read at; y grows downwards. A colour is
``#rrggbb`` or one of the tones of `ganprune.figures.colours`.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ganprune.figures.colours import INK

Anchor = Literal["start", "middle", "end"]
Pixels = NDArray[np.uint8]
"""A picture: uint8 [h, w, 3]."""

TEXT = 12.0
"""Usual size of text."""


@dataclass(frozen=True, slots=True)
class Rect:
    """A rectangle; without ``fill`` a frame."""

    x: float
    y: float
    width: float
    height: float
    fill: str | None = None
    stroke: str | None = None
    stroke_width: float = 1.0
    hint: str = ""
    """Shown where the mouse rests, on a page."""


@dataclass(frozen=True, slots=True)
class Line:
    """Straight pieces through points."""

    points: tuple[tuple[float, float], ...]
    colour: str = INK
    width: float = 1.0
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Dot:
    """A disc, or a circle where ``hollow``."""

    x: float
    y: float
    radius: float
    colour: str
    hollow: bool = False
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Text:
    """One line of text; ``y`` is its base line."""

    x: float
    y: float
    text: str
    anchor: Anchor = "start"
    size: float = TEXT
    bold: bool = False
    colour: str = INK

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom of what it takes, in the widest of usual fonts."""
        width = text_width(self.text, self.size, bold=self.bold)
        left = self.x - {"start": 0.0, "middle": 0.5, "end": 1.0}[self.anchor] * width
        return left, self.y - 0.8 * self.size, left + width, self.y + 0.25 * self.size


@dataclass(frozen=True, slots=True)
class Picture:
    """Pixels in a rectangle."""

    x: float
    y: float
    width: float
    height: float
    pixels: Pixels
    crisp: bool = False
    """Each pixel a square, as of a filter, instead of smooth."""
    hint: str = ""


Shape = Rect | Line | Dot | Text | Picture


@dataclass(frozen=True, slots=True)
class Drawing:
    """Shapes on a sheet of ``width`` × ``height``."""

    width: float
    height: float
    shapes: tuple[Shape, ...]
    label: str = ""
    """What it shows, for those who cannot see it."""
    texts: tuple[Text, ...] = field(init=False)
    """Those of its shapes that are text."""

    def __post_init__(self) -> None:
        found = tuple(shape for shape in self.shapes if isinstance(shape, Text))
        object.__setattr__(self, "texts", found)


def text_width(text: str, size: float = TEXT, *, bold: bool = False) -> float:
    """How wide a line of text gets at most in usual fonts (those of DejaVu Sans, the widest)."""
    total = 0.0
    for letter in text:
        if letter in "iljI.,:;|'!()[] ":
            total += 0.40
        elif letter in "mwMW@%→":
            total += 0.95
        elif unicodedata.east_asian_width(letter) in "WF":
            total += 1.0
        else:
            total += 0.69 if letter.isupper() else 0.635
    return total * size * (1.1 if bold else 1.0)


def fitted(text: str, room: float, size: float = TEXT, *, bold: bool = False) -> str:
    """As much of a text as fits, with … where it was cut."""
    if text_width(text, size, bold=bold) <= room:
        return text
    while text and text_width(f"{text}…", size, bold=bold) > room:
        text = text[:-1]
    return f"{text.rstrip()}…"


def moved(shapes: Iterable[Shape], x: float, y: float) -> list[Shape]:
    """The same shapes, that much further right and down."""
    found: list[Shape] = []
    for shape in shapes:
        if isinstance(shape, Line):
            found.append(replace(shape, points=tuple((a + x, b + y) for a, b in shape.points)))
        else:
            found.append(replace(shape, x=shape.x + x, y=shape.y + y))
    return found


def below(drawings: Sequence[Drawing], gap: float = 12.0, label: str = "") -> Drawing:
    """One under the other."""
    shapes, top = list[Shape](), 0.0
    for drawing in drawings:
        shapes += moved(drawing.shapes, 0, top)
        top += drawing.height + gap
    width = max(drawing.width for drawing in drawings)
    return Drawing(width, top - gap, tuple(shapes), label or drawings[0].label)


def beside(drawings: Sequence[Drawing], gap: float = 20.0, label: str = "") -> Drawing:
    """One right of the other, their tops in line."""
    shapes, left = list[Shape](), 0.0
    for drawing in drawings:
        shapes += moved(drawing.shapes, left, 0)
        left += drawing.width + gap
    height = max(drawing.height for drawing in drawings)
    return Drawing(left - gap, height, tuple(shapes), label or drawings[0].label)


def framed(drawing: Drawing, margin: float = 12.0) -> Drawing:
    """The same with an empty margin all around, for a file of its own."""
    shapes = tuple(moved(drawing.shapes, margin, margin))
    return Drawing(drawing.width + 2 * margin, drawing.height + 2 * margin, shapes, drawing.label)
