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
"""A network on a batch of pictures, as the evaluator runs it."""


def judged_originals(
    generator: nn.Module, judge: nn.Module | None, x: Tensor, run: Run, setting: str, file: Path | None
) -> tuple[Tensor, Tensor | None]:
    """G(x) and D(G(x)); D's is None without a judge.

    Read from ``file`` where it holds those of the same weights, pictures and ``setting`` (what else decides
    the bits), else computed and written there.
    """

    def compute() -> dict[str, Tensor]:
        made = run(generator, x)
        known = {"translated": made}
        if judge is None:
            return known
        return known | {"judged": run(judge, discriminator_input(judge, x, made))}

    key = _key(generator, judge, x, setting) if file is not None else ""
    known = _kept(file, key, compute)
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
    key = (
        _key(generator, None, x, f"Gram matrices, {torch.get_num_threads()} threads")
        if file is not None
        else ""
    )
    known = {name: tensor.to(x.device) for name, tensor in _kept(file, key, compute).items()}
    names = dict.fromkeys(name.rpartition("/")[0] for name in known)
    return {name: Gram(*(known[f"{name}/{part}"] for part in parts)) for name in names}


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
        gone = removals(generator, layout, found, reporter=reporter)
        return {f"{gene}/{part}": getattr(one, part) for gene, one in gone.items() for part in parts}

    parts = [item.name for item in fields(Removal)]
    setting = f"removals, {layout.kind}, {torch.get_num_threads()} threads"
    file = None if folder is None else folder / f"removals_{side}.safetensors"
    known = _kept(file, _key(generator, None, x, setting) if file is not None else "", compute)
    return {gene: Removal(*(known[f"{gene}/{part}"] for part in parts)) for gene in layout.genes}


def grams_file(side: str) -> str:
    """Name of the file that holds the Gram matrices of a side."""
    return f"grams_{side}.safetensors"


def _kept(file: Path | None, key: str, compute: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
    """What a file holds, where it holds what the key says; else computed, and written there."""
    known = _read(file, key) if file is not None else None
    if known is None:
        known = compute()
        if file is not None:
            tensors = {name: tensor.cpu().contiguous() for name, tensor in known.items()}
            write_atomically(file, save(tensors, {"key": key}), over="any")
    return known


def _read(file: Path, key: str) -> dict[str, Tensor] | None:
    """None where the file is missing, damaged, or of something else."""
    try:
        with safe_open(str(file), framework="pt", device="cpu") as held:
            if (held.metadata() or {}).get("key") != key:
                return None
            return {name: held.get_tensor(name) for name in held.keys()}  # noqa: SIM118
    except (OSError, SafetensorError):
        return None


def _key(generator: nn.Module, judge: nn.Module | None, x: Tensor, setting: str) -> str:
    digest = hashlib.sha256(f"{setting} {x.device.type} {x.dtype} {tuple(x.shape)}".encode())
    for net in (generator, judge):
        for name, tensor in net.state_dict().items() if net is not None else ():
            digest.update(f"{name} {tuple(tensor.shape)}".encode())
            digest.update(_bytes(tensor))
    digest.update(_bytes(x))
    return digest.hexdigest()


def _bytes(tensor: Tensor) -> bytes:
    return tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes()
