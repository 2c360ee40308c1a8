"""What ``train`` does with its options."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from ganprune.checkpoints import NET_NAMES, load_quartet
from ganprune.checkpoints.direction import facing
from ganprune.checkpoints.options import FILES
from ganprune.errors import UsageError
from ganprune.images import DataSource, PictureFolders, find_domains, readable, split
from ganprune.images.folders import channels_stored
from ganprune.images.sources import DOMAINS, Domain
from ganprune.reporting import Reporter
from ganprune.runs import Run
from ganprune.settings.train import TrainOptions
from ganprune.stages.preparing import data_source, domains_of
from ganprune.storage.files import write_atomically
from ganprune.storage.made import check_all
from ganprune.system.device import (
    cpu_threads,
    keep_freed_memory,
    resolve_device,
    resolve_precision,
    resolve_threads,
)
from ganprune.system.hub import name_of, place_of
from ganprune.training import Budget, Networks, ProcessGroup, TrainSettings, completing, train
from ganprune.training.record import check_untrained

Start = Callable[[TrainSettings], tuple[Networks, TrainSettings]]  # what is trained, and how
ARCHITECTURE = ("ngf", "blocks")  # options that a generator which is there already decides


def train_further(
    checkpoint: Path,
    data: DataSource | None,
    folder: Path | None,
    wishes: TrainOptions,
    reporter: Reporter,
    *,
    missing: bool,
) -> dict[str, Any]:
    """Train the networks that a checkpoint lacks, or all four from where they are; returns what was written.

    missing: those that it lacks; the others stay as they are. Plain values are returned.
    """
    taken = [name for name in ARCHITECTURE if name in wishes.recipe]
    taken += [name for name in ("input-nc", "output-nc") if getattr(wishes, name.replace("-", "_"))]
    if taken:
        raise UsageError(f"--set {taken[0]} is decided by the generator that is there; leave it out")
    quartet = facing(load_quartet(checkpoint, own=wishes.own), wishes.direction)
    for note in quartet.notes:
        reporter.info(note)
    data = data_source(quartet, data, checkpoint, reporter)
    name = name_of(Path(place_of(checkpoint)))
    folder = folder or Path("checkpoints") / f"{name}-{'complete' if missing else 'continued'}"
    if folder.resolve() in {path.resolve().parent for path in quartet.files.values()}:
        raise UsageError(f"{folder} is where the given networks are; use `-o` another folder")
    folders = readable(domains_of(quartet.options, data, channels=quartet.channels), reporter)

    def start(settings: TrainSettings) -> tuple[Networks, TrainSettings]:
        return completing(quartet, settings) if missing else (Networks.completed(quartet, settings), settings)

    swapped = quartet.options.get("direction") == "BtoA"
    check_all(folder, FILES[:1] if swapped else ())
    found = _train(folders, folder, wishes, start, reporter)
    if swapped:  # so that whoever reads the folder knows, too
        write_atomically(folder / FILES[0], b"direction: BtoA\n")
    return found | {"trained": quartet.missing() if missing else NET_NAMES, "data": data.config()}


def train_from_nothing(
    data: DataSource, folder: Path, wishes: TrainOptions, reporter: Reporter
) -> dict[str, Any]:
    """Train all four networks on trainA and trainB of ``data``; returns what was written, as plain values."""
    folders = find_domains(data)
    if folders.note:
        reporter.info(folders.note)
    stored = channels_stored(folders)
    A, B = wishes.input_nc or stored["A"], wishes.output_nc or stored["B"]
    if {A, B} != {3}:
        reporter.info(f"generators between pictures of {A} (A) and {B} (B) channels")
    folders = readable(replace(folders, channels={"A": A, "B": B}), reporter)

    def start(settings: TrainSettings) -> tuple[Networks, TrainSettings]:
        return Networks.fresh(settings, (A, B)), settings

    return _train(folders, folder, wishes, start, reporter) | {"trained": NET_NAMES, "data": data.config()}


def _train(
    folders: PictureFolders, folder: Path, wishes: TrainOptions, start: Start, reporter: Reporter
) -> dict[str, Any]:
    check_untrained(folder)
    A, B = folders.channels["A"], folders.channels["B"]
    if A != B and wishes.recipe.get("lambda_identity"):
        raise UsageError(
            f"--set lambda-identity needs as many channels in A as in B, found {A} and {B}; leave it out"
        )
    group = ProcessGroup.of_torchrun()
    if group.size > 1 and wishes.processes > 1:
        raise UsageError(f"torchrun has started {group.size} processes; leave --set processes=out")
    device = resolve_device(wishes.device)
    precision = resolve_precision(wishes.precision, device)
    settings = TrainSettings(**wishes.recipe, device=device, precision=precision)
    several = ProcessGroup(size=max(wishes.processes, group.size))
    if "batch" not in wishes.recipe and several.shared(settings.batch) != settings.batch:
        settings = replace(settings, batch=several.shared(settings.batch))
        reporter.info(f"--set batch={settings.batch}, as {several.size} processes share every batch")
    budget = Budget.parse(wishes.budget)
    threads = max(1, resolve_threads(wishes.threads) // group.local_size)
    pictures: dict[Domain, tuple[Path, ...]] = {
        side: split(folders, side, seed=settings.seed, holdout=0)[0] for side in DOMAINS
    }
    keep_freed_memory()
    with cpu_threads(threads), group.joined(device), Run(folder).locked() if group.leads else nullcontext():
        networks, settings = start(settings)
        result = train(
            networks, pictures, settings, budget, folder, reporter, processes=wishes.processes, group=group
        )
    files = {name: str(path) for name, path in result.files.items()}
    return {"folder": str(folder), "steps": result.steps, "files": files}
