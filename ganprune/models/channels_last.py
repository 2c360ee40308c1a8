"""Networks for maps in channels-last order, in which CPUs convolve without moving every map first."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.functional import instance_norm
from torch.overrides import TorchFunctionMode

from ganprune.channels.graph import tape_of
from ganprune.models.copying import copied
from ganprune.models.cyclegan import InstanceNorm

_Net = TypeVar("_Net", bound=nn.Module)


class _ReflectionPad(nn.ReflectionPad2d):
    """In the precision of its maps. Autocast would turn bfloat16 into float32 and back, to copy numbers."""

    def forward(self, input: Tensor) -> Tensor:
        """[n, c, h, w] → [n, c, h + top + bottom, w + left + right]."""
        with torch.autocast(input.device.type, enabled=False):
            return super().forward(input)


def channels_last(net: _Net) -> _Net:
    """Change ``net`` to run on channels-last maps, and return it; it computes the same but for rounding.

    Names of tensors stay as they are. One whose code cannot, as `view` of all values of a map or a weight,
    runs on contiguous ones, whatever it is given.
    """
    if not _runs(net):
        net.register_forward_pre_hook(_contiguous)
        return net
    return _changed(net)


_RUN = dict[tuple[type[nn.Module], ...], bool]()
"""What `_runs` found, by the classes of a network's modules."""


def _runs(net: nn.Module) -> bool:
    """Whether a network's code can do with channels-last maps and weights: tried once, and never of ours."""
    kind = tuple(type(module) for module in net.modules())
    if all(module.__module__.startswith(("ganprune.", "torch.")) for module in kind):
        return True
    if kind not in _RUN:
        _RUN[kind], twin = True, copied(net).eval()
        with (
            torch.no_grad(),
            torch.random.fork_rng(devices=[]),
            suppress(RuntimeError, TypeError, ValueError),
        ):
            picture = torch.zeros(
                tape_of(twin).shape, dtype=next(twin.parameters()).dtype
            )  # one that it takes
            _RUN[kind] = False
            _changed(twin)(picture.contiguous(memory_format=torch.channels_last))
            _RUN[kind] = True
    return _RUN[kind]


def _contiguous(module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    del module
    return tuple(x.contiguous() for x in inputs)


def _changed(net: _Net) -> _Net:
    for module in list(net.modules()):
        if isinstance(module, InstanceNorm):
            module.keeps_order = True
        for name, child in list(module.named_children()):
            if type(child) is nn.ReflectionPad2d:
                setattr(module, name, _ReflectionPad(child.padding))
    for parameter in net.parameters():
        if parameter.dim() == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return net


class RightGradients(TorchFunctionMode):
    """A context in which instance norms that are not ours have right gradients on a CPU, too.

    Those of a module of one's own, as a layer or as a function. PyTorch's (2.14) are wrong where the gradient
    reaches them in channels-last order, see `InstanceNorm`: here it reaches them in contiguous order.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if func in (instance_norm, torch.instance_norm) and result.requires_grad:
            result.register_hook(torch.Tensor.contiguous)
        return result
