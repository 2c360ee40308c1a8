"""From whatever a file holds to one flat dict of tensors under CycleGAN's names.

Undone here: wrappers (``{"state_dict": …, "epoch": …}``), prefixes that ``DataParallel``, ``torch.compile``
and Lightning put before every name, relics (InstanceNorm layers of PyTorch before 0.4 saved running
statistics that they do not use), the numbers that dropout shifts, and other names of the layers inside
residual blocks.
"""

import re
from collections.abc import Iterable, Mapping
from typing import TypeVar, cast

from torch import Tensor

from ganprune.checkpoints.formats.pickles import PlainValue
from ganprune.errors import CheckpointError
from ganprune.storage.tables import listed

_T = TypeVar("_T")

WRAPPERS = ("state_dict", "model_state_dict", "model")
"""Entries under which training scripts keep a state dict beside other things."""

_NAMED = re.compile(
    r"(?P<prefix>(?:[^.]{1,64}\.){0,8}?)(?P<own>(?:model|net)\.\d{1,6}\..+)", re.ASCII | re.DOTALL
)
"""A tensor's name in one of CycleGAN's networks, whatever stands before it."""

_LEVEL = re.compile(r"model\.\d\.model\.", re.ASCII)
"""The name of a tensor in a U-Net's second level begins so."""

_WRAPPED = re.compile(r"(?:(?:module|_orig_mod)\.){1,4}", re.ASCII)
"""Put before every name by ``DataParallel`` and by ``torch.compile``."""

STATISTICS = ("running_mean", "running_var", "num_batches_tracked")
"""Last parts of the names of running statistics."""

_COUNTERS = ("total_ops", "total_params")
"""What the package thop leaves in every module whose arithmetic it counted."""

BLOCK = "conv_block"
"""CycleGAN's name of the layers inside a residual block."""

_INSIDE = re.compile(r"(model\.\d{1,6}\.)([A-Za-z_]\w{0,63})(\.\d{1,6}\.\w+)", re.ASCII)
_SECOND = re.compile(r"(?P<block>model\.\d{1,6}\.conv_block)\.6\.weight", re.ASCII)
_SHIFTED = re.compile(r"(?P<block>model\.\d{1,6}\.conv_block)\.(?P<number>[67])\.(?P<part>\w+)", re.ASCII)


def flat_tensors(held: object) -> dict[str, Tensor]:
    """The one state dict in what a file holds, without wrappers, what lies beside it, and prefixes.

    Raises CheckpointError when it holds something else.
    """
    for wrapper in WRAPPERS:
        if isinstance(held, Mapping) and wrapper in held:
            held = cast("Mapping[str, object]", held)[wrapper]
    if not isinstance(held, Mapping):
        raise CheckpointError(
            f"holds a {type(held).__name__}, a state dict was needed; save the network's state_dict()"
        )
    entries = cast("Mapping[object, object]", held)
    inside = {name: value for name, value in entries.items() if _starts_with_tensor(value)}
    if len(inside) == 1 and not any(isinstance(value, Tensor) for value in entries.values()):
        (entries,) = cast("Iterable[Mapping[object, object]]", inside.values())
    entries = {name: value for name, value in entries.items() if not _counts(str(name), value)}
    for name, value in entries.items():
        if not isinstance(value, Tensor):
            kind = "NumPy value" if isinstance(value, PlainValue) else type(value).__name__
            one = "the network's state_dict()"
            if len(inside) > 1:
                one = f"one of {listed([*map(repr, inside)], 4)}"
            raise CheckpointError(
                f"holds a {kind} as {name!r}, a state dict has tensors alone; save {one} by itself"
            )
    tensors = {str(name): cast("Tensor", value) for name, value in entries.items()}
    if not tensors:
        raise CheckpointError("holds no tensors; save the network's state_dict()")
    return without_prefix(tensors)


