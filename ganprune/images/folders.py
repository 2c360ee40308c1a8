"""The pictures of both domains, and which of them are for what."""

import os
from collections import Counter, deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import get_args

import torch

from ganprune.errors import DataError, UsageError
from ganprune.images.arrays import SUFFIX as ARRAYS
from ganprune.images.pairs import LeftHalf, RightHalf, are_joined, matched
from ganprune.images.reading import readable_of, stored_channels, stored_size, unreadable
from ganprune.images.rgb import Remarks
from ganprune.images.sources import DOMAINS, DataSource, Domain, Split, below, plain
from ganprune.reporting import SILENT, Reporter
from ganprune.storage.files import sha256
from ganprune.storage.tables import listed
from ganprune.system.shell import pasted

SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".ppm", ".bmp", ".tif", ".tiff", ".webp", ARRAYS}
)
"""Endings of picture files, in lower case; upper case counts too."""
OTHERS = frozenset(
    {".heic", ".heif", ".avif", ".gif", ".jxl", ".jp2", ".svg", ".psd", ".dng", ".cr2", ".nef", ".arw"}
)
"""Endings of pictures that are not looked for in folders; a note says so."""
ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".7z", ".rar")
"""Endings of archives, which pictures are unpacked from."""
LOOKED_AT = 16  # so many files of a folder are looked at for whether they hold two pictures each


@dataclass(frozen=True, slots=True)
class PictureFolders:
    """Paths of the pictures of both domains, each tuple sorted by the path below its folder."""

    train_A: tuple[Path, ...]
    train_B: tuple[Path, ...]
    val_A: tuple[Path, ...] = ()
    val_B: tuple[Path, ...] = ()
    test_A: tuple[Path, ...] = ()
    test_B: tuple[Path, ...] = ()
    note: str = ""  # what a user may want to know of how they were found
    paired: bool = False
    """Whether the nth pictures of A and of B of every part belong together, see `ganprune.images.pairs`."""
    channels: Mapping[Domain, int] = field(default_factory=lambda: {"A": 3, "B": 3})
    """How many the networks see of the pictures of each domain."""

    def pictures(self, split: Split, domain: Domain) -> tuple[Path, ...]:
        """The pictures of one folder; empty where there is no such folder."""
        return getattr(self, f"{split}_{domain}")

    def swapped(self) -> "PictureFolders":
        """The same with A and B exchanged, as CycleGAN's ``--direction BtoA`` sees them."""
        return PictureFolders(
            self.train_B, self.train_A, self.val_B, self.val_A, self.test_B, self.test_A,
            self.note, self.paired, {"A": self.channels["B"], "B": self.channels["A"]},
        )  # fmt: skip

    def without_partners_of(self, kept: Mapping[str, Sequence[Path]]) -> "PictureFolders":
        """Pairs of which both pictures are among those that are kept. kept: by the names of fields."""
        found = dict[str, tuple[Path, ...]]()
        for part in ("train", "val"):
            names = [f"{part}_{domain}" for domain in get_args(Domain) if f"{part}_{domain}" in kept]
            left = [frozenset(kept[name]) for name in names]
            rows = zip(*(getattr(self, name) for name in names), strict=True)
            whole = [row for row in rows if all(path in few for path, few in zip(row, left, strict=True))]
            found |= {name: tuple(row[i] for row in whole) for i, name in enumerate(names)}
        return replace(self, **found)


def find_domains(
    source: Path | DataSource,
    needs: Sequence[Split] = ("train",),
    domains: Sequence[Domain] = get_args(Domain),
    bare: Split = "train",
    paired: bool | None = None,
) -> PictureFolders:
    """Find the pictures of all parts of both domains, see `ganprune.images.sources` for where they may lie.

    Folders are read recursively; hidden files are left out. ``needs`` names the parts that must be there for
    ``domains``; pictures in no folder of a part are for ``bare``. Where one domain is needed, all pictures of
    a folder without any of these folders are its, unless they are two in a file, which are both domains'.
    paired: whether the pictures of A and B are pairs, which are then put together; None: nobody knows, and
    files twice as wide as high are taken as such.

    Raises `UsageError` where a folder does not exist, `DataError` where one that is needed is missing or
    holds no pictures, and where one of a pair is missing.
    """
    source = source if isinstance(source, DataSource) else DataSource(source)
    options = {"--data": source.root, "--data-a": source.A, "--data-b": source.B}
    for option, place in options.items():
        inside = "with trainA and trainB" if option == "--data" else "of pictures"
        if place is not None and not place.exists():
            raise UsageError(f"{option} {place} does not exist; give a folder {inside}")
        if place is not None and not place.is_dir():
            raise DataError(f"{option} {place} is a file; give a folder {inside}")
    notes = list[str]()
    found: dict[str, tuple[Path, ...]] = {}
    for part in get_args(Split):
        for domain in get_args(Domain):
            folder = source.folder(part, domain, bare)
            found[f"{part}_{domain}"] = pictures_below(folder) if folder else ()
            notes += [told] if folder and (told := left_out(folder)) else []
    joined = dict[Split, tuple[Path, ...]]()
    if source.root is not None and paired is not False and not _has_folders(source):
        joined = _joined(source.root, bare, bool(paired))
    for part, files in joined.items():
        found |= {f"{part}_A": tuple(map(LeftHalf, files)), f"{part}_B": tuple(map(RightHalf, files))}
        notes = [f"{source.root} holds pairs: the left halves of its pictures are A, the right ones B"]
    alone = source.root if len(domains) == 1 and not joined and not _has_folders(source) else None
    if alone is not None and not any(_has_folders(DataSource(each)) for each in _inside(alone)):
        found[f"{bare}_{domains[0]}"] = pictures_below(alone)
        notes = [
            f"{alone} has no folders of domains: all its pictures are taken as what is translated",
            *filter(None, [left_out(alone)]),
        ]
    for part in needs:
        for domain in domains:
            if not found[f"{part}_{domain}"]:
                raise DataError(_complaint(source, part, domain, needs, domains, bare))
    if paired and not joined:
        for part in get_args(Split):
            A, B = found[f"{part}_A"], found[f"{part}_B"]
            found[f"{part}_A"], found[f"{part}_B"] = matched(A, B)
    return replace(PictureFolders((), (), note="; ".join(notes), paired=bool(paired or joined)), **found)


