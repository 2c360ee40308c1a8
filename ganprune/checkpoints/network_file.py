"""One network out of its file, with what inspection wants to know about it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from ganprune.checkpoints import architecture
from ganprune.checkpoints.contents import flat_tensors, split_block_name, split_dropout, split_relics
from ganprune.checkpoints.folding import folded
from ganprune.checkpoints.formats import safetensors_file
from ganprune.checkpoints.layouts.bundle import networks_in
from ganprune.checkpoints.options import check_read
from ganprune.checkpoints.own import READERS_ALONE, Own, fitted
from ganprune.checkpoints.reading import about, head_of, read_held, read_tensors
from ganprune.errors import CheckpointError
from ganprune.models.cyclegan import Discriminator, Generator
from ganprune.models.traits import norm_of, widths_of

FORMAT_VERSION = "1"  # version of the metadata that ganprune writes into its own safetensors files


@dataclass(frozen=True, slots=True)
class OpenedNetwork:
    """A network and how it lay on the disk."""

    network: nn.Module  # float32, on the CPU, in eval mode, without gradients
    role: architecture.Role  # what it is for
    precision: str  # number formats of its tensors in the file, e.g. ``float16``
    relics: tuple[str, ...]  # names of unused running statistics that were dropped
    dropout: bool
    """Whether it was trained with dropout in its residual blocks; in eval mode that does nothing."""
    folded: tuple[str, ...] = ()
    """Norms of its weights that were folded into them, see `ganprune.checkpoints.folding`."""


def load_generator(path: Path, own: Own = READERS_ALONE) -> nn.Module:
    """The generator in one file of any kind; other files in its folder play no part.

    The network is float32, on the CPU, in eval mode, without gradients. Of a file with several
    networks it is the only generator. own: a user's module that the tensors are of.

    Raises UsageError when ``path`` does not exist, CheckpointError when the file holds no generator,
    or two.
    """
    path = Path(path)
    held, entry = read_held(path), ""
    with about(path):
        bundle = networks_in(held, own.fits)
        if bundle:
            entries = [entry for name, entry in bundle.entries.items() if name.startswith("G")]
            if len(entries) > 1:
                raise CheckpointError(
                    f"holds {' and '.join(entries)}, one generator was needed; "
                    "save the state_dict() of one of them by itself"
                )
            (entry,) = entries
            held = next(state for name, state in bundle.networks.items() if name.startswith("G"))
    with about(path, entry):
        tensors = flat_tensors(held)
    return opened(path, tensors, "generator", entry, own).network


def load_like(path: Path, like: nn.Module) -> nn.Module:
    """The network in a file that was written from one such as ``like``, of any widths.

    float32, on the CPU, in eval mode, without gradients. Raises CheckpointError as `load_generator`.
    """
    tensors = read_tensors(path)
    if isinstance(like, Generator | Discriminator):
        return opened(path, tensors, "generator" if isinstance(like, Generator) else "discriminator").network
    with about(path):
        return fitted(like, tensors)


def opened(
    path: Path,
    tensors: Mapping[str, Tensor],
    role: architecture.Role | None = None,
    entry: str = "",
    own: Own = READERS_ALONE,
) -> OpenedNetwork:
    """The network in ``tensors`` that came from the file ``path``; any role when ``role`` is None.

    ``entry``: what a file with several networks calls it. Raises CheckpointError naming the file; see
    `generator_from_tensors` and `discriminator_from_tensors`.
    """
    metadata = read_metadata(path)
    with about(path, entry):
        if role is None and own.generator is not None:
            role = "generator"
        if role is not None and (network := own.read(role, tensors)) is not None:
            held = network.state_dict()
            relics = [name for name in split_relics(tensors)[1] if not any(map(name.endswith, held))]
            return OpenedNetwork(network, role, _precisions(tensors), tuple(relics), False)
        whole, norms = folded(tensors)
        used, relics = split_relics(whole)
        is_for = role or architecture.role_of(used)
        if is_for == "discriminator":
            network = architecture.discriminator_from_tensors(used)
        else:
            check_read(path.parent)
            network = architecture.generator_from_tensors(used)
            _check_metadata(metadata, network)
        dropout = split_dropout(split_block_name(used)[0])[1]
        return OpenedNetwork(network, is_for, _precisions(used), relics, dropout, norms)


def _precisions(tensors: Mapping[str, Tensor]) -> str:
    dtypes = {tensor.dtype for tensor in tensors.values() if tensor.is_floating_point()}
    return ", ".join(sorted(str(dtype).removeprefix("torch.") for dtype in dtypes))


def read_metadata(path: Path) -> dict[str, str]:
    """What a safetensors file says about itself; empty for files without metadata and other formats.

    Files that `save_generator` wrote have ``format``, ``format_version``, ``widths`` (JSON) and ``norm``.

    Raises UsageError when ``path`` does not exist, CheckpointError for a damaged file.
    """
    path = Path(path)
    head = head_of(path)
    with about(path):
        return safetensors_file.read_header(path) if safetensors_file.is_safetensors(head) else {}


def _check_metadata(metadata: Mapping[str, str], generator: nn.Module) -> None:
    version = metadata.get("format_version", FORMAT_VERSION)
    if version != FORMAT_VERSION:
        raise CheckpointError(
            f"written in format {version!r} by a newer ganprune, this one reads {FORMAT_VERSION}; update it"
        )
    stated = metadata.get("widths")
    if stated is not None and _flat(json.loads(stated)) != (found := widths_of(generator)):
        raise CheckpointError(f"its metadata speak of widths {stated}, its tensors are {json.dumps(found)}")
    norm = metadata.get("norm", norm_of(generator))
    if norm != norm_of(generator):
        raise CheckpointError(
            f"its metadata speak of norm {norm}, its tensors are of norm {norm_of(generator)}"
        )


def _flat(widths: dict[str, Any]) -> dict[str, Any]:
    """As they are written now: files of ganprune 0.x have the blocks' widths in one list."""
    inner = widths.pop("inner", [])
    return widths | {f"inner{i}": width for i, width in enumerate(inner)}
