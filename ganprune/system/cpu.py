"""What Linux tells of the CPU."""

import platform
from pathlib import Path

_CPUINFO = Path("/proc/cpuinfo")


def cpu_model() -> str:
    """The processor's model name."""
    return cpu_told("model name") or platform.processor() or platform.machine()


def cpu_told(what: str) -> str:
    """The first line of Linux's description of its CPUs that begins so; empty where there is none."""
    lines = _CPUINFO.read_text().splitlines() if _CPUINFO.is_file() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(what)), "")
