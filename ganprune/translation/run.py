"""Reads, translates and writes pictures, a few at a time."""

import time
from collections.abc import Collection, Generator, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor

from ganprune.errors import DamagedPicture, DataError, InputError, UsageError
from ganprune.images import save_picture, to_float, to_uint8
from ganprune.images.folders import LOOKED_AT, left_out
from ganprune.images.pairs import LeftHalf, RightHalf, are_joined
from ganprune.images.reading import read_all, shown_picture, stored_size
from ganprune.images.rgb import ALPHA, UPRIGHT, Remarks
from ganprune.reporting import SILENT, Reporter, Task
from ganprune.translation.memory import check_memory, free_memory
from ganprune.translation.preparation import Preparation
from ganprune.translation.source import Source
from ganprune.translation.targets import KINDS, Existing, Kind, PictureJob, plan
from ganprune.translation.tiles import Tiled

_OTHERWISE = {UPRIGHT: "--as-stored takes them as they lie", ALPHA: "--keep-alpha keeps it"}
"""How to have it otherwise."""
_WAITING = 4  # batches' worth of pictures of different shapes that wait for others of their shape


@dataclass(frozen=True, slots=True)
class TranslateSettings:
    """What is made of each picture, and how."""

    save: tuple[Kind, ...] = ("fake",)  # which pictures are written; see `Kind`
    prepare: Preparation = field(default_factory=Preparation)  # how a picture becomes what the network sees
    batch: int = 1  # pictures a forward pass, as far as they are of one shape
    existing: Existing = "refuse"  # what happens to files that are there already
    upright: bool = True
    """Turn pictures as their EXIF orientation says; otherwise they are taken as they are stored."""
    keep_alpha: bool = False
    """Results of pictures with an alpha channel have it too, resized as the picture was."""
    tile: int | None = None
    """Side of the tiles that pictures are translated in, pixels; None: whole. See `Tiled`."""

    def __post_init__(self) -> None:
        if not self.save or not set(self.save) <= set(KINDS) or len(set(self.save)) < len(self.save):
            found = ",".join(self.save) or "nothing"
            raise UsageError(f"--save must be some of fake,real,rec, each once, found {found}")
        if self.batch < 1:
            raise UsageError(f"--set batch must be 1 or more, found {self.batch}")


@dataclass(frozen=True, slots=True)
class TranslationSummary:
    """What was done."""

    pictures: int  # pictures that were found
    translated: int  # pictures that files were written for
    files: int  # files that were written
    skipped: int  # pictures whose files were all there
    unreadable: tuple[Path, ...]  # pictures that could not be read
    seconds: float  # time for reading, translating and writing

    @property
    def pictures_per_second(self) -> float:
        """Pictures translated a second, reading and writing included."""
        return self.translated / self.seconds if self.translated else 0.0


@dataclass(frozen=True, slots=True)
class _Read:
    """A job whose picture has been read."""

    job: PictureJob
    picture: Tensor  # [c, h, w], uint8 or floats in [-1, 1], h and w multiples of 4
    height: int  # of the result, pixels: what is beyond is padding
    width: int  # of the result
    alpha: Tensor | None  # uint8 [1, height, width]


def translate_pictures(
    source: Source,
    pictures: Path,
    output: Path,
    settings: TranslateSettings | None = None,
    reporter: Reporter = SILENT,
) -> TranslationSummary:
    """Translate a folder of pictures, or one picture, and write the results into ``output``.

    PNG files hold (x + 1) / 2 · 255, truncated, under CycleGAN's names; in float32, with as many threads and
    a batch of 1, they are its files to the byte. What they are for, and .npy files, see
    `ganprune.translation.targets.file_name`. Each file appears whole or not at all. Pictures are read when
    their turn comes. Those that cannot be read are skipped with a warning that names them while they are at
    most a tenth.

    Raises what `ganprune.translation.targets.plan` raises, before anything is read; `UsageError` for
    ``rec`` without a partner, and for a picture that needs more memory than there is; `InputError` where
    the network gives numbers that are not finite; and `DataError`, after all others were written, where more
    than a tenth of the pictures cannot be read.
    """
    settings = settings or TranslateSettings()
    if "rec" in settings.save and source.back is None:
        raise UsageError(f"--save rec needs both generators, found {source.network} alone; leave rec out")
    jobs = plan(pictures, output, source.direction, settings.save, settings.existing, source.channels)
    if pictures.is_dir() and (told := left_out(pictures, output)):
        reporter.info(told)
    if source.in_pairs and are_joined([stored_size(job.picture) for job in jobs[:LOOKED_AT]]):
        half, side = (LeftHalf, "left") if source.direction == "AtoB" else (RightHalf, "right")
        jobs = tuple(replace(job, picture=half(job.picture)) for job in jobs)
        reporter.info(f"{pictures} holds pairs: the {side} halves of its pictures are translated")
    todo = [job for job in jobs if job.targets]
    bad, remarks = dict[Path, DamagedPicture](), Remarks()
    source = in_tiles(source, settings.tile)
    files, started = 0, time.monotonic()
    with reporter.task("translate", len(jobs), len(jobs) - len(todo)) as task:
        for batch in _batches(_read(source, todo, settings, bad, remarks, task), settings.batch):
            files += _translate(source, batch)
            task.advance(len(batch))
    translated = len(todo) - len(bad)
    remarks.tell(reporter, _OTHERWISE)
    _judge([job.picture for job in jobs], bad, len(jobs) - len(bad), reporter)
    return TranslationSummary(
        pictures=len(jobs),
        translated=translated,
        files=files,
        skipped=len(jobs) - len(todo),
        unreadable=tuple(bad),
        seconds=time.monotonic() - started,
    )


