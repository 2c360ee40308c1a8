"""The safetensors format: eight bytes of header length, a JSON header, then the raw tensors.

Source: https://github.com/huggingface/safetensors, "Format". Its reader checks that offsets lie in
the file, that they do not overlap and that they fit the shapes, so memory is bounded by the file.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from ganprune.errors import CheckpointError

MAX_HEADER = 2 << 20  # longest header that is read, bytes; that of a whole CycleGAN takes some 10,000


def is_safetensors(head: bytes) -> bool:
    """Whether a file that starts with ``head`` is meant as safetensors: JSON starts at its ninth byte."""
    return head[8:9] == b"{"


def read(path: Path, weights: bool = True) -> dict[str, Tensor]:
    """Every tensor of the file; without weights, their shapes on the device meta."""
    _check_header(path)
    with safetensors.safe_open(str(path), framework="pt", device="cpu") as file:
        names = list(file.keys())
        if weights:
            return {name: file.get_tensor(name) for name in names}
        return {name: torch.empty(file.get_slice(name).get_shape(), device="meta") for name in names}


def read_header(path: Path) -> dict[str, str]:
    """The file's metadata; empty when it has none."""
    _check_header(path)
    with safetensors.safe_open(str(path), framework="pt", device="cpu") as file:
        return dict(file.metadata() or {})


def serialize(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> bytes:
    """A safetensors file as bytes: the same tensors and metadata always give the same bytes.

    The library writes the metadata in an order that differs from run to run; here it is sorted.
    """
    data = safetensors.torch.save(dict(tensors))
    end = 8 + int.from_bytes(data[:8], "little")
    header = {"__metadata__": dict(sorted(metadata.items())), **json.loads(data[8:end])}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # tensors start at a multiple of eight bytes
    return len(text).to_bytes(8, "little") + text + data[end:]


def _check_header(path: Path) -> None:
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
    if path.stat().st_size >= 8 + length > 8 + MAX_HEADER:
        raise CheckpointError(f"its header is longer than {MAX_HEADER} bytes, no checkpoint's is")
