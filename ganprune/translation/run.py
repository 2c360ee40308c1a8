"""Reads, translates and writes pictures, a few at a time."""

import time
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from ganprune.errors import DataError, InputError, UsageError
from ganprune.images import open_picture, save_picture, to_float, to_uint8
from ganprune.images.reading import read_all
from ganprune.reporting import SILENT, Reporter, Task
from ganprune.translation.preparation import Preparation
from ganprune.translation.source import Source
from ganprune.translation.targets import KINDS, Existing, Job, Kind, plan

_WAITING = 4
"""Batches' worth of pictures of different shapes that wait for others of their shape."""


@dataclass(frozen=True, slots=True)
class TranslateSettings:
    """What is made of each picture, and how."""

    save: tuple[Kind, ...] = ("fake",)
    """Which pictures are written; see `Kind`."""
    prepare: Preparation = field(default_factory=Preparation)
    """How a picture becomes what the network sees."""
    batch: int = 1
    """Pictures a forward pass, as far as they are of one shape."""
    existing: Existing = "refuse"
    """What happens to files that are there already."""

    def __post_init__(self) -> None:
        if not self.save or not set(self.save) <= set(KINDS) or len(set(self.save)) < len(self.save):
            found = ",".join(self.save) or "nothing"
            raise UsageError(f"--save must be some of fake,real,rec, each once, found {found}")
        if self.batch < 1:
            raise UsageError(f"--batch must be 1 or more, found {self.batch}")


@dataclass(frozen=True, slots=True)
class Translated:
    """What was done."""

    pictures: int
    """Pictures that were found."""
    translated: int
    """Pictures that files were written for."""
    files: int
    """Files that were written."""
    skipped: int
    """Pictures whose files were all there."""
    unreadable: tuple[Path, ...]
    """Pictures that could not be read."""
    seconds: float
    """Time for reading, translating and writing."""

    @property
    def pictures_per_second(self) -> float:
        """Pictures translated a second, reading and writing included."""
        return self.translated / self.seconds if self.translated else 0.0


@dataclass(frozen=True, slots=True)
class _Read:
    """A job whose picture has been read."""

    job: Job
    picture: Tensor
    """uint8 [3, h, w]."""


def translate_pictures(
    source: Source,
    pictures: Path,
    output: Path,
    settings: TranslateSettings | None = None,
    reporter: Reporter = SILENT,
) -> Translated:
    """Translate a folder of pictures, or one picture, and write the results into ``output`` as PNG.

    Results are (x + 1) / 2 · 255, truncated, under CycleGAN's names; in float32, with as many threads and
    a batch of 1, they are its files to the byte. Each file appears whole or not at all. Pictures are read
    when their turn comes. Those that cannot be read are skipped with a warning that names them while they
    are at most a tenth.

    Raises what `ganprune.translation.targets.plan` raises, before anything is read; `UsageError` for
    ``rec`` without a partner; `InputError` where the network gives numbers that are not finite; and
    `DataError`, after all others were written, where more than a tenth of the pictures cannot be read.
    """
    settings = settings or TranslateSettings()
    if "rec" in settings.save and source.back is None:
        raise UsageError(f"--save rec needs both generators, found {source.network} alone; leave rec out")
    jobs = plan(pictures, output, source.direction, settings.save, settings.existing)
    todo = [job for job in jobs if job.targets]
    bad: dict[Path, DataError] = {}
    files, started = 0, time.monotonic()
    with reporter.task("translate", len(jobs), len(jobs) - len(todo)) as task:
        for batch in _batches(_read(todo, settings.prepare, bad, task), settings.batch):
            files += _translate(source, batch)
            task.advance(len(batch))
    translated = len(todo) - len(bad)
    _judge([job.picture for job in jobs], bad, len(jobs) - len(bad), reporter)
    return Translated(
        pictures=len(jobs),
        translated=translated,
        files=files,
        skipped=len(jobs) - len(todo),
        unreadable=tuple(bad),
        seconds=time.monotonic() - started,
    )


def _read(
    jobs: Iterable[Job], prepare: Preparation, bad: dict[Path, DataError], task: Task
) -> Generator[_Read]:
    """Pictures as they are asked for; those that cannot be read go into ``bad``."""
    for job in jobs:
        try:
            picture = open_picture(job.picture)
        except DataError as error:
            bad[job.picture] = error
            task.advance(1)
        else:
            yield _Read(job, prepare(picture))


def _batches(pictures: Iterable[_Read], size: int) -> Generator[list[_Read]]:
    """Groups of at most ``size`` pictures of one shape; few wait at a time, whatever their shapes."""
    waiting: dict[torch.Size, list[_Read]] = {}
    for read in pictures:
        shape = read.picture.shape
        waiting.setdefault(shape, []).append(read)
        if len(waiting[shape]) == size:
            yield waiting.pop(shape)
        elif sum(map(len, waiting.values())) == _WAITING * size:
            yield waiting.pop(next(iter(waiting)))  # the shape that has waited longest
    yield from waiting.values()


def _translate(source: Source, batch: Sequence[_Read]) -> int:
    """Translate pictures of one shape and write their files; returns how many."""
    x = to_float(torch.stack([read.picture for read in batch]))
    wanted = {kind for read in batch for kind in read.job.targets}
    results: dict[Kind, Tensor] = {"real": x}
    if wanted & {"fake", "rec"}:
        results["fake"] = source.translate(x)
    if "rec" in wanted and source.back is not None:
        results["rec"] = source.back(results["fake"])
    for i, read in enumerate(batch):
        for kind, target in read.job.targets.items():
            result = results[kind][i]
            if not result.isfinite().all():
                raise InputError(
                    f"{source.network}: needed finite numbers, found others in the translation of "
                    f"{read.job.picture}; the network is damaged"
                )
            save_picture(target, to_uint8(result), over="any")  # `plan` has refused those that are there
    return sum(len(read.job.targets) for read in batch)


def _judge(paths: Sequence[Path], bad: dict[Path, DataError], written: int, reporter: Reporter) -> None:
    """Warn of pictures that could not be read, or raise, by the rule for all folders of pictures."""

    def recall(path: Path) -> None:
        if path in bad:
            raise bad[path]

    try:
        read_all(paths, recall, reporter)
    except DataError as error:
        raise DataError(f"{error}; the other {written} are translated all the same") from error
