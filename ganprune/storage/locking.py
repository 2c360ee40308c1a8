"""Folders that one process at a time writes to."""

import os
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from ganprune.errors import RunError, UsageError
from ganprune.storage.files import make_folder
from ganprune.storage.made import RECORD, check_all, clear_half_written

LOCK = ".lock"  # the file that keeps other processes out; empty


@contextmanager
def locked(folder: Path) -> Generator[None]:
    """Keep other processes out of a folder, and clear away what killed ones have left half-written in it.

    Raises `RunError` while another is in it, and at the end where the folder is no longer the one that it
    was. The system releases the lock of a process that is killed.
    """
    make_folder(folder)
    path = folder / LOCK
    if path.is_symlink() or (path.exists() and path.stat().st_size and not (folder / RECORD).exists()):
        raise UsageError(f"{path} is no lock of ganprune's; move it away, or use `-o` another folder")
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise RunError(
            f"another ganprune is working in {folder}; wait for it to end, or use `-o` another folder"
        ) from None
    except NotImplementedError as error:  # as filelock says it
        raise OSError(
            0, f"no locks on this file system ({error}); use `-o` a folder on another", str(path)
        ) from None
    except OSError as error:
        error.filename = error.filename or str(path)
        raise
    held = path.stat()
    try:
        clear_half_written(folder)
        yield
    finally:
        lock.release()
    if not path.exists() or not os.path.samestat(held, path.stat()):
        raise gone(folder)


def gone(folder: Path) -> RunError:
    """What is raised where a folder was removed, or another has taken its place, while it was written to."""
    return RunError(
        f"{folder} was removed or replaced while ganprune worked in it; put it back and run the same command "
        "again to go on, or run it again to begin anew"
    )


@contextmanager
def writing_to(folder: Path, names: Iterable[str], own: Path | None = None) -> Generator[None]:
    """Lock a folder that files of these names go to, once they may be written there.

    own: a folder that is locked already. Raises as `locked` and `check_all`, and for another run's folder.
    """
    if own is not None and folder.resolve() == own.resolve():
        check_all(folder, names)
        yield
        return
    refuse_run(folder)
    check_all(folder, names)
    with locked(folder):
        yield


def refuse_run(folder: Path) -> None:
    """Raises `UsageError` for a run's folder: what it holds is its own."""
    if (folder / "config.toml").is_file() and (folder / "provenance.json").is_file():
        raise UsageError(
            f"{folder} is a run, whose files its own commands alone replace; use `-o` another folder"
        )
