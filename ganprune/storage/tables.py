"""Figures as text cells, ready to be laid out; the one writer of Markdown tables, and of CSV.

Markdown is written by hand: tabulate would parse the cells as numbers and pad them, for the same four lines.
"""

import csv
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from typing import Any


@dataclass(frozen=True, slots=True)
class Table:
    """Text cells; the first column names things, the others hold figures."""

    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    detail: bool = False  # whether only those want it who look closely

    def markdown(self) -> str:
        """A GitHub table under a bold title; all columns but the first are right-aligned."""
        return markdown(self.title, self.headings, self.rows)


def markdown(
    title: str, headings: Sequence[str], rows: Sequence[Sequence[str]], left: Collection[int] = (0,)
) -> str:
    """A GitHub table under a bold title; all columns but those of ``left`` are right-aligned."""
    ruler = (":--" if i in left else "--:" for i in range(len(headings)))
    cells = ([cell.replace("|", "\\|") for cell in row] for row in (headings, ruler, *rows))
    return "\n".join([f"**{title}**", "", *("| " + " | ".join(row) + " |" for row in cells)])


def csv_text(lines: Sequence[Mapping[str, Any]]) -> str:
    """A line each, headings first: all keys, in the order in which they are met."""
    text, headings = StringIO(), dict.fromkeys(key for line in lines for key in line)
    writer = csv.DictWriter(text, list(headings), lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue()


def table_of(title: str, columns: Sequence[tuple[str, Sequence[str]]], *, detail: bool = False) -> Table:
    """From columns, each a heading and its cells; columns but the first where no cell says anything go."""
    said = [column for i, column in enumerate(columns) if i == 0 or any(cell != "–" for cell in column[1])]
    rows = tuple(zip(*(cells for _, cells in said), strict=True))
    return Table(title, tuple(heading for heading, _ in said), rows, detail)


def plus_minus(value: float, margin: float) -> str:
    """``3.4 ± 0.1``: one decimal, two where the margin is below 0.05; the margin is never rounded to 0."""
    decimals = 1 if margin >= 0.05 else 2
    shown = max(margin, 10**-decimals)
    return f"{value:.{decimals}f} ± {shown:.{decimals}f}"


def listed(names: Sequence[str], most: int) -> str:
    """The first names with commas between them, and how many more there are."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def in_threads(threads: int) -> str:
    """``1 thread``, ``2 threads``."""
    return "1 thread" if threads == 1 else f"{threads} threads"


def number(value: float | None, decimals: int = 2, unit: str = "") -> str:
    """A figure; a dash where there is none."""
    return "–" if value is None else f"{value:.{decimals}f}{unit}"
