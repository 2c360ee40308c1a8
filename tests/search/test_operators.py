import itertools
import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from ganprune.search.operators import (
    EXCHANGED,
    Change,
    breed,
    exchange,
    fittest,
    mutate,
    mutate_power_law,
    roulette,
    selection_probabilities,
    two_point_crossover,
)
from tests.tiny import seeded


def coin_flips(n: int, length: int, seed: int) -> Tensor:
    return torch.rand(n, length, generator=seeded(seed)) < 0.5


def at_rate(rate: float) -> Change:
    return lambda genomes, generator: mutate(genomes, rate, generator)


def crossover_by_loops(mothers: Tensor, fathers: Tensor, generator: torch.Generator) -> list[list[bool]]:
    length = mothers.shape[1]
    cuts = torch.randint(0, length + 1, (len(mothers), 2), generator=generator).tolist()
    children: list[list[bool]] = []
    for mother, father, (first, second) in zip(mothers.tolist(), fathers.tolist(), cuts, strict=True):
        low, high = min(first, second), max(first, second)
        children.append(mother[:low] + father[low:high] + mother[high:])
    return children


def mutation_by_loops(genomes: Tensor, rate: float, generator: torch.Generator) -> list[list[bool]]:
    draws = torch.rand(genomes.shape, generator=generator).tolist()
    return [
        [not bit if draw < rate else bit for bit, draw in zip(genome, row, strict=True)]
        for genome, row in zip(genomes.tolist(), draws, strict=True)
    ]


def breed_by_loops(genomes: Tensor, F: Tensor, generator: torch.Generator, rate: float) -> list[list[bool]]:
    """Algorithm 1, lines 6-11, with 0.2 / 0.7 / 0.1."""
    n = len(genomes) - 1
    total = sum(F.tolist())
    chances = torch.tensor([f / total for f in F.tolist()], dtype=torch.float64)
    mothers = genomes[torch.multinomial(chances, n, replacement=True, generator=generator)]
    fathers = genomes[torch.multinomial(chances, n, replacement=True, generator=generator)]
    draws = torch.rand(n, generator=generator).tolist()
    crossed = crossover_by_loops(mothers, fathers, generator)
    mutated = mutation_by_loops(mothers, rate, generator)
    best = max(range(len(F)), key=lambda i: F[i].item())
    generation = [genomes[best].tolist()]
    for i, s in enumerate(draws):
        if s < 0.2:
            generation.append(mothers[i].tolist())
        elif s < 0.9:
            generation.append(crossed[i])
        else:
            generation.append(mutated[i])
    return generation


SIZES = given(n=st.integers(1, 8), length=st.integers(1, 40), seed=st.integers(0, 9999))


@SIZES
def test_crossover_equals_a_plain_loop(n: int, length: int, seed: int) -> None:
    mothers, fathers = coin_flips(n, length, seed), coin_flips(n, length, seed + 1)
    children = two_point_crossover(mothers, fathers, seeded(seed))
    assert children.tolist() == crossover_by_loops(mothers, fathers, seeded(seed))


@given(n=st.integers(1, 8), length=st.integers(1, 40), seed=st.integers(0, 9999), rate=st.floats(0, 1))
def test_mutation_equals_a_plain_loop(n: int, length: int, seed: int, rate: float) -> None:
    genomes = coin_flips(n, length, seed)
    assert mutate(genomes, rate, seeded(seed)).tolist() == mutation_by_loops(genomes, rate, seeded(seed))


@given(n=st.integers(2, 12), length=st.integers(1, 40), seed=st.integers(0, 9999))
def test_breeding_equals_a_plain_loop(n: int, length: int, seed: int) -> None:
    genomes = coin_flips(n, length, seed)
    F = torch.rand(n, generator=seeded(seed + 1), dtype=torch.float64)
    children = breed(genomes, F, seeded(seed), p_select=0.2, p_crossover=0.7, parents=1, change=at_rate(0.1))
    assert children.tolist() == breed_by_loops(genomes, F, seeded(seed), 0.1)


def test_mutation_flips_no_bit_at_rate_zero_and_all_at_one() -> None:
    genomes = coin_flips(4, 100, 0)
    assert torch.equal(mutate(genomes, 0.0, seeded(0)), genomes)
    assert torch.equal(mutate(genomes, 1.0, seeded(0)), ~genomes)


def test_selection_probabilities_are_shares_of_fitness() -> None:
    F = torch.tensor([1.0, 3.0, 0.0, 4.0], dtype=torch.float64)
    assert selection_probabilities(F).tolist() == [1 / 8, 3 / 8, 0, 1 / 2]


def test_a_population_without_fitness_is_drawn_evenly() -> None:
    assert selection_probabilities(torch.zeros(4, dtype=torch.float64)).tolist() == [0.25] * 4


def test_parents_are_drawn_as_often_as_equation_12_says() -> None:
    F = torch.tensor([0.5, 0.0, 2.0, 1.0, 4.5], dtype=torch.float64)
    n = 40_000
    drawn = torch.bincount(roulette(selection_probabilities(F), n, seeded(0)), minlength=5).double()
    expected = n * F / F.sum()
    assert drawn[1] == 0
    alive = expected > 0
    chi_square = ((drawn - expected)[alive].square() / expected[alive]).sum()
    assert chi_square < 16.3  # three degrees of freedom, p = 0.001


