"""How the networks of one training lie in a folder, and the table of layouts.

conventions.py    what each school calls its networks: one table for files and for entries of one file
files.py          one file a network                bundle.py    one file with all networks

Another school's names are a row of `CONVENTIONS`; another layout is an object that satisfies `NamedLayout`,
named in `NAMED` or `OPENED`.
"""

import os
from pathlib import Path
from typing import Protocol

from ganprune.checkpoints.layouts.bundle import BUNDLE, BundleLayout, Fits, generates
from ganprune.checkpoints.layouts.files import FILES, GANPRUNE_RUN, SUFFIXES, words_around
from ganprune.checkpoints.layouts.naming import Located
from ganprune.checkpoints.reading import about, peek, require_exists
from ganprune.errors import CheckpointError
from ganprune.storage.tables import listed
from ganprune.system.hub import local
from ganprune.system.shell import pasted

LONE_FILE = "a file by itself"  # title of the layout of a single file whose name says nothing

SHOWN = 8  # so many files are named in a message


class NamedLayout(Protocol):
    """One convention of where the networks of a training lie."""

    @property
    def title(self) -> str:
        """Name for messages and reports."""
        ...

    @property
    def example(self) -> str:
        """The names it looks for, for messages."""
        ...

    def find(self, folder: Path, names: list[str]) -> list[Located]:
        """Sets of networks among the files ``names`` of ``folder``, one an epoch, preferred first."""
        ...


NAMED: tuple[NamedLayout, ...] = (GANPRUNE_RUN, *FILES)
"""Layouts told by the names of files; of two that find equally many networks, the first is taken."""

OPENED: tuple[NamedLayout, ...] = (BUNDLE,)
"""Layouts told by the contents of files, looked for where no name is known."""

LAYOUTS = NAMED + OPENED  # every layout that is read


def locate(path: Path, fits: Fits | None = None) -> Located:
    """The set of networks that a folder holds, or that a file belongs to.

    In a folder the layout that finds most networks is taken, and of its epochs ``latest``, else the
    highest. A file of a network's name may yet hold a whole training. A file whose name and contents no
    layout knows is a set by itself, taken as G_A; so is the only generator of a folder. fits: where the
    generators are of a user's module.

    Raises UsageError when ``path`` does not exist, CheckpointError for a folder without networks, for
    one with several bundles, and for a file by itself that is damaged.
    """
    path = local(Path(path))
    require_exists(path)
    with about(path):
        folder = path if path.is_dir() else path.parent
        entries = sorted(folder.iterdir()) if folder == path else _beside(path)
        names = [entry.name for entry in entries if entry.exists()]
    sets = [layout.find(folder, names) for layout in NAMED]
    if folder == path:
        own = [found[0] for found in sets if found]
        if not own:
            return _opened(path, entries, fits)
    else:
        own = [located for found in sets for located in found if path in located.files.values()]
    best = max(own, key=_count, default=Located(LONE_FILE, {"G_A": path}, alone=True))
    if folder == path and best.alone and words_around(best.files["G_A"]):
        among = next(found for found in sets if best in found)
        if len({words_around(located.files["G_A"]) for located in among}) > 1:
            raise _several(folder, among, "one generator each")
    if len(best.files) > 1:
        return best
    (only,) = best.files.values()
    held = [located for layout in _opening(fits) for located in layout.find(folder, [only.name])]
    return max(held, key=_count) if held and (best.alone or _count(held[0]) > 1) else best


def _below(folder: Path) -> list[Path]:
    """Folders in a folder, three deep, that hold networks under names that are known."""
    places = [place for depth in ("*/", "*/*/", "*/*/*/") for place in sorted(folder.glob(depth))]
    return [place for place in places if os.access(place, os.R_OK) and _named(place)]


def _named(folder: Path) -> bool:
    names = sorted(entry.name for entry in folder.iterdir())
    return any(layout.find(folder, names) for layout in NAMED)


def _count(located: Located) -> int:
    return len(located.files)


def _beside(path: Path) -> list[Path]:
    """A file and its neighbours; the file alone where its folder may not be listed."""
    try:
        return sorted(path.parent.iterdir())
    except PermissionError:
        return [path]


def _ending(name: str) -> bool:
    return name.lower().endswith(SUFFIXES)


def _several(folder: Path, found: list[Located], whole: str) -> CheckpointError:
    names = sorted(next(iter(located.files.values())).name for located in found)
    return CheckpointError(
        f"{folder}: several files here hold {whole}: {listed(names, SHOWN)}; give one of them, or "
        f"call those of one training {FILES[1].example}"
    )


def _opening(fits: Fits | None) -> tuple[NamedLayout, ...]:
    return OPENED if fits is None else (BundleLayout(fits=fits),)


def _opened(folder: Path, entries: list[Path], fits: Fits | None) -> Located:
    """The one file of a folder that holds several networks, or else a generator under any name."""
    files = [entry.name for entry in entries if _ending(entry.name) and entry.is_file()]
    found, lone, damaged = list[Located](), list[Located](), list[CheckpointError]()
    for name in files:
        try:
            bundles = [located for layout in _opening(fits) for located in layout.find(folder, [name])]
            found += bundles
            if not bundles and generates(peek(folder / name), fits):
                lone.append(Located(LONE_FILE, {"G_A": folder / name}, alone=True))
        except CheckpointError as error:
            damaged.append(error)
    whole = "whole trainings" if found else "one generator each"
    found = found or lone
    if len(found) == 1:
        return found[0]
    if found:
        raise _several(folder, found, whole)
    if len(files) == len(damaged) == 1:
        raise damaged[0]
    held = [entry.name + ("/" if entry.is_dir() else "") for entry in entries]
    if below := _below(folder):
        some = "one of " * (len(below) > 1) + ", ".join(map(pasted, below[:SHOWN]))
        raise CheckpointError(f"{folder}: no networks here, but in folders of it: give {some}")
    looked_for = "; ".join(layout.example for layout in LAYOUTS)
    advice = "; a network under another name is read when its file is given" if files else ""
    raise CheckpointError(
        f"{folder}: no networks here: it holds {listed(held, SHOWN) or 'nothing'}; "
        f"looked for {looked_for}{advice}"
    )
