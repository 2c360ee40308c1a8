import itertools
import json
from dataclasses import dataclass, field, fields, replace
from typing import Any

import pytest
import safetensors.torch
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from ganprune.errors import UsageError
from ganprune.models.cyclegan import resnet_widths
from ganprune.pruning.genome import Layout
from ganprune.pruning.repair import ON_TARGET
from ganprune.pruning.resources import kept_macs, kept_weights
from ganprune.scoring import Scores
from ganprune.search.coevolution import CoEvolution, Population, State, describe, random_stream
from ganprune.settings.search import SearchSettings
from ganprune.settings.words import DOMAINS, Domain
from tests.search.kit import NAMES, population_of
from tests.strategies import layouts as any_layout
from tests.tiny import layout_of, random_genomes, seeded

LAYOUTS: dict[Domain, Layout] = {
    "A": layout_of(resnet_widths(8, 2)),
    "B": layout_of(resnet_widths(6, 1), "shared"),
}
SMALL = SearchSettings(population=6, generations=5, mutation_rate=0.05, cycle="whole")


@dataclass(slots=True)
class FakeScorer:
    """Terms that fall with every bit that is kept, each bit by an amount of its own; remembers its calls."""

    heeds_partner: bool = True
    calls: list[tuple[Domain, Tensor, Tensor | None]] = field(default_factory=list)

    def score(self, side: Domain, genomes: Tensor, partner: Tensor | None) -> Scores:
        self.calls.append((side, genomes, partner))
        stakes = torch.rand(4, genomes.shape[1], generator=seeded(len(side)), dtype=torch.float64)
        terms = (~genomes).double() @ (stakes / stakes.sum(1, keepdim=True)).T  # [K, 4]
        L_DisA, L_GenA, L_cyc, L_idt = terms.unbind(1)
        if self.heeds_partner and partner is not None:
            liked = torch.rand(len(partner), generator=seeded(1)) < 0.5
            L_cyc = L_cyc * (1 + (partner != liked).double().mean())
        return Scores(L_DisA, L_GenA, L_cyc, L_idt)


def search(settings: SearchSettings, scorer: FakeScorer | None = None) -> list[State]:
    return list(CoEvolution(settings, LAYOUTS, scorer or FakeScorer()).states(None))


def same(a: State, b: State) -> bool:
    ours, theirs = a.to_tensors(), b.to_tensors()
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


def partner_is(found: Tensor | None, expected: Tensor) -> bool:
    return found is not None and torch.equal(found, expected)


@pytest.mark.parametrize("order", ["alternate", "simultaneous"])
def test_each_side_meets_the_best_of_the_other(order: Any) -> None:
    scorer = FakeScorer()
    states = search(replace(SMALL, order=order), scorer)
    assert [side for side, _, _ in scorer.calls] == ["A", "B"] * 6
    assert [partner for _, _, partner in scorer.calls[:2]] == [None, None]
    for t in range(1, 6):
        (_, P, partner_of_p), (_, Q, partner_of_q) = scorer.calls[2 * t : 2 * t + 2]
        assert torch.equal(P, states[t].populations["A"].genomes)
        assert torch.equal(Q, states[t].populations["B"].genomes)
        assert partner_is(partner_of_p, states[t - 1].populations["B"].best_genome)
        latest = states[t if order == "alternate" else t - 1]
        assert partner_is(partner_of_q, latest.populations["A"].best_genome)
    best = [state.populations["A"].best_genome for state in states]
    assert any(not torch.equal(old, new) for old, new in itertools.pairwise(best))  # so the orders differ


def test_separate_evolution_keeps_the_originals_as_partners() -> None:
    scorer = FakeScorer()
    search(replace(SMALL, partners="original"), scorer)
    assert len(scorer.calls) == 12
    assert all(partner is None for _, _, partner in scorer.calls)


def test_a_target_is_met_by_exchanges_too() -> None:
    settings = replace(
        SMALL, mutation="exchange", mutation_rate=None, parents=0.5, target_macs=(0.3, 0.5), align=2
    )
    for state in search(settings)[1:]:
        for side, target in zip(DOMAINS, (0.3, 0.5), strict=True):
            assert (state.populations[side].macs <= target).all()


