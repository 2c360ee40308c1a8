"""What a compression knows while it is under way, in one object that every stage is handed.

And what comes before: what it computes on, which networks it needs, and which pictures it looks at.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from ganprune.checkpoints import NET_NAMES, NetName, Own, Quartet
from ganprune.checkpoints.own import READERS_ALONE
from ganprune.errors import CheckpointError, RunError
from ganprune.images import PictureFolders, load_pictures, readable, split
from ganprune.models.traits import smallest_picture, stride_of
from ganprune.pruning.latency import LatencyTable
from ganprune.reporting import SILENT, Reporter
from ganprune.runs import Run
from ganprune.settings import CompressSettings, ComputeSettings
from ganprune.settings.words import DOMAINS, MOST_THREADS, Domain, Precision
from ganprune.storage.files import sha256
from ganprune.storage.plain import fits, sound
from ganprune.system.device import resolve_device, resolve_precision, resolve_threads
from ganprune.system.shell import command_line
from ganprune.training import Budget, TrainSettings
from ganprune.training.process_group import check_devices
from ganprune.training.seeds import generator_for

FINE_TUNE = "fine-tune"  # stage of the training of slim networks, and its folder


@dataclass(frozen=True, slots=True)
class Resolved:
    """What ``auto`` came to; written down at a run's first start and kept from then on."""

    device: str
    precision: Precision
    threads: int  # CPU threads of training, and of scoring where nothing else is said
    batch: int
    worker_threads: int = 0  # CPU threads of each process that scores individuals; 0: as many as ``threads``

    @classmethod
    def of(cls, compute: ComputeSettings) -> "Resolved":
        """Look at this machine. Raises `UsageError` for a device that it lacks."""
        device = resolve_device(compute.device)
        if compute.processes > 1:
            check_devices(device, compute.processes)
        batch = compute.batch or (16 if device.startswith("cuda") else 1)
        precision = resolve_precision(compute.precision, device)
        spread = compute.workers is not None or compute.ray is not None
        single = spread and compute.threads is None
        return cls(device, precision, resolve_threads(compute.threads), batch, 1 if single else 0)

    @classmethod
    def of_run(cls, run: Run) -> "Resolved":
        """What a run's config.toml says. Raises `RunError` for values that ganprune does not write."""
        found, least = run.config["resolved"], {"threads": 1, "batch": 1, "worker_threads": 0}
        with sound(run / "config.toml", "start a new run with `-o` another folder"):
            if (
                not fits(found, cls)
                or not found.keys() <= {item.name for item in fields(cls)}
                or any(not least[name] <= found.get(name, 0) <= MOST_THREADS for name in least)
            ):
                raise ValueError(f"[resolved] is {found}")
            return cls(**found)

    @property
    def scoring_threads(self) -> int:
        """CPU threads of each process that scores. Last bits depend on them, so a run keeps them."""
        return self.worker_threads or self.threads


@dataclass(frozen=True, slots=True)
class Job:
    """One compression in its run folder."""

    run: Run
    quartet: Quartet
    """The networks to compress, and those that judge them; see `needed_networks` for what may be missing."""
    folders: PictureFolders
    pictures: Mapping[Domain, Tensor]
    """What the search scores on, of each domain that there are pictures of: [n, c, size, size], uint8 or
    floats in [-1, 1]."""
    settings: CompressSettings
    resolved: Resolved
    reporter: Reporter = SILENT
    tables: Mapping[Domain, LatencyTable] | None = None
    """Of this machine's speed, for a target in milliseconds."""
    own: Own = READERS_ALONE  # the user's modules, where the networks are of such

    @property
    def originals(self) -> dict[Domain, nn.Module]:
        """G_A and G_B, as far as they are there."""
        return self.quartet.generators

    @property
    def discriminators(self) -> dict[Domain, nn.Module]:
        """D_A, which judges what G_A makes, and D_B, as far as they are there."""
        return self.quartet.discriminators

    def in_folder(self, run: Run) -> "Job":
        """The same in another run folder."""
        return replace(self, run=run)

    @property
    def recipe(self) -> TrainSettings:
        """Of all training: CycleGAN's, with the job's size, seed, device and precision."""
        size, seed, on = self.settings.pictures.size, self.settings.search.seed, self.resolved
        return TrainSettings(size=size, seed=seed, device=on.device, precision=on.precision)

    def source_sha256(self, side: Domain) -> str | None:
        """SHA-256 of the file that an original was read from; None where it was read from none."""
        file = self.quartet.files.get("G_A" if side == "A" else "G_B")
        return None if file is None else sha256(file)


