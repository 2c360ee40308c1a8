"""Where and how precisely to compute: what ``auto`` means on this machine."""

import ctypes
import os
import platform
from collections.abc import Generator
from contextlib import contextmanager

import torch

from ganprune.errors import UsageError
from ganprune.settings.words import MOST_THREADS, Precision

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # parameters of mallopt(3)


def resolve_device(name: str) -> str:
    """``auto`` → cuda where there is one, else cpu; other names are checked.

    Raises `UsageError` for a device that this machine does not have.
    """
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or device.type not in ("cpu", "cuda"):
        raise UsageError(f"--device must be cpu, cuda, cuda:N or auto, found {name!r}")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UsageError(
            f"--device {name} needs a CUDA device, found {torch.cuda.device_count()} on this machine; "
            "use --device cpu"
        )
    return name


def resolve_precision(name: str, device: str) -> Precision:
    """``auto`` → bfloat16 where the hardware computes it natively, else float32."""
    if name == "float32" or name == "bfloat16":
        return name
    if name != "auto":
        raise UsageError(f"--set precision must be float32, bfloat16 or auto, found {name!r}")
    if device.startswith("cuda"):
        native = torch.cuda.get_device_capability(device) >= (8, 0)
    else:
        native = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()  # pyright: ignore
    return "bfloat16" if native else "float32"


def keep_freed_memory() -> None:
    """Let this process keep the memory of dropped tensors for the next ones, where the C library is glibc.

    It gives large blocks back to the system at once, and every step faults them in again: a tenth of the
    time of a training step on a CPU. For programs, not for libraries: it concerns the whole process.
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_MMAP_THRESHOLD, 1 << 30)
        libc.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)


@contextmanager
def reproducible() -> Generator[None]:
    """On CUDA: convolutions by algorithms that give the same bits every time, in full float32."""
    with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
        yield


@contextmanager
def cpu_threads(n: int) -> Generator[None]:
    """n CPU threads for torch in here, as many as before afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def checked_threads(threads: int) -> int:
    """The same number. Raises `UsageError` for one that no machine has cores for."""
    if not 1 <= threads <= MOST_THREADS:
        raise UsageError(f"--threads must be 1 to {MOST_THREADS}, found {threads}")
    return threads


def resolve_threads(threads: int | None) -> int:
    """Number of CPU threads: the one given, else all cores that this process may use."""
    if threads is not None:
        return checked_threads(threads)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
