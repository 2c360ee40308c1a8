"""Tensors to networks: which kind they are of, how wide every layer is, and what contradicts itself.

A CycleGAN checkpoint carries no options, so everything is read from the names and shapes of its
tensors. Names: pytorch-CycleGAN-and-pix2pix, ``networks.py``; they count every module of a
``Sequential``, norms, dropout and activations too.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, TypeVar

import torch
from torch import Tensor, nn

from ganprune import models
from ganprune.channels.blocks import CONSTANT, Removed
from ganprune.checkpoints.contents import split_block_name, split_dropout, split_relics
from ganprune.checkpoints.norms import COUNT, batches_seen, check_variances, norm_of, vectors
from ganprune.errors import CheckpointError, UnsupportedArchitecture
from ganprune.models.cyclegan import (
    Discriminator,
    DiscriminatorWidths,
    Generator,
    Norm,
    generator_convs,
    norm_key,
    resnet_widths,
)

Role = Literal["generator", "discriminator"]
"""What a network is for."""

PRECISIONS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
"""Number formats of weights that are read; all become float32."""

_N = TypeVar("_N", Generator, Discriminator)


def role_of(tensors: Mapping[str, Tensor]) -> Role:
    """What the tensors' names say the network is for.

    Raises UnsupportedArchitecture for names of no family.
    """
    found = models.role_of(tensors)
    if found is not None:
        return found
    if "model.1.weight" in tensors or any(".conv_block." in name for name in tensors):
        return "generator"
    if "model.0.weight" in tensors:
        return "discriminator"
    raise models.unknown("network", tensors)


def generator_from_tensors(tensors: Mapping[str, Tensor]) -> nn.Module:
    """The generator of any family, of the widths, the number of blocks and the norm that the tensors tell.

    The network is float32, on the CPU, in eval mode, without gradients, and shares no memory with
    ``tensors``. Running statistics that no norm uses are left out, and so is dropout, which does
    nothing in eval mode.

    Raises UnsupportedArchitecture for networks of another kind, CheckpointError for tensors that
    are missing, left over, contradictory in shape, not floating point, or not finite.
    """
    return _read(tensors, "generator", resnet_from_tensors, models.read_generator)


def resnet_from_tensors(tensors: Mapping[str, Tensor]) -> Generator:
    """CycleGAN's ResNet; as `generator_from_tensors`."""
    used, block_name = split_block_name(_of_role(tensors, "generator"))
    used, _ = split_dropout(used)
    blocks = _count_blocks(used)
    gone = [i for i in range(blocks) if f"model.{10 + i}.{CONSTANT}" in used]
    convs = [conv for conv in generator_convs(blocks) if not conv.key.startswith(_places(gone))]
    norm = norm_of(used, [conv.key for conv in convs if conv.norm_key])
    norms: dict[str, Norm | None] = {conv.key: norm if conv.norm_key else None for conv in convs}
    _check_names({name: t for name, t in used.items() if not name.startswith(_places(gone))}, norms)
    groups = {f"inner{i}": 0 for i in gone}
    in_channels = out_channels = 0
    for conv in convs:
        inputs, filters = _channels(used, conv.key, conv.kernel, norms[conv.key], conv.transposed)
        if conv.source is None:
            in_channels = inputs
        elif inputs != groups[conv.source]:
            raise _contradiction(used, conv.key, f"the layer before has {groups[conv.source]} filters")
        if conv.target is None:
            out_channels = filters
        elif filters != groups.setdefault(conv.target, filters):
            raise _contradiction(used, conv.key, f"the residual sums need {groups[conv.target]} filters")
    widths = resnet_widths(1, blocks, in_channels, out_channels).with_groups(groups)
    with torch.device("meta"):  # no weights are drawn, so no random state is touched
        generator = Generator(widths, norm)
        for i in gone:
            generator.model[10 + i] = _left_of(used, f"model.{10 + i}", widths.trunk)
    generator.block_name = block_name
    return _filled(generator, used)


def discriminator_from_tensors(tensors: Mapping[str, Tensor]) -> nn.Module:
    """The discriminator of any family, of the widths, the depth and the norm that the tensors tell.

    Same promises and errors as `generator_from_tensors`.
    """
    return _read(tensors, "discriminator", patchgan_from_tensors, models.read_discriminator)


def patchgan_from_tensors(tensors: Mapping[str, Tensor]) -> Discriminator:
    """CycleGAN's PatchGAN; as `generator_from_tensors`."""
    used = _of_role(tensors, "discriminator")
    keys = ["model.0", *_gapless(_numbers(used, r"model\.(\d{1,6})\."), "model.{}", start=2, step=3)]
    norm = norm_of(used, keys[1:-1])
    norms: dict[str, Norm | None] = dict.fromkeys(keys[1:-1], norm)
    norms = {keys[0]: None, **norms, keys[-1]: None}
    _check_names(used, norms)
    filters: list[int] = []
    in_channels = 0
    for key in keys:
        inputs, outputs = _channels(used, key, 4, norms[key])
        if not filters:
            in_channels = inputs
        elif inputs != filters[-1]:
            raise _contradiction(used, key, f"the layer before has {filters[-1]} filters")
        filters.append(outputs)
    if len(filters) < 3:
        raise CheckpointError(f"a discriminator of {len(filters)} convolutions, at least 3 were needed")
    if filters.pop() != 1:
        raise _contradiction(used, keys[-1], "the last layer of a PatchGAN has 1 filter")
    with torch.device("meta"):
        discriminator = Discriminator(DiscriminatorWidths(tuple(filters), in_channels), norm)
    return _filled(discriminator, used)


