"""Training in a run folder: networks that the checkpoint lacks, and fine-tuning of the slim ones."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from ganprune.checkpoints import NET_NAMES, Quartet, load_quartet, read_metadata
from ganprune.device import cpu_threads
from ganprune.evaluation import SIDES, FineTuner, Side, tuning_pictures
from ganprune.images import PictureFolders, load_pictures, readable
from ganprune.networks import Discriminator, Generator
from ganprune.reporting import SILENT, Reporter
from ganprune.runs import Run
from ganprune.settings import CompressSettings
from ganprune.stages.setting_up import Resolved, split_pictures
from ganprune.training import Budget, Networks, Teacher, TrainSettings, Validation, complete, train

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
    started, folder = time.monotonic(), run / RECOVERED
    reporter.info(f"training what the checkpoint lacks: {', '.join(quartet.missing())}")
    pictures, validation = _pictures(folders, settings, reporter)
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
    folder fine-tune/, all four networks too. A budget of 0 returns the generators as they are.
    Raises `TrainingError` where the training goes wrong.
    """
    budget = Budget.parse(settings.tuning.budget)
    if not budget.amount:
        return dict(slim)
    started = time.monotonic()
    pictures, validation = _pictures(folders, settings, reporter)
    networks = Networks(
        slim.get("A", originals["A"]), slim.get("B", originals["B"]), judges["A"], judges["B"]
    )
    recipe = settings.tuning.training(_recipe(settings, resolved), tuple(slim))
    teachers: dict[Side, Teacher] | None = None
    if recipe.distil is not None:
        teachers = {side: _teacher(run, side, originals, judges) for side in slim}
    held_out = Validation(validation, originals, judges, tuple(slim), resolved.device, resolved.precision)
    with cpu_threads(resolved.threads):
        result = train(
            networks, pictures, recipe, budget, run / FINE_TUNE, reporter,
            samples=_samples(validation),
            teachers=teachers, validation=held_out,
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
    run: Run, side: Side, originals: Mapping[Side, Generator], judges: Mapping[Side, Discriminator]
) -> Teacher:
    kept = json.loads(read_metadata(run / f"pruned_G_{side}.safetensors")["kept"])["trunk"]
    return Teacher(originals[side], torch.tensor(kept), judges[side])


def _pictures(
    folders: PictureFolders, settings: CompressSettings, reporter: Reporter
) -> tuple[dict[Side, Sequence[Path]], dict[Side, Tensor]]:
    """Pictures to train on, and those held out: uint8 [n, 3, size, size]."""
    folders = readable(folders, reporter)
    pictures, validation = dict[Side, Sequence[Path]](), dict[Side, Tensor]()
    for side in SIDES:
        pictures[side], held_out = split_pictures(folders, side, settings)
        validation[side] = load_pictures(held_out, settings.pictures.size)
    return pictures, validation


def _samples(validation: Mapping[Side, Tensor]) -> dict[Side, Sequence[Tensor]]:
    """As many of each domain, to show progress on."""
    shown = min(SAMPLES, *(len(part) for part in validation.values()))
    return {side: list(part[:shown]) for side, part in validation.items()}
