"""What any network can be asked: channels in and out, sizes of pictures, norms, what it is shown."""

from collections.abc import Iterable, Mapping
from math import lcm
from typing import Literal

import torch
from torch import Tensor, nn

from ganprune.channels import graph_of
from ganprune.images.sizes import STEP

LARGEST = 1024
"""Pixels; pictures that a discriminator needs are looked for up to here."""
_SEES: Mapping[str, tuple[Literal["A", "B"], ...]] = {
    "G": ("A", "B"), "G_A": ("A", "B"), "G_B": ("B", "A"), "D_A": ("B",), "D_B": ("A",),
}  # fmt: skip
"""The domain that a network reads, and the one that it draws."""


def channels_of(network: nn.Module) -> tuple[int, int]:
    """Channels of the pictures that go in and come out; of a discriminator's map, 1."""
    graph = graph_of(network)
    return graph.inputs, graph.outputs


def sees_both(discriminator: nn.Module, generator: nn.Module) -> bool:
    """Whether a discriminator judges a generator's output together with its input, as pix2pix's do."""
    return channels_of(discriminator)[0] == sum(channels_of(generator))


def discriminator_input(discriminator: nn.Module, input: Tensor, output: Tensor) -> Tensor:
    """What a discriminator is shown of a translation: the output, or the input with it where it sees both.

    input, output: [n, c, h, w] and [n, c', h, w] → [n, c', h, w] or [n, c + c', h, w], as many channels as
    its first convolution reads. Source: Isola et al., "pix2pix", CVPR 2017, equation 1.
    """
    reads = next((m.in_channels for m in discriminator.modules() if isinstance(m, nn.Conv2d)), None)
    if reads in (None, output.shape[1]):
        return output
    output_first = getattr(discriminator, "output_first", False)
    return torch.cat([output, input] if output_first else [input, output], 1)


def channels_by_domain(networks: Mapping[str, nn.Module]) -> dict[Literal["A", "B"], int]:
    """Channels of the pictures of A and of B, as G_A (or G), G_B, D_A and D_B see them; those that are told.

    A discriminator that sees a generator's input and output (`sees_both`) tells nothing of its own.

    Raises `ValueError`, with what each sees, where networks do not agree.
    """
    seen: dict[Literal["A", "B"], dict[str, int]] = {"A": {}, "B": {}}
    for name, network in networks.items():
        judged = networks.get(name.replace("D", "G")) if name.startswith("D") else None
        if judged is not None and sees_both(network, judged):
            continue
        for domain, channels in zip(_SEES[name], channels_of(network), strict=False):
            seen[domain][name] = channels
    for domain, channels in seen.items():
        if len(set(channels.values())) > 1:
            told = ", ".join(f"{name} {count}" for name, count in channels.items())
            raise ValueError(f"pictures of {domain} have different numbers of channels: {told}")
    return {domain: next(iter(channels.values())) for domain, channels in seen.items() if channels}


def stride_of(networks: Iterable[nn.Module]) -> int:
    """Heights and widths of pictures that all of them take are multiples of this."""
    return lcm(STEP, *(graph_of(network).stride for network in networks))


def widths_of(network: nn.Module) -> dict[str, int]:
    """What files say of a network: filters of every group, and ``in_channels`` and ``out_channels``."""
    graph = graph_of(network)
    return {**graph.sizes, "in_channels": graph.inputs, "out_channels": graph.outputs}


def norm_of(network: nn.Module) -> str:
    """Kinds of its norms: instance, affine-instance, batch, group; none; or several, joined by ``+``."""
    found = set[str]()
    for module in network.modules():
        if isinstance(module, nn.InstanceNorm2d):
            found.add("affine-instance" if module.affine else "instance")
        elif isinstance(module, nn.BatchNorm2d):
            found.add("batch")
        elif isinstance(module, nn.GroupNorm):
            found.add("group")
    return "+".join(sorted(found)) or "none"


def smallest_picture(network: nn.Module) -> int:
    """Height and width, pixels, below which a map becomes too small for a convolution or a norm.

    Raises `ValueError` where no picture of up to `LARGEST` pixels will do.
    """
    channels, like = channels_of(network)[0], next(network.parameters())

    @torch.no_grad()
    def takes(side: int) -> bool:
        try:
            network(like.new_zeros(1, channels, side, side))
        except (RuntimeError, ValueError):
            return False
        return True

    high = 16
    while not takes(high):
        high *= 2
        if high > LARGEST:
            raise ValueError(f"the network takes no picture of up to {LARGEST}×{LARGEST} pixels")
    low = 0
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if takes(middle) else (middle, high)
    return high
