"""All rivals by name."""

from collections.abc import Mapping
from types import MappingProxyType

from ganprune.baselines.chance import random_mask, uniform_widths
from ganprune.baselines.magnitude import by_readers, l1, l2
from ganprune.baselines.slimming import slimming
from ganprune.baselines.subject import Method
from ganprune.baselines.thinet import thinet
from ganprune.baselines.trimming import trimming
from ganprune.errors import UsageError

METHODS: Mapping[str, Method] = MappingProxyType({
    "thinet": thinet,
    "trimming": trimming,
    "slimming": slimming,
    "l1": l1,
    "l2": l2,
    "readers": by_readers,
    "random": random_mask,
    "uniform": uniform_widths,
})  # fmt: skip


def method(name: str) -> Method:
    """The rival of a name. Raises `UsageError` for an unknown one."""
    if name not in METHODS:
        raise UsageError(f"the method {name!r} is not known; there are {', '.join(METHODS)}")
    return METHODS[name]
