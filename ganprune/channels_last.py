"""Networks for maps in channels-last order, in which CPUs convolve without moving every map first."""

from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.functional import batch_norm, group_norm

_Net = TypeVar("_Net", bound=nn.Module)


class _InstanceNorm(nn.Module):
    """What `nn.InstanceNorm2d` computes, on maps that stay in channels-last order."""

    def __init__(self, eps: float) -> None:
        super().__init__()
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """[n, c, h, w] → [n, c, h, w]."""
        if len(x) == 1:  # one picture's statistics are the batch's
            return batch_norm(x, None, None, training=True, eps=self.eps)
        return group_norm(x, x.shape[1], eps=self.eps)


class _ReflectionPad(nn.ReflectionPad2d):
    """In the precision of its maps. Autocast would turn bfloat16 into float32 and back, to copy numbers."""

    def forward(self, input: Tensor) -> Tensor:
        """[n, c, h, w] → [n, c, h + top + bottom, w + left + right]."""
        with torch.autocast(input.device.type, enabled=False):
            return super().forward(input)


def channels_last(net: _Net) -> _Net:
    """Change ``net`` to run on channels-last maps, and return it; it computes the same but for rounding.

    PyTorch's instance norm copies such maps there and back, which costs what the order gains.
    """
    for module in list(net.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.InstanceNorm2d):
                setattr(module, name, _InstanceNorm(child.eps))
            elif type(child) is nn.ReflectionPad2d:
                setattr(module, name, _ReflectionPad(child.padding))
    for parameter in net.parameters():
        if parameter.dim() == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return net
