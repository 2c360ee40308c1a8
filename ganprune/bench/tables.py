"""Figures as text cells, ready to be laid out."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Table:
    """Text cells; the first column names things, the others hold figures."""

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    detail: bool = False
    """Whether only those want it who look closely."""

    def markdown(self) -> str:
        """A GitHub table under a bold title; all columns but the first are right-aligned."""
        lines = [self.headings, ("---", *("---:" for _ in self.headings[1:])), *self.rows]
        return "\n".join([f"**{self.title}**", "", *("| " + " | ".join(line) + " |" for line in lines)])


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


def in_threads(threads: int) -> str:
    """``1 thread``, ``2 threads``."""
    return "1 thread" if threads == 1 else f"{threads} threads"


def number(value: float | None, decimals: int = 2, unit: str = "") -> str:
    """A figure; a dash where there is none."""
    return "–" if value is None else f"{value:.{decimals}f}{unit}"
