"""What a compression computes on, which networks it needs, and which pictures it looks at."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import get_args

from torch import Tensor

from ganprune.checkpoints import NET_NAMES, NetName, Quartet
from ganprune.errors import RunError
from ganprune.images import PictureFolders, load_pictures, readable, split
from ganprune.reporting import SILENT, Reporter
from ganprune.runs import Run
from ganprune.settings import CompressSettings, ComputeSettings
from ganprune.settings.words import DOMAINS, MOST_THREADS, Domain, Precision
from ganprune.storage.plain import fits
from ganprune.system.device import resolve_device, resolve_precision, resolve_threads
from ganprune.training import Budget
from ganprune.training.process_group import check_devices


@dataclass(frozen=True, slots=True)
class Resolved:
    """What ``auto`` came to; written down at a run's first start and kept from then on."""

    device: str
    precision: Precision
    threads: int
    """CPU threads of training, and of scoring where nothing else is said."""
    batch: int
    worker_threads: int = 0
    """CPU threads of each process that scores individuals; 0: as many as ``threads``."""

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
        found, numbers = run.config["resolved"], ("threads", "batch", "worker_threads")
        known = {item.name for item in fields(cls)}
        whole = fits(found, {"device": str, "precision": str, "threads": int, "batch": int})
        least = {"threads": 1, "batch": 1, "worker_threads": 0}
        if (
            not whole
            or not found.keys() <= known
            or found["precision"] not in get_args(Precision)
            or not fits({name: found.get(name, least[name]) for name in numbers}, {str: int})
            or any(not low <= found.get(name, low) <= MOST_THREADS for name, low in least.items())
        ):
            raise RunError(
                f"{run / 'config.toml'} is damaged ([resolved] is {found}); "
                "start a new run with `-o` another folder"
            )
        return cls(**found)

    @property
    def scoring_threads(self) -> int:
        """CPU threads of each process that scores. Last bits depend on them, so a run keeps them."""
        return self.worker_threads or self.threads


def needed_networks(settings: CompressSettings) -> tuple[NetName, ...]:
    """Networks that a compression with these settings cannot do without.

    The generators that evolve. Their discriminators for L_DisA, for CycleGAN's recipe, which individuals are
    tuned by too, and for distillation unless it compares no features and has no adversarial term. The other
    generator for L_cyc, unless λ is 0, and for CycleGAN's recipe; pix2pix's has one.
    """
    search, tuning = settings.search, settings.tuning
    trained = Budget.parse(tuning.budget).amount > 0
    recipe = settings.pictures.tune_steps > 0 or (
        trained and tuning.recipe == "paper" and not settings.pix2pix
    )
    judged = settings.pix2pix and trained and tuning.recipe == "paper"
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
    size = settings.pictures.size
    pictures = _load(held_out, size, folders)
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
    size = settings.pictures.size
    return tuning, _load(held_out, size, folders)


def _load(
    held_out: Mapping[Domain, Sequence[Path]], size: int, folders: PictureFolders
) -> dict[Domain, Tensor]:
    return {
        side: load_pictures(paths, size, channels=folders.channels[side]) for side, paths in held_out.items()
    }


def split_files(
    folders: PictureFolders, settings: CompressSettings, reporter: Reporter = SILENT
) -> tuple[dict[Domain, Sequence[Path]], dict[Domain, Sequence[Path]]]:
    """The same, where those to score on are not read."""
    folders, n = readable(folders, reporter), settings.pictures.pictures
    sides: list[Domain] = [side for side in DOMAINS if folders.pictures("train", side)]
    parts = {side: split(folders, side, seed=settings.search.seed, holdout=n) for side in sides}
    return {side: parts[side][0] for side in sides}, {side: parts[side][1][:n] for side in sides}
