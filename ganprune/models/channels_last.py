"""Networks for maps in channels-last order, in which CPUs convolve without moving every map first."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.functional import instance_norm
from torch.overrides import TorchFunctionMode

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

    Names of tensors stay as they are.
    """
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