def _joined(root: Path, bare: Split, paired: bool) -> dict[Split, tuple[Path, ...]]:
    """Files of every part that hold pairs; empty where they do not."""
    parts: list[Split] = [part for part in get_args(Split) if (root / part).is_dir()]
    found: dict[Split, tuple[Path, ...]] = {
        part: pictures_below(root / part if parts else root) for part in parts or [bare]
    }
    files: dict[Split, tuple[Path, ...]] = {part: paths for part, paths in found.items() if paths}
    looked_at = (paths[:: -(-len(paths) // LOOKED_AT) or 1] for paths in files.values())
    return files if files and all(are_joined(map(stored_size, few), paired) for few in looked_at) else {}


def _has_folders(source: DataSource, parts: Sequence[Split] = get_args(Split)) -> bool:
    return any(source.folder(part, domain) for part in parts for domain in get_args(Domain))


def pictures_below(
    folder: Path, without: Path | None = None, suffixes: Collection[str] = SUFFIXES
) -> tuple[Path, ...]:
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
        files = (entry.name for entry in entries if is_picture(entry.name, suffixes) and not entry.is_dir())
        found += [place / name for name in files]
    return tuple(sorted(found, key=lambda path: path.relative_to(folder).as_posix()))


def is_picture(name: str, suffixes: Collection[str] = SUFFIXES) -> bool:
    """Whether a file of this name is taken for a picture: by its ending, and if it is not hidden."""
    return Path(name).suffix.lower() in suffixes and not name.startswith(".")


def left_out(folder: Path, without: Path | None = None) -> str:
    """A note on pictures in a folder that are of `OTHERS`; empty: there are none."""
    found = pictures_below(folder, without, OTHERS)
    kinds = " and ".join(sorted({path.suffix.lower()[1:].upper() for path in found}))
    return f"{len(found)} of {kinds} in {folder} left out: convert to PNG or JPEG" if found else ""


def no_pictures(folder: Path) -> str:
    """What was needed in a folder without pictures, what is there, what to do."""
    kinds = " ".join(sorted(suffix[1:] for suffix in SUFFIXES))
    advice = (
        "convert them to PNG or JPEG" if left_out(folder) else "put pictures there, or give another folder"
    )
    return f"{folder} needs pictures ({kinds}), found {_entries(folder)}; {advice}"


def _identity(folder: Path) -> tuple[int, int]:
    """What two paths of one folder have in common."""
    status = folder.stat()
    return status.st_dev, status.st_ino


def readable(folders: PictureFolders, reporter: Reporter = SILENT) -> PictureFolders:
    """The same folders without the training and validation pictures that are damaged.

    Decodes every one of them once. Warns and raises as `ganprune.images.load_pictures` does, folder by
    folder, and tells what is remarkable about them.
    """
    kept, remarks = dict[str, tuple[Path, ...]](), Remarks()
    parts: tuple[Split, ...] = ("train", "val")
    for part, domain in product(parts, DOMAINS):
        if paths := folders.pictures(part, domain):
            channels = folders.channels[domain]
            kept[f"{part}_{domain}"] = readable_of(paths, reporter, remarks, channels)
    remarks.tell(reporter)
    return replace(folders, **kept) if not folders.paired else folders.without_partners_of(kept)


def channels_stored(folders: PictureFolders) -> dict[Domain, int]:
    """Channels of the training pictures of both domains: 1 where all are grey, those of .npy files, else 3.

    Damaged files have no say.
    """
    found = dict[Domain, int]()
    for domain in DOMAINS:
        counts = {count for path in folders.pictures("train", domain) if (count := stored_channels(path))}
        found[domain] = max(counts, default=3)
    return found


def split(
    folders: PictureFolders, domain: Domain, *, seed: int, holdout: int
) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    """(tuning, validation): the training pictures of a domain, and pictures to judge by.

    Validation pictures are those of valA / valB where there are such, else at most ``holdout`` distinct
    ones drawn from the training folder by ``seed``, and at most half of it. No file of one part has the
    same content as a file of the other, or as a test picture; but a single training picture is both. Pairs
    stay together: what becomes of the picture of A decides. Raises
    `DataError` where none is left.
    """
    if folders.paired and domain == "B" and folders.train_A:
        A, B = (*folders.train_A, *folders.val_A), (*folders.train_B, *folders.val_B)
        partner = dict(zip(A, B, strict=True))
        tuning, held_out = split(folders, "A", seed=seed, holdout=holdout)
        return tuple(partner[path] for path in tuning), tuple(partner[path] for path in held_out)
    train, val, test = (folders.pictures(part, domain) for part in get_args(Split))
    content = _contents((*train, *val, *test))
    tested = {content[path] for path in test}
    train = tuple(path for path in train if content[path] not in tested)
    val = tuple(path for path in val if content[path] not in tested)
    if not val and holdout > 0:
        distinct = list({content[path]: path for path in reversed(train)}.values())[::-1]
        order = torch.randperm(len(distinct), generator=torch.Generator().manual_seed(seed)).tolist()
        if len(distinct) == 1:
            return train, tuple(distinct)
        val = tuple(distinct[i] for i in order[: min(holdout, len(distinct) // 2)])
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


def _complaint(
    source: DataSource,
    part: Split,
    domain: Domain,
    needs: Sequence[Split],
    domains: Sequence[Domain],
    bare: Split,
) -> str:
    """What was needed, what is there, what to do; what it says to give was tried."""
    folder = source.folder(part, domain, bare)
    if folder is not None:
        return no_pictures(folder)
    wanted = " and ".join(f"{each}{domain}" for each in needs)
    if source.root is None:
        own = source.folders().get(domain)
        if own is None:
            return f"needed pictures of domain {domain}, found none; give --data-{domain.lower()} DIR"
        found = _entries(own)
        return f"{own} needs a folder {part}{domain} (or {part}), found {found}; make {wanted} there"
    root = source.root
    near = [root.parent, *_inside(root)]
    near = [other for other in near if _serves(DataSource(other), needs, domains, bare)]
    pair = [] if _has_folders(source, needs) else _pair(root, part)
    archives = [entry.name for entry in sorted(root.iterdir()) if entry.name.lower().endswith(ARCHIVES)]
    if near:
        advice = f"give --data {pasted(near[0])}"
    elif pair and _serves(DataSource(None, *pair), needs, domains, bare):
        advice = f"give --data-a {pasted(pair[0])} --data-b {pasted(pair[1])}"
        advice += "" if _has_folders(source) else ", or the other way round"
    elif archives and not _inside(root):
        advice = f"unpack {archives[0]}"
    else:
        advice = f"make {part}A and {part}B there, or give another --data, or --data-a and --data-b"
    return f"{root} needs a folder {part}{domain} (or {part}/{domain}), found {_entries(root)}; {advice}"


def _inside(root: Path) -> list[Path]:
    """Folders below one, three deep, those on top first."""
    return [folder for depth in ("*/", "*/*/", "*/*/*/") for folder in sorted(root.glob(depth))]


def _pair(root: Path, part: Split) -> list[Path]:
    """Two folders that may be both domains': of horse_train, zebra_train and their tests, the former.

    train/horse and train/zebra likewise. testA and testB, for training, only where there are no others.
    """
    folders = sorted(entry for entry in (below(root, part) or root).iterdir() if entry.is_dir())
    folders = [folder for folder in folders if plain(folder.name) not in get_args(Split)]
    folders = [folder for folder in folders if pictures_below(folder)]
    named = {folder: _part_in(folder.name) for folder in folders}
    choices = [[folder for folder in folders if named[folder] == kind] for kind in (part, None)]
    return next((pair for pair in (*choices, folders) if len(pair) == 2), [])


def _part_in(name: str) -> Split | None:
    """The part that a folder's name begins or ends with, as of trainHorse or horse_test."""
    parts: tuple[Split, ...] = get_args(Split)
    return next((each for each in parts if plain(name).startswith(each) or plain(name).endswith(each)), None)


def _serves(source: DataSource, needs: Sequence[Split], domains: Sequence[Domain], bare: Split) -> bool:
    """Whether all that is needed is there."""
    places = [source.folder(part, domain, bare) for part in needs for domain in domains]
    return all(place is not None and pictures_below(place) for place in places)


def _entries(folder: Path) -> str:
    names = sorted(entry.name + ("/" if entry.is_dir() else "") for entry in folder.iterdir())
    return listed(names, 6) or "nothing"


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
