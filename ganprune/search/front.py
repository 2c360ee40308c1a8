"""NSGA-II: a family of networks of all sizes from one search.

Source: Deb et al., "A fast and elitist multiobjective genetic algorithm: NSGA-II", IEEE Transactions on
Evolutionary Computation 6(2), 2002. Two objectives, both to be small: the share of the true MACs, and the
loss that Eq. 11 weighs against size, L_DisA + λ L_cyc. Parents and children compete for K places, first by
the number of the front that they are on, then by how lonely they are there; the next parents are winners of
tournaments of two by the same order.

Here a child is a crossover of two parents, by two points, with the probability `CROSSED`, and then mutated as
Algorithm 1 mutates. Fitness plays no part, nor does γ.
The partner of both populations is the original generator: a family has no best member, and so what was once
scored stays comparable. Generation 0 keeps shares of the filters that go evenly from few to nearly all, so
that the first front covers the sizes.
"""

from collections.abc import Callable
from dataclasses import fields, replace

import torch
from torch import Tensor

from ganprune.pruning.fitness import losses
from ganprune.pruning.repair import Repairer
from ganprune.pruning.resources import Convolutions, Share
from ganprune.search.coevolution import CoEvolution, Population, State, random_stream
from ganprune.search.operators import two_point_crossover
from ganprune.settings.search import SearchSettings
from ganprune.settings.words import Domain

CROSSED = 0.9
"""Share of children that have two parents, as in the paper."""
FEWEST, MOST = 0.2, 0.95
"""Shares of the filters that generation 0 keeps, from the first individual to the last."""


class Front(CoEvolution):
    """NSGA-II a generator; the populations of its `State` are the K survivors."""

    def init(self) -> State:
        """Generation 0, from small to large."""
        populations: dict[Domain, Population] = {}
        for side in self.settings.sides:
            genomes = self._first(side, random_stream(self.settings.seed, 0, side))
            populations[side] = self._score(side, genomes, None, self._floor.get(side, 0.0))
        return State(0, populations, floor=self._floor)

    def _first(self, side: Domain, generator: torch.Generator) -> Tensor:
        """From small to large: where it is known what filters are worth, the cheapest of each size, else by
        coins."""
        layout, limits = self.layouts[side], self.settings.constraints(side)
        keep = torch.linspace(FEWEST, MOST, self.settings.population)
        if self._scores is None or self._costs is None:
            flips = torch.rand(len(keep), layout.length, generator=generator) < keep[:, None]
            return self._repair[side](flips, generator)
        genomes: list[Tensor] = []
        smallest = float(Share(Convolutions.of_layout(layout, "macs"), layout).of(self._repair[side].least))
        for share in keep.square().tolist():  # a width w of every layer costs about w² MACs
            reached = replace(limits, target_macs=max(share, smallest))
            counts = Repairer(layout, reached).cheapest(self._costs[side])
            genomes.append(layout.keeping(counts, self._scores[side]))
        return torch.stack(genomes)

    def step(self, state: State) -> State:
        """Children of tournaments are scored; of them and their parents the best K survive."""
        t = state.generation + 1
        survivors: dict[Domain, Population] = {}
        for side, parents in state.populations.items():
            floor = state.floor.get(side, 0.0)
            children = self._score(side, self._breed(state, side, t), None, floor)
            pool = joined(parents, children)
            keep = survivors_of(objectives(pool, self.settings, floor), self.settings.population)
            survivors[side] = chosen(pool, keep)
        return State(t, survivors, floor=state.floor)

    def _breed(self, state: State, side: Domain, t: int) -> Tensor:
        s, population = self.settings, state.populations[side]
        chance, n = random_stream(s.seed, t, side), s.population
        order = order_of(objectives(population, s, state.floor.get(side, 0.0)))
        mothers, fathers = (population.genomes[tournament(order, n, chance)] for _ in range(2))
        crossed = two_point_crossover(mothers, fathers, chance)
        young = torch.where(torch.rand(n, 1, generator=chance) < CROSSED, crossed, mothers)
        return self._repair[side](self._mutated(side, young, chance), chance)


