"""From whatever a file holds to one flat dict of tensors under CycleGAN's names.

Undone here: wrappers (``{"state_dict": …, "epoch": …}``), prefixes that ``DataParallel`` and
``torch.compile`` put before every name, and relics: InstanceNorm layers of PyTorch before 0.4 saved
running statistics that they do not use.
"""

from collections.abc import Mapping
from typing import cast

from torch import Tensor

from ganprune.errors import CheckpointError

WRAPPERS = ("state_dict", "model_state_dict")
"""Entries under which training scripts keep a state dict beside other things."""

PREFIXES = ("module.", "_orig_mod.")
"""Put before every name by ``DataParallel`` and by ``torch.compile``, in either order."""

RELICS = ("running_mean", "running_var", "num_batches_tracked")
"""Last parts of the names of running statistics."""


def flat_tensors(held: object) -> dict[str, Tensor]:
    """The one state dict in what a file holds, without wrappers and prefixes.

    Raises CheckpointError when it holds something else.
    """
    for wrapper in WRAPPERS:
        if isinstance(held, Mapping) and wrapper in held:
            held = cast("Mapping[str, object]", held)[wrapper]
    if not isinstance(held, Mapping):
        raise CheckpointError(f"holds a {type(held).__name__}, a state dict was needed")
    entries = cast("Mapping[object, object]", held)
    for name, value in entries.items():
        if not isinstance(value, Tensor):
            raise CheckpointError(
                f"holds a {type(value).__name__} as {name!r}, a state dict has tensors alone; "
                "save the network's state_dict() by itself"
            )
    tensors = {str(name): cast("Tensor", value) for name, value in entries.items()}
    if not tensors:
        raise CheckpointError("holds no tensors")
    return _without_prefixes(tensors)


def split_relics(tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """The tensors that a network uses, and the names of the running statistics beside them."""
    relics = tuple(name for name in tensors if name.rpartition(".")[2] in RELICS)
    return {name: tensor for name, tensor in tensors.items() if name not in relics}, relics


def _without_prefixes(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    for prefix in PREFIXES:
        if all(name.startswith(prefix) for name in tensors):
            return _without_prefixes({name.removeprefix(prefix): t for name, t in tensors.items()})
    return tensors