def _counts(name: str, value: object) -> bool:
    """Whether it is no weight but an epoch, a step or the like beside the weights."""
    if isinstance(value, Tensor):
        if name.rpartition(".")[2] in _COUNTERS:
            return True
        return value.ndim == 0 and not value.is_floating_point() and not name.endswith("num_batches_tracked")
    return isinstance(value, int | float)


def split_relics(tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """The tensors that a network uses, and the names of the running statistics beside them.

    Batch norm uses its running statistics. It is told from instance norm by weights of its own.
    """

    def is_relic(name: str) -> bool:
        norm, _, part = name.rpartition(".")
        return part in STATISTICS and not _is_vector(tensors.get(f"{norm}.weight"))

    relics = tuple(name for name in tensors if is_relic(name))
    dropped = set(relics)
    return {name: tensor for name, tensor in tensors.items() if name not in dropped}, relics


def split_dropout(tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], bool]:
    """The tensors under the names that they have without dropout, and whether there was any.

    CycleGAN counts a dropout layer between the two convolutions of a residual block, so the second
    is ``conv_block.6`` instead of ``conv_block.5``, and the norm after it 7 instead of 6.
    """
    found = (_SECOND.fullmatch(name) for name, tensor in tensors.items() if tensor.ndim > 1)
    blocks = {match["block"] for match in found if match}
    blocks = {block for block in blocks if f"{block}.5.weight" not in tensors}

    def plain(name: str) -> str:
        match = _SHIFTED.fullmatch(name) if blocks else None
        if match is None or match["block"] not in blocks:
            return name
        return f"{match['block']}.{int(match['number']) - 1}.{match['part']}"

    return {plain(name): tensor for name, tensor in tensors.items()}, bool(blocks)


def split_block_name(tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], str]:
    """The tensors under CycleGAN's names, and what they call the layers inside residual blocks.

    Others call them e.g. ``model.10.block.1.weight``. Tensors with several such names stay as they are.
    """
    inside = {name: found for name in tensors if (found := _INSIDE.fullmatch(name))}
    called = {found[2] for found in inside.values()}
    if len(called) != 1:
        return dict(tensors), BLOCK
    plain = {name: f"{found[1]}{BLOCK}{found[3]}" for name, found in inside.items()}
    return {plain.get(name, name): tensor for name, tensor in tensors.items()}, called.pop()


def prefix_of(name: str) -> tuple[str, str]:
    """What stands before a tensor's own name, without the last dot, and that name: by its structure.

    ``nets.gen_ab.model.1.weight`` → ``nets.gen_ab``, ``model.1.weight``. Of a name that no network of
    CycleGAN has, the part before the first dot.
    """
    found = _NAMED.fullmatch(name)
    if found:
        return found["prefix"].removesuffix("."), found["own"]
    first, _, rest = _WRAPPED.sub("", name, count=1).partition(".")
    return first, rest


def without_prefix(tensors: Mapping[str, _T]) -> dict[str, _T]:
    """The same under names without what stands before all of them."""
    named = [prefix_of(name) for name in tensors if _NAMED.fullmatch(name)]
    prefixes = {prefix for prefix, _ in named}
    if len(named) == len(tensors) and len(prefixes) == 1:
        # A U-Net's own names begin with two parts, the second one of all its levels.
        first = prefixes.pop().rpartition(".")[2]
        is_unet = first.endswith("model") and any(_LEVEL.match(own) for _, own in named)
        before = f"{first}." if is_unet else ""
        return {before + own: tensor for (_, own), tensor in zip(named, tensors.values(), strict=True)}
    if all(map(_WRAPPED.match, tensors)):
        return {_WRAPPED.sub("", name, count=1): tensor for name, tensor in tensors.items()}
    return dict(tensors)


def _starts_with_tensor(held: object) -> bool:
    values = cast("Mapping[object, object]", held).values() if isinstance(held, Mapping) else ()
    return isinstance(next(iter(values), None), Tensor)


def _is_vector(tensor: Tensor | None) -> bool:
    return tensor is not None and tensor.ndim == 1
