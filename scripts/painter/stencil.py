"""Shapes, soft noise and paint: what landscapes and animals are drawn with.

Positions and lengths are fractions of the picture's side, x to the right and y down. Two machines
draw the same picture: shapes are rounded to a whole-number grid before Pillow fills them, random
numbers come from `numpy.random.Generator.random` and whole numbers only, and arrays see no operation
but +, −, ×, / and rounding, which IEEE 754 fixes to the last bit.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

FloatArray = npt.NDArray[np.floating[Any]]
"""32-bit throughout: a plain number beside an array takes the array's type."""
Point = tuple[float, float]
Knot = tuple[float, float, float]
"""A place (x, y) on the spine of a limb, and the limb's radius there."""
Colour = tuple[float, float, float]
"""Red, green and blue, 0 to 255."""

OVERSAMPLING = 4
"""Shapes are filled on a grid this many times finer than the picture, then averaged: smooth edges."""

_T = TypeVar("_T")


def between(rng: np.random.Generator, low: float, high: float) -> float:
    """A uniform random number in [low, high)."""
    return low + (high - low) * rng.random()


def pick(rng: np.random.Generator, choices: Sequence[_T]) -> _T:
    """One of ``choices``, all equally likely."""
    return choices[int(rng.integers(len(choices)))]


def mix(one: Colour, other: Colour, share: float) -> Colour:
    """``one`` for share 0, ``other`` for share 1, and all shades between."""
    r, g, b = (a + (z - a) * share for a, z in zip(one, other, strict=True))
    return r, g, b


def scaled(colour: Colour, factor: float) -> Colour:
    """A darker (factor < 1) or brighter shade of ``colour``."""
    return colour[0] * factor, colour[1] * factor, colour[2] * factor


class Stencil:
    """A mask of a square picture, filled shape by shape on the finer grid."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._side = size * OVERSAMPLING
        self.image = Image.new("L", (self._side, self._side), 0)
        self._pen = ImageDraw.Draw(self.image)

    def polygon(self, points: Sequence[Point], *, erase: bool = False) -> None:
        """Fill (or clear) the inside of a closed line."""
        self._pen.polygon([self._grid(*p) for p in points], fill=0 if erase else 255)

    def oval(self, x: float, y: float, rx: float, ry: float) -> None:
        """Fill an ellipse about (x, y) with the half axes ``rx`` and ``ry``."""
        self._pen.ellipse((self._grid(x - rx, y - ry), self._grid(x + rx, y + ry)), fill=255)

    def limb(self, spine: Sequence[Knot]) -> None:
        """Fill a rounded shape of changing thickness along ``spine``."""
        for (x0, y0, r0), (x1, y1, r1) in pairwise(spine):
            length = math.hypot(x1 - x0, y1 - y0) or 1.0
            nx, ny = (y0 - y1) / length, (x1 - x0) / length
            self.polygon(
                [
                    (x0 + nx * r0, y0 + ny * r0),
                    (x1 + nx * r1, y1 + ny * r1),
                    (x1 - nx * r1, y1 - ny * r1),
                    (x0 - nx * r0, y0 - ny * r0),
                ]
            )
        for x, y, r in spine:
            self.oval(x, y, r, r)

    def replace_within(self, region: "Stencil", content: "Stencil") -> None:
        """Take over ``content`` wherever ``region`` is filled."""
        self.image.paste(content.image, mask=region.image)

    def coverage(self, blur: float = 0.0) -> FloatArray:
        """How much of each pixel is filled, softened by a box of radius ``blur``: [size, size] in [0, 1]."""
        image = self.image.reduce(OVERSAMPLING)
        if blur:
            image = image.filter(ImageFilter.BoxBlur(round(blur * self.size * 4) / 4))
        return np.asarray(image, dtype=np.float32) / 255

    def _grid(self, x: float, y: float) -> tuple[int, int]:
        return round(x * self._side), round(y * self._side)


def smooth(knots: Sequence[Knot], steps: int = 4) -> list[Knot]:
    """A Catmull-Rom spline through ``knots``: ``steps`` places from each knot to the next."""
    padded = [knots[0], *knots, knots[-1]]
    spine: list[Knot] = []
    for a, b, c, d in zip(padded[:-3], padded[1:-2], padded[2:-1], padded[3:], strict=True):
        for step in range(steps):
            spine.append(_between_knots(a, b, c, d, step / steps))
    return [*spine, knots[-1]]


def _between_knots(a: Knot, b: Knot, c: Knot, d: Knot, t: float) -> Knot:
    x, y, r = (
        q + 0.5 * t * (s - p + t * (2 * p - 5 * q + 4 * s - z + t * (3 * (q - s) + z - p)))
        for p, q, s, z in zip(a, b, c, d, strict=True)
    )
    return x, y, r


def noise(rng: np.random.Generator, size: int, columns: int, rows: int) -> FloatArray:
    """Smooth random hills: ``columns`` × ``rows`` random values, spread over the picture: about [-1, 1]."""
    grid = rng.integers(256, size=(rows, columns), dtype=np.uint8)
    field = Image.fromarray(grid).resize((size, size), Image.Resampling.BICUBIC)
    return np.asarray(field, dtype=np.float32) / 127.5 - 1


def lay(
    picture: FloatArray,  # [size, size, 3], changed in place
    coverage: FloatArray,  # [size, size] in [0, 1]
    colour: Colour | FloatArray,  # one colour, or [size, size, 3]
) -> None:
    """Paint ``colour`` over ``picture`` as densely as ``coverage`` says."""
    picture += coverage[..., None] * (np.asarray(colour, dtype=np.float32) - picture)
