"""From a genome to a network: a physically slim one, and its masked dense twin.

Instance norm without parameters maps a channel of zeros to zeros, so a filter whose weights *and*
bias are zeroed contributes nothing, through residual sums too: the masked twin and the slim network
compute the same pictures. A zeroed filter that keeps its bias would leave about 1e-6 behind. Batch norm
maps zeros to a shift of its own, so there the norm's weights are zeroed too.
"""

import copy
from collections.abc import Iterable, Mapping
from typing import TypeVar

import torch
from torch import Tensor, nn

from ganprune.genome import Layout
from ganprune.networks import Conv, Generator, generator_convs

_Module = TypeVar("_Module", bound=nn.Module)


def rebuilt(generator: Generator, layout: Layout, genome: Tensor) -> Generator:
    """The slim generator that a genome describes: slices of the weights, nothing retrained.

    genome: bool [L], at least one bit in every gene. The result shares no memory with ``generator``
    and has its device and precision. Raises `ValueError` for a layout of other widths, or an empty gene.
    """
    if layout.widths != generator.widths:
        raise ValueError(f"the layout is of {layout.widths}, the generator of {generator.widths}")
    original, device = generator.state_dict(), next(generator.parameters()).device
    kept = {group: index.to(device) for group, index in layout.kept(genome).items()}
    slim = _twin(generator)
    slim.widths = layout.slim_widths(genome)
    for conv in generator_convs(layout.widths.blocks):
        filters = None if conv.target is None else kept[conv.target]
        weight = original[f"{conv.key}.weight"]
        if conv.source is not None:
            weight = _picked(weight, 0 if conv.transposed else 1, kept[conv.source])
        weight = _picked(weight, 1 if conv.transposed else 0, filters)
        module = slim.get_submodule(conv.key)
        assert isinstance(module, nn.Conv2d | nn.ConvTranspose2d)
        module.in_channels, module.out_channels = weight.shape[:2] if conv.transposed else weight.shape[1::-1]
        _put(slim, f"{conv.key}.weight", weight)
        for name in _vectors(conv, original):
            _put(slim, name, _picked(original[name], 0, filters))
        norm = None if conv.norm_key is None else slim.get_submodule(conv.norm_key)
        if isinstance(norm, nn.InstanceNorm2d | nn.BatchNorm2d):
            norm.num_features = module.out_channels
    return slim.eval()


def recalibrated(generator: Generator, pictures: Iterable[Tensor]) -> Generator:
    """A slim generator of batch norm with the running statistics of its own maps; others as they are.

    The statistics that it was cut with are those of maps to which dropped filters still added.
    pictures: batches float32 [n, 3, h, w] in [-1, 1] of the domain that it translates. Raises `ValueError`
    without any.
    """
    norms = [module for module in generator.modules() if isinstance(module, nn.BatchNorm2d)]
    if not norms:
        return generator
    twin = copy.deepcopy(generator).train()
    for module in twin.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()
            module.momentum = None  # the mean over all batches
    seen = 0
    with torch.no_grad():
        for x in pictures:
            twin(x)
            seen += 1
    if not seen:
        raise ValueError("running statistics need at least one picture")
    for module, norm in zip((m for m in twin.modules() if isinstance(m, nn.BatchNorm2d)), norms, strict=True):
        module.momentum = norm.momentum
    return twin.eval()


def masked(generator: Generator, layout: Layout, genome: Tensor) -> Generator:
    """The dense network of Eq. 9: what is dropped is zero, in biases and norms too; computes as `rebuilt`."""
    twin, kept = copy.deepcopy(generator), layout.kept(genome)
    state = twin.state_dict()
    for conv in generator_convs(layout.widths.blocks):
        if conv.target is None:
            continue
        weight = state[f"{conv.key}.weight"]
        mask = torch.zeros(weight.shape[1 if conv.transposed else 0], device=weight.device)
        mask[kept[conv.target]] = 1
        weight.mul_(mask.view((1, -1, 1, 1) if conv.transposed else (-1, 1, 1, 1)))
        for name in _vectors(conv, state):
            if name.endswith((".weight", ".bias")):
                state[name].mul_(mask)
    return twin.requires_grad_(False).eval()


def _picked(tensor: Tensor, dim: int, index: Tensor | None) -> Tensor:
    """A copy of the entries that are kept; of all of them where ``index`` is None or there is no such dim."""
    if index is None or tensor.ndim == 0:
        return tensor.clone()
    return tensor.index_select(dim, index)


def _twin(module: _Module) -> _Module:
    """The same modules around the same tensors, without hooks.

    To initialise new ones, or to copy old ones, takes longer than a GPU needs to run the network.
    """
    twin = module.__class__.__new__(module.__class__)
    nn.Module.__init__(twin)
    own, hooks = twin.__dict__, set(twin.__dict__)
    own.update((name, value) for name, value in module.__dict__.items() if name not in hooks)
    own["_parameters"].update(module._parameters)  # pyright: ignore[reportPrivateUsage]
    own["_buffers"].update(module._buffers)  # pyright: ignore[reportPrivateUsage]
    own["_modules"].update((name, _twin(child)) for name, child in module.named_children())
    return twin


def _put(net: nn.Module, name: str, tensor: Tensor) -> None:
    """Make ``tensor`` a network's parameter or buffer, whatever was there before."""
    path, _, leaf = name.rpartition(".")
    module = net.get_submodule(path)
    is_buffer = leaf in dict(module.named_buffers(recurse=False))
    setattr(module, leaf, tensor if is_buffer else nn.Parameter(tensor, requires_grad=False))


def _vectors(conv: Conv, state: Mapping[str, Tensor]) -> list[str]:
    """Names of everything that has one number a filter: a convolution's bias, and its norm's tensors."""
    names = [f"{conv.key}.bias"]
    parts = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    names += [f"{conv.norm_key}.{part}" for part in parts]
    return [name for name in names if name in state]
