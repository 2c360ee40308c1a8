"""From a genome to a network: a physically slim one, and its masked dense twin.

Any network of a `ganprune.channels.ChannelGraph` is cut as it is: every parameter and buffer that has an
entry a channel loses those of the dropped ones, and its module says how many are left. So what comes out is a
module of the same class, which trains, exports, and can be cut again. A residual block that keeps no filters
of its own is taken out (`ganprune.channels.blocks`).

The masked twin has zeros in their place: in filters, biases and norms, and in the weights that read the
channel, which may not be zero behind every activation. It computes the same pictures.
"""

import copy
from collections.abc import Mapping
from types import MethodType
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from ganprune.channels import ChannelGraph, Removed, graph_of, kept, left_of
from ganprune.channels.blocks import CONSTANT
from ganprune.pruning.genome import Layout

_Module = TypeVar("_Module", bound=nn.Module)


def rebuilt(generator: _Module, layout: Layout, genome: Tensor) -> _Module:
    """The slim generator that a genome describes: slices of the weights, nothing retrained.

    genome: bool [L], at least one bit in every gene but those of `Layout.blocks`. The result shares no memory
    with ``generator`` and has its device and precision. Raises `ValueError` for a layout of other widths, or
    an empty gene.
    """
    original, units, gone = _tensors(generator), layout.units(genome), layout.gone(genome)
    for group, piece in layout.graph.groups.items():
        if group not in gone and not units[piece.units].any():
            raise ValueError(f"every group needs at least one filter, {group} has none")
    left, new = dict.fromkeys(original, ()) | _places(layout.graph, original, units), dict[int, Tensor]()
    twins = dict[int, Any]()
    for group, block in gone.items():
        other = left_of(generator, block, layout.graph.groups[group], layout.graph.cuts)
        if block.adds:
            index = kept(block.units, units).to(other.constant.device)
            other = Removed(other.constant[index])
        new[id(other.constant)], twins[id(generator.get_submodule(block.module))] = other.constant, other
    slim = _twin(generator, twins)
    there = dict(slim.named_modules())
    for name, cuts in left.items():
        tensor = original[name]
        for dim, index in cuts:
            tensor = tensor.index_select(dim, index.to(tensor.device))
        new[id(original[name])] = tensor if cuts else tensor.clone()
    _put(slim, new)
    for name, units_of in layout.graph.norms:
        if name in there:
            _resized(there[name], len(units_of), len(kept(units_of, units)))
    for owner in {name.rpartition(".")[0] for name, cuts in left.items() if cuts} & there.keys():
        module = there[owner]
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            _told(module)
        else:
            for name, cuts in left.items():
                if cuts and name.rpartition(".")[0] == owner:
                    _resized(module, original[name].shape[cuts[0][0]], len(cuts[0][1]))
    return slim.eval()


def without_blocks(network: _Module, constants: Mapping[str, Tensor]) -> _Module:
    """A copy of a network without some residual blocks, of which only these tensors are left, by name.

    Others than those of a block that can go are left out of account.
    """
    twins = dict[int, Any]()
    for block in graph_of(network).removable.values():
        constant = constants.get(f"{block.module}.{CONSTANT}")
        if constant is not None:
            left = Removed(constant.flatten() if constant.ndim else None)
            twins[id(network.get_submodule(block.module))] = left
    return copy.deepcopy(_twin(network, twins) if twins else network)


def with_tensors(network: _Module, tensors: Mapping[str, Tensor]) -> _Module:
    """The network itself, with other tensors of the same names in place of its own, whatever their widths.

    Its modules say how many channels they have now. tensors: parameters and buffers by their names in the
    state dict.
    """
    before = network.state_dict(keep_vars=True)
    new = {id(tensor): tensor for tensor in (*network.parameters(), *network.buffers())}
    _put(network, new | {id(before[name]): tensor for name, tensor in tensors.items()})
    for name, module in network.named_modules():
        own = [key for key in tensors if key.rpartition(".")[0] == name]
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d) and own:
            _told(module)
            continue
        for key in own:
            for was, now in zip(before[key].shape, tensors[key].shape, strict=True):
                if was != now:
                    _resized(module, was, now)
    return network


def masked(generator: _Module, layout: Layout, genome: Tensor) -> _Module:
    """The dense network of Eq. 9: what is dropped is zero, in biases, norms and readers too; computes as
    `rebuilt`."""
    twin, units = copy.deepcopy(generator), layout.units(genome)
    for name, tensor in twin.named_parameters():
        for cut in layout.graph.cuts:
            if cut.tensor == name:
                mask = torch.zeros(len(cut.units), device=tensor.device)
                mask[kept(cut.units, units).to(tensor.device)] = 1
                shape = [-1 if dim == cut.dim else 1 for dim in range(tensor.ndim)]
                tensor.data.mul_(mask.view(shape))
    return twin.requires_grad_(False).eval()


