"""The machine that a measurement was made on."""

import os
import platform
from dataclasses import dataclass
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

    def __str__(self) -> str:
        cores = "1 core" if self.cores == 1 else f"{self.cores} cores"
        return f"{self.cpu}, {cores}; {self.system}; onnxruntime {self.onnxruntime}"


def this_machine() -> Machine:
    """The machine that runs this process."""
    import onnxruntime

    system = f"{platform.system()} {platform.release()} {platform.machine()}"
    return Machine(_cpu(), physical_cores(), system, str(onnxruntime.__version__))


def physical_cores() -> int:
    """Physical cores that this process may use; logical ones where the system does not tell (not Linux)."""
    if hasattr(os, "sched_getaffinity"):
        usable = os.sched_getaffinity(0)
        siblings = [Path(_TOPOLOGY.format(cpu)) for cpu in usable]
        if all(path.is_file() for path in siblings):
            return len({path.read_text() for path in siblings})
        return len(usable)
    return os.cpu_count() or 1


def _cpu() -> str:
    lines = _CPUINFO.read_text().splitlines() if _CPUINFO.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