def _read(
    source: Source,
    jobs: Iterable[PictureJob],
    settings: TranslateSettings,
    bad: dict[Path, DamagedPicture],
    remarks: Remarks,
    task: Task,
) -> Generator[_Read]:
    """Pictures as they are asked for; those that cannot be read go into ``bad``."""
    prepare, free = settings.prepare, free_memory(source.device)
    for job in jobs:
        try:
            found = shown_picture(job.picture, source.channels[0], upright=settings.upright)
        except DamagedPicture as error:
            bad[job.picture] = error
            task.advance(1)
            continue
        kept = found.alpha if settings.keep_alpha else None
        remarks.add(job.picture, tuple(r for r in found.remarks if kept is None or r != ALPHA))
        picture = prepare(found.pixels)
        alpha = None if kept is None else prepare(kept)
        height, width = picture.shape[1:]
        check_memory(job.picture, picture.shape, source.bytes_a_pixel, settings.batch, settings.tile, free)
        yield _Read(job, prepare.padded(picture), height, width, alpha)


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
    x = torch.stack([to_float(read.picture) for read in batch])
    wanted: set[Kind] = {kind for read in batch for kind in read.job.targets}
    results = translations(source, x, wanted, batch[0].job.picture)
    for i, read in enumerate(batch):
        for kind, target in read.job.targets.items():
            picture = results[kind][i, :, : read.height, : read.width]
            if read.alpha is not None and len(picture) in (1, 3):
                picture = torch.cat([to_uint8(picture), read.alpha])
            save_picture(target, picture, over="any")  # `plan` has refused those that are there
    return sum(len(read.job.targets) for read in batch)


def in_tiles(source: Source, side: int | None) -> Source:
    """The same source, translating in tiles of that side; None: as it is."""
    if side is None:
        return source
    back = None if source.back is None else Tiled(source.back, side)
    return replace(source, translate=Tiled(source.translate, side), back=back)


def translations(source: Source, x: Tensor, kinds: Collection[Kind], of: Path) -> dict[Kind, Tensor]:
    """What is asked for of pictures float32 [n, c, h, w] in [-1, 1], likewise.

    of: where they are from, for messages. Raises `InputError` for numbers that are not finite.
    """
    results: dict[Kind, Tensor] = {"real": x}
    if not {"fake", "rec"}.isdisjoint(kinds):
        results["fake"] = source.translate(x)
    if "rec" in kinds and source.back is not None:
        results["rec"] = source.back(results["fake"])
    if not all(made.isfinite().all() for made in results.values()):
        raise InputError(
            f"{source.network}: needed finite numbers, found others in the translation of {of}; the network "
            "is damaged"
        )
    found: dict[Kind, Tensor] = {kind: results[kind] for kind in kinds}
    return found


def _judge(paths: Sequence[Path], bad: dict[Path, DamagedPicture], written: int, reporter: Reporter) -> None:
    """Warn of pictures that could not be read, or raise, by the rule for all folders of pictures."""

    def recall(path: Path) -> None:
        if path in bad:
            raise bad[path]

    try:
        read_all(paths, recall, reporter)
    except DataError as error:
        others = f"; the other {written} are translated all the same" if written else ""
        raise DataError(f"{error}{others}") from error