def test_the_best_individual_comes_first_and_unchanged() -> None:
    genomes = coin_flips(6, 200, 0)
    for best in range(6):
        F = torch.ones(6, dtype=torch.float64)
        F[best] = 1.5
        children = breed(genomes, F, seeded(best), p_select=0, p_crossover=0, parents=1, change=at_rate(1))
        assert len(children) == 6
        assert torch.equal(children[0], genomes[best])


def test_operations_are_drawn_in_the_proportions_2_7_1() -> None:
    n, length = 20_001, 64
    genomes = torch.zeros(n, length, dtype=torch.bool)
    F = torch.ones(n, dtype=torch.float64)
    operations: dict[str, Any] = {"p_select": 0.2, "p_crossover": 0.7, "parents": 1.0, "change": at_rate(1)}

    def spread(p: float) -> float:
        return 4 * math.sqrt(n * p * (1 - p))

    # parents are all zeros: only a mutant of rate 1 is all ones
    mutants = breed(genomes, F, seeded(0), **operations)[1:].all(1).sum().item()
    assert mutants == pytest.approx(0.1 * n, abs=spread(0.1))

    # parents are all zeros or all ones: a child of both kinds of bits is a crossover of unlike parents
    # whose cuts neither coincide nor lie at both ends
    genomes[: n // 2] = True
    children = breed(genomes, F, seeded(1), **operations)[1:]
    mixed = (children.any(1) & ~children.all(1)).sum().item()
    share = 0.7 * 0.5 * (1 - 1 / (length + 1) - 2 / (length + 1) ** 2)
    assert mixed == pytest.approx(share * n, abs=spread(share))


def test_operators_leave_their_inputs() -> None:
    genomes, others = coin_flips(5, 30, 0), coin_flips(5, 30, 1)
    before = genomes.clone(), others.clone()
    F = torch.rand(5, generator=seeded(0), dtype=torch.float64)
    two_point_crossover(genomes, others, seeded(0))
    mutate(genomes, 0.5, seeded(0))
    breed(genomes, F, seeded(0), p_select=0.2, p_crossover=0.7, parents=1, change=at_rate(0.5))
    assert torch.equal(genomes, before[0])
    assert torch.equal(others, before[1])


def test_the_power_law_flips_one_bit_most_often_and_sometimes_many() -> None:
    genomes = coin_flips(4000, 1000, 0)
    flips = (genomes ^ mutate_power_law(genomes, seeded(1))).sum(1)
    sizes = torch.arange(1, 501).double()
    law = sizes**-1.5 / (sizes**-1.5).sum()
    assert float(flips.double().mean()) == pytest.approx(float((sizes * law).sum()), rel=0.15)
    assert 0.4 < float((flips <= 2).double().mean()) < 0.8
    assert int(flips.max()) > 300


@given(
    n=st.integers(1, 5),
    sizes=st.lists(st.integers(1, 12), min_size=1, max_size=4),
    seed=st.integers(0, 999),
    rate=st.sampled_from([None, 0.0, 0.3, 1.0]),
)
def test_exchange_keeps_the_width_of_every_layer(
    n: int, sizes: list[int], seed: int, rate: float | None
) -> None:
    ends = list(itertools.accumulate(sizes, initial=0))
    genes = [slice(a, b) for a, b in itertools.pairwise(ends)]
    before = coin_flips(n, sum(sizes), seed)
    after = exchange(before, rate, genes, seeded(seed))
    for piece in genes:
        kept, found = before[:, piece], after[:, piece]
        assert torch.equal(found.sum(1), kept.sum(1))
        if rate == 1:  # whatever can be exchanged is
            many = torch.minimum(kept.sum(1), (~kept).sum(1))
            assert torch.equal((found & ~kept).sum(1), many)
    if rate == 0:
        assert torch.equal(after, before)


def test_exchange_changes_as_much_as_its_rate_says() -> None:
    genome = (torch.arange(4000) % 4 == 0)[None].expand(500, -1)  # 1,000 of 4,000 kept
    genes = [slice(0, 1000), slice(1000, 4000)]
    gone = (genome & ~exchange(genome, 0.02, genes, seeded(0))).sum(1).double()
    assert 19 < gone.mean() < 21
    drawn = (genome & ~exchange(genome, None, genes, seeded(0))).sum(1).double() / 1000
    low, high = EXCHANGED
    assert drawn.min() < 2 * low
    assert drawn.max() > high / 2
    assert abs(drawn.clamp_min(1e-3).log().mean() - math.log(low * high) / 2) < 0.15


def test_parents_are_the_fittest_share() -> None:
    F = torch.tensor([0.3, 0.9, 0.5, 0.7], dtype=torch.float64)
    assert fittest(F, 0.5).tolist() == [0, 0.9, 0, 0.7]
    assert fittest(F, 0.01).tolist() == [0, 0.9, 0, 0]
    assert torch.equal(fittest(F, 1), F)
    genomes = torch.eye(4, dtype=torch.bool)
    children = breed(genomes, F, seeded(0), p_select=1, p_crossover=0, parents=0.25, change=at_rate(0.5))
    assert torch.equal(children, genomes[1].expand(4, -1))
