"""Training in a run folder: networks that the checkpoint lacks, and fine-tuning of the slim ones."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from ganprune.channels import graph_of
from ganprune.checkpoints import NET_NAMES, Quartet, load_quartet
from ganprune.device import cpu_threads, resolve_device
from ganprune.evaluation import FineTuner, Side, tuning_pictures
from ganprune.images import PictureFolders, readable
from ganprune.networks import Discriminator, Generator
from ganprune.reporting import SILENT, Reporter
from ganprune.runs import Run
from ganprune.settings import CompressSettings
from ganprune.stages.refitting import kept_filters
from ganprune.stages.setting_up import Resolved, split_pictures
from ganprune.training import (
    Budget,
    Networks,
    Teacher,
    TrainSettings,
    Validation,
    complete,
    load_vgg16,
    train,
)

RECOVERED = "recovered"
"""Folder of the networks that the checkpoint lacked."""
FINE_TUNE = "fine-tune"
SAMPLES = 4
"""Validation pictures of each domain that a training shows its progress on."""


def recover(
    run: Run,
    quartet: Quartet,
    folders: PictureFolders,
    settings: CompressSettings,
    resolved: Resolved,
    reporter: Reporter = SILENT,
) -> Quartet:
    """The same CycleGAN with the networks that it lacks, trained against those that it has.

    On the training pictures that the search is not scored on; everything about it is in the run's folder
    recovered/. A complete CycleGAN is returned as it is.
    """
    if not quartet.missing():
        return quartet
    resolve_device(resolved.device)
    started, folder = time.monotonic(), run / RECOVERED
    reporter.info(f"training what the checkpoint lacks: {', '.join(quartet.missing())}")
    pictures, validation = split_pictures(folders, settings, reporter)
    budget = Budget.parse(settings.recovery.recover_budget)
    with cpu_threads(resolved.threads):
        result = complete(
            quartet, pictures, _recipe(settings, resolved), budget, folder, reporter,
            samples=_samples(validation),
        )  # fmt: skip
    if not run.finished("recover"):
        run.finish("recover", [folder / "train.json"], time.monotonic() - started, steps=result.steps)
    found = load_quartet(result.files["G_A"])
    known = {name: getattr(quartet, name) for name in NET_NAMES if name not in quartet.missing()}
    return replace(found, **known, files={**found.files, **quartet.files}, options=quartet.options)


def fine_tune(
    run: Run,
    slim: Mapping[Side, Generator],
    originals: Mapping[Side, Generator],
    judges: Mapping[Side, Discriminator],
    folders: PictureFolders,
    settings: CompressSettings,
    resolved: Resolved,
    reporter: Reporter = SILENT,
) -> dict[Side, Generator]:
    """Train the slim generators: taught by the originals, or by the CycleGAN recipe (``settings.tuning``).

    By the CycleGAN recipe both learn together, with the pretrained discriminators; where there is one slim
    generator, it and its discriminator learn, and the other original stays as it is. On the training
    pictures that the search was not scored on; on those validated. Everything about it is in the run's
    folder fine-tune/, all networks too; those that `needed_networks` leaves out may be missing. A budget of 0
    returns the generators as they are.

    Raises `TrainingError` where the training goes wrong, `UsageError` where this machine lacks the device.
    """
    budget = Budget.parse(settings.tuning.budget)
    if not budget.amount:
        return dict(slim)
    resolve_device(resolved.device)
    started = time.monotonic()
    pictures, validation = split_pictures(folders, settings, reporter)
    now = {**originals, **slim}
    networks = Networks.known(Quartet(now.get("A"), now.get("B"), judges.get("A"), judges.get("B")))
    recipe = settings.tuning.training(_recipe(settings, resolved), tuple(slim))
    teachers: dict[Side, Teacher] | None = None
    if recipe.distil is not None:
        vgg = None if settings.tuning.vgg is None else load_vgg16(Path(settings.tuning.vgg))
        teachers = {
            side: replace(_teacher(run, side, slim[side], originals, judges), vgg=vgg) for side in slim
        }
    held_out = Validation(validation, originals, judges, tuple(slim), resolved.device, resolved.precision)
    with cpu_threads(resolved.threads):
        result = train(
            networks, pictures, recipe, budget, run / FINE_TUNE, reporter,
            samples=_samples(validation),
            teachers=teachers, validation=held_out, processes=settings.compute.processes,
        )  # fmt: skip
    if not run.finished("fine-tune"):
        record = run / FINE_TUNE / "train.json"
        run.finish("fine-tune", [record], time.monotonic() - started, steps=result.steps)
    trained: dict[Side, Generator] = {"A": result.networks.G_A, "B": result.networks.G_B}
    return {side: trained[side] for side in slim}


def tuner_for(
    judges: Mapping[Side, Discriminator],
    folders: PictureFolders,
    settings: CompressSettings,
    resolved: Resolved,
) -> FineTuner | None:
    """What fine-tunes every individual before it is scored; None where no steps are asked for."""
    steps = settings.pictures.tune_steps
    if not steps:
        return None
    seed, holdout = settings.search.seed, settings.pictures.pictures
    chosen = tuning_pictures(readable(folders), seed=seed, holdout=holdout)
    return FineTuner(judges, chosen, _recipe(settings, resolved), steps)


def _recipe(settings: CompressSettings, resolved: Resolved) -> TrainSettings:
    return TrainSettings(
        size=settings.pictures.size, seed=settings.search.seed,
        device=resolved.device, precision=resolved.precision,
    )  # fmt: skip


def _teacher(
    run: Run,
    side: Side,
    slim: Generator,
    originals: Mapping[Side, Generator],
    judges: Mapping[Side, Discriminator],
) -> Teacher:
    graph = graph_of(originals[side])
    units = graph.units(kept_filters(run, side, graph, slim))
    return Teacher(originals[side], graph, units, judges.get(side))


def _samples(validation: Mapping[Side, Tensor]) -> dict[Side, Sequence[Tensor]]:
    """As many of each domain, to show progress on."""
    shown = min(SAMPLES, *(len(part) for part in validation.values()))
    return {side: list(part[:shown]) for side, part in validation.items()}