def needed_networks(settings: CompressSettings) -> tuple[NetName, ...]:
    """Networks that a compression with these settings cannot do without.

    The generators that evolve. Their discriminators for L_DisA, for CycleGAN's recipe, which individuals are
    tuned by too, and for distillation unless it compares no features and has no adversarial term. The other
    generator for L_cyc, unless λ is 0, and for CycleGAN's recipe; pix2pix's has one.
    """
    search, tuning = settings.search, settings.tuning
    trained = Budget.parse(tuning.budget).amount > 0
    paper = trained and tuning.recipe == "paper"
    recipe = settings.pictures.tune_steps > 0 or (paper and not settings.pix2pix)
    judged = settings.pix2pix and paper
    judged |= trained and tuning.recipe == "distil" and (tuning.distil_features > 0 or tuning.distil_gan > 0)
    names = set[str]()
    for side in search.sides:
        names.add(f"G_{side}")
        if search.loss == "disa" or recipe or judged:
            names.add(f"D_{side}")
        if search.lambda_cycle > 0 or recipe:
            names |= {"G_A", "G_B"}
    return tuple(name for name in NET_NAMES if name in names)


def recovered(settings: CompressSettings, quartet: Quartet) -> tuple[NetName, ...]:
    """The networks that are trained before the search: needed, and not there."""
    if not settings.recovery.recover_discriminators:
        return ()
    return tuple(name for name in needed_networks(settings) if name in quartet.missing())


def needed_domains(settings: CompressSettings) -> tuple[Domain, ...]:
    """Domains that pictures are needed of: those that are translated by what evolves.

    Both where it is trained by CycleGAN's recipe or against a discriminator that learns, where other networks
    are trained first, and for the identity loss.
    """
    search, tuning = settings.search, settings.tuning
    trained = Budget.parse(tuning.budget).amount > 0
    both = (
        settings.pictures.tune_steps > 0
        or (trained and (tuning.recipe == "paper" or tuning.distil_gan > 0))
        or settings.recovery.recover_discriminators
        or search.lambda_identity > 0
    )
    return DOMAINS if both else search.sides


def search_pictures(
    folders: PictureFolders, settings: CompressSettings, reporter: Reporter = SILENT
) -> dict[Domain, Tensor]:
    """Validation pictures of both domains: [n, c, size, size]; see `split_pictures`."""
    tuning, held_out = split_files(folders, settings, reporter)
    pictures = _load(held_out, settings.pictures.size, folders)
    for side, found in pictures.items():
        if len(found) < settings.pictures.pictures:
            rest = f"pictures of {side} to score on: {len(found)}; " + (
                "the only one there is, which is trained on too"
                if set(tuning[side]) & set(held_out[side])
                else "at most half of a training folder is kept for that"
            )
            if "pictures" in settings.given:
                reporter.warn(f"--set pictures={settings.pictures.pictures} was asked for, {rest}")
            else:
                reporter.info(rest)
    return pictures


def split_pictures(
    folders: PictureFolders, settings: CompressSettings, reporter: Reporter = SILENT
) -> tuple[dict[Domain, Sequence[Path]], dict[Domain, Tensor]]:
    """Files of both domains to fine-tune on, and pictures to score on: [n, c, size, size].

    Those to score on are taken from valA / valB where there are such, else from a seeded hold-out of trainA /
    trainB that fine-tuning does not see; none comes from a test folder. A domain without training pictures is
    left out: what needs one says so before, see `needed_domains`. Raises `DataError` where too many are
    unreadable.
    """
    tuning, held_out = split_files(folders, settings, reporter)
    return tuning, _load(held_out, settings.pictures.size, folders)


def refit_pictures(job: Job, side: Domain, n: int) -> Tensor:
    """At most n training pictures, none of them held out, in an order by the seed: uint8 [n, c, h, w]."""
    chosen = _shuffled(job, split_files(job.folders, job.settings)[0][side], side)[:n]
    return load_pictures(chosen, job.settings.pictures.size, channels=job.folders.channels[side])


def _shuffled(job: Job, files: Sequence[Path], side: Domain) -> list[Path]:
    random = generator_for(job.settings.search.seed, "refit pictures", side)
    return [files[i] for i in torch.randperm(len(files), generator=random).tolist()]


