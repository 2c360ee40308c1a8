"""Searches, ablations and rivals side by side: the same networks, pictures, size, fine-tuning and figures.

cells.py       a settings file → cells; the packaged files are in settings/
contest.py     a settings file that fits to a checkpoint and data
running.py     every cell to its figures, then all networks timed together
outline.py     the same, foreseen
timing.py      all networks in one measurement
pruning.py     the stage that a rival has in place of a search
jury.py        test pictures through networks → figures
record.py      a finished cell as JSON; which are finished
steps.py       one number of steps for all cells
tables.py      one row a method, means over seeds
claims.py      what the claim of a settings file comes to
paper.py       the paper's own figures
"""

from ganprune.comparing.cells import SEARCH, Cell, Comparison, packaged, read_comparison
from ganprune.comparing.claims import claims, verdict
from ganprune.comparing.jury import Jury
from ganprune.comparing.paper import TASKS, paper_table
from ganprune.comparing.record import Records
from ganprune.comparing.tables import comparison_csv, comparison_table

__all__ = [
    "SEARCH",
    "TASKS",
    "Cell",
    "Comparison",
    "Jury",
    "Records",
    "claims",
    "comparison_csv",
    "comparison_table",
    "packaged",
    "paper_table",
    "read_comparison",
    "verdict",
]
