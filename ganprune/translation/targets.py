"""Which pictures there are, and which files come of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from ganprune.errors import DataError, UsageError
from ganprune.images.arrays import SUFFIX as ARRAYS
from ganprune.images.folders import no_pictures, pictures_below
from ganprune.translation.source import Direction

Kind = Literal["fake", "real", "rec"]
"""fake: the translation. real: the input as the network saw it. rec: the translation translated back."""

KINDS: tuple[Kind, ...] = get_args(Kind)

Existing = Literal["refuse", "overwrite", "resume"]
"""What happens to files that are there: nothing is done at all, or they are replaced, or left alone."""


VIDEOS = frozenset({
    ".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".mts", ".wmv", ".flv",
    ".ogv", ".3gp",
})  # fmt: skip
"""Endings of video files."""


def is_video(path: Path) -> bool:
    """Whether a path is that of a video file, by its ending."""
    return path.suffix.lower() in VIDEOS and not path.is_dir()


@dataclass(frozen=True, slots=True)
class PictureJob:
    """One picture and what is to be made of it."""

    picture: Path  # the file to read
    targets: Mapping[Kind, Path]  # the files to write; none: all are there


def file_name(picture: Path, kind: Kind, direction: Direction, channels: tuple[int, int] = (3, 3)) -> str:
    """CycleGAN's name: of a.jpg AtoB a_fake_B.png, a_real_A.png, a_rec_A.png; BtoA a_fake_A.png, ….

    Of a video it is the same with .mp4. channels: in and out. Pictures of 1, 3 and 4 channels are PNG: grey,
    RGB, RGB with alpha. Others, and what becomes of .npy files, are .npy.
    """
    mine, other = ("A", "B") if direction == "AtoB" else ("B", "A")
    if is_video(picture):
        return f"{picture.stem}_{kind}_{other if kind == 'fake' else mine}.mp4"
    as_array = picture.suffix.lower() == ARRAYS or channels[kind == "fake"] not in (1, 3, 4)
    return f"{picture.stem}_{kind}_{other if kind == 'fake' else mine}{ARRAYS if as_array else '.png'}"


def plan(
    pictures: Path,
    output: Path,
    direction: Direction,
    save: Sequence[Kind],
    existing: Existing,
    channels: tuple[int, int] = (3, 3),
) -> tuple[PictureJob, ...]:
    """A job for every picture in the folder or file ``pictures``, sorted; folders in it are mirrored.

    channels: of what goes in and of what comes out. Nothing is written. Raises `UsageError` for paths that do
    not exist or do not fit, and for files that are there already with ``existing="refuse"``; `DataError` for
    a folder without pictures, one that holds folders of both domains, or two pictures of one name.
    """
    if output.exists() and not output.is_dir():
        raise UsageError(f"-o {output} is a file; give a folder to write pictures into")
    found = find_pictures(pictures, output, direction)
    root = pictures if pictures.is_dir() else pictures.parent
    jobs = [
        PictureJob(path, {kind: output / path.parent.relative_to(root)
                   / file_name(path, kind, direction, channels) for kind in save})
        for path in found
    ]  # fmt: skip
    _refuse_collisions(jobs)
    there = [target for job in jobs for target in job.targets.values() if target.exists()]
    if there and existing == "refuse":
        raise UsageError(
            f"{len(there)} of {len(jobs) * len(save)} files to be written are already there, the first is "
            f"{there[0]}; add --resume to write only the others, --overwrite to replace them, "
            "or give -o another folder"
        )
    kept = set(there) if existing == "resume" else set[Path]()
    return tuple(
        PictureJob(job.picture, {kind: path for kind, path in job.targets.items() if path not in kept})
        for job in jobs
    )


def find_pictures(path: Path, output: Path, direction: Direction = "AtoB") -> tuple[Path, ...]:
    """The picture ``path``, or all in that folder and in folders of it, sorted by their paths below it.

    Hidden files are left out, and what lies in ``output``. Raises as `plan` does.
    """
    if not path.exists():
        raise UsageError(f"{path} does not exist; give a folder of pictures, a picture or a video")
    if not path.is_dir():
        return (path,)
    if output.resolve() == path.resolve():
        raise UsageError(f"-o {output} is the folder of the pictures themselves; give -o another")
    found = pictures_below(path, without=output)
    if not any(picture.parent == path for picture in found):
        _refuse_domains(path, direction)
    if not found:
        raise DataError(no_pictures(path))
    return found


def _refuse_domains(root: Path, direction: Direction) -> None:
    """Raise where ``root`` is a data folder of CycleGAN, naming the part of it to give instead."""
    for split in ("test", "val", "train"):
        both = [root / name for domain in "AB" for name in (f"{split}{domain}", f"{split}/{domain}")]
        here = [folder for folder in both if folder.is_dir()]
        if here:
            mine = [folder for folder in here if folder.name.endswith(direction[0])]
            raise DataError(
                f"{root} holds folders of both domains, not pictures; give one of them: {(mine or here)[0]}"
            )


def _refuse_collisions(jobs: Sequence[PictureJob]) -> None:
    owners: dict[Path, Path] = {}
    for job in jobs:
        for target in job.targets.values():
            owner = owners.setdefault(target, job.picture)
            if owner is not job.picture:
                raise DataError(
                    f"{owner} and {job.picture.name} would both become {target.name}; "
                    "rename one of them, or move it into a folder of its own"
                )
