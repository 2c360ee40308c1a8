"""A convolution as a matrix: output = W · patches + bias, at any positions of its output.

A transposed convolution is an ordinary one, of stride 1 and with a mirrored kernel, of its input with zeros
between the pixels (Dumoulin & Visin, "A guide to convolution arithmetic", arXiv 1603.07285, section 4).
"""

from collections import Counter
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from ganprune.channels import ChannelGraph, Layer

Convolution = nn.Conv2d | nn.ConvTranspose2d


def refittable(network: nn.Module, graph: ChannelGraph) -> dict[str, Layer]:
    """The layers that are refitted, by name: ordinary convolutions of modules of their own, used once."""
    uses = Counter(layer.weight for layer in graph.layers)
    found = dict[str, Layer]()
    for layer in graph.layers:
        if layer.weight == f"{layer.name}.weight" and uses[layer.weight] == 1:
            module = network.get_submodule(layer.name)
            if isinstance(module, Convolution) and module.groups == 1:
                found[layer.name] = layer
    return found


def norm_of(network: nn.Module, graph: ChannelGraph, name: str) -> nn.Module | None:
    """The norm that alone reads a convolution's output, and nothing else, in a network or in a slim one."""
    behind = {layer.name: layer.norm for layer in graph.layers}
    norm = behind[name]
    return network.get_submodule(norm) if norm and [*behind.values()].count(norm) == 1 else None


Means = Literal["picture", "all", "none"]
"""What makes up for a constant that is added to a convolution's output, and so need not be fitted. picture: a
norm takes away the mean of every picture. all: a bias, or a norm's running statistics, that of all pictures.
none: nothing, the weights have to be right about it."""


def means(conv: Convolution, norm: nn.Module | None) -> Means:
    """norm: the module that alone reads the convolution's output; any module, or None."""
    if isinstance(norm, nn.InstanceNorm2d | nn.BatchNorm2d):
        if norm.running_mean is None:
            return "picture"
        if isinstance(norm, nn.BatchNorm2d):
            return "all"
    return "none" if conv.bias is None else "all"


def matrix(conv: Convolution) -> Tensor:
    """W: [filters, channels · kernel height · kernel width], a view where that is possible."""
    weight = conv.weight
    if isinstance(conv, nn.ConvTranspose2d):  # [in, out, k, k] → [out, in, k, k], mirrored
        weight = weight.transpose(0, 1).flip(-2, -1)
    return weight.flatten(1)


@torch.no_grad()
def put_matrix(conv: Convolution, W: Tensor) -> None:
    """Make W the weights of a convolution: the reverse of `matrix`."""
    kernel = conv.kernel_size
    weight = W.view(conv.out_channels, conv.in_channels, kernel[0], kernel[1])
    if isinstance(conv, nn.ConvTranspose2d):
        weight = weight.flip(-2, -1).transpose(0, 1)
    conv.weight.copy_(weight)


def patches(conv: Convolution, x: Tensor, positions: Tensor, padded: bool = False) -> Tensor:
    """What the filters see of one picture's map: x [channels, h, w] → [channels · kh · kw, n].

    positions: int64 [n], places of the output map, counted row by row. padded: x has its border already.
    """
    kernel = conv.kernel_size
    if isinstance(conv, nn.ConvTranspose2d):
        x, stride = _stuffed(conv, x), (1, 1)
    else:
        x, stride = x if padded else _padded(conv, x), (conv.stride[0], conv.stride[1])
    rows, columns = conv.dilation
    height, width = rows * (kernel[0] - 1) + 1, columns * (kernel[1] - 1) + 1
    seen = x.unfold(1, height, stride[0]).unfold(2, width, stride[1])  # [channels, H, W, kh, kw]
    seen = seen[..., ::rows, ::columns]
    rows, columns = positions // seen.shape[2], positions % seen.shape[2]
    return seen[:, rows, columns].permute(0, 2, 3, 1).flatten(0, 2)


def _padded(conv: nn.Conv2d, x: Tensor) -> Tensor:
    """x with the border that the convolution itself adds."""
    if conv.padding == "valid":
        return x
    around = conv._reversed_padding_repeated_twice  # pyright: ignore[reportPrivateUsage]
    mode = "constant" if conv.padding_mode == "zeros" else conv.padding_mode
    return pad(x[None], around, mode)[0]


def _stuffed(conv: nn.ConvTranspose2d, x: Tensor) -> Tensor:
    """x with zeros between its pixels and around, as the convolution of stride 1 needs it."""
    channels, height, width = x.shape
    (sh, sw), (kh, kw) = conv.stride, conv.kernel_size
    wide = x.new_zeros(channels, (height - 1) * sh + 1, (width - 1) * sw + 1)
    wide[:, ::sh, ::sw] = x
    assert not isinstance(conv.padding, str)
    top, left = kh - 1 - conv.padding[0], kw - 1 - conv.padding[1]
    bottom, right = top + conv.output_padding[0], left + conv.output_padding[1]
    return pad(wide, (left, right, top, bottom))