def _tensors(network: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers by their names, those too that a state dict leaves out."""
    return {**dict(network.named_parameters()), **dict(network.named_buffers())}


def _places(
    graph: ChannelGraph, tensors: Mapping[str, Tensor], units: Tensor
) -> dict[str, tuple[tuple[int, Tensor], ...]]:
    """For every tensor that is cut: dimensions, and places along them that are kept."""
    found: dict[str, tuple[tuple[int, Tensor], ...]] = {}
    for cut in graph.cuts:
        there = tensors.get(cut.tensor)
        size = None if there is None or there.ndim <= cut.dim else there.shape[cut.dim]
        if size != len(cut.units):
            raise ValueError(
                f"the layout is of another network: needed {len(cut.units)} entries of {cut.tensor} along "
                f"dimension {cut.dim}, found {size}"
            )
        found[cut.tensor] = (*found.get(cut.tensor, ()), (cut.dim, kept(cut.units, units)))
    return found


def _told(conv: nn.Conv2d | nn.ConvTranspose2d) -> None:
    """Make a convolution say of itself what its weight says."""
    first, second = conv.weight.shape[:2]
    if conv.groups > 1:
        if conv.groups == conv.in_channels == conv.out_channels:  # depthwise; others are kept whole
            conv.groups = conv.in_channels = conv.out_channels = first
    elif isinstance(conv, nn.ConvTranspose2d):
        conv.in_channels, conv.out_channels = first, second
    else:
        conv.in_channels, conv.out_channels = second, first


COUNTS = (
    "num_features",
    "num_parameters",
    "num_channels",
    "channels",
    "in_channels",
    "out_channels",
    "groups",
)
"""What modules call a number of channels that they keep."""


def _resized(module: nn.Module, before: int, after: int) -> None:
    """Make a module that holds one number a channel say how many these are now."""
    if isinstance(module, nn.GroupNorm) and module.num_channels == before:
        module.num_groups = module.num_groups * after // before
    for name in COUNTS:
        if module.__dict__.get(name) == before:
            setattr(module, name, after)


def _twin(module: _Module, twins: dict[int, Any]) -> _Module:
    """The same modules around the same tensors, without hooks; a module that is shared stays so.

    To initialise new ones, or to copy old ones, takes longer than a GPU needs to run the network.
    """
    if id(module) in twins:
        return twins[id(module)]
    twin = module.__class__.__new__(module.__class__)
    twins[id(module)] = twin
    nn.Module.__init__(twin)
    own, hooks = twin.__dict__, set(twin.__dict__)
    own["_parameters"].update(module._parameters)  # pyright: ignore[reportPrivateUsage]
    own["_buffers"].update(module._buffers)  # pyright: ignore[reportPrivateUsage]
    own["_non_persistent_buffers_set"].update(module._non_persistent_buffers_set)  # pyright: ignore[reportPrivateUsage]
    children = module._modules.items()  # pyright: ignore[reportPrivateUsage]
    own["_modules"].update((name, child and _twin(child, twins)) for name, child in children)
    own.update((name, _held(value, twins)) for name, value in module.__dict__.items() if name not in hooks)
    return twin


def _held(value: Any, twins: dict[int, Any]) -> Any:
    """What a module has in a plain attribute, with twins in the place of modules."""
    if isinstance(value, nn.Module):
        return _twin(value, twins)
    if isinstance(value, list | tuple) and type(value) in (list, tuple):
        return type(value)(_held(item, twins) for item in value)
    if type(value) is dict:
        return {key: _held(item, twins) for key, item in value.items()}
    if isinstance(value, MethodType) and isinstance(value.__self__, nn.Module):
        return MethodType(value.__func__, _twin(value.__self__, twins))
    return value


def _put(net: nn.Module, new: Mapping[int, Tensor]) -> None:
    """Other tensors in the place of those with these ids, under all the names that they have."""
    new = dict(new)
    for module in net.modules():
        for name, there in [*module.named_parameters(recurse=False, remove_duplicate=False)]:
            if not isinstance(new[id(there)], nn.Parameter):
                new[id(there)] = nn.Parameter(new[id(there)], requires_grad=False)
            setattr(module, name, new[id(there)])
        for name, there in [*module.named_buffers(recurse=False, remove_duplicate=False)]:
            setattr(module, name, new[id(there)])