@pytest.mark.parametrize("target", [None, (0.3, 0.5)])
def test_the_elite_lives_on_unchanged(target: tuple[float, float] | None) -> None:
    for before, after in itertools.pairwise(search(replace(SMALL, target_macs=target, align=2))):
        assert torch.equal(after.populations["A"].genomes[0], before.populations["A"].best_genome)
        assert torch.equal(after.populations["B"].genomes[0], before.populations["B"].best_genome)


def test_with_the_same_partner_the_best_fitness_never_falls_and_the_search_gets_somewhere() -> None:
    states = search(replace(SMALL, generations=20), FakeScorer(heeds_partner=False))
    for side in DOMAINS:
        best = [float(state.populations[side].fitness.max()) for state in states]
        assert best == sorted(best)
        assert best[-1] > best[0]


def test_the_same_seed_gives_the_same_states_and_another_seed_others() -> None:
    first, again, other = (search(replace(SMALL, seed=seed)) for seed in (3, 3, 4))
    assert all(same(a, b) for a, b in zip(first, again, strict=True))
    assert not any(same(a, b) for a, b in zip(first, other, strict=True))


@pytest.mark.parametrize("order", ["alternate", "simultaneous"])
def test_a_search_resumed_from_any_saved_state_ends_as_if_undisturbed(order: Any) -> None:
    settings = replace(SMALL, order=order, target_macs=(0.4, 0.4))
    undisturbed = search(settings)
    for t, state in enumerate(undisturbed):
        file = safetensors.torch.save(state.to_tensors())
        read = State.from_tensors(safetensors.torch.load(file))
        assert same(read, state)
        rest = list(CoEvolution(settings, LAYOUTS, FakeScorer()).states(read))
        assert len(rest) == 5 - t
        assert all(same(a, b) for a, b in zip(rest, undisturbed[t + 1 :], strict=True))


@given(layout=any_layout(), n=st.integers(2, 5), seed=st.integers(0, 999))
def test_states_of_any_layout_come_back_from_a_file(layout: Layout, n: int, seed: int) -> None:
    scores = torch.randn(7, n, generator=seeded(seed), dtype=torch.float64)
    scores[0, 0] = float("nan")
    population = population_of(random_genomes(layout, n, seed), **dict(zip(NAMES, scores, strict=True)))
    state = State(seed, {"A": population, "B": population})
    read = State.from_tensors(safetensors.torch.load(safetensors.torch.save(state.to_tensors())))
    assert read.generation == seed
    for column in fields(Population):
        ours, theirs = getattr(population, column.name), getattr(read.populations["B"], column.name)
        torch.testing.assert_close(ours, theirs, rtol=0, atol=0, equal_nan=True)


def test_a_state_that_lacks_a_tensor_is_refused() -> None:
    tensors = search(replace(SMALL, generations=0))[0].to_tensors()
    del tensors["B.L_cyc"]
    with pytest.raises(KeyError, match=r"B\.L_cyc"):
        State.from_tensors(tensors)


def test_a_full_size_state_stays_under_five_megabytes() -> None:
    layout = layout_of(resnet_widths(64, 9))
    population = population_of(random_genomes(layout, 32))
    assert len(safetensors.torch.save(State(0, {"A": population, "B": population}).to_tensors())) < 5e6


@pytest.mark.parametrize(("loss", "term"), [("disa", "L_DisA"), ("gena", "L_GenA")])
def test_fitness_is_equation_11_of_the_terms_and_the_genomes(loss: Any, term: str) -> None:
    s = replace(SMALL, loss=loss, gamma=3, lambda_cycle=5, lambda_identity=0.7)
    for state in search(s):
        for side in DOMAINS:
            p = state.populations[side]
            assert torch.equal(p.N, kept_weights(LAYOUTS[side], p.genomes))
            assert torch.equal(p.macs, kept_macs(LAYOUTS[side], p.genomes))
            for j in range(s.population):
                loss_terms = float(getattr(p, term)[j]) + 5 * float(p.L_cyc[j]) + 0.7 * float(p.L_idt[j])
                assert p.fitness[j].item() == pytest.approx(1 / (float(p.N[j]) + 3 * loss_terms), rel=1e-12)


