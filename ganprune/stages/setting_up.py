"""What a compression computes on, which networks it needs, and which pictures it looks at."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from ganprune.checkpoints import NET_NAMES, NetName
from ganprune.device import Precision, resolve_device, resolve_precision, resolve_threads
from ganprune.evaluation import SIDES, Side
from ganprune.images import PictureFolders, load_pictures, readable, split
from ganprune.reporting import SILENT, Reporter
from ganprune.settings import CompressSettings, ComputeSettings
from ganprune.training import Budget


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
        batch = compute.batch or (16 if device.startswith("cuda") else 1)
        precision = resolve_precision(compute.precision, device)
        single = compute.workers is not None and compute.threads is None
        return cls(device, precision, resolve_threads(compute.threads), batch, 1 if single else 0)

    @property
    def scoring_threads(self) -> int:
        """CPU threads of each process that scores. Last bits depend on them, so a run keeps them."""
        return self.worker_threads or self.threads


def needed_networks(settings: CompressSettings) -> tuple[NetName, ...]:
    """Networks that a compression with these settings cannot do without.

    The generators that evolve; their discriminators for L_DisA; the other generator for L_cyc, unless λ is
    0; and all four for fine-tuning, of individuals too.
    """
    if Budget.parse(settings.tuning.budget).amount or settings.pictures.tune_steps:
        return NET_NAMES
    search, names = settings.search, set[NetName]()
    for side in search.sides:
        names.add("G_A" if side == "A" else "G_B")
        if search.loss == "disa":
            names.add("D_A" if side == "A" else "D_B")
        if search.lambda_cycle > 0:
            names.add("G_B" if side == "A" else "G_A")
    return tuple(name for name in NET_NAMES if name in names)


def search_pictures(
    folders: PictureFolders, settings: CompressSettings, reporter: Reporter = SILENT
) -> dict[Side, Tensor]:
    """Validation pictures of both domains: uint8 [n, 3, size, size]; never from a test folder.

    Taken from valA / valB where there are such, else from a seeded hold-out of trainA / trainB that
    fine-tuning does not see. Raises `DataError` where there are none, or too many are unreadable.
    """
    folders = readable(folders, reporter)
    pictures: dict[Side, Tensor] = {}
    for side in SIDES:
        _, validation = split_pictures(folders, side, settings)
        pictures[side] = load_pictures(validation, settings.pictures.size, reporter)
        if len(validation) < settings.pictures.pictures:
            reporter.warn(
                f"--pictures {settings.pictures.pictures} was asked for, domain {side} has {len(validation)} "
                "to score on; half of a training folder at most is held out"
            )
    return pictures


def split_pictures(
    folders: PictureFolders, side: Side, settings: CompressSettings
) -> tuple[Sequence[Path], Sequence[Path]]:
    """Pictures of a domain to fine-tune on, and those to score on."""
    n = settings.pictures.pictures
    tuning, validation = split(folders, side, seed=settings.search.seed, holdout=n)
    return tuning, validation[:n]
