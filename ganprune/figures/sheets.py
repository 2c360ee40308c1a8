"""Pictures in rows and columns with words around them: γ sweeps (Figure 2), methods (Figure 3)."""

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import TYPE_CHECKING

from ganprune.figures.style import LIGHT, TEXT, Pixels, cut, place, sheet, styled, write

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_CELL, _GAP, _LINE = 128.0, 8.0, 17.0
_LETTER = 0.64 * TEXT
"""Width of a letter, about, in pixels."""


@dataclass(frozen=True, slots=True)
class SheetCell:
    """One picture of a sheet."""

    pixels: Pixels | None
    """uint8 [h, w, 3]; None leaves the place empty."""
    caption: str = ""
    """Below it."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """Pictures of the same size in rows."""

    columns: tuple[str, ...]
    """Above each column, in up to three lines."""
    rows: tuple[tuple[SheetCell, ...], ...]
    names: tuple[str, ...]
    """Left of each row."""
    label: str
    """What the sheet shows."""


@styled
def draw_sheet(drawn: Sheet) -> "Figure":
    """Lay out a sheet: names left, headings above, captions below; long words are cut, never overlap."""
    letters = int(_CELL / _LETTER / 1.1)  # bold
    headings = [wrap(column, letters, max_lines=3, placeholder="…") for column in drawn.columns]
    left = max((_LETTER * len(name) for name in drawn.names), default=0.0)
    left, top = left + 12 if left else 0.0, _LINE * max(map(len, headings), default=0) + 6
    captioned = any(cell.caption for row in drawn.rows for cell in row)
    step = _CELL + (_LINE + 10 if captioned else _GAP)
    width = left + len(drawn.columns) * (_CELL + _GAP) - _GAP
    figure = sheet(width, top + len(drawn.rows) * step, drawn.label)
    for j, lines in enumerate(headings):
        middle = left + j * (_CELL + _GAP) + _CELL / 2
        write(figure, middle, top - 8, "\n".join(lines), ha="center", va="bottom", weight="bold")
    for i, (name, row) in enumerate(zip(drawn.names, drawn.rows, strict=True)):
        write(figure, left - 12, top + i * step + _CELL / 2 + 4, name, ha="right")
        for j, cell in enumerate(row):
            x, y = left + j * (_CELL + _GAP), top + i * step
            if cell.pixels is not None:
                axes = place(figure, x, y, _CELL, _CELL)
                axes.set_axis_off()
                axes.imshow(cell.pixels, interpolation="none", aspect="auto")
            caption = cut(cell.caption, letters + 2)
            write(figure, x + _CELL / 2, y + _CELL + 15, caption, ha="center", color=LIGHT["muted"])
    return figure


def letter(i: int) -> str:
    """``(a)``, ``(b)``, … as the paper names its columns."""
    return f"({chr(ord('a') + i)})" if i < 26 else f"({i + 1})"


def gamma_sheet(
    original: Sequence[SheetCell], runs: Sequence[tuple[str, Sequence[SheetCell]]], names: Sequence[str]
) -> Sheet:
    """Figure 2: one row a direction; the original, then one column a run, with model sizes below."""
    columns = ("original", *(label for label, _ in runs))
    rows = tuple((original[i], *(cells[i] for _, cells in runs)) for i in range(len(names)))
    return Sheet(columns, rows, tuple(names), "Pictures by slim generators of several sizes")


def method_sheet(
    inputs: Sequence[SheetCell],
    originals: Sequence[SheetCell],
    methods: Sequence[tuple[str, Sequence[SheetCell]]],
    names: Sequence[str],
) -> Sheet:
    """Figure 3: one row a picture; the input, the original, then one column a method, (a), (b), …"""
    columns = ("input", "original", *(f"{letter(i)} {label}" for i, (label, _) in enumerate(methods)))
    rows = tuple((inputs[i], originals[i], *(cells[i] for _, cells in methods)) for i in range(len(inputs)))
    return Sheet(columns, rows, tuple(names), "Pictures by method")