def test_every_genome_of_every_generation_satisfies_its_sides_constraints() -> None:
    layouts: dict[Domain, Layout] = {side: layout_of(resnet_widths(32, 3)) for side in DOMAINS}
    targets = {"A": 0.3, "B": 0.6}
    settings = replace(SMALL, target_macs=(0.3, 0.6), align=2)
    for state in CoEvolution(settings, layouts, FakeScorer()).states(None):
        for side in DOMAINS:
            population, layout = state.populations[side], layouts[side]
            assert torch.all(population.macs <= targets[side])
            assert torch.all(population.macs >= ON_TARGET * targets[side])
            for piece in layout.genes.values():
                kept = population.genomes[:, piece].sum(1)
                assert torch.all((kept >= 2) & (kept % 2 == 0))


def test_the_first_generation_is_fair_coin_flips() -> None:
    layouts: dict[Domain, Layout] = {side: layout_of(resnet_widths(64, 9)) for side in DOMAINS}
    state = CoEvolution(SearchSettings(), layouts, FakeScorer()).init()
    for side in DOMAINS:
        genomes = state.populations[side].genomes
        assert genomes.shape == (32, 2944)
        assert genomes.double().mean().item() == pytest.approx(0.5, abs=4 * 0.5 * (32 * 2944) ** -0.5)
        assert state.populations[side].diversity() == pytest.approx(0.5, abs=0.01)
    assert not torch.equal(state.populations["A"].genomes, state.populations["B"].genomes)


def test_one_sides_random_numbers_do_not_depend_on_the_other_side() -> None:
    other: dict[Domain, Layout] = {"A": LAYOUTS["A"], "B": layout_of(resnet_widths(3, 4))}
    settings = replace(SMALL, partners="original")
    here, there = search(settings)[-1], list(CoEvolution(settings, other, FakeScorer()).states(None))[-1]
    assert torch.equal(here.populations["A"].genomes, there.populations["A"].genomes)


def test_every_generation_of_every_side_and_seed_has_a_stream_of_its_own() -> None:
    names = list(itertools.product((0, 1, -1, 11, 2**70), (0, 1, 10, 110), DOMAINS))
    draws = {tuple(torch.rand(4, generator=random_stream(*name)).tolist()) for name in names}
    assert len(draws) == len(names)
    again = torch.rand(4, generator=random_stream(*names[0]))
    assert tuple(again.tolist()) in draws


def test_states_run_from_generation_zero_to_the_last_and_no_further() -> None:
    states = search(SMALL)
    assert [state.generation for state in states] == [0, 1, 2, 3, 4, 5]
    algorithm = CoEvolution(SMALL, LAYOUTS, FakeScorer())
    assert list(algorithm.states(states[-1])) == []
    assert len(search(replace(SMALL, generations=0))) == 1


@given(layout=any_layout(), n=st.integers(2, 6), seed=st.integers(0, 999))
def test_diversity_is_the_mean_share_of_bits_in_which_two_differ(layout: Layout, n: int, seed: int) -> None:
    genomes = random_genomes(layout, n, seed)
    population = population_of(genomes)
    pairs = [(a != b).double().mean().item() for a, b in itertools.combinations(genomes, 2)]
    assert population.diversity() == pytest.approx(sum(pairs) / len(pairs), abs=1e-12)


def test_the_best_is_the_first_of_equals() -> None:
    F = torch.tensor([0.5, 2.0, 2.0, 1.0], dtype=torch.float64)
    genomes = torch.eye(4, dtype=torch.bool)
    population = population_of(genomes, fitness=F)
    assert population.best == 1
    assert torch.equal(population.best_genome, genomes[1])


@pytest.mark.parametrize("target", [{"target_macs": (0.4, 0.4)}, {"speed_up": (2.0, 2.0)}], ids=str)
def test_with_a_target_pictures_alone_decide_who_is_fit(target: dict[str, Any]) -> None:
    """All are as large as was asked for; N among them would choose fewer weights in other layers."""
    settings = replace(SMALL, **target)
    for state in search(settings):
        for side, p in state.populations.items():
            losses = p.L_DisA + 10 * p.L_cyc
            assert p.best == int(losses.argmin())
            assert len(p.N.unique()) > 1
            line: Any = describe(state, settings)
            assert line[side]["losses"] == pytest.approx(10 * losses.min().item())
    for state in search(replace(settings, weigh_size="always")):
        for p in state.populations.values():
            torch.testing.assert_close(p.fitness, 1 / (p.N + 10 * (p.L_DisA + 10 * p.L_cyc)))


