"""Pictures in rows and columns with words around them: γ sweeps (Figure 2), methods (Figure 3)."""

from collections.abc import Sequence
from dataclasses import dataclass

from ganprune.figures.colours import MUTED
from ganprune.figures.drawing import Drawing, Picture, Pixels, Shape, Text, fitted, text_width

_CELL, _GAP, _LINE, _SIZE = 128.0, 8.0, 17.0, 12.0


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
    """Above each column; what is too long for one line goes on in a second."""
    rows: tuple[tuple[SheetCell, ...], ...]
    names: tuple[str, ...]
    """Left of each row."""
    label: str
    """What the sheet shows."""


def draw_sheet(sheet: Sheet) -> Drawing:
    """Lay out a sheet: names left, headings above, captions below; long words are cut, never overlap."""
    left = max((text_width(name, _SIZE) for name in sheet.names), default=0.0)
    left = left + 12 if left else 0.0
    headings = [wrapped(column, _CELL, _SIZE) for column in sheet.columns]
    top = _LINE * max((len(lines) for lines in headings), default=0) + 6
    shapes: list[Shape] = []
    for j, lines in enumerate(headings):
        middle = left + j * (_CELL + _GAP) + _CELL / 2
        for i, line in enumerate(lines):
            y = top - 8 - _LINE * (len(lines) - 1 - i)
            shapes.append(Text(middle, y, line, "middle", _SIZE, bold=True))
    captioned = any(cell.caption for row in sheet.rows for cell in row)
    step = _CELL + (_LINE + 8 if captioned else _GAP)
    for i, (name, row) in enumerate(zip(sheet.names, sheet.rows, strict=True)):
        y = top + i * step
        if name:
            shapes.append(Text(left - 12, y + _CELL / 2 + 4, name, "end", _SIZE))
        for j, cell in enumerate(row):
            x = left + j * (_CELL + _GAP)
            if cell.pixels is not None:
                hint = f"{sheet.columns[j]} {cell.caption}".strip()
                shapes.append(Picture(x, y, _CELL, _CELL, cell.pixels, hint=hint))
            if cell.caption:
                told = fitted(cell.caption, _CELL + _GAP - 4, 11)
                shapes.append(Text(x + _CELL / 2, y + _CELL + 14, told, "middle", 11, colour=MUTED))
    width = left + len(sheet.columns) * (_CELL + _GAP) - _GAP
    return Drawing(
        width, top + len(sheet.rows) * step - (0 if captioned else _GAP), tuple(shapes), sheet.label
    )


def wrapped(text: str, room: float, size: float, most: int = 3) -> list[str]:
    """Words in lines that fit, at most ``most`` of them; the last is cut where that is too little."""
    lines: list[str] = []
    for word in text.split():
        joined = f"{lines[-1]} {word}" if lines else word
        if lines and text_width(joined, size, bold=True) <= room:
            lines[-1] = joined
        else:
            lines.append(word)
    if len(lines) > most:
        lines = [*lines[: most - 1], " ".join(lines[most - 1 :])]
    return [fitted(line, room, size, bold=True) for line in lines]


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
