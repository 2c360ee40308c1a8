"""Batch norm by each picture's own statistics: what CycleGAN's test.py shows without ``--eval``.

Source: pytorch-CycleGAN-and-pix2pix, ``test.py``: networks stay in training mode unless ``--eval`` is given,
and pictures come one by one. The batch norm of one picture is its instance norm, with weights and biases.
"""

import copy
from collections.abc import Iterable, Mapping

import torch
from torch import nn

from ganprune.networks import Generator

OPTION = "--picture-statistics"


def by_picture(generator: Generator) -> Generator:
    """A copy that normalises each picture by its own statistics, in any batch; itself where it has no batch
    norm."""
    if generator.norm != "batch":
        return generator
    changed = copy.deepcopy(generator)
    for module in list(changed.modules()):
        for name, norm in list(module.named_children()):
            if isinstance(norm, nn.BatchNorm2d):
                setattr(module, name, _instance_norm(norm))
    return changed


def told(names: Iterable[str]) -> str:
    """One line for those whose networks of these names have batch norm."""
    return (
        f"batch norm in {', '.join(names)}: its running statistics are used, as CycleGAN's test.py does with "
        f"--eval and not without; `export` and `translate` use each picture's own with {OPTION}"
    )


def told_of(networks: Mapping[str, Generator], by_picture: bool) -> str | None:
    """What becomes of the batch norms of some networks; None where there is nothing to say."""
    names = [name for name, network in networks.items() if network.norm == "batch"]
    if by_picture:
        where = f"in {', '.join(names)}" if names else "in none of the networks, and changes nothing"
        return f"{OPTION}: each picture's own statistics for the batch norm {where}"
    return told(names) if names else None


def _instance_norm(norm: nn.BatchNorm2d) -> nn.InstanceNorm2d:
    like = norm.weight
    made = nn.InstanceNorm2d(
        norm.num_features, norm.eps, affine=True, device=like.device, dtype=like.dtype
    ).train(norm.training)
    with torch.no_grad():
        made.weight.copy_(norm.weight)
        made.bias.copy_(norm.bias)
    for tensor in (made.weight, made.bias):
        tensor.requires_grad_(like.requires_grad)
    return made
