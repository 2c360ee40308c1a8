"""Searches, ablations and rivals side by side: the same networks, pictures, size, fine-tuning and figures.

cells.py       a settings file → cells; the packaged files are in settings/
running.py     one cell: genomes by a search or a rival, slim networks, fine-tuning
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
from ganprune.comparing.running import run_cell
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
    "run_cell",
    "verdict",
]
