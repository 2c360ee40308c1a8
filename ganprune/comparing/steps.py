"""One number of steps for all cells, where the budget for fine-tuning is a time.

A time becomes steps by timing the first of them, and so depends on the widths and on what else the machine
does then: the same minutes have come to a third more steps for one network than for another of its size. A
comparison fine-tunes all cells alike: the first one that is finished decides for the others, on any machine.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ganprune.comparing.cells import Cell
from ganprune.runs import Run
from ganprune.settings import KEYS
from ganprune.stages.job import FINE_TUNE
from ganprune.training import Budget
from ganprune.training.record import RECORD

ASKED = "asked"
"""Key of a cell's config.toml: the budget that the settings file gives."""
TUNING = tuple(key for key, (section, _) in KEYS.items() if section == "tuning")
"""Settings of fine-tuning; cells that differ in one of them have steps of their own."""


def in_steps(cell: Cell, finished: Iterable[Mapping[str, Any]], folder: Path) -> Cell:
    """The cell with steps in place of its time, as far as a finished cell of the same fine-tuning has them.

    finished: records as `ganprune.comparing.record` keeps them. folder: the cell's run folder; a fine-tuning
    that was begun there for the same time, `ASKED`, goes on by its own steps. Unchanged where the budget is
    no time, and where ``patience`` ends a training early.
    """
    tuning, flat = cell.settings.tuning, cell.settings.to_flat()
    if Budget.parse(tuning.budget).unit != "seconds" or tuning.patience is not None:
        return cell
    begun = Run(folder).config if (folder / FINE_TUNE / RECORD).is_file() else {}
    if begun.get(ASKED) == tuning.budget:
        return _with_budget(cell, begun["settings"]["budget"])
    for record in finished:
        settings = record.get("settings", {})
        if record.get("steps") and all(settings.get(key) == flat[key] for key in TUNING):
            return _with_budget(cell, f"{record['steps']}steps")
    return cell


def _with_budget(cell: Cell, budget: str) -> Cell:
    tuning = replace(cell.settings.tuning, budget=budget)
    return replace(cell, settings=replace(cell.settings, tuning=tuning))
