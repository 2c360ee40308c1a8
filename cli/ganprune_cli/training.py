"""What ``train`` does with its options."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganprune.device import cpu_threads, resolve_device, resolve_precision, resolve_threads
from ganprune.evaluation import SIDES, Side
from ganprune.images import find_domains, readable, split
from ganprune.reporting import Reporter
from ganprune.training import Budget, Networks, TrainSettings, train


@dataclass(frozen=True, slots=True)
class Wishes:
    """Options as given."""

    recipe: Mapping[str, Any]
    """Fields of `TrainSettings` that were set."""
    budget: str
    device: str
    precision: str
    threads: int | None


def train_from_nothing(data: Path, folder: Path, wishes: Wishes, reporter: Reporter) -> dict[str, Any]:
    """Train all four networks on trainA and trainB of ``data``; returns what was written, as plain values."""
    device = resolve_device(wishes.device)
    precision = resolve_precision(wishes.precision, device)
    settings = TrainSettings(**wishes.recipe, device=device, precision=precision)
    budget = Budget.parse(wishes.budget)
    threads = resolve_threads(wishes.threads)
    folders = readable(find_domains(data), reporter)
    pictures: dict[Side, tuple[Path, ...]] = {
        side: split(folders, side, seed=settings.seed, holdout=0)[0] for side in SIDES
    }
    with cpu_threads(threads):
        result = train(Networks.fresh(settings), pictures, settings, budget, folder, reporter)
    return {
        "folder": str(folder),
        "steps": result.steps,
        "files": {name: str(path) for name, path in result.files.items()},
    }
