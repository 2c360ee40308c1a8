"""Other searchers over the same genomes, scores and targets, with as many individuals scored a generation.

The paper says that simulated annealing and particle swarms would serve as well as its genetic algorithm. They
are Algorithm 1 with another way to come from one generation to the next: its populations, partners, repair
and stream of random numbers are `ganprune.search.coevolution`'s, and so are a run's files and its resuming.

annealing.py   chains of single changes, accepted by Metropolis' rule
swarm.py       particles that follow their own best place and the swarm's
front.py       NSGA-II: all sizes at once
"""

from collections.abc import Mapping
from types import MappingProxyType

from ganprune.search.annealing import Annealing
from ganprune.search.coevolution import CoEvolution
from ganprune.search.front import Front
from ganprune.search.swarm import Swarm

SEARCHERS: Mapping[str, type[CoEvolution]] = MappingProxyType({
    "coevolution": CoEvolution,
    "annealing": Annealing,
    "swarm": Swarm,
    "front": Front,
})  # fmt: skip

__all__ = ["SEARCHERS", "Annealing", "Front", "Swarm"]
