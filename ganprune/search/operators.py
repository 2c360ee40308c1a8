"""Selection, crossover and mutation of whole populations (section 3.2 of the paper).

Pure functions on Boolean genomes [K, L]; randomness comes from the generator that is passed in.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

Change = Callable[[Tensor, torch.Generator], Tensor]
"""A change of each genome: bool [n, L] → bool [n, L]."""
EXCHANGED = (0.004, 0.05)
"""Shares of the kept filters that `exchange` draws a child's rate between."""


def selection_probabilities(fitness: Tensor) -> Tensor:
    """Eq. 12: Pr(p_j) = F(p_j) / Σ_k F(p_k). float64 [K] → float64 [K]; uniform if all are 0."""
    total = fitness.sum()
    return fitness / total if total > 0 else torch.full_like(fitness, 1 / len(fitness))


def roulette(probabilities: Tensor, n: int, generator: torch.Generator) -> Tensor:
    """n parents drawn with replacement by their probabilities: [K] → int64 [n]."""
    return torch.multinomial(probabilities, n, replacement=True, generator=generator)


def two_point_crossover(mothers: Tensor, fathers: Tensor, generator: torch.Generator) -> Tensor:
    """The mothers' bits outside, the fathers' bits inside a random stretch. bool [n, L] each → [n, L].

    The two cuts are uniform on 0 … L; equal cuts leave the mother as she is.
    """
    n, length = mothers.shape
    cuts = torch.randint(0, length + 1, (n, 2), generator=generator).sort(1).values  # [n, 2]
    places = torch.arange(length)
    inside = (places >= cuts[:, :1]) & (places < cuts[:, 1:])  # [n, L]
    return torch.where(inside, fathers, mothers)


def mutate(genomes: Tensor, rate: float, generator: torch.Generator) -> Tensor:
    """Flip every bit with probability ``rate``. bool [n, L] → bool [n, L]."""
    return genomes ^ (torch.rand(genomes.shape, generator=generator) < rate)


def mutate_power_law(genomes: Tensor, generator: torch.Generator) -> Tensor:
    """Flip bits, from one to half of them, as many as a power law draws. bool [n, L] → bool [n, L].

    Most children change a little and a few change much, whatever the length: no rate has to be tuned.
    Source: Doerr et al., "Fast Genetic Algorithms", GECCO 2017, with their exponent.
    """
    n, length = genomes.shape
    sizes = torch.arange(1, max(length // 2, 1) + 1, dtype=torch.float64)
    flips = sizes[torch.multinomial(sizes**-1.5, n, replacement=True, generator=generator)]
    return genomes ^ (torch.rand(genomes.shape, generator=generator) < flips[:, None] / length)


def exchange(
    genomes: Tensor, rate: float | None, genes: Sequence[slice], generator: torch.Generator
) -> Tensor:
    """Exchange kept filters for as many dropped ones of the same layer. bool [n, L] → bool [n, L].

    Every kept filter is replaced with probability ``rate`` by a dropped one of its layer, as long as the
    layer has any. None: each child draws its own rate, log-uniform between the two of `EXCHANGED`. Widths
    stay the same, so there is nothing to repair.
    """
    n = len(genomes)
    if rate is None:
        low, high = EXCHANGED
        rates = low * (high / low) ** torch.rand(n, 1, generator=generator)
    else:
        rates = torch.full((n, 1), rate)
    leaving = genomes & (torch.rand(genomes.shape, generator=generator) < rates)
    keys, young = torch.rand(genomes.shape, generator=generator), genomes.clone()
    for piece in genes:
        kept, gone = genomes[:, piece], leaving[:, piece]
        many = torch.minimum(gone.sum(1), (~kept).sum(1))[:, None]
        # Either choice takes the first bits in an order of random keys.
        goes, comes = (_first(keys[:, piece], among, many) for among in (gone, ~kept))
        young[:, piece] = kept & ~goes | comes
    return young


def _first(keys: Tensor, among: Tensor, many: Tensor) -> Tensor:
    """As ``many`` of each row of ``among`` as are asked for, those with the smallest keys: bool [n, bits]."""
    return among & (keys.masked_fill(~among, torch.inf).argsort(1).argsort(1) < many)


def fittest(fitness: Tensor, share: float) -> Tensor:
    """The fitness of the best ``share`` of a population, at least one, and 0 for all others: [K] → [K]."""
    least = fitness.topk(max(1, round(share * len(fitness)))).values[-1]
    return fitness.where(fitness >= least, torch.zeros_like(fitness))


def breed(
    genomes: Tensor, fitness: Tensor, generator: torch.Generator, *,
    p_select: float, p_crossover: float, parents: float, change: Change,
) -> Tensor:  # fmt: skip
    """One new generation (Algorithm 1, lines 6-11): the best unchanged, then K − 1 children.

    genomes: bool [K, L]; fitness: float64 [K]. Each child comes from one uniform number s: a copy of a
    parent for s < ``p_select``, a crossover of two for s < ``p_select + p_crossover``, else a mutated
    parent, by ``change``. Parents are drawn by Eq. 12, from the best share ``parents``. Children may break
    constraints: repair them.
    """
    children = len(genomes) - 1
    probabilities = selection_probabilities(fittest(fitness, parents))
    mothers = genomes[roulette(probabilities, children, generator)]
    fathers = genomes[roulette(probabilities, children, generator)]
    s = torch.rand(children, 1, generator=generator)
    crossed = two_point_crossover(mothers, fathers, generator)
    changed = change(mothers, generator)
    young = torch.where(s < p_select, mothers, torch.where(s < p_select + p_crossover, crossed, changed))
    return torch.cat([genomes[fitness.argmax()][None], young])
