"""Tensors to networks: which kind they are of, how wide every layer is, and what contradicts itself.

A CycleGAN checkpoint carries no options, so everything is read from the names and shapes of its
tensors. Names: pytorch-CycleGAN-and-pix2pix, ``networks.py``; they count every module of a
``Sequential``, norms, dropout and activations too.
"""

import re
from collections.abc import Callable, Mapping
from typing import Literal

import torch
from torch import Tensor, nn

from ganprune import models
from ganprune.channels.blocks import CONSTANT, Removed
from ganprune.checkpoints.contents import split_block_name, split_dropout, split_relics
from ganprune.checkpoints.norms import norm_of
from ganprune.errors import CheckpointError, Misfit, UnsupportedArchitecture
from ganprune.models.cyclegan import (
    Discriminator,
    DiscriminatorWidths,
    Generator,
    resnet_widths,
)
from ganprune.models.fitting import fitted, shape

Role = Literal["generator", "discriminator"]  # what a network is for


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
    numbers = _numbers(used, rf"model\.(\d{{1,6}})\.(?:conv_block\.|{CONSTANT}$)")
    blocks = len(_gapless(numbers, "model.{}.conv_block.1", start=10))
    gone = [i for i in range(blocks) if f"model.{10 + i}.{CONSTANT}" in used]
    places = tuple(f"model.{10 + i}." for i in gone)
    with torch.device("meta"):  # no weights are drawn, so no random state is touched
        layers = Generator(resnet_widths(1, blocks)).named_modules()
        convs = [key for key, layer in layers if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)][:-1]
        norm = norm_of(used, [key for key in convs if not key.startswith(places)])
        skeleton = Generator(resnet_widths(1, blocks), norm)
        for i in gone:
            skeleton.model[10 + i] = Removed.like(used[f"model.{10 + i}.{CONSTANT}"])
    generator = fitted(skeleton, used)
    generator.block_name = block_name
    return generator


def discriminator_from_tensors(tensors: Mapping[str, Tensor]) -> nn.Module:
    """The discriminator of any family, of the widths, the depth and the norm that the tensors tell.

    Same promises and errors as `generator_from_tensors`.
    """
    return _read(tensors, "discriminator", patchgan_from_tensors, models.read_discriminator)


def patchgan_from_tensors(tensors: Mapping[str, Tensor]) -> Discriminator:
    """CycleGAN's PatchGAN; as `generator_from_tensors`."""
    used = _of_role(tensors, "discriminator")
    keys = ["model.0", *_gapless(_numbers(used, r"model\.(\d{1,6})\."), "model.{}", start=2, step=3)]
    if len(keys) < 3:
        raise Misfit(f"a discriminator of {len(keys)} convolutions, at least 3 were needed")
    norm = norm_of(used, keys[1:-1])
    weights = [used.get(f"{key}.weight", torch.empty(0)) for key in keys]
    filters = tuple(max(1, len(weight)) for weight in weights[:-1])
    channels = weights[0].shape[1] if weights[0].ndim == 4 else 1
    with torch.device("meta"):
        discriminator = fitted(Discriminator(DiscriminatorWidths(filters, channels), norm), used)
    if len(weights[-1]) != 1:
        raise Misfit(
            f"{keys[-1]}.weight has shape {shape(weights[-1])}, but the last layer of a PatchGAN has 1 filter"
        )
    return discriminator


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
            "students, which are slim already); to compress or export it, bring its module: "
            "--generator FILE.py:FACTORY"
        )
    try:
        return cyclegan(tensors)
    except CheckpointError as error:
        try:
            return any_family(tensors)
        except CheckpointError as other:
            first = "model.1.weight" if role == "generator" else "model.0.weight"
            own = first in tensors and not any(name.endswith(".filt") for name in tensors)
            told = error if own and not isinstance(error, UnsupportedArchitecture) else other
            if own and isinstance(told, UnsupportedArchitecture):
                told = models.unknown(role, tensors, f"; taken as CycleGAN's, it {error}")
            elif isinstance(told, Misfit):
                told = Misfit(f"{told}; {models.described(role, tensors)}")
            raise told from None


def _of_role(tensors: Mapping[str, Tensor], needed: Role) -> dict[str, Tensor]:
    used, _ = split_relics(tensors)
    found = role_of(used)
    if found != needed:
        raise CheckpointError(f"holds a {found}, a {needed} was needed")
    return used


def _numbers(tensors: Mapping[str, Tensor], pattern: str) -> set[int]:
    return {int(found[1]) for name in tensors if (found := re.match(pattern, name, re.ASCII))}


def _gapless(numbers: set[int], template: str, start: int, step: int = 1) -> list[str]:
    """Keys of the layers from ``start`` to the highest number; the first gap is an error."""
    keys: list[str] = []
    for number in range(start, max(numbers, default=0) + 1, step):
        keys.append(template.format(number))
        if number not in numbers:
            raise Misfit(f"lacks {keys[-1]}.weight; the file is incomplete or of another network")
    return keys
