"""A skeleton and the tensors of a file → a network with the widths and weights of that file.

Every tensor is put into the skeleton with the shape that it has, so slim files are read as wide ones are.
Then numbers of channels are followed through the network from layer to layer: where a tensor has another one,
the file contradicts itself.
"""

from collections.abc import Callable
from functools import partial
from typing import TypeVar

import torch
from torch import Tensor, nn

from ganprune.errors import CheckpointError, Misfit, UnsupportedArchitecture
from ganprune.models.cyclegan import Discriminator, Generator, ResnetBlock
from ganprune.models.layers import COUNT, STATISTICS, Blur, Network, Residual, Tensors
from ganprune.models.traits import norm_of

PRECISIONS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
"""Number formats of weights that are read; all become float32."""

NORMLESS = (
    "neither norms nor biases of hidden layers are in its file: taken as without norms, as CycleGAN's --norm "
    "none; instance norm behind convolutions without biases has the same tensors: compare a picture with "
    "your own program's, and where they differ bring the module: --generator FILE.py:FACTORY"
)
"""Note on a network whose file tells no norm; its options may."""

SUMS = (Residual, ResnetBlock)
"""Modules that add what comes in to what their layers make of it."""

_Network = TypeVar("_Network", Network, Generator, Discriminator)


def fitted(network: _Network, tensors: Tensors) -> _Network:
    """A skeleton made on the device meta, now with copies of the tensors as its weights.

    The network is float32, on the CPU, in eval mode, without gradients, and shares no memory with
    ``tensors``.

    Raises UnsupportedArchitecture for tensors of another network, CheckpointError for those that are missing,
    contradictory in shape, not floating point, or not finite.
    """
    wanted = network.state_dict()
    _check_names(network, wanted, tensors)
    for name, like in wanted.items():
        if not name.endswith(COUNT):
            _check_kernel(name, like, tensors[name])
            _put(network, name, torch.empty(tensors[name].shape, device="meta"))
    _Widths(network).check()
    for name in wanted:
        _put(
            network, name, _count(tensors.get(name)) if name.endswith(COUNT) else _weight(name, tensors[name])
        )
    if norm_of(network) == "none":
        network.notes += (NORMLESS,)
    return network.requires_grad_(False).eval()


def without_relics(tensors: Tensors) -> dict[str, Tensor]:
    """The tensors without running statistics of norms that have neither weights nor biases.

    Instance norm of PyTorch before 0.4 saved them and did not use them; CycleGAN's own code drops them.
    """

    def is_relic(name: str) -> bool:
        norm, _, part = name.rpartition(".")
        return part in STATISTICS and not {f"{norm}.weight", f"{norm}.bias"} & tensors.keys()

    return {name: tensor for name, tensor in tensors.items() if not is_relic(name)}


def _check_names(network: nn.Module, wanted: Tensors, tensors: Tensors) -> None:
    missing = [name for name in wanted if name not in tensors and not name.endswith(COUNT)]
    over = [name for name in tensors if name not in wanted]
    if missing and over:
        raise UnsupportedArchitecture(f"holds {over[0]!r} and lacks {missing[0]}")
    if missing:
        layer = missing[0].rpartition(".")[0]
        is_norm = isinstance(network.get_submodule(layer), nn.InstanceNorm2d | nn.BatchNorm2d)
        if is_norm and not any(name.startswith(f"{layer}.") for name in tensors):
            raise Misfit(f"has no norm at {layer}, where such a network has one")
        raise Misfit(f"lacks {missing[0]}; the file is incomplete or of another network")
    if over:
        raise UnsupportedArchitecture(f"holds {over[0]!r}, which no such network has")


def _check_kernel(name: str, like: Tensor, tensor: Tensor) -> None:
    """Dimensions but the first two are the architecture's; these two are widths."""
    if tensor.ndim != like.ndim or tensor.shape[2:] != like.shape[2:] or tensor.numel() == 0:
        needed = "one number a channel" if like.ndim == 1 else f"filters×{shape(like[0])}"
        if like.ndim == 4:
            needed = f"a {shape(like[0, 0])} kernel"
        raise Misfit(f"{name} has shape {shape(tensor)}, but {needed} was needed")


