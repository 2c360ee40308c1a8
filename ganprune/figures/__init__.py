"""Figures of runs: the paper's Figures 2-4, Pareto plots, curves, bars, layers; as SVG and PNG.

colours.py    the Okabe-Ito colours and what each stands for
drawing.py    shapes on a sheet
svg.py        a drawing as SVG: a file, or part of a page
png.py        a drawing as PNG
scales.py     axes
curves.py     search and fine-tuning over time
bars.py       milliseconds, and time by operator
widths.py     a generator's layers before and after
filters.py    the first layer's filters (Figure 4)
sheets.py     pictures by γ (Figure 2) and by method (Figure 3)
pareto.py     size, milliseconds, quality
"""

from ganprune.figures.bars import Bar, bar_chart, operator_chart
from ganprune.figures.curves import panel, search_panels, training_panels
from ganprune.figures.drawing import Drawing, Pixels, below, beside, framed
from ganprune.figures.filters import FirstLayer, filter_figure, filter_panels
from ganprune.figures.pareto import Point, front, pareto
from ganprune.figures.png import to_png
from ganprune.figures.sheets import Sheet, SheetCell, draw_sheet, gamma_sheet, method_sheet
from ganprune.figures.svg import clean, to_svg
from ganprune.figures.widths import widths_diagram

__all__ = [
    "Bar",
    "Drawing",
    "FirstLayer",
    "Pixels",
    "Point",
    "Sheet",
    "SheetCell",
    "bar_chart",
    "below",
    "beside",
    "clean",
    "draw_sheet",
    "filter_figure",
    "filter_panels",
    "framed",
    "front",
    "gamma_sheet",
    "method_sheet",
    "operator_chart",
    "panel",
    "pareto",
    "search_panels",
    "to_png",
    "to_svg",
    "training_panels",
    "widths_diagram",
]
