"""Where the pictures of both domains lie, in CycleGAN's folders, and which of them are for what."""

import os
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import torch

from ganprune.errors import DataError, UsageError
from ganprune.files import sha256

Domain = Literal["A", "B"]
"""G_A translates A to B, G_B translates B to A."""
Split = Literal["train", "val", "test"]
"""What a picture is for. Test pictures are never seen by a search or a training."""

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".tif", ".tiff", ".webp"})
"""Endings of picture files, in lower case; upper case counts too."""


@dataclass(frozen=True, slots=True)
class PictureFolders:
    """Paths of the pictures of both domains, each tuple sorted by the path below its folder."""

    train_A: tuple[Path, ...]
    train_B: tuple[Path, ...]
    val_A: tuple[Path, ...] = ()
    val_B: tuple[Path, ...] = ()
    test_A: tuple[Path, ...] = ()
    test_B: tuple[Path, ...] = ()

    def pictures(self, split: Split, domain: Domain) -> tuple[Path, ...]:
        """The pictures of one folder; empty where there is no such folder."""
        return getattr(self, f"{split}_{domain}")

    def swapped(self) -> "PictureFolders":
        """The same with A and B exchanged, as CycleGAN's ``--direction BtoA`` sees them."""
        return PictureFolders(self.train_B, self.train_A, self.val_B, self.val_A, self.test_B, self.test_A)


def find_domains(root: Path, needs: Sequence[Split] = ("train",)) -> PictureFolders:
    """Find ``trainA trainB valA valB testA testB`` below ``root``, or ``train/A train/B …``.

    Folders are read recursively; hidden files are left out. ``needs`` names what must be there for
    both domains. Raises `UsageError` where ``root`` does not exist, `DataError` where a folder that is
    needed is missing or holds no pictures.
    """
    if not root.exists():
        raise UsageError(f"--data {root} does not exist; give a folder with trainA and trainB")
    if not root.is_dir():
        raise DataError(f"--data {root} is a file; give a folder with trainA and trainB")
    found: dict[str, tuple[Path, ...]] = {}
    for part in get_args(Split):
        for domain in get_args(Domain):
            folder = _folder(root, part, domain)
            found[f"{part}_{domain}"] = pictures_below(folder) if folder else ()
    for part in needs:
        for domain in get_args(Domain):
            if not found[f"{part}_{domain}"]:
                raise DataError(_complaint(root, part, domain))
    return PictureFolders(**found)


def pictures_below(folder: Path, without: Path | None = None) -> tuple[Path, ...]:
    """All picture files in a folder and in folders of it, sorted by their paths below it.

    Hidden files are left out, and all of the folder ``without``. Links are followed, but every folder is
    looked into once, however many links lead to it: one to a folder above would have no end. Raises
    `DataError` for a folder that cannot be read.
    """
    found, seen, waiting = list[Path](), set[tuple[int, int]](), deque([folder])
    if without is not None and without.exists():
        seen.add(_identity(without))
    while waiting:
        place = waiting.popleft()
        try:
            if _identity(place) in seen:
                continue
            seen.add(_identity(place))
            entries = sorted(os.scandir(place), key=lambda entry: (entry.is_symlink(), entry.name))
            waiting += [place / entry.name for entry in entries if entry.is_dir()]
        except OSError as error:
            raise unreadable(place, error) from error
        found += [place / entry.name for entry in entries if is_picture(entry.name) and not entry.is_dir()]
    return tuple(sorted(found, key=lambda path: path.relative_to(folder).as_posix()))


def is_picture(name: str) -> bool:
    """Whether a file of this name is taken for a picture: by its ending, and if it is not hidden."""
    return Path(name).suffix.lower() in SUFFIXES and not name.startswith(".")


def unreadable(path: Path, error: OSError) -> DataError:
    """The error for a file or folder that the system does not give out."""
    return DataError(
        f"{path} cannot be read: {error.strerror or error}; make it readable or take it away, and run again"
    )


def _identity(folder: Path) -> tuple[int, int]:
    """What two paths of one folder have in common."""
    status = folder.stat()
    return status.st_dev, status.st_ino


def split(
    folders: PictureFolders, domain: Domain, *, seed: int, holdout: int
) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    """(tuning, validation): the training pictures of a domain, and pictures to judge by.

    Validation pictures are those of valA / valB where there are such, else at most ``holdout`` distinct
    ones drawn from the training folder by ``seed``, and at most half of it. No file of one part has the
    same content as a file of the other, or as a test picture. Raises `DataError` where too few are left.
    """
    train, val, test = (folders.pictures(part, domain) for part in get_args(Split))
    content = _contents((*train, *val, *test))
    tested = {content[path] for path in test}
    train = tuple(path for path in train if content[path] not in tested)
    val = tuple(path for path in val if content[path] not in tested)
    if not val and holdout > 0:
        distinct = list({content[path]: path for path in reversed(train)}.values())[::-1]
        order = torch.randperm(len(distinct), generator=torch.Generator().manual_seed(seed)).tolist()
        val = tuple(distinct[i] for i in order[: min(holdout, len(distinct) // 2)])
        if not val:
            raise DataError(
                f"needed at least 2 different training pictures of domain {domain}, found {len(distinct)} "
                f"that are not in test{domain} too; add pictures to {_place(folders, domain)}"
            )
    held = {content[path] for path in val}
    tuning = tuple(path for path in train if content[path] not in held)
    if not tuning:
        raise DataError(
            f"all training pictures of domain {domain} are also in val{domain} or test{domain}; "
            f"add other pictures to {_place(folders, domain)}"
        )
    return tuning, val


def _place(folders: PictureFolders, domain: Domain) -> Path:
    return folders.pictures("train", domain)[0].parent


def _folder(root: Path, part: str, domain: str) -> Path | None:
    flat, nested = root / f"{part}{domain}", root / part / domain
    return flat if flat.is_dir() else nested if nested.is_dir() else None


def _complaint(root: Path, part: str, domain: str) -> str:
    """What was needed, what the root holds, what to do."""
    folder = _folder(root, part, domain)
    if folder is not None:
        entries = sorted(entry.name for entry in folder.iterdir())
        kinds = " ".join(sorted(suffix[1:] for suffix in SUFFIXES))
        return f"{folder} needs pictures ({kinds}), found {_listed(entries)}; put pictures there"
    near = [other for other in (root.parent, *sorted(root.iterdir())) if _folder(other, part, domain)]
    advice = f"give --data {near[0]}" if near else f"make {part}A and {part}B there, or give another --data"
    entries = sorted(entry.name + ("/" if entry.is_dir() else "") for entry in root.iterdir())
    return f"{root} needs a folder {part}{domain} (or {part}/{domain}), found {_listed(entries)}; {advice}"


def _listed(entries: Sequence[str], most: int = 6) -> str:
    if not entries:
        return "nothing"
    more = f" and {len(entries) - most} more" if len(entries) > most else ""
    return ", ".join(entries[:most]) + more


def _contents(paths: Iterable[Path]) -> dict[Path, str]:
    """A name for every file's content: its size, and its hash where another file has the same size."""
    sizes = {path: path.stat().st_size if path.exists() else -1 for path in paths}
    shared = Counter(sizes.values())
    contents: dict[Path, str] = {}
    for path, size in sizes.items():
        try:
            contents[path] = f"{size} {sha256(path)}" if shared[size] > 1 else f"{size}"
        except OSError:  # whoever reads the picture will say so
            contents[path] = str(path)
    return contents