def objectives(population: Population, settings: SearchSettings, floor: float = 0.0) -> Tensor:
    """Share of the MACs, and the losses of Eq. 11 without γ: float64 [K, 2], smaller is better.

    floor: as `State.floor`.
    """
    weighed = losses(population, settings, floor)
    return torch.stack([population.macs, weighed.where(weighed.isfinite(), torch.inf)], 1)


def ranks(costs: Tensor) -> Tensor:
    """Number of the front that each is on, 0 for those that none dominates. float64 [n, m] → int64 [n].

    Those with a cost that is not finite are on the last, whatever their other costs.
    """
    costs = costs.where(costs.isfinite().all(1, keepdim=True), torch.inf)
    no_worse = (costs[:, None] <= costs[None]).all(2)
    dominates = no_worse & (costs[:, None] < costs[None]).any(2)  # [i, j]: i dominates j
    found, left, front = torch.zeros(len(costs), dtype=torch.int64), torch.ones(len(costs)).bool(), 0
    while left.any():
        best = left & ~(dominates & left[:, None]).any(0)
        found[best], left, front = front, left & ~best, front + 1
    return found


def crowding(costs: Tensor) -> Tensor:
    """Distance to the neighbours on one front, in shares of its extent, over both objectives.

    Infinite at the ends. Finite float64 [n, m] → float64 [n].
    """
    distance = torch.zeros(len(costs), dtype=torch.float64)
    for column in costs.unbind(1):
        values, order = column.sort(stable=True)
        extent = values[-1] - values[0]
        distance[order[[0, -1]]] = torch.inf
        if len(order) > 2 and extent > 0:
            distance[order[1:-1]] += (values[2:] - values[:-2]) / extent
    return distance


def order_of(costs: Tensor) -> Tensor:
    """Place of each in the crowded comparison, 0 for the best. float64 [n, m] → int64 [n].

    Of individuals with equal costs only the first is ranked in its front; its duplicates come after all
    fronts, and individuals with a cost that is not finite come last, in the order given.
    """
    again = (costs[:, None] == costs[None]).all(2).tril(-1).any(1)
    front = ranks(costs)
    front[again] += len(costs)
    finite = costs.isfinite().all(1)
    front[~finite] = 2 * len(costs)
    lonely = torch.zeros(len(costs), dtype=torch.float64)
    for number in front[finite].unique():
        on_it = front == number
        lonely[on_it] = crowding(costs[on_it])
    by_distance = lonely.argsort(descending=True, stable=True)
    return by_distance[front[by_distance].argsort(stable=True)].argsort()


def survivors_of(costs: Tensor, n: int) -> Tensor:
    """Indices of the best n, the best first. float64 [k, m] → int64 [n]."""
    return order_of(costs).argsort()[:n]


def tournament(order: Tensor, n: int, chance: torch.Generator) -> Tensor:
    """n winners, each of two that are drawn with replacement. order: int64 [k] → int64 [n]."""
    pairs = torch.randint(len(order), (n, 2), generator=chance)
    return pairs.gather(1, order[pairs].argmin(1, keepdim=True))[:, 0]


def joined(one: Population, other: Population) -> Population:
    """Both populations as one."""
    return _each(lambda name: torch.cat([getattr(one, name), getattr(other, name)]))


def chosen(population: Population, index: Tensor) -> Population:
    """Some individuals of a population. index: int64 [n]."""
    return _each(lambda name: getattr(population, name)[index])


def _each(column: Callable[[str], Tensor]) -> Population:
    return Population(**{item.name: column(item.name) for item in fields(Population)})


def front_of(population: Population, settings: SearchSettings, floor: float = 0.0) -> Population:
    """The individuals that no other dominates, from small to large, each once. floor: as `State.floor`."""
    costs = objectives(population, settings, floor)
    best = ((ranks(costs) == 0) & ~(costs[:, None] == costs[None]).all(2).tril(-1).any(1)).nonzero().flatten()
    return chosen(population, best[costs[best, 0].argsort()])


def best_within(
    front: Population, share: float, settings: SearchSettings, floor: float = 0.0
) -> Population | None:
    """The member of a front with the smallest losses among those of at most ``share`` of the MACs.

    None: all are larger. floor: as `State.floor`.
    """
    small = (front.macs <= share).nonzero().flatten()
    if not len(small):
        return None
    return chosen(front, small[objectives(front, settings, floor)[small, 1].argmin()][None])