def test_a_line_of_history_is_json_and_tells_of_the_best_individuals() -> None:
    state = search(SMALL)[-1]
    line = json.loads(json.dumps(describe(state, SMALL)))
    assert line["generation"] == 5
    for side in DOMAINS:
        population = state.populations[side]
        assert line[side]["fitness"] == population.fitness.max().item()
        assert line[side]["N"] == population.N[population.best].item()
        assert line[side]["losses"] == pytest.approx(1 / line[side]["fitness"] - line[side]["N"])
        assert line[side]["mean_fitness"] == pytest.approx(population.fitness.mean().item())
        assert line[side]["mean_macs"] == pytest.approx(population.macs.mean().item())


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"population": 1}, "--set population must be 2 or more, found 1"),
        ({"generations": -1}, "--set generations must be 0 or more, found -1"),
        ({"gamma": -0.5}, r"--set gamma must be finite and 0 or more, found -0\.5"),
        ({"gamma": float("nan")}, "--set gamma must be finite and 0 or more, found nan"),
        ({"lambda_cycle": float("inf")}, "--set lambda-cycle must be finite and 0 or more, found inf"),
        ({"lambda_identity": -1.0}, r"--set lambda-identity must be finite and 0 or more, found -1\.0"),
        (
            {"p_select": 0.8},
            r"--set p-select and --set p-crossover must .* at most 1 together, found 0\.8 and 0\.3",
        ),
        (
            {"p_crossover": -0.1},
            r"--set p-crossover must be 0 to 1, found -0\.1",
        ),
        ({"p_select": float("nan")}, "--set p-select must be 0 to 1, found nan"),
        ({"mutation_rate": 1.5}, r"--set mutation-rate must be 0 to 1, found 1\.5"),
        ({"parents": 0.0}, "--set parents must be above 0 and at most 1, found 0"),
        ({"mutation": "swap"}, "--set mutation must be one of auto, flip, exchange, reshape, found 'swap'"),
        ({"layout": "free"}, "--set layout must be one of filters, shared, found 'free'"),
        ({"order": "both"}, "--set order must be one of alternate, simultaneous, found 'both'"),
        ({"partners": "none"}, "--set partners must be one of evolved, original, found 'none'"),
        ({"loss": "l1"}, "--set loss must be one of disa, gena, found 'l1'"),
        ({"align": 0}, "--set align must be 1 or more, found 0"),
        ({"min_filters": 0}, "--set min-filters must be 1 or more, found 0"),
        ({"target_macs": (0.5, 0.0)}, "--target-macs must be above 0 and at most 1, found 0"),
        ({"target_macs": (float("nan"), 0.5)}, "--target-macs must be above 0 and at most 1, found nan"),
        ({"target_params": (1.5, 1.5)}, r"--set target-params must be above 0 and at most 1, found 1\.5"),
        ({"target_ms": (0.0, 1.0)}, "--target-ms must be finite and above 0, found 0"),
        ({"speed_up": (0.5, 4.0)}, r"--speed-up must be finite and 1 or more, found 0\.5"),
        ({"min_psnr": 0.0}, "--min-psnr must be finite and above 0, found 0"),
        ({"target_macs": (0.5, 0.0)}, r"--target-macs must be above 0 and at most 1, found 0\.0"),
        ({"target_macs": (2.0, 0.5)}, r"--target-macs must be above 0 and at most 1, found 2\.0"),
    ],
)
def test_settings_out_of_range_are_refused_in_the_spelling_of_the_command_line(
    setting: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=f"^{message}"):
        SearchSettings(**setting)


def test_a_target_out_of_reach_is_refused_before_the_search() -> None:
    with pytest.raises(UsageError, match=r"--target-macs 0\.001 cannot be reached with --set align=1"):
        CoEvolution(replace(SMALL, target_macs=(0.5, 0.001)), LAYOUTS, FakeScorer())


def test_the_defaults_are_the_papers_but_for_the_operators() -> None:
    s = SearchSettings()
    assert (s.population, s.generations, s.gamma, s.lambda_cycle) == (32, 100, 10, 10)
    assert (s.order, s.partners, s.loss) == ("alternate", "evolved", "disa")


