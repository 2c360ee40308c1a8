"""What the stages of a cell do that those of a compression do not: a rival's choice, and one number of steps.

A time becomes steps by timing the first of them, and so depends on the widths and on what else the machine
does then: the same minutes have come to a third more steps for one network than for another of its size. A
comparison fine-tunes all cells alike: the first one that is finished decides for the others, on any machine.
"""

import copy
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from ganprune.baselines import Method, Subject
from ganprune.checkpoints import load_generator
from ganprune.comparing.cells import Cell
from ganprune.comparing.record import CellRecord
from ganprune.images import to_float
from ganprune.pruning.repair import Repairer
from ganprune.runs import Run
from ganprune.search.coevolution import random_stream
from ganprune.settings import KEYS
from ganprune.settings.words import Domain
from ganprune.stages import Job, layouts
from ganprune.stages.cutting import save_pruned
from ganprune.stages.job import FINE_TUNE
from ganprune.system.device import cpu_threads
from ganprune.training import Budget
from ganprune.training.record import RECORD

ASKED = "asked"  # key of a cell's config.toml: the budget that the settings file gives
TUNING = tuple(key for key, (section, _) in KEYS.items() if section == "tuning")
"""Settings of fine-tuning; cells that differ in one of them have steps of their own."""


def in_steps(cell: Cell, finished: Iterable[CellRecord], folder: Path) -> Cell:
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
        settings = record.get("settings") or {}
        if (steps := record.get("steps")) and all(settings.get(key) == flat[key] for key in TUNING):
            return _with_budget(cell, f"{steps}steps")
    return cell


def _with_budget(cell: Cell, budget: str) -> Cell:
    tuning = replace(cell.settings.tuning, budget=budget)
    return replace(cell, settings=replace(cell.settings, tuning=tuning))


def prune(job: Job, name: str, choose: Method) -> dict[Domain, nn.Module]:
    """Slim generators by a rival, such as those of `ganprune.baselines`, in float32, not fine-tuned.

    It looks at the pictures that a search would score on. Writes what `ganprune.stages.rebuild_both` writes:
    pruned_G_A.safetensors and pruned_G_B.safetensors.
    """
    run, search, device = job.run, job.settings.search, job.resolved.device
    paths: dict[Domain, Path] = {side: run / f"pruned_G_{side}.safetensors" for side in search.sides}
    if run.finished("rebuild"):
        return {side: load_generator(path, job.own) for side, path in paths.items()}
    started, slim = time.monotonic(), dict[Domain, nn.Module]()
    both = layouts(job.originals, job.settings)
    with cpu_threads(job.resolved.threads), job.reporter.task(name, len(both)) as task:
        for side, layout in both.items():
            original = copy.deepcopy(job.originals[side])
            subject = Subject(
                original.to(device).requires_grad_(False).eval(), layout,
                to_float(job.pictures[side]).to(device),
                Repairer(layout, replace(search.constraints(side), remove_blocks=False)),
                random_stream(search.seed, 0, side),
            )  # fmt: skip
            pruned = choose(subject)
            network = pruned.network.to("cpu", torch.float32)
            assert isinstance(network, nn.Module)
            slim[side] = network
            save_pruned(job, side, network, layout.kept(pruned.genome))
            task.advance()
    run.finish("rebuild", paths.values(), time.monotonic() - started, method=name)
    return slim
