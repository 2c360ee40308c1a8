"""Copies of networks that may have run with gradients."""

import copy
from typing import TypeVar

from torch import nn

from ganprune.channels.tape import held_tensors

_Net = TypeVar("_Net", bound=nn.Module)


def copied(network: _Net) -> _Net:
    """A deep copy, also of a network whose code keeps maps of its last pass, such as attention maps.

    PyTorch copies no tensor that has a gradient behind it, so those lose it.
    """
    maps = (tensor for tensor in held_tensors(network) if tensor.grad_fn is not None)
    return copy.deepcopy(network, {id(tensor): tensor.detach() for tensor in maps})
