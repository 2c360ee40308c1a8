"""Training in a run folder: networks that the checkpoint lacks, and fine-tuning of the slim ones."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from torch import Tensor, nn

from ganprune.channels import graph_of
from ganprune.checkpoints import Quartet
from ganprune.settings.words import Domain
from ganprune.stages.cutting import kept_filters, refit_both, write_both
from ganprune.stages.job import FINE_TUNE, Job, recovered, split_pictures
from ganprune.system.device import cpu_threads, resolve_device
from ganprune.training import (
    Budget,
    Networks,
    Teacher,
    Validation,
    completing,
    load_vgg16,
    train,
)

RECOVERED = "recovered"  # folder of the networks that the checkpoint lacked
SAMPLES = 4  # validation pictures of each domain that a training shows its progress on


def recover(job: Job) -> Job:
    """The same with the networks that the checkpoint lacks, trained against those that it has.

    On the training pictures but those held out; everything about it is in the run's folder
    recovered/. Where nothing that is needed is missing, the job is returned as it is.
    """
    quartet, names = job.quartet, recovered(job.settings, job.quartet)
    if not names:
        return job
    resolve_device(job.resolved.device)
    started, folder = time.monotonic(), job.run / RECOVERED
    job.reporter.info(f"training what the checkpoint lacks: {', '.join(names)}")
    pictures, validation = split_pictures(job.folders, job.settings, job.reporter)
    budget = Budget.parse(job.settings.recovery.recover_budget)
    networks, recipe = completing(quartet, job.recipe, names)
    with cpu_threads(job.resolved.threads):
        result = train(networks, pictures, recipe, budget, folder, job.reporter, samples=_samples(validation))
    if not job.run.finished("recover"):
        record = folder / "train.json"
        job.run.finish("recover", [record], time.monotonic() - started, steps=result.steps)
    made = {name: getattr(result.networks, name) for name in names}
    files = {**{name: result.files[name] for name in names}, **quartet.files}
    return replace(job, quartet=replace(quartet, **made, files=files))


def fine_tune(
    job: Job, slim: Mapping[Domain, nn.Module], until: int | None = None
) -> dict[Domain, nn.Module]:
    """Train the slim generators: taught by the originals, or by the CycleGAN recipe (``settings.tuning``).

    By the CycleGAN recipe both learn together, with the pretrained discriminators; where there is one slim
    generator, it and its discriminator learn, and the other original stays as it is, or, alone with pairs of
    pictures, by pix2pix's. On the training pictures but those held out, which it is validated on. Everything
    about it is in the run's folder fine-tune/, all networks too; those that `needed_networks` leaves out may
    be missing. A budget of 0 returns the generators as they are. until: a step to stop after, see `train`; a
    later call goes on.

    Raises `TrainingError` where the training goes wrong, `UsageError` where this machine lacks the device.
    """
    run, tuning, resolved = job.run, job.settings.tuning, job.resolved
    budget = Budget.parse(tuning.budget)
    if not budget.amount:
        return dict(slim)
    resolve_device(resolved.device)
    started = time.monotonic()
    pictures, validation = split_pictures(job.folders, job.settings, job.reporter)
    recipe = tuning.training(job.recipe, tuple(slim))
    if job.settings.pix2pix and len(pictures) > 1:
        told = job.quartet.options.get("gan_mode", "vanilla")  # pix2pix's default
        recipe = replace(recipe, paired=True, pool_size=0, gan_mode="lsgan" if told == "lsgan" else "vanilla")
    teachers: dict[Domain, Teacher] | None = None
    if recipe.distil is not None:
        vgg = None if tuning.vgg is None else load_vgg16(Path(tuning.vgg))
        teachers = {side: replace(_teacher(job, side, slim[side]), vgg=vgg) for side in slim}
    with cpu_threads(resolved.threads):
        result = train(
            _networks(job, slim), pictures, recipe, budget, run / FINE_TUNE, job.reporter,
            samples=_samples(validation),
            teachers=teachers, validation=_held_out(job, slim, validation),
            processes=job.settings.compute.processes, until=until,
        )  # fmt: skip
    if result.files and not run.finished("fine-tune"):
        record = run / FINE_TUNE / "train.json"
        run.finish("fine-tune", [record], time.monotonic() - started, steps=result.steps)
    trained: dict[Domain, nn.Module] = {"A": result.networks.G_A, "B": result.networks.G_B}
    return {side: trained[side] for side in slim}


def distances(job: Job, slim: Mapping[Domain, nn.Module]) -> dict[str, float]:
    """How far slim generators are from their originals on the search's pictures, see `Validation.figures`."""
    with cpu_threads(job.resolved.threads):
        return _held_out(job, slim, job.pictures).figures(_networks(job, slim))


def _networks(job: Job, slim: Mapping[Domain, nn.Module]) -> Networks:
    """The slim generators in their originals' places, with all that judges them."""
    now, D = {**job.originals, **slim}, job.discriminators
    return Networks.known(Quartet(now.get("A"), now.get("B"), D.get("A"), D.get("B")))


def _held_out(job: Job, slim: Mapping[Domain, nn.Module], pictures: Mapping[Domain, Tensor]) -> Validation:
    device, precision = job.resolved.device, job.resolved.precision
    return Validation(pictures, job.originals, job.discriminators, tuple(slim), device, precision)


def _teacher(job: Job, side: Domain, slim: nn.Module) -> Teacher:
    original = job.originals[side]
    graph = graph_of(original)
    units = graph.units(kept_filters(job.run, side, graph, slim))
    return Teacher(original, graph, units, job.discriminators.get(side))


def _samples(validation: Mapping[Domain, Tensor]) -> dict[Domain, Sequence[Tensor]]:
    """As many of each domain, to show progress on."""
    shown = min(SAMPLES, *(len(part) for part in validation.values()))
    return {side: list(part[:shown]) for side, part in validation.items()}


def finished_networks(
    job: Job, pruned: Mapping[Domain, nn.Module]
) -> tuple[dict[Domain, nn.Module], dict[Domain, nn.Module]]:
    """Refit and fine-tune the slim generators as they were cut, and write them.

    Returns the refitted ones, and the same fine-tuned.
    """
    refitted = refit_both(job, pruned)
    slim = fine_tune(job, refitted)
    write_both(job, slim)
    return refitted, slim
