"""Networks back to files: safetensors that describe themselves, and CycleGAN's ``.pth``."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from ganprune.checkpoints.contents import BLOCK
from ganprune.checkpoints.formats import safetensors_file
from ganprune.checkpoints.network_file import FORMAT_VERSION
from ganprune.models.cyclegan import Generator
from ganprune.models.traits import norm_of, widths_of
from ganprune.storage.files import atomic_path, write_atomically

STANDALONE = "slim_generator.py"  # what `copy_standalone` calls the module that it writes


def save_generator(path: Path, generator: nn.Module, metadata: Mapping[str, str]) -> None:
    """Write a generator of any widths and norm as safetensors that need no other file to be read.

    Tensors are float32, under the names of the file that the network was read from
    (`nn.Module.block_name`). The metadata are the entries given and ``format`` (``ganprune generator``),
    ``format_version``, ``widths`` (JSON) and ``norm``. The same generator and metadata always give the
    same bytes. The file appears whole or not at all.

    Raises ValueError when an entry given has one of the four names.
    """
    own = {
        "format": "ganprune generator",
        "format_version": FORMAT_VERSION,
        "widths": json.dumps(widths_of(generator)),
        "norm": norm_of(generator),
    }
    taken = own.keys() & metadata.keys()
    if taken:
        raise ValueError(f"metadata {', '.join(sorted(taken))} is written by save_generator itself")
    write_atomically(path, safetensors_file.serialize(_state_dict(generator), {**metadata, **own}))


def save_cyclegan_pth(path: Path, network: nn.Module) -> None:
    """Write a network as CycleGAN does: a plain state dict, float32.

    Names are CycleGAN's, or those of the file that it was read from (`nn.Module.block_name`). The file
    appears whole or not at all.
    """
    with atomic_path(path) as partial, partial.open("wb") as file:
        torch.save(_state_dict(network), file)


def copy_standalone(folder: Path, networks: Iterable[nn.Module]) -> list[Path]:
    """Write ``slim_generator.py`` into a folder: loads a slim ``.pth`` with torch alone, without ganprune.

    Returns the file, whose source is `ganprune.checkpoints.standalone`, word for word; none where one of the
    networks is not of CycleGAN's own architecture, which is what it can build.
    """
    if not all(isinstance(network, Generator) for network in networks):
        return []
    write_atomically(folder / STANDALONE, Path(__file__).with_name("standalone.py").read_bytes())
    return [folder / STANDALONE]


def _state_dict(network: nn.Module) -> dict[str, Tensor]:
    # Clones: torch.save would write all of the storage that a slice of a wider layer looks at.
    block = getattr(network, "block_name", BLOCK)
    tensors = {
        name.replace(f".{BLOCK}.", f".{block}."): tensor.detach().cpu()
        for name, tensor in network.state_dict().items()
    }
    return {
        name: (tensor.float() if tensor.is_floating_point() else tensor).contiguous().clone()
        for name, tensor in tensors.items()
    }
