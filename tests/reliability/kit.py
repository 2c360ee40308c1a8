"""Faults, as the system makes them: disks that are full or read-only, memory that runs out."""

import ctypes
import platform
import resource
import subprocess
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from ganprune.reporting import Silent


class Told(Silent):
    """A reporter that remembers what it was told."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, message: str) -> None:
        self.warnings.append(message)


def _mount(*words: object) -> None:
    done = subprocess.run(["mount", *map(str, words)], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"file systems cannot be mounted here: {done.stderr.strip()}")


def _unmount(folder: Path) -> None:
    subprocess.run(["umount", "-l", str(folder)], check=True)


@contextmanager
def small_disk(folder: Path, kibibytes: int) -> Generator[None]:
    """``folder`` on a file system of its own, of so many KiB."""
    folder.mkdir(parents=True, exist_ok=True)
    _mount("-t", "tmpfs", "-o", f"size={kibibytes}k", "tmpfs", folder)
    try:
        yield
    finally:
        _unmount(folder)


def enlarge(folder: Path, kibibytes: int) -> None:
    """Free space on a `small_disk`."""
    _mount("-o", f"remount,size={kibibytes}k", folder)


@contextmanager
def read_only(folder: Path) -> Generator[None]:
    """``folder`` can be read and not written, not even by root."""
    _mount("--bind", folder, folder)
    try:
        _mount("-o", "remount,ro,bind", folder)
        yield
    finally:
        _unmount(folder)


@contextmanager
def file_limit(size: int) -> Generator[None]:
    """No file may grow beyond ``size`` bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def little_memory(mebibytes: int) -> Generator[None]:
    """This process may take so much more memory than it has, and no more."""
    if platform.libc_ver()[0] != "glibc":
        pytest.skip("memory is limited and given back by Linux and glibc only")
    ctypes.CDLL(None).malloc_trim(0)
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    lines = Path("/proc/self/status").read_text().splitlines()
    taken = next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmSize"))
    resource.setrlimit(resource.RLIMIT_AS, (taken + (mebibytes << 20), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def one_line(err: str) -> str:
    """The one error among what a command told."""
    assert "Traceback" not in err
    assert "internal error" not in err
    (line,) = [line for line in err.splitlines() if line.startswith("error: ")]
    return line


def same_files(one: Path, other: Path, names: Sequence[str]) -> bool:
    """Whether two folders hold the same bytes under these names."""
    return all((one / name).read_bytes() == (other / name).read_bytes() for name in names)
