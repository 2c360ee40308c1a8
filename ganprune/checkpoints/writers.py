"""Generators back to files: safetensors that describe themselves, and CycleGAN's ``.pth``."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from ganprune.checkpoints.formats import safetensors_file
from ganprune.checkpoints.network_file import FORMAT_VERSION, widths_json
from ganprune.files import atomic_path, write_atomically
from ganprune.networks import Generator


def save_generator(path: Path, generator: Generator, metadata: Mapping[str, str]) -> None:
    """Write a generator of any widths as safetensors that need no other file to be read.

    Tensors are float32 under CycleGAN's names. The metadata are the entries given and ``format``
    (``ganprune generator``), ``format_version`` and ``widths`` (JSON). The same generator and
    metadata always give the same bytes. The file appears whole or not at all.

    Raises ValueError when an entry given has one of the three names.
    """
    own = {
        "format": "ganprune generator",
        "format_version": FORMAT_VERSION,
        "widths": widths_json(generator.widths),
    }
    taken = own.keys() & metadata.keys()
    if taken:
        raise ValueError(f"metadata {', '.join(sorted(taken))} is written by save_generator itself")
    write_atomically(path, safetensors_file.serialize(_state_dict(generator), {**metadata, **own}))


def save_cyclegan_pth(path: Path, generator: Generator) -> None:
    """Write a generator as CycleGAN does: a plain state dict, float32, under CycleGAN's names.

    The file appears whole or not at all.
    """
    with atomic_path(path) as partial, partial.open("wb") as file:
        torch.save(_state_dict(generator), file)


def _state_dict(generator: Generator) -> dict[str, Tensor]:
    # Clones: torch.save would write all of the storage that a slice of a wider layer looks at.
    return {
        name: tensor.detach().to("cpu", torch.float32).contiguous().clone()
        for name, tensor in generator.state_dict().items()
    }