@pytest.mark.parametrize(
    ("changes", "exchanged", "reshaped"),
    [
        ({}, True, True),
        ({"mutation": "exchange"}, True, False),
        ({"mutation": "reshape"}, False, True),
    ],
    ids=str,
)
def test_children_differ_by_filters_and_by_widths(
    changes: dict[str, Any], exchanged: bool, reshaped: bool
) -> None:
    settings = replace(SMALL, target_macs=(0.4, 0.4), mutation_rate=0.3, **changes)
    search, layout = CoEvolution(settings, LAYOUTS, FakeScorer()), LAYOUTS["A"]
    now = search.init().populations["A"].genomes.repeat(20, 1)
    young = search._mutated("A", now, seeded(0))
    same_widths = (layout.gene_counts(young) == layout.gene_counts(now)).all(1)
    assert bool((~same_widths).any()) == reshaped
    assert bool((same_widths & (young != now).any(1)).any()) == exchanged
    assert (kept_macs(layout, young) <= 0.4).all()


def test_only_what_the_cycle_loses_beyond_the_originals_counts() -> None:
    floor: dict[Domain, float] = {"A": 0.5, "B": 0.5}
    states = list(CoEvolution(SMALL, LAYOUTS, FakeScorer(), floor=floor).states(None))
    for state in (states[0], State.from_tensors(states[-1].to_tensors())):
        assert state.floor == floor
        for side, population in state.populations.items():
            excess = (population.L_cyc - floor[side]).clamp_min(0)
            losses = population.L_DisA + 10 * excess
            torch.testing.assert_close(population.fitness, 1 / (population.N + 10 * losses))
            assert 0 < (excess == 0).sum() < len(excess) or state.generation


def test_half_of_a_population_is_near_the_cheapest_network() -> None:
    random = seeded(5)
    scores: dict[Domain, Tensor] = {}
    costs: dict[Domain, list[Any]] = {}
    for side, layout in LAYOUTS.items():
        scores[side] = torch.rand(layout.length, generator=random).double()
        costs[side] = [torch.linspace(1, 0, size + 1).double().square().numpy() for size in layout.sizes]
    settings = replace(SMALL, target_macs=(0.4, 0.4), generations=0)
    found = CoEvolution(settings, LAYOUTS, FakeScorer(), scores, None, costs)
    first = found.init()
    for side, layout in LAYOUTS.items():
        genomes = first.populations[side].genomes
        counts = found._repair[side].cheapest(costs[side])
        assert torch.equal(genomes[0], layout.keeping(counts, scores[side]))
        steps = (layout.gene_counts(genomes[:3]) != torch.from_numpy(counts)).any(1)
        assert steps.tolist() == [False, True, True]
        assert (first.populations[side].macs <= 0.4).all()
        free = CoEvolution(replace(settings, target_macs=None), LAYOUTS, FakeScorer(), scores, None, costs)
        for genome in free.init().populations[side].genomes[:3]:  # of any size, but the best filters
            for piece in layout.genes.values():
                kept = genome[piece]
                assert kept.all() or scores[side][piece][kept].min() > scores[side][piece][~kept].max()


@pytest.mark.parametrize(("direction", "side"), [("AtoB", "A"), ("BtoA", "B")])
def test_in_one_direction_one_side_evolves_beside_the_whole_other_generator(
    direction: Any, side: Domain
) -> None:
    scorer = FakeScorer()
    states = search(replace(SMALL, direction=direction), scorer)
    assert [(called, partner) for called, _, partner in scorer.calls] == [(side, None)] * 6
    assert all(state.populations.keys() == {side} for state in states)
    assert describe(states[-1], SMALL).keys() == {"generation", side}
    read = State.from_tensors(safetensors.torch.load(safetensors.torch.save(states[2].to_tensors())))
    rest = CoEvolution(replace(SMALL, direction=direction), LAYOUTS, FakeScorer()).states(read)
    assert all(same(a, b) for a, b in zip(rest, states[3:], strict=True))


def test_one_direction_breeds_as_both_do_with_the_original_as_partner() -> None:
    alone = search(replace(SMALL, direction="AtoB"))
    both = search(replace(SMALL, partners="original"))
    for a, b in zip(alone, both, strict=True):
        assert torch.equal(a.populations["A"].genomes, b.populations["A"].genomes)
