"""Other searchers over the same genomes, scores and targets, with as many individuals scored a generation.

The paper says that simulated annealing and particle swarms would serve as well as its genetic algorithm. They
are Algorithm 1 with another way to come from one generation to the next: its populations, partners, repair
and stream of random numbers are `ganprune.search.coevolution`'s, and so are a run's files and its resuming.

annealing.py   chains of single changes, accepted by Metropolis' rule
swarm.py       particles that follow their own best place and the swarm's
front.py       NSGA-II: all sizes at once
"""

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType

from ganprune.search.coevolution import CoEvolution
from ganprune.settings.search import CLASSES


def _loaded(path: str) -> type[CoEvolution]:
    module, name = path.split(".")
    return getattr(import_module(f"{__name__}.{module}"), name)


SEARCHERS: Mapping[str, type[CoEvolution]] = MappingProxyType({
    searcher: _loaded(path) for searcher, path in CLASSES.items()
})  # fmt: skip

__all__ = ["SEARCHERS"]
