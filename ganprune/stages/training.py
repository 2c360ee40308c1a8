"""Training in a run folder: networks that the checkpoint lacks, and fine-tuning of the slim ones."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from ganprune.checkpoints import NET_NAMES, Quartet, load_quartet
from ganprune.device import cpu_threads
from ganprune.evaluation import SIDES, FineTuner, Side, tuning_pictures
from ganprune.images import PictureFolders, load_pictures, readable
from ganprune.networks import Discriminator, Generator
from ganprune.reporting import SILENT, Reporter
from ganprune.runs import Run
from ganprune.settings import CompressSettings
from ganprune.stages.setting_up import Resolved, split_pictures
from ganprune.training import Budget, Networks, TrainSettings, complete, train

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
    pictures, samples = _pictures(folders, settings, reporter)
    budget = Budget.parse(settings.recovery.recover_budget)
    with cpu_threads(resolved.threads):
        result = complete(
            quartet, pictures, _recipe(settings, resolved), budget, folder, reporter, samples=samples
        )
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
    """Train the slim generators together by the CycleGAN recipe, from the pretrained discriminators.

    Where there is one slim generator, it and its discriminator learn; the other original stays as it is. On
    the training pictures that the search was not scored on. Everything about it is in the run's
    folder fine-tune/, all four networks too. A budget of 0 returns the generators as they are.
    Raises `TrainingError` where the training goes wrong.
    """
    budget = Budget.parse(settings.tuning.budget)
    if not budget.amount:
        return dict(slim)
    started = time.monotonic()
    pictures, samples = _pictures(folders, settings, reporter)
    networks = Networks(
        slim.get("A", originals["A"]), slim.get("B", originals["B"]), judges["A"], judges["B"]
    )
    learning = {f"{kind}_{side}" for kind in "GD" for side in slim}
    recipe = replace(_recipe(settings, resolved), trained=tuple(n for n in NET_NAMES if n in learning))
    with cpu_threads(resolved.threads):
        result = train(networks, pictures, recipe, budget, run / FINE_TUNE, reporter, samples=samples)
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


def _pictures(
    folders: PictureFolders, settings: CompressSettings, reporter: Reporter
) -> tuple[dict[Side, Sequence[Path]], dict[Side, Sequence[Tensor]]]:
    """Pictures to train on, and as many of each domain to show progress on."""
    folders = readable(folders, reporter)
    pictures, samples = dict[Side, Sequence[Path]](), dict[Side, Sequence[Tensor]]()
    for side in SIDES:
        pictures[side], validation = split_pictures(folders, side, settings)
        samples[side] = list(load_pictures(validation[:SAMPLES], settings.pictures.size))
    shown = min(len(samples[side]) for side in SIDES)
    return pictures, {side: samples[side][:shown] for side in SIDES}
