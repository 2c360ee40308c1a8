"""Files that appear whole or not at all, and their hashes.

A crash, a full disk, a kill or a loss of power at any moment leaves either the old file or the new one
under the name that was asked for: the content is flushed to the disk before the name changes hands, and the
folder after it. A half-written file has a hidden name of its own, ``.<stem>.<pid>.partial`` with the same
suffix, in the same folder.
"""

import hashlib
import os
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

_CHUNK = 1 << 20


@contextmanager
def atomic_path(path: Path) -> Generator[Path]:
    """Yield a temporary path to write to; afterwards it becomes ``path``, or vanishes on failure.

    The temporary file lies in the same folder, which is made if need be, and has the same suffix.
    When the block ends normally the file is flushed to the disk and renamed over ``path``: a link of that
    name is replaced, not followed. When the block raises, the temporary file is removed and an older
    ``path`` stays as it was.
    """
    path = Path(path)
    make_folder(path.parent)
    partial = path.with_name(f".{path.stem}.{os.getpid()}.partial{path.suffix}")
    partial.unlink(missing_ok=True)  # one that another process of this number has left, or a link
    try:
        yield partial
        _flush_to_disk(partial)
        partial.replace(path)
    except BaseException as error:
        with suppress(OSError):  # what failed first is what counts
            partial.unlink(missing_ok=True)
        failed = _of_system(error)
        if failed is None:
            raise
        failed.filename = failed.filename or str(path)  # a write tells only its number
        raise failed from None
    if os.name == "posix":  # the rename itself is kept in the folder
        _flush_to_disk(path.parent)


def write_atomically(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path``, so that readers see all of it or none; see `atomic_path`."""
    with atomic_path(path) as partial:
        partial.write_bytes(data)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, as far as they are missing; they outlast a loss of power."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    if os.name == "posix":
        for path in missing:
            _flush_to_disk(path.parent)


def sha256(path: Path) -> str:
    """SHA-256 of a file, 64 hexadecimal digits, read a mebibyte at a time."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _of_system(error: BaseException) -> OSError | None:
    """The system's own error behind another: PyTorch makes one of its own of a file that is not written."""
    behind: BaseException | None = error
    while behind is not None and not isinstance(behind, OSError):
        behind = (behind.__cause__ or behind.__context__) if isinstance(behind, RuntimeError) else None
    return behind


def _flush_to_disk(path: Path) -> None:
    # Windows flushes only what is open for writing; a folder can only be opened for reading.
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
