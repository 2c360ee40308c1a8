"""The machine that a measurement was made on."""

import os
import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_CPUINFO = Path("/proc/cpuinfo")
_TOPOLOGY = "/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list"


@dataclass(frozen=True, slots=True)
class Machine:
    """What milliseconds depend on besides the network."""

    cpu: str
    """The processor's model name."""
    cores: int
    """Physical cores that this process may use."""
    system: str
    """Operating system and its version."""
    onnxruntime: str
    """Version of ONNX Runtime."""
    ganprune: str
    """Version of ganprune."""

    def __str__(self) -> str:
        cores = "1 core" if self.cores == 1 else f"{self.cores} cores"
        versions = f"ganprune {self.ganprune}, onnxruntime {self.onnxruntime}"
        return f"{self.cpu}, {cores}; {self.system}; {versions}"


def this_machine() -> Machine:
    """The machine that runs this process."""
    import onnxruntime

    system = f"{platform.system()} {platform.release()} {platform.machine()}"
    return Machine(_cpu(), physical_cores(), system, str(onnxruntime.__version__), _version())


def physical_cores() -> int:
    """Physical cores that this process may use; logical ones where the system does not tell (not Linux)."""
    if hasattr(os, "sched_getaffinity"):
        usable = os.sched_getaffinity(0)
        siblings = [Path(_TOPOLOGY.format(cpu)) for cpu in usable]
        if all(path.is_file() for path in siblings):
            return len({path.read_text() for path in siblings})
        return len(usable)
    return os.cpu_count() or 1


def computes_bfloat16() -> bool:
    """Whether the CPU multiplies bfloat16 (AMX, AVX-512 BF16); no where the system does not tell."""
    return bool({"amx_bf16", "avx512_bf16"} & set(_told("flags").split()))


def _cpu() -> str:
    return _told("model name") or platform.processor() or platform.machine()


def _told(what: str) -> str:
    """The first line of Linux's description of its CPUs that begins so; empty where there is none."""
    lines = _CPUINFO.read_text().splitlines() if _CPUINFO.is_file() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(what)), "")


def _version() -> str:
    try:
        return version("ganprune")
    except PackageNotFoundError:
        return "not installed"
