"""What the originals make of the search's pictures: computed once a run, and kept on the disk."""

import hashlib
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from ganprune.channels import ChannelGraph
from ganprune.models.traits import discriminator_input
from ganprune.pruning.genome import Layout
from ganprune.refit import Gram, Removal, grams, removals
from ganprune.reporting import SILENT, Reporter
from ganprune.storage.files import write_atomically

Run = Callable[[nn.Module, Tensor], Tensor]
"""A network on a batch of pictures, as the scorer runs it."""


def original_outputs(
    generator: nn.Module,
    discriminator: nn.Module | None,
    x: Tensor,
    run: Run,
    setting: str,
    file: Path | None,
) -> tuple[Tensor, Tensor | None]:
    """G(x) and D(G(x)); the second is None without a discriminator.

    Read from ``file`` where it holds those of the same weights, pictures and ``setting`` (what else decides
    the bits), else computed and written there.
    """

    def compute() -> dict[str, Tensor]:
        made = run(generator, x)
        if discriminator is None:
            return {"translated": made}
        seen = discriminator_input(discriminator, x, made)
        return {"translated": made, "judged": run(discriminator, seen)}

    known = _kept(file, lambda: _key(generator, discriminator, x, setting), compute)
    placed = {name: tensor.to(x.device) for name, tensor in known.items()}
    return placed["translated"], placed.get("judged")


def original_grams(
    generator: nn.Module, graph: ChannelGraph, x: Tensor, file: Path | None, reporter: Reporter = SILENT
) -> dict[str, Gram]:
    """`ganprune.refit.gram_matrices` of an original on pictures [n, 3, h, w] in [-1, 1]; kept likewise."""

    def compute() -> dict[str, Tensor]:
        found = grams(generator, graph, x.split(1), reporter=reporter)
        return {f"{name}/{part}": getattr(gram, part) for name, gram in found.items() for part in parts}

    parts = [item.name for item in fields(Gram)]
    setting = f"Gram matrices, {torch.get_num_threads()} threads"
    known = _kept(file, lambda: _key(generator, None, x, setting), compute)
    names = dict.fromkeys(name.rpartition("/")[0] for name in known)
    return {name: Gram(*(known[f"{name}/{part}"].to(x.device) for part in parts)) for name in names}


def original_removals(
    generator: nn.Module,
    layout: Layout,
    x: Tensor,
    folder: Path | None,
    side: str,
    reporter: Reporter = SILENT,
) -> dict[str, Removal]:
    """`ganprune.refit.removals` of an original by its `original_grams`; both kept in a folder."""

    def compute() -> dict[str, Tensor]:
        file = None if folder is None else folder / grams_file(side)
        found = original_grams(generator, layout.graph, x, file, reporter)
        gone = removals(generator, layout, found, reporter=reporter, pictures=x.split(1))
        return {f"{gene}/{part}": getattr(one, part) for gene, one in gone.items() for part in parts}

    parts = [item.name for item in fields(Removal)]
    setting = f"removals to none, {layout.kind}, {torch.get_num_threads()} threads"
    file = None if folder is None else folder / f"removals_{side}.safetensors"
    known = _kept(file, lambda: _key(generator, None, x, setting), compute)
    return {gene: Removal(*(known[f"{gene}/{part}"] for part in parts)) for gene in layout.genes}


def grams_file(side: str) -> str:
    """Name of the file that holds the Gram matrices of a side."""
    return f"grams_{side}.safetensors"


def _kept(
    file: Path | None, key_of: Callable[[], str], compute: Callable[[], dict[str, Tensor]]
) -> dict[str, Tensor]:
    """What a file holds, where it holds what the key says; else computed, and written there."""
    if file is None:
        return compute()
    key = key_of()
    try:
        with safe_open(str(file), framework="pt", device="cpu") as held:
            if (held.metadata() or {}).get("key") == key:
                return {name: held.get_tensor(name) for name in held.keys()}  # noqa: SIM118
    except (OSError, SafetensorError):  # missing, or damaged
        pass
    known = compute()
    tensors = {name: tensor.cpu().contiguous() for name, tensor in known.items()}
    write_atomically(file, save(tensors, {"key": key}), over="any")
    return known


def _key(generator: nn.Module, discriminator: nn.Module | None, x: Tensor, setting: str) -> str:
    digest = hashlib.sha256(f"{setting} {x.device.type} {x.dtype} {tuple(x.shape)}".encode())
    for net in (generator, discriminator):
        for name, tensor in net.state_dict().items() if net is not None else ():
            digest.update(f"{name} {tuple(tensor.shape)}".encode())
            digest.update(_bytes(tensor))
    digest.update(_bytes(x))
    return digest.hexdigest()


def _bytes(tensor: Tensor) -> bytes:
    return tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes()
