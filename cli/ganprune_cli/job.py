"""What ``compress`` is to do: a checkpoint and data that were read and fit together, and settings."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ganprune.checkpoints import Quartet, load_quartet
from ganprune.checkpoints.direction import facing
from ganprune.errors import MissingNetwork, UsageError
from ganprune.evaluation import Side
from ganprune.files import sha256
from ganprune.images import PictureFolders, Split, find_domains
from ganprune.networks import Discriminator, Generator
from ganprune.reporting import Reporter
from ganprune.settings import CompressSettings
from ganprune.stages import Resolved, check_target, needed_networks
from ganprune.training import Networks, TrainSettings, load_vgg16
from ganprune_cli.console import command_line


@dataclass(frozen=True, slots=True)
class Job:
    """A checkpoint and data that were read and fit together, and what to do with them."""

    quartet: Quartet
    folders: PictureFolders
    settings: CompressSettings
    resolved: Resolved
    config: Mapping[str, Any]
    """What the run folder's config.toml records."""

    @property
    def generators(self) -> dict[Side, Generator]:
        """G_A and G_B, as far as they are there."""
        found: dict[Side, Generator | None] = {"A": self.quartet.G_A, "B": self.quartet.G_B}
        return {side: net for side, net in found.items() if net is not None}

    @property
    def judges(self) -> dict[Side, Discriminator]:
        """D_A, which judges the output of G_A, and D_B, as far as they are there."""
        found: dict[Side, Discriminator | None] = {"A": self.quartet.D_A, "B": self.quartet.D_B}
        return {side: net for side, net in found.items() if net is not None}

    def completed(self) -> "Job":
        """With untrained networks where the checkpoint lacks some, to estimate what work with them costs."""
        nets = Networks.completed(self.quartet, TrainSettings())
        return replace(self, quartet=replace(self.quartet, **dict(nets.items())))


def prepare(
    checkpoint: Path, data: Path | None, settings: CompressSettings, reporter: Reporter, *,
    recovers: bool = True,
) -> Job:  # fmt: skip
    """Read the checkpoint and find the pictures. recovers: the command has --recover-discriminators.

    Raises `UsageError` for paths that do not exist, a missing --data and a target out of reach,
    `CheckpointError` and its kind for networks that are missing or cannot be used, `DataError` for the
    folders.
    """
    quartet = facing(load_quartet(checkpoint), settings.search.direction)
    for note in quartet.notes:
        reporter.info(note)
    data = data_folder(quartet, data, checkpoint, reporter)
    check_networks(quartet, settings, checkpoint, data, recovers)
    resolved = Resolved.of(settings.compute)
    config = {
        "checkpoint": str(checkpoint.resolve()),
        "data": str(data.resolve()),
        "settings": settings.to_flat(),
        "resolved": asdict(resolved),
        "sha256": {name: sha256(path) for name, path in quartet.files.items()},
    }
    job = Job(quartet, domains_of(quartet.options, data), settings, resolved, config)
    check_target(job.completed().generators, settings)
    if settings.tuning.vgg is not None:
        load_vgg16(Path(settings.tuning.vgg))  # says now what would fail after the search
    return job


def data_folder(quartet: Quartet, given: Path | None, checkpoint: Path, reporter: Reporter) -> Path:
    """--data, or where the training's options say that the pictures are. Raises `UsageError` without both."""
    if given is not None:
        return given
    if "dataroot" not in quartet.options:
        raise UsageError(
            "pictures are needed: give --data DIR, a folder with trainA and trainB "
            f"(no train_opt.txt with a dataroot beside {checkpoint})"
        )
    data = Path(quartet.options["dataroot"])
    reporter.info(f"--data {data}, from the checkpoint's options")
    return data


def domains_of(options: Mapping[str, str], data: Path, needs: Sequence[Split] = ("train",)) -> PictureFolders:
    """The pictures of a checkpoint's domains: its A are the pictures of B where it was trained BtoA.

    options: the training's, see `read_options`. needs: as of `find_domains`, which also says what is raised.
    """
    folders = find_domains(data, needs)
    return folders.swapped() if options.get("direction") == "BtoA" else folders


def check_networks(
    quartet: Quartet, settings: CompressSettings, checkpoint: Path, data: Path, recovers: bool
) -> None:
    """Raises `MissingNetwork`, with what can be done about it, unless all that is needed is there."""
    needed = needed_networks(settings)
    absent = [name for name in needed if name in quartet.missing()]
    if not (quartet.G_A or quartet.G_B):
        quartet.require(*needed)
    if not absent or settings.recovery.recover_discriminators:
        return
    words = ["--discriminators-for", checkpoint, "--data", data]
    if settings.search.direction != "both":
        words += ["--direction", settings.search.direction]
    found = ", ".join(f"{name} ({path.name})" for name, path in quartet.files.items())
    either = "add --recover-discriminators, which trains them first, or train them by themselves"
    raise MissingNetwork(
        f"needed {' and '.join(absent)}; found {found} in {checkpoint}; "
        f"{either if recovers else 'train them'}: {command_line('train', *words)}"
    )
