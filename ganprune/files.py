"""Files that appear whole or not at all, and their hashes.

A crash, a full disk or a kill at any moment leaves either the old file or the new one under the
name that was asked for. A half-written file has a hidden name of its own, ``.<stem>.<pid>.partial``
with the same suffix, in the same folder.
"""

import hashlib
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

_CHUNK = 1 << 20


@contextmanager
def atomic_path(path: Path) -> Generator[Path]:
    """Yield a temporary path to write to; afterwards it becomes ``path``, or vanishes on failure.

    The temporary file lies in the same folder, which is made if need be, and has the same suffix.
    When the block ends normally the file is flushed to the disk and renamed over ``path``. When the
    block raises, the temporary file is removed and an older ``path`` stays as it was.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.stem}.{os.getpid()}.partial{path.suffix}")
    try:
        yield partial
        _flush_to_disk(partial)
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    if os.name == "posix":  # the rename itself is kept in the folder
        _flush_to_disk(path.parent)


def write_atomically(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path``, so that readers see all of it or none; see `atomic_path`."""
    with atomic_path(path) as partial:
        partial.write_bytes(data)


def sha256(path: Path) -> str:
    """SHA-256 of a file, 64 hexadecimal digits, read a mebibyte at a time."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _flush_to_disk(path: Path) -> None:
    # Windows flushes only what is open for writing; a folder can only be opened for reading.
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
