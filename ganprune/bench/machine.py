"""The machine that a measurement was made on."""

import os
import platform
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from math import inf
from pathlib import Path
from typing import TypedDict, cast

from ganprune.errors import UsageError
from ganprune.system.cpu import cpu_model, cpu_told
from ganprune.system.installed import version_of

_QUOTAS = (
    ("/sys/fs/cgroup/cpu.max",),
    ("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "/sys/fs/cgroup/cpu/cpu.cfs_period_us"),
)
"""Files that hold a container's share of time, and of what; control groups of version 2 and 1."""
_TOPOLOGY = "/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list"


class MachineFacts(TypedDict):
    """A `Machine` as plain values."""

    cpu: str
    cores: int
    system: str
    onnxruntime: str
    ganprune: str


@dataclass(frozen=True, slots=True)
class Machine:
    """What milliseconds depend on besides the network."""

    cpu: str  # the processor's model name
    cores: int  # physical cores that this process may use
    system: str  # operating system and its version
    onnxruntime: str  # version of ONNX Runtime
    ganprune: str  # version of ganprune

    def __str__(self) -> str:
        cores = "1 core" if self.cores == 1 else f"{self.cores} cores"
        versions = f"ganprune {self.ganprune}, onnxruntime {self.onnxruntime}"
        return f"{self.cpu}, {cores}; {self.system}; {versions}"

    def to_json(self) -> MachineFacts:
        """As plain values."""
        return cast(MachineFacts, asdict(self))


def this_machine() -> Machine:
    """The machine that runs this process."""
    import onnxruntime

    system = f"{platform.system()} {platform.release()} {platform.machine()}"
    runtime = str(onnxruntime.__version__)
    return Machine(cpu_model(), physical_cores(), system, runtime, version_of("ganprune"))


def physical_cores() -> int:
    """Physical cores that this process may use; logical ones where the system does not tell (not Linux)."""
    if hasattr(os, "sched_getaffinity"):
        siblings = [Path(_TOPOLOGY.format(cpu)) for cpu in os.sched_getaffinity(0)]
        if all(path.is_file() for path in siblings):
            return min(len({path.read_text() for path in siblings}), usable_cores())
    return usable_cores()


def usable_cores() -> int:
    """Logical cores that this process may use, by its affinity and by its container's quota."""
    found = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, int(min(found, _quota())))


def enough_cores(threads: Iterable[int]) -> None:
    """Raise `UsageError` for more threads than cores.

    They take turns and wait for each other, the network of more layers most: it would seem far slower than
    it is.
    """
    most = max(threads)
    if most > (cores := usable_cores()):
        raise UsageError(
            f"needed at most as many threads as this process may use cores, {cores}, found {most}: what is "
            f"timed then is how they wait for each other; give --threads {cores}"
        )


def _quota() -> float:
    """Cores' worth of time that the container gives; infinite where it sets no limit, or does not tell."""
    for files in _QUOTAS:
        try:
            limit, period, *_ = " ".join(Path(file).read_text() for file in files).split()
            if float(limit) > 0:
                return float(limit) / float(period)
        except (OSError, ValueError):  # another version of control groups, or "max"
            continue
    return inf


def computes_bfloat16() -> bool:
    """Whether the CPU multiplies bfloat16 (AMX, AVX-512 BF16); no where the system does not tell."""
    return bool({"amx_bf16", "avx512_bf16"} & set(cpu_told("flags").split()))
