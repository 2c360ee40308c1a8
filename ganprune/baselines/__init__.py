"""Rivals: other ways to choose filters, each written from its paper, all brought to the same size.

subject.py      what a rival is given and what it gives back
allocation.py   scores of filters → genomes of the size asked for; filters by lot; none
magnitude.py    L1 and L2 norms of filters; of the weights that read them
trimming.py     network trimming: how often an activation is zero
slimming.py     network slimming: sparse scales behind the norms
thinet.py       ThiNet: reconstruction of the next layer, and its scaling
"""

from collections.abc import Mapping
from types import MappingProxyType

from ganprune.baselines.allocation import narrow_network, random_mask, uniform_widths
from ganprune.baselines.magnitude import by_readers, l1, l2
from ganprune.baselines.slimming import slimming
from ganprune.baselines.subject import Method, Pruned, Subject
from ganprune.baselines.thinet import thinet
from ganprune.baselines.trimming import trimming

__all__ = ["METHODS", "NARROW", "Method", "Pruned", "Subject"]

NARROW = "narrow"
"""The rival that keeps no weights: a refit would give it those of the original."""
METHODS: Mapping[str, Method] = MappingProxyType({
    "thinet": thinet,
    "trimming": trimming,
    "slimming": slimming,
    "l1": l1,
    "l2": l2,
    "readers": by_readers,
    "random": random_mask,
    "uniform": uniform_widths,
    NARROW: narrow_network,
})  # fmt: skip
"""All rivals by name."""