class _Widths:
    """Follows numbers of channels through a network, and has its layers say them.

    Maps are of 1×1 pixels and nothing is computed: a convolution hands on as many as it has filters, all
    other layers as many as come. Sums and concatenations are the network's own.
    """

    def __init__(self, network: nn.Module) -> None:
        self._network = network
        self._last = ""  # convolution that was met

    def check(self) -> None:
        """Raises CheckpointError where tensors do not fit each other."""
        named = list(self._network.named_modules())
        channels = next(module.weight.shape[1] for _, module in named if isinstance(module, nn.Conv2d))
        stands_in: list[tuple[nn.Module, Callable[[Tensor], Tensor]]] = [
            (module, self._sum(module) if isinstance(module, SUMS) else partial(self._layer, name, module))
            for name, module in named
            if isinstance(module, SUMS) or not any(module.children())
        ]
        for module, forward in stands_in:
            module.forward = forward
        try:
            self._network(torch.empty(1, channels, 1, 1))
        finally:
            for module, _ in stands_in:
                del module.forward

    def _layer(self, name: str, module: nn.Module, x: Tensor) -> Tensor:
        channels = x.shape[1]
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            _fit_conv(name, module, channels)
            self._last = name
            return torch.empty(1, module.out_channels, 1, 1)
        if isinstance(module, nn.PixelShuffle):
            return torch.empty(1, channels // module.upscale_factor**2, 1, 1)
        for part, tensor in (*module.named_parameters(), *module.named_buffers()):
            if tensor.ndim and len(tensor) != channels:
                raise CheckpointError(
                    f"{name}.{part} has shape {shape(tensor)}, but the maps that it is for have "
                    f"{channels} channels, those of {self._last}.weight"
                )
        if isinstance(module, Blur):
            module.channels = channels
        elif isinstance(module, nn.BatchNorm2d | nn.InstanceNorm2d):
            module.num_features = channels
        return x

    def _sum(self, block: Residual | ResnetBlock) -> Callable[[Tensor], Tensor]:
        inside = block.conv_block if isinstance(block, ResnetBlock) else partial(nn.Sequential.forward, block)

        def forward(x: Tensor) -> Tensor:
            if inside(x).shape != x.shape:
                weight = self._network.get_parameter(f"{self._last}.weight")
                raise CheckpointError(
                    f"{self._last}.weight has shape {shape(weight)}, but the residual sums need "
                    f"{x.shape[1]} filters"
                )
            return x

        return forward


def _fit_conv(name: str, conv: nn.Conv2d | nn.ConvTranspose2d, channels: int) -> None:
    filters, reads = conv.weight.shape[:2]
    if isinstance(conv, nn.ConvTranspose2d):
        filters, reads = reads, filters
    if reads != channels:
        raise CheckpointError(
            f"{name}.weight has shape {shape(conv.weight)}, "
            f"but the maps that it reads have {channels} channels"
        )
    if conv.bias is not None and len(conv.bias) != filters:
        raise CheckpointError(
            f"{name}.bias has shape {shape(conv.bias)}, but {name}.weight has {filters} filters"
        )
    conv.in_channels, conv.out_channels = reads, filters


def _weight(name: str, tensor: Tensor) -> Tensor:
    if tensor.dtype not in PRECISIONS:
        raise CheckpointError(f"{name} is {str(tensor.dtype).removeprefix('torch.')}, not floating point")
    weight = tensor.detach().to("cpu", torch.float32, copy=True).contiguous()
    if not weight.isfinite().all():
        raise CheckpointError(f"{name} holds NaN or infinite values; take an epoch from before that")
    if name.endswith(".running_var") and bool((weight < 0).any()):
        raise CheckpointError(f"{name} holds negative variances; the file is damaged")
    return weight


def _count(found: Tensor | None) -> Tensor:
    if found is None or found.numel() != 1 or found.is_floating_point() or found.is_complex():
        return torch.tensor(0)
    return found.detach().reshape(()).to("cpu", torch.int64, copy=True)


def _put(network: nn.Module, name: str, tensor: Tensor) -> None:
    path, _, leaf = name.rpartition(".")
    module = network.get_submodule(path)
    is_buffer = leaf in dict(module.named_buffers(recurse=False))
    setattr(module, leaf, tensor if is_buffer else nn.Parameter(tensor, requires_grad=False))


def shape(tensor: Tensor) -> str:
    """E.g. 64×3×7×7."""
    return "×".join(str(size) for size in tensor.shape) or "()"
