"""Filters by the size of their weights.

Source: Li et al., "Pruning Filters for Efficient ConvNets", ICLR 2017: filter j of a layer is worth
Σ |F_j|, its L1 norm (section 3.1); the L2 norm does about as well, they found. Filters are ranked within
their layer, and every layer keeps the same share here: the paper finds shares by trying layer by layer.

A channel of the trunk is written by the third convolution and by the last of every block. The paper prunes
such channels by what the shortcut's own filters are worth; CycleGAN's shortcuts have none, so a bit is worth
the norm of all the weights that write it.

An instance norm gives every channel unit variance, however large its filter is: its own norm then says
nothing of what it adds. ``readers``, `ganprune.pruning.importance`, takes the weights that read it, and its
energy.
"""

from torch import Tensor, nn

from ganprune.baselines.allocation import within_layers
from ganprune.baselines.subject import Pruned, Subject, filters_of, per_bit
from ganprune.pruning.genome import Layout
from ganprune.pruning.importance import importance


def l1(subject: Subject) -> Pruned:
    """Keep the filters of the largest L1 norms in every layer."""
    return _by_norm(subject, 1)


def l2(subject: Subject) -> Pruned:
    """Keep the filters of the largest L2 norms in every layer."""
    return _by_norm(subject, 2)


def by_readers(subject: Subject) -> Pruned:
    """Keep the filters that add most to what reads them, the same share of every layer."""
    scores = importance(subject.generator, subject.layout, subject.pictures)
    return subject.cut(within_layers(scores, subject.repairer, subject.chance))


def norms(generator: nn.Module, layout: Layout, p: int) -> Tensor:
    """‖F_j‖_p of the weights that write each bit: float64 [L]."""
    powers, _ = per_bit(layout, lambda layer: filters_of(generator, layer).abs().pow(p).sum(1))
    return powers.pow(1 / p)


def _by_norm(subject: Subject, p: int) -> Pruned:
    scores = norms(subject.generator, subject.layout, p)
    return subject.cut(within_layers(scores, subject.repairer, subject.chance))
