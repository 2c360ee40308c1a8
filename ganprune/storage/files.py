"""Files that appear whole or not at all, and their hashes.

A crash, a full disk, a kill or a loss of power at any moment leaves either the old file or the new one
under the name that was asked for: the content is flushed to the disk before the name changes hands, and the
folder after it. A half-written file has a hidden name of its own, ``.<stem>.<pid>.partial`` with the same
suffix, in the same folder. A file that ganprune did not make is not replaced, see `ganprune.storage.made`.
"""

import os
from collections.abc import Generator
from contextlib import contextmanager, suppress
from errno import ENOTDIR
from pathlib import Path
from typing import Literal

from ganprune.storage.made import check_replaceable, flush_to_disk, note, sha256

__all__ = ["Over", "atomic_path", "make_folder", "sha256", "write_atomically"]

Over = Literal["unchanged", "own", "any"]
"""Which file of the same name is replaced: one that ganprune made and nobody changed; one that it goes on
writing, such as a log, changed or not; any at all, for caches under names that hold a hash and where the user
has asked for it."""


@contextmanager
def atomic_path(path: Path, over: Over = "unchanged") -> Generator[Path]:
    """Yield a temporary path to write to; afterwards it becomes ``path``, or vanishes on failure.

    The temporary file lies in the same folder, which is made if need be, and has the same suffix.
    When the block ends normally the file is flushed to the disk and renamed over ``path``. When the block
    raises, the temporary file is removed and an older ``path`` stays as it was. Raises `UsageError`, before
    anything is written, where there is a ``path`` that must not be replaced.
    """
    path = Path(path)
    make_folder(path.parent)
    if over != "any":
        check_replaceable(path, over == "own")
        note(path, "begun", durable=False)
    partial = path.with_name(f".{path.stem}.{os.getpid()}.partial{path.suffix}")
    partial.unlink(missing_ok=True)  # one that another process of this number has left, or a link
    try:
        yield partial
        flush_to_disk(partial)
        if over != "any":
            note(path, "own" if over == "own" else sha256(partial))
        partial.replace(path)
    except BaseException as error:
        with suppress(OSError):  # what failed first is what counts
            partial.unlink(missing_ok=True)
        failed = _of_system(error)
        if failed is None:
            raise
        if failed.filename is None or str(failed.filename) == str(partial):  # a write tells only its number
            failed.filename = str(path)
        raise failed from None
    if os.name == "posix":  # the rename itself is kept in the folder
        flush_to_disk(path.parent)


def write_atomically(path: Path, data: bytes, over: Over = "unchanged") -> None:
    """Write ``data`` to ``path``, so that readers see all of it or none; see `atomic_path`."""
    with atomic_path(path, over) as partial:
        partial.write_bytes(data)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, as far as they are missing; they outlast a loss of power.

    Raises `NotADirectoryError` where one of them is a file.
    """
    for path in (folder, *folder.parents):
        if path.is_file():
            told = "this is a file, and a folder is needed in its place; give another with `-o`"
            raise NotADirectoryError(ENOTDIR, told, str(path))
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    if os.name == "posix":
        for path in missing:
            flush_to_disk(path.parent)


def _of_system(error: BaseException) -> OSError | None:
    """The system's own error behind another: PyTorch makes one of its own of a file that is not written."""
    behind: BaseException | None = error
    while behind is not None and not isinstance(behind, OSError):
        behind = (behind.__cause__ or behind.__context__) if isinstance(behind, RuntimeError) else None
    return behind
