"""Residual blocks that can go: modules that give their input back once a group of their filters is gone.

Without the filters between its two convolutions, the second one reads nothing, so all that is left of

    y = x + norm(conv(relu(norm(conv(x)))))

is x and a constant a channel: what norm makes of the convolution's bias. That is found by trial: the module
is run by itself, with random weights, so that what it does follows from how it is built and not from how it
was trained.
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ganprune.channels.tape import ModuleCall, Value

if TYPE_CHECKING:
    from ganprune.channels.graph import Cut, Group, Layer

CONSTANT = "constant"
"""Last part of the name of the one tensor that `Removed` has. In a file it says which blocks are gone."""
TOLERANCE = 1e-3
"""Of numbers about 1 in float32; what is no constant differs from one by about 1."""


class Removed(nn.Module):
    """What is left of a residual block without filters: x, or x plus a constant a channel."""

    constant: Tensor
    """[channels, 1, 1]; a scalar 0 where nothing is added."""

    def __init__(self, constant: Tensor | None = None) -> None:
        super().__init__()
        if constant is None:
            self.register_buffer(CONSTANT, torch.zeros(()))
        else:
            self.constant = nn.Parameter(constant.view(-1, 1, 1), requires_grad=False)

    @classmethod
    def like(cls, constant: Tensor) -> "Removed":
        """Of the kind that a file has a tensor of, with one channel."""
        return cls(torch.zeros(1, device="meta") if constant.ndim else None)

    def forward(self, x: Tensor) -> Tensor:
        """[n, channels, h, w] → [n, channels, h, w]."""
        return x + self.constant if self.constant.ndim else x


@dataclass(frozen=True, slots=True)
class RemovableBlock:
    """A module that `Removed` can take the place of."""

    module: str
    """Its name."""
    units: NDArray[np.int64]
    """Unit of each channel of the maps that it takes and gives."""
    shape: tuple[int, ...]
    """Of such a map: [1, channels, h, w]."""
    adds: bool
    """Whether it leaves a constant behind."""

    def holds(self, name: str) -> bool:
        """Whether a module or a tensor is in it."""
        return name.startswith(f"{self.module}.")


def removable(
    network: nn.Module,
    calls: Mapping[str, ModuleCall],
    units_of: Callable[[Value], NDArray[np.int64]],
    groups: Mapping[str, "Group"],
    layers: Sequence["Layer"],
    cuts: Sequence["Cut"],
) -> dict[str, RemovableBlock]:
    """For every group of filters without which a module gives its input back, plus a constant, that module.

    calls: of every module that makes one map of one. units_of: the units of a map. Only modules with a single
    group of their own: of two, one would be left that does nothing.
    """
    found, tried = dict[str, RemovableBlock](), dict[object, Tensor | None]()
    for name, group in groups.items():
        if group.role != "inner":
            continue
        own = [layer.name for layer in layers if _among(group, layer.reads) or _among(group, layer.writes)]
        own += [cut.tensor for cut in cuts if _among(group, cut.units)]
        parts = own[0].split(".")
        for n in range(len(parts) - 1, 0, -1):  # the smallest first
            call = calls.get(".".join(parts[:n]))
            if call is None or call.shape != call.made or len(call.shape) != 4:
                continue
            block = RemovableBlock(call.module, units_of(call.gives), call.shape, adds=False)
            if not all(map(block.holds, own)):
                continue
            written = np.concatenate([layer.writes for layer in layers if block.holds(layer.name)])
            strange = written[(written < group.units.start) | (written >= group.units.stop)]
            if not np.isin(strange, block.units).all() or _shares(network, block):
                continue
            kind = _kind(network.get_submodule(block.module)), block.shape, group.size
            if kind not in tried:
                tried[kind] = _constant_of(_tried(network, block, group, cuts), block)
            constant = tried[kind]
            if constant is not None:
                found[name] = replace(block, adds=bool((constant.abs() > TOLERANCE).any()))
                break
    return found


def _shares(network: nn.Module, block: RemovableBlock) -> bool:
    """Whether something in a block is used outside of it, too."""
    whole = network.get_submodule(block.module)
    inside, tensors = set(whole.modules()), {id(t) for t in (*whole.parameters(), *whole.buffers())}
    others = [module for module in network.modules() if module not in inside]
    held = (t for m in others for t in (*m.parameters(recurse=False), *m.buffers(recurse=False)))
    parts = (child for module in others for child in module.children())
    return any(id(t) in tensors for t in held) or any(m in inside and m is not whole for m in parts)


def _kind(module: nn.Module) -> object:
    """The same for modules that are built alike, as blocks of a network mostly are: one of them is tried."""
    parts = [(name, type(part)) for name, part in module.named_modules()]
    held = [
        sorted(
            f"{key}={value!r}"
            for key, value in vars(part).items()
            if isinstance(value, int | float | str | tuple)
        )
        for part in module.modules()
    ]
    return tuple(parts), str(held), tuple((name, t.shape) for name, t in module.named_parameters())


@torch.no_grad()
def left_of(network: nn.Module, block: RemovableBlock, group: "Group", cuts: Sequence["Cut"]) -> Removed:
    """What takes the place of a block, with all of its channels: of its device and precision."""
    like = next(network.get_submodule(block.module).parameters())
    if not block.adds:
        return Removed().to(like)
    twin = _emptied(copy.deepcopy(network.get_submodule(block.module)).double(), block, group, cuts)
    (made,) = twin.eval()(torch.zeros(block.shape, dtype=torch.float64, device=like.device))
    return Removed(made[:, 0, 0].to(like))


@torch.no_grad()
def _tried(network: nn.Module, block: RemovableBlock, group: "Group", cuts: Sequence["Cut"]) -> nn.Module:
    """A copy of a block on the CPU, with random weights and without the group."""
    random, twin = torch.Generator().manual_seed(0), copy.deepcopy(network.get_submodule(block.module))
    on_meta = any(tensor.is_meta for tensor in twin.parameters())
    twin = (twin.to_empty(device="cpu") if on_meta else twin.cpu()).float()
    for tensor in twin.parameters():
        tensor.uniform_(-1, 1, generator=random)
    for tensor in twin.buffers():
        if tensor.is_floating_point():  # running variances are above 0
            tensor.uniform_(0.5, 1.5, generator=random)
    return _emptied(twin.eval(), block, group, cuts)


def _emptied(twin: nn.Module, block: RemovableBlock, group: "Group", cuts: Sequence["Cut"]) -> nn.Module:
    """A copy of a block, with zeros in the place of all that belongs to a group."""
    for cut in cuts:
        if block.holds(cut.tensor) and _among(group, cut.units):
            places = np.flatnonzero((cut.units >= group.units.start) & (cut.units < group.units.stop))
            parameters = dict(twin.named_parameters())
            tensor = parameters.get(cut.tensor.removeprefix(f"{block.module}."))
            if tensor is not None:
                tensor.index_fill_(cut.dim, torch.from_numpy(places).to(tensor.device), 0)
    return twin


@torch.no_grad()
def _constant_of(twin: nn.Module, block: RemovableBlock) -> Tensor | None:
    """What a module adds to its input, a number a channel; None where it does something else."""
    x = torch.rand(block.shape, generator=torch.Generator().manual_seed(1)) * 2 - 1
    try:
        added = twin(x.clone()) - x
    except Exception:  # such as a module that wants to be called by its network
        return None
    constant = added[0, :, 0, 0]
    same = (added - constant[:, None, None]).abs().amax() <= TOLERANCE * (1 + constant.abs().amax())
    return constant if bool(same) else None


def _among(group: "Group", units: NDArray[np.int64]) -> bool:
    return bool(((units >= group.units.start) & (units < group.units.stop)).any())
