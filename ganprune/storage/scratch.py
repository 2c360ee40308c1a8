"""Folders for temporary files that a kill does not leave for ever.

Each is locked by the process that made it. Where the lock is free, the process is gone, and whoever makes the
next one removes its folder.
"""

import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import gettempdir, mkdtemp

from filelock import FileLock, Timeout

from ganprune.errors import UsageError
from ganprune.storage.made import is_recorded, note

_PREFIX = "ganprune-scratch-"
_TRIES = 5


@contextmanager
def scratch_folder() -> Generator[Path]:
    """A new, empty folder among the system's temporary ones, which is removed at the end."""
    for path in Path(gettempdir()).glob(f"{_PREFIX}*"):
        _remove_if_left(path)
    folder, lock = _made()
    try:
        yield folder / "files"
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        lock.release()


def _made() -> tuple[Path, FileLock]:
    """A locked folder. Another process may take it for one that was left, before it is locked."""
    for _ in range(_TRIES):
        folder = Path(mkdtemp(prefix=_PREFIX))
        with suppress(Timeout, FileNotFoundError):
            note(folder / "files", "begun", durable=False)
            lock = FileLock(folder / ".lock")
            lock.acquire(timeout=0)
            (folder / "files").mkdir()
            return folder, lock
    raise FileExistsError(0, "no folder for temporary files could be made", gettempdir())


def _remove_if_left(folder: Path) -> None:
    with suppress(Timeout, OSError, UsageError):
        own = folder.lstat().st_uid == os.getuid() if os.name == "posix" else True
        if folder.is_symlink() or not own or not (folder / ".lock").is_file() or not is_recorded(folder):
            return
        with FileLock(folder / ".lock").acquire(timeout=0):
            shutil.rmtree(folder, ignore_errors=True)
