"""Figures of runs: the paper's Figures 2-4, Pareto plots, curves, bars, layers. Drawn by matplotlib.

style.py      colours and the look of all; figures as SVG and PNG files, or in an HTML page
panels.py     search and training over time
bars.py       milliseconds, time by operator, a generator's layers before and after
filters.py    the first layer's filters (Figure 4)
sheets.py     pictures by γ (Figure 2) and by method (Figure 3)
pareto.py     size, milliseconds, quality
of_run.py     what they need to know of a run; of_runs.py: figures of several runs
"""

from ganprune.figures.bars import Bar, bar_chart, operator_chart, widths_diagram
from ganprune.figures.filters import filter_panels
from ganprune.figures.panels import search_curves, search_panels, training_panels
from ganprune.figures.style import Pixels, clean, to_page, to_svg

__all__ = [
    "Bar", "Pixels", "bar_chart", "clean", "filter_panels", "operator_chart", "search_curves",
    "search_panels", "to_page", "to_svg", "training_panels", "widths_diagram",
]  # fmt: skip
