"""Which files of a folder ganprune made: it replaces and removes those alone.

The record is a hidden text file in the same folder. Lines are appended to it and never changed, so that two
processes cannot lose each other's:

    begun "report.html"           a file of this name was begun; what a kill left of it may be cleared away
    <SHA-256> "report.html"       it was finished, with this content
    own "train_state.pt"          likewise, but ganprune goes on writing it: edits to it are not kept

A line is on the disk before the file gets its name. So a kill or a loss of power at any moment leaves a file
that is known.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from ganprune.errors import UsageError

RECORD = ".ganprune"
_HEAD = (
    "# Files that ganprune made here. It replaces and removes no others, nor those that were changed since."
)
_MOST = 64 << 20  # bytes of the longest record that is read: half a million files
_CHUNK = 1 << 20


def check_replaceable(path: Path, own: bool = False) -> None:
    """Raises `UsageError` for a file that is there and that ganprune did not make, or that has changed since.

    own: changed or not, if it is one that ganprune goes on writing.
    """
    if not path.is_symlink() and not path.exists():
        return
    name, lines = json.dumps(path.name), _lines(path.parent)
    if path.is_symlink() or not path.is_file() or not any(line.endswith(f" {name}") for line in lines):
        raise UsageError(
            f"{path} is there already, and ganprune did not make it; nothing is overwritten: move it away, "
            "or use `-o` another folder"
        )
    known = f"own {name}" in lines if own else f"{sha256(path)} {name}" in lines
    if not known:
        raise UsageError(
            f"{path} has changed since ganprune made it; nothing is overwritten: move it away to have it "
            "made again, or use `-o` another folder"
        )


def check_all(folder: Path, names: Iterable[str]) -> None:
    """`check_replaceable` for several, before work is done that ends in writing them."""
    for name in names:
        check_replaceable(folder / name)


def note(path: Path, what: str, durable: bool = True) -> None:
    """Add a line on a file to the record of its folder, unless it is there. ``what``: see the module."""
    line = f"{what} {json.dumps(path.name)}"
    if line not in _lines(path.parent):
        _append(path.parent, [line], durable)


def remove_made(path: Path) -> None:
    """Remove a file that ganprune goes on writing, if it is there and ganprune made it."""
    if path.is_file() and f"own {json.dumps(path.name)}" in _lines(path.parent):
        path.unlink()


def half_written(folder: Path) -> list[str]:
    """Names of what killed processes have left of files that ganprune began in a folder."""
    lines, found = _lines(folder), list[str]()
    for path in folder.glob(".*.partial*") if lines else ():
        parts = re.fullmatch(r"\.(.+)\.\d+\.partial(\.[^.]*)?", path.name, re.DOTALL)
        if parts and f"begun {json.dumps(parts[1] + (parts[2] or ''))}" in lines:
            found.append(path.name)
    return found


def clear_half_written(folder: Path) -> None:
    """Remove them."""
    for name in half_written(folder):
        (folder / name).unlink(missing_ok=True)


def is_recorded(folder: Path) -> bool:
    """Whether ganprune keeps a record of a folder. Raises `UsageError` for another file of its name."""
    return bool(_lines(folder))


def adopt(folder: Path, changed: Sequence[Path] = ()) -> None:
    """Take what is in a folder, and in folders of it, for made by ganprune, but for ``changed``.

    For what was made before there were records.
    """
    for place, _, names in os.walk(folder):
        files = [path for name in names if (path := Path(place, name)).is_file()]
        known = [path for path in files if path not in changed]
        lines = [("begun", path) for path in files]
        lines += [(what, path) for path in known for what in (sha256(path), "own")]
        if files:
            _append(Path(place), [f"{what} {json.dumps(path.name)}" for what, path in lines])


def sha256(path: Path) -> str:
    """SHA-256 of a file, 64 hexadecimal digits, read a mebibyte at a time."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def flush_to_disk(path: Path) -> None:
    """Wait until the disk has a file, or the names in a folder. Raises `OSError` that names it."""
    # Windows flushes only what is open for writing; a folder can only be opened for reading.
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    except OSError as error:
        error.filename = str(path)
        raise
    finally:
        os.close(descriptor)


def _lines(folder: Path) -> frozenset[str]:
    """The lines of a folder's record; none where there is no record."""
    path = folder / RECORD
    if not path.is_symlink() and not path.exists():
        return frozenset()
    sound = not path.is_symlink() and path.is_file() and path.stat().st_size <= _MOST
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if sound else [""]
    if lines and not (lines[0] and _HEAD.startswith(lines[0])):  # a kill may have cut the first one short
        raise UsageError(f"{path} is no record of ganprune's; move it away, or use `-o` another folder")
    return frozenset(lines)


def _append(folder: Path, lines: Sequence[str], durable: bool = True) -> None:
    path = folder / RECORD
    head = [] if _HEAD in _lines(folder) else [_HEAD]
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
    try:
        with os.fdopen(os.open(path, flags, 0o666), "r+b", buffering=0) as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - 1))
            cut = file.read(1) not in (b"", b"\n")  # a kill or a full disk has cut a line short
            file.write(("\n" * cut + "".join(f"{line}\n" for line in (*head, *lines))).encode())
            if durable:
                os.fsync(file.fileno())
    except OSError as error:
        error.filename = error.filename or str(path)
        raise
