"""Pictures in rows and columns with words around them: γ sweeps (Figure 2), methods (Figure 3)."""

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import TYPE_CHECKING

from ganprune.figures.style import LIGHT, TEXT, Pixels, cut, place, sheet, styled, write

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_CELL, _GAP, _LINE = 128.0, 8.0, 17.0
_LETTER = 0.64 * TEXT  # width of a letter, about, in pixels


@dataclass(frozen=True, slots=True)
class SheetCell:
    """One picture of a sheet."""

    pixels: Pixels  # uint8 [h, w, 3]
    caption: str = ""  # below it


Columns = Sequence[tuple[str, Sequence[SheetCell]]]
"""What stands above each column, in up to three lines, and its pictures, a row each."""


@styled
def draw_sheet(columns: Columns, names: Sequence[str], label: str) -> "Figure":
    """Pictures in rows: names left of them, headings above, captions below; long words are cut.

    label: what the sheet shows.
    """
    letters = int(_CELL / _LETTER / 1.1)  # bold
    headings = [wrap(heading, letters, max_lines=3, placeholder="…") for heading, _ in columns]
    left = max((_LETTER * len(name) for name in names), default=0.0)
    left, top = left + 12 if left else 0.0, _LINE * max(map(len, headings), default=0) + 6
    captioned = any(cell.caption for _, cells in columns for cell in cells)
    step = _CELL + (_LINE + 10 if captioned else _GAP)
    width = left + len(columns) * (_CELL + _GAP) - _GAP
    figure = sheet(width, top + len(names) * step, label)
    for i, name in enumerate(names):
        write(figure, left - 12, top + i * step + _CELL / 2 + 4, name, ha="right")
    for j, (lines, (_, cells)) in enumerate(zip(headings, columns, strict=True)):
        x = left + j * (_CELL + _GAP)
        write(figure, x + _CELL / 2, top - 8, "\n".join(lines), ha="center", va="bottom", weight="bold")
        for i, cell in enumerate(cells):
            y = top + i * step
            axes = place(figure, x, y, _CELL, _CELL)
            axes.set_axis_off()
            axes.imshow(cell.pixels, interpolation="none", aspect="auto")
            caption = cut(cell.caption, letters + 2)
            write(figure, x + _CELL / 2, y + _CELL + 15, caption, ha="center", color=LIGHT["muted"])
    return figure


def letter(i: int) -> str:
    """``(a)``, ``(b)``, … as the paper names its columns."""
    return f"({chr(ord('a') + i)})" if i < 26 else f"({i + 1})"