def gram_pictures(job: Job) -> dict[Domain, Tensor]:
    """What the search weighs filters and refits individuals by, of each side that evolves: [n, c, h, w]."""
    n, sides = job.settings.pictures.gram_pictures, job.settings.search.sides
    return {side: refit_pictures(job, side, n) if n else job.pictures[side] for side in sides}


def squares_of(
    settings: CompressSettings, generators: Mapping[Domain, nn.Module], judges: Mapping[Domain, nn.Module]
) -> tuple[int, int]:
    """`PictureSettings.squares`, of whole pictures where networks do not take squares of them."""
    pictures = settings.pictures
    least = [smallest_picture(judge) for judge in judges.values()] if settings.search.loss == "disa" else []
    _, side = pictures.squares
    taken = side >= max(least, default=0) and side % stride_of(generators.values()) == 0
    return pictures.squares if taken else (pictures.pictures, pictures.size)


def scored_pictures(job: Job) -> dict[Domain, Tensor]:
    """What individuals are scored on: ``job.pictures``, or squares out of them and of training pictures.

    ``crops``² · ``pictures`` squares of a domain, of one picture each while there are so many, at places by
    the seed; none is of a picture that individuals are refitted by. uint8 [n, c, size / crops, size / crops].
    """
    n, side = squares_of(job.settings, job.originals, job.discriminators)
    if side == job.settings.pictures.size:
        return dict(job.pictures)
    files = scored_files(job)
    return {domain: _squares(job, domain, files[domain], side, n) for domain in job.pictures}


def scored_files(job: Job) -> dict[Domain, list[Path]]:
    """Files that `scored_pictures` are of."""
    tuning, held_out = split_files(job.folders, job.settings)
    n, side = squares_of(job.settings, job.originals, job.discriminators)
    if side == job.settings.pictures.size:
        return {domain: list(files) for domain, files in held_out.items()}
    seen = job.settings.pictures.gram_pictures
    return {
        domain: [*files, *_shuffled(job, tuning[domain], domain)[seen:]][:n]
        for domain, files in held_out.items()
    }


def _squares(job: Job, domain: Domain, files: Sequence[Path], side: int, n: int) -> Tensor:
    pictures = load_pictures(files, job.settings.pictures.size, channels=job.folders.channels[domain])
    random, free = generator_for(job.settings.search.seed, "squares", domain), pictures.shape[-1] - side + 1
    corners = torch.randint(free, (n, 2), generator=random).tolist()
    squares = [pictures[i % len(pictures), :, y : y + side, x : x + side] for i, (y, x) in enumerate(corners)]
    return torch.stack(squares)


def _load(files: Mapping[Domain, Sequence[Path]], size: int, folders: PictureFolders) -> dict[Domain, Tensor]:
    return {side: load_pictures(few, size, channels=folders.channels[side]) for side, few in files.items()}


def split_files(
    folders: PictureFolders, settings: CompressSettings, reporter: Reporter = SILENT
) -> tuple[dict[Domain, Sequence[Path]], dict[Domain, Sequence[Path]]]:
    """The same, where those to score on are not read."""
    folders, n = readable(folders, reporter), settings.pictures.pictures
    sides: list[Domain] = [side for side in DOMAINS if folders.pictures("train", side)]
    parts = {side: split(folders, side, seed=settings.search.seed, holdout=n) for side in sides}
    return {side: parts[side][0] for side in sides}, {side: parts[side][1][:n] for side in sides}


def made_by(run: Run, own: Own) -> CompressSettings:
    """The settings of a run. own: the user's modules that were given.

    Raises `RunError` where they are damaged, or it has no slim generators yet; `CheckpointError` where it is
    of a module of one's own, which was not given.
    """
    with sound(run / "config.toml", "start a new run with `-o` another folder"):
        settings = CompressSettings.from_flat(run.config["settings"])
    if not all((run / f"G_{side}.safetensors").is_file() for side in settings.search.sides):
        command = run.command or command_line("compress", "CKPT", "--data", "DIR", "-o", run.folder)
        raise RunError(f"{run.folder} has no slim generators yet; finish it first: {command}")
    needed = own_of(run)
    if needed.names and own.generator is None:
        raise CheckpointError(
            f"{run.folder} is of a module of your own, which is needed again; give {' '.join(needed.words())}"
        )
    return settings


def own_of(run: Run) -> Own:
    """The names of the user's generator that a run is of, without the module; none where readers know it."""
    with sound(run / "config.toml", "start a new run with `-o` another folder"):
        found = run.config.get("own", {})
        return Own(names={"generator": found["generator"]}) if "generator" in found else READERS_ALONE