def _read(
    tensors: Mapping[str, Tensor],
    role: Role,
    cyclegan: Callable[[Mapping[str, Tensor]], nn.Module],
    any_family: Callable[[Mapping[str, Tensor]], nn.Module],
) -> nn.Module:
    """By CycleGAN's own reader, else by those of the other families.

    What none can read is told by CycleGAN's where the names are its own.
    """
    if any(re.search(r"conv_block\.\d+\.conv\.", name) for name in tensors):
        raise UnsupportedArchitecture(
            "a generator with separable residual blocks (depthwise convolutions, as GAN Compression's "
            "students); it is slim already: to export it, bring its module, --generator FILE.py:FACTORY"
        )
    try:
        return cyclegan(tensors)
    except CheckpointError as error:
        try:
            return any_family(tensors)
        except CheckpointError as other:
            first = "model.1.weight" if role == "generator" else "model.0.weight"
            own = first in tensors and not any(name.endswith(".filt") for name in tensors)
            raise (error if own and not isinstance(error, UnsupportedArchitecture) else other) from None


def _of_role(tensors: Mapping[str, Tensor], needed: Role) -> dict[str, Tensor]:
    used, _ = split_relics(tensors)
    found = role_of(used)
    if found != needed:
        raise CheckpointError(f"holds a {found}, a {needed} was needed")
    return used


def _count_blocks(tensors: Mapping[str, Tensor]) -> int:
    """With those that were taken out, of which a tensor is left."""
    numbers = _numbers(tensors, rf"model\.(\d{{1,6}})\.(?:conv_block\.|{CONSTANT}$)")
    return len(_gapless(numbers, "model.{}.conv_block.1", start=10))


def _places(blocks: Sequence[int]) -> tuple[str, ...]:
    return tuple(f"model.{10 + i}." for i in blocks)


def _left_of(tensors: Mapping[str, Tensor], block: str, trunk: int) -> Removed:
    """Of a block that was taken out: nothing, or a constant a channel."""
    name = f"{block}.{CONSTANT}"
    over = [key for key in tensors if key.startswith(f"{block}.") and key != name]
    if over:
        raise CheckpointError(f"holds {over[0]!r} of a block that is taken out, as {name} says")
    shape = tensors[name].shape
    if shape not in ((), (trunk, 1, 1)):
        raise CheckpointError(f"{name} has shape {_shape(tensors[name])}, but {trunk}×1×1 was needed")
    return Removed(torch.empty(trunk) if shape else None)


def _numbers(tensors: Mapping[str, Tensor], pattern: str) -> set[int]:
    return {int(found[1]) for name in tensors if (found := re.match(pattern, name, re.ASCII))}


def _gapless(numbers: set[int], template: str, start: int, step: int = 1) -> list[str]:
    """Keys of the layers from ``start`` to the highest number; the first gap is an error."""
    keys: list[str] = []
    for number in range(start, max(numbers, default=0) + 1, step):
        keys.append(template.format(number))
        if number not in numbers:
            raise CheckpointError(f"lacks {keys[-1]}.weight; the file is incomplete")
    return keys


def _check_names(tensors: Mapping[str, Tensor], norms: Mapping[str, Norm | None]) -> None:
    """``norms``: what follows each convolution, None after the first and the last of a network."""
    expected = [name for key, norm in norms.items() for name in (f"{key}.weight", *vectors(key, norm))]
    for name in expected:
        if name not in tensors:
            raise CheckpointError(f"lacks {name}; the file is incomplete")
    known = {*expected, *(f"{norm_key(key)}.{COUNT}" for key, norm in norms.items() if norm == "batch")}
    for name in tensors:
        if name not in known:
            raise CheckpointError(f"holds {name!r}, which no such network has")


def _channels(
    tensors: Mapping[str, Tensor], key: str, kernel: int, norm: Norm | None, transposed: bool = False
) -> tuple[int, int]:
    """Input channels and filters of a convolution, after a look at its kernel, its bias and its norm."""
    weight = tensors[f"{key}.weight"]
    if weight.ndim != 4 or weight.shape[2:] != (kernel, kernel) or weight.numel() == 0:
        raise _contradiction(tensors, key, f"a {kernel}×{kernel} kernel was needed")
    outputs, inputs = weight.shape[:2]
    if transposed:
        inputs, outputs = outputs, inputs
    for name in vectors(key, norm):
        if tensors[name].shape != (outputs,):
            raise CheckpointError(
                f"{name} has shape {_shape(tensors[name])}, but {key}.weight has {outputs} filters"
            )
    return inputs, outputs


def _contradiction(tensors: Mapping[str, Tensor], key: str, needed: str) -> CheckpointError:
    return CheckpointError(f"{key}.weight has shape {_shape(tensors[f'{key}.weight'])}, but {needed}")


def _shape(tensor: Tensor) -> str:
    return "×".join(str(size) for size in tensor.shape) or "()"


def _filled(network: _N, tensors: Mapping[str, Tensor]) -> _N:
    """A network made on the meta device, now with copies of the tensors as its weights."""
    weights: dict[str, Tensor] = {}
    for name in network.state_dict():
        if name.endswith(COUNT):
            weights[name] = batches_seen(tensors, name)
            continue
        tensor = tensors[name]
        if tensor.dtype not in PRECISIONS:
            raise CheckpointError(f"{name} is {str(tensor.dtype).removeprefix('torch.')}, not floating point")
        weights[name] = tensor.detach().to("cpu", torch.float32, copy=True).contiguous()
        if not weights[name].isfinite().all():
            raise CheckpointError(f"{name} holds NaN or infinite values; take an epoch from before that")
        check_variances(name, weights[name])
    network.load_state_dict(weights, assign=True)
    return network.requires_grad_(False).eval()
