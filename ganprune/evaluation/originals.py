"""What the originals make of the search's pictures: computed once a run, and kept on the disk."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from ganprune.files import write_atomically

Run = Callable[[nn.Module, Tensor], Tensor]
"""A network on a batch of pictures, as the evaluator runs it."""


def judged_originals(
    generator: nn.Module, judge: nn.Module | None, x: Tensor, run: Run, setting: str, file: Path | None
) -> tuple[Tensor, Tensor | None]:
    """G(x) and D(G(x)); D's is None without a judge.

    Read from ``file`` where it holds those of the same weights, pictures and ``setting`` (what else decides
    the bits), else computed and written there.
    """
    key = _key(generator, judge, x, setting) if file is not None else ""
    known = _read(file, key) if file is not None else None
    if known is None:
        known = {"translated": run(generator, x)}
        if judge is not None:
            known["judged"] = run(judge, known["translated"])
        if file is not None:
            tensors = {name: tensor.cpu().contiguous() for name, tensor in known.items()}
            write_atomically(file, save(tensors, {"key": key}), over="any")
    placed = {name: tensor.to(x.device) for name, tensor in known.items()}
    return placed["translated"], placed.get("judged")


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
