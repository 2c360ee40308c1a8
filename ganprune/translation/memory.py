"""How much memory the translation of a picture takes, known before it is begun."""

from math import ceil
from pathlib import Path

import torch
from torch import nn

from ganprune.channels import graph_of
from ganprune.errors import UsageError

COPIES = 4
"""Maps of full size that are there at once: before and after a padding, and before and after a norm."""
PICTURES = 100  # bytes a pixel for the picture itself: in floats before and after, and copies of it

_MEMINFO = Path("/proc/meminfo")
_GROUPS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)
"""A container's limit, and what it uses; control groups of version 2 and 1."""


def bytes_a_pixel(generator: nn.Module | None, number: int = 4) -> int:
    """What a generator needs, bytes for each pixel of a picture; 0.7 to 1.03 of that was measured of
    CycleGAN's.

    generator: None: unknown, taken as CycleGAN's. number: bytes of one of its numbers.
    """
    layers = () if generator is None else graph_of(generator).layers
    widest = max((len(layer.writes) * layer.outputs for layer in layers), default=64)
    return COPIES * number * ceil(widest) + PICTURES


def free_memory(device: str = "cpu") -> int | None:
    """Bytes that a device has left for this process; None where the system does not tell."""
    if device.startswith("cuda"):
        return torch.cuda.mem_get_info(device)[0]
    found = list[int]()
    for limit, used in _GROUPS:
        try:
            found.append(int(Path(limit).read_text()) - int(Path(used).read_text()))
        except (OSError, ValueError):  # another version of control groups, or no limit
            continue
    if _MEMINFO.is_file():
        lines = _MEMINFO.read_text().splitlines()
        found += [int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable:")]
    return min(found, default=None)


def check_memory(
    picture: Path, size: torch.Size, a_pixel: int, batch: int, tile: int | None, free: int | None
) -> None:
    """Raise `UsageError` where a batch of pictures, whole or in tiles, needs more memory than there is.

    size: of a picture, [c, h, w]. a_pixel: see `bytes_a_pixel`. free: see `free_memory`.
    """
    height, width = size[1:]
    at_once = height * width if tile is None else min(height * width, tile**2)
    needed = batch * (a_pixel * at_once + PICTURES * height * width)
    if free is None or needed <= free:
        return
    fewer = "--set batch=1, or " if batch > 1 else ""
    raise UsageError(
        f"{picture}: its {width}×{height} pixels need about {needed / 1e9:.1f} GB of memory, found "
        f"{free / 1e9:.1f} GB free; use {fewer}--tile 512, or --preprocess scale_width with a smaller --size"
    )
