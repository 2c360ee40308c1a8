from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from ganprune.errors import CheckpointError, UsageError
from ganprune.models.cyclegan import Generator
from ganprune.pruning.genome import Layout
from ganprune.pruning.rebuild import rebuilt
from ganprune.pruning.statistics import following, seen_by_norms
from ganprune.scoring import LocalScorer, Scores, ScoringSettings, local
from ganprune.search.coevolution import CoEvolution, State
from ganprune.settings.search import SearchSettings
from ganprune.settings.words import DOMAINS, Domain, LayoutKind
from tests import oracles
from tests.skips import needs_cuda
from tests.tiny import PLAIN, TinyGan, fill, random_genomes, tiny_gan

OTHER: dict[Domain, Domain] = {"A": "B", "B": "A"}
TERMS = ("L_DisA", "L_GenA", "L_cyc", "L_idt")


def scorer(gan: TinyGan, settings: ScoringSettings = PLAIN, **changes: Any) -> LocalScorer:
    """One that computes the identity term too."""
    return LocalScorer(gan.inputs(replace(settings, identity=True), **changes))


def genomes_of(gan: TinyGan, side: Domain, n: int = 4, seed: int = 0) -> Tensor:
    return random_genomes(gan.layouts[side], n, seed)


def partner_of(gan: TinyGan, side: Domain, seed: int = 9) -> Tensor:
    """A genome for the other side."""
    return genomes_of(gan, OTHER[side], 1, seed)[0]


def exactly_equal(a: Scores, b: Scores) -> bool:
    return all(torch.equal(getattr(a, term), getattr(b, term)) for term in TERMS)


def close(a: Scores, b: Scores, atol: float, rtol: float = 0) -> None:
    for term in TERMS:
        torch.testing.assert_close(getattr(a, term), getattr(b, term), atol=atol, rtol=rtol)


def plain_scores(
    gan: TinyGan, side: Domain, genomes: Tensor, partner: Tensor | None, reduction: str = "mean"
) -> Scores:
    """Eq. 4-6 with dense networks whose activations are masked: no cache, no slim network."""

    def run(which: Domain, x: Tensor, genome: Tensor | None) -> Tensor:
        G, layout = gan.generators[which], gan.layouts[which]
        kept = None if genome is None else layout.kept(genome)
        return oracles.translate(G.state_dict(), x, G.widths.blocks, kept)

    def judge(y: Tensor) -> Tensor:
        D = gan.judges[side]
        return oracles.judge(D.state_dict(), y, len(D.widths.filters))

    x, y = (gan.pictures[domain].float() / 127.5 - 1 for domain in (side, OTHER[side]))
    original = run(side, x, None)
    rows: list[list[float]] = []
    for genome in genomes:
        slim = run(side, x, genome)
        differences = (
            judge(original) - judge(slim),
            original - slim,
            run(OTHER[side], slim, partner) - x,
            run(side, y, genome) - y,
        )
        rows.append([oracles.squared(difference, reduction) for difference in differences])
    return Scores(*torch.tensor(rows, dtype=torch.float64).unbind(1))


@pytest.mark.parametrize("kind", ["filters", "shared"])
@pytest.mark.parametrize("side", DOMAINS)
@pytest.mark.parametrize("with_partner", [False, True])
def test_terms_equal_equations_4_to_6_on_masked_dense_networks(
    kind: LayoutKind, side: Domain, with_partner: bool
) -> None:
    gan = tiny_gan(kind)
    genomes, partner = genomes_of(gan, side), partner_of(gan, side) if with_partner else None
    found = scorer(gan).score(side, genomes, partner)
    close(found, plain_scores(gan, side, genomes, partner), atol=1e-5)
    for term in TERMS:
        column = getattr(found, term)
        assert column.shape == (4,)
        assert column.dtype == torch.float64
        assert column.min() > 1e-3  # far above the tolerance
        assert len(column.unique()) == 4


@pytest.mark.parametrize("side", DOMAINS)
def test_sums_equal_equations_4_to_6_as_sums(side: Domain) -> None:
    gan = tiny_gan()
    genomes, partner = genomes_of(gan, side), partner_of(gan, side)
    found = scorer(gan, replace(PLAIN, reduction="sum")).score(side, genomes, partner)
    close(found, plain_scores(gan, side, genomes, partner, "sum"), atol=0, rtol=1e-4)


@pytest.mark.parametrize("side", DOMAINS)
def test_the_full_genome_loses_nothing(side: Domain) -> None:
    gan = tiny_gan()
    full, partner = gan.layouts[side].full()[None], gan.layouts[OTHER[side]].full()
    scores = scorer(gan).score(side, full, None)
    assert scores.L_DisA.item() == scores.L_GenA.item() == 0
    assert scores.L_cyc.item() > 0
    assert exactly_equal(scorer(gan).score(side, full, partner), scores)


@pytest.mark.parametrize("kind", ["filters", "shared"])
def test_every_single_bit_reaches_the_network_that_is_scored(kind: LayoutKind) -> None:
    gan = tiny_gan(kind, size=16)
    for side in DOMAINS:
        layout = gan.layouts[side]
        genome = genomes_of(gan, side, 1)[0]
        for piece in layout.genes.values():
            genome[piece.start : piece.start + 2] = True
        flipped = genome ^ torch.eye(layout.length, dtype=torch.bool)
        scores = scorer(gan).score(side, torch.cat([genome[None], flipped]), partner_of(gan, side))
        for term in TERMS:
            column = getattr(scores, term)
            assert (column[1:] != column[0]).all(), (side, term)


def test_scores_from_memory_are_the_computed_ones_to_the_last_bit() -> None:
    gan = tiny_gan()
    used = scorer(gan)
    first, second = partner_of(gan, "A", 1), partner_of(gan, "A", 2)
    P, Q = genomes_of(gan, "A", 4, 1), genomes_of(gan, "A", 4, 2)
    calls = [(P, None), (P, first), (Q, first), (P, second), (torch.cat([P, Q]), first), (P, None)]
    for genomes, partner in calls:
        found = used.score("A", genomes, partner)
        assert exactly_equal(found, scorer(gan).score("A", genomes, partner))


def test_a_score_does_not_depend_on_its_place_or_on_the_other_individuals() -> None:
    gan = tiny_gan()
    genomes, partner = genomes_of(gan, "B", 5), partner_of(gan, "B")
    together = scorer(gan).score("B", genomes, partner)
    order = torch.tensor([3, 0, 4, 4, 1, 2])
    mixed = scorer(gan).score("B", genomes[order], partner)
    alone = [scorer(gan).score("B", genome[None], partner) for genome in genomes]
    for term in TERMS:
        column = getattr(together, term)
        assert torch.equal(getattr(mixed, term), column[order])
        assert torch.equal(torch.cat([getattr(one, term) for one in alone]), column)


def test_nothing_is_computed_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    gan = tiny_gan()
    used, built = scorer(gan), 0
    original = local.rebuilt

    def counting(*arguments: Any) -> Any:
        nonlocal built
        built += 1
        return original(*arguments)

    monkeypatch.setattr(local, "rebuilt", counting)
    P, first, second = genomes_of(gan, "A", 4), partner_of(gan, "A", 1), partner_of(gan, "A", 2)

    def cost(genomes: Tensor, partner: Tensor | None) -> tuple[int, int]:
        """Slim networks built, and individuals that were run."""
        before = built, used.evaluations
        used.score("A", genomes, partner)
        return built - before[0], used.evaluations - before[1]

    assert cost(P, None) == (4, 4)
    assert cost(P[[0, 0, 1]], None) == (0, 0)
    assert cost(P[:2], first) == (1, 2)  # the partner alone is built: the translated pictures are kept
    assert cost(torch.cat([P[:1], genomes_of(gan, "A", 1, seed=5)]), second) == (2, 2)


def test_identity_is_computed_only_when_asked_and_changes_nothing_else() -> None:
    gan = tiny_gan()
    genomes, partner = genomes_of(gan, "A"), partner_of(gan, "A")
    without = LocalScorer(gan.inputs()).score("A", genomes, partner)
    asked = scorer(gan).score("A", genomes, partner)
    assert asked.L_idt.min() > 0
    assert exactly_equal(without, replace(asked, L_idt=torch.zeros_like(asked.L_idt)))


def test_batches_of_one_and_of_three_agree() -> None:
    gan = tiny_gan()
    genomes, partner = genomes_of(gan, "A"), partner_of(gan, "A")
    one, three = (scorer(gan, replace(PLAIN, batch=batch)).score("A", genomes, partner) for batch in (1, 3))
    close(one, three, atol=1e-5)


def test_bfloat16_stays_near_float32_and_orders_alike() -> None:
    gan = tiny_gan()
    genomes, partner = genomes_of(gan, "A", 8), partner_of(gan, "A")
    exact = scorer(gan).score("A", genomes, partner)
    rough = scorer(gan, replace(PLAIN, precision="bfloat16")).score("A", genomes, partner)
    close(rough, exact, atol=0, rtol=0.02)
    for term in TERMS:
        columns = torch.stack([getattr(rough, term), getattr(exact, term)])
        assert columns.dtype == torch.float64
        assert torch.corrcoef(columns)[0, 1] > 0.99, term
    full = gan.layouts["A"].full()[None]
    assert scorer(gan, replace(PLAIN, precision="bfloat16")).score("A", full, None).L_DisA.item() == 0


def test_later_changes_of_the_networks_do_not_reach_the_scorer() -> None:
    gan = tiny_gan()
    genomes, partner = genomes_of(gan, "A"), partner_of(gan, "A")
    before, used = scorer(gan).score("A", genomes, partner), scorer(gan)
    for side in DOMAINS:
        fill(gan.generators[side], 99)
        fill(gan.judges[side], 99)
    assert exactly_equal(used.score("A", genomes, partner), before)
    assert not exactly_equal(scorer(gan).score("A", genomes, partner), before)


def test_a_filter_that_gives_nan_gives_nan_scores_and_no_error() -> None:
    gan = tiny_gan()
    layout = gan.layouts["A"]
    gan.generators["A"].get_parameter("model.7.weight").data[0] = float("nan")
    spared = layout.full()
    spared[layout.genes["trunk"].start] = False
    scores = scorer(gan).score("A", torch.stack([layout.full(), spared]), None)
    assert scores.L_cyc[0].isnan()
    assert scores.L_cyc[1].isfinite()


def test_a_search_resumed_with_an_empty_memory_ends_as_if_undisturbed() -> None:
    gan = tiny_gan(size=16)
    settings = SearchSettings(population=4, generations=4, mutation_rate=0.1, seed=1)

    def algorithm() -> CoEvolution:
        return CoEvolution(settings, gan.layouts, scorer(gan))

    undisturbed = list(algorithm().states(None))
    for state in undisturbed[1:4]:
        read = State.from_tensors(state.to_tensors())
        *_, last = algorithm().states(read)
        ours, theirs = last.to_tensors(), undisturbed[-1].to_tensors()
        assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


@needs_cuda
@pytest.mark.parametrize("side", DOMAINS)
def test_terms_on_cuda_equal_equations_4_to_6_on_masked_dense_networks(side: Domain) -> None:
    gan = tiny_gan()
    genomes, partner = genomes_of(gan, side), partner_of(gan, side)
    used = scorer(gan, replace(PLAIN, device="cuda"))
    found = used.score(side, genomes, partner)
    close(found, plain_scores(gan, side, genomes, partner), atol=1e-4, rtol=1e-2)  # convolutions in TF32
    assert exactly_equal(scorer(gan, used.settings).score(side, genomes, partner), found)
    full = used.score(side, gan.layouts[side].full()[None], None)
    assert full.L_DisA.item() == full.L_GenA.item() == 0


def test_pictures_too_small_for_the_discriminator_are_refused() -> None:
    gan = tiny_gan(size=8)
    with pytest.raises(
        UsageError, match="a discriminator needs pictures of at least 12 pixels, found 8; give a larger"
    ):
        scorer(gan)


def test_networks_of_other_channels_than_the_pictures_are_refused() -> None:
    gan = tiny_gan()
    gan.pictures["B"] = gan.pictures["B"][:, :1]
    with pytest.raises(CheckpointError, match=r"pictures of B need 3 channels .*, found 1; give"):
        scorer(gan)


@pytest.mark.parametrize("side", DOMAINS)
def test_scores_without_a_discriminator_or_a_partner_leave_out_only_their_terms(side: Domain) -> None:
    gan = tiny_gan()
    genomes = genomes_of(gan, side)
    whole = scorer(gan).score(side, genomes, None)
    mine: dict[Domain, Layout] = {side: gan.layouts[side]}
    unseen = scorer(gan, discriminators={}, layouts=mine)
    alone = scorer(gan, generators={side: gan.generators[side]}, layouts=mine)
    none = torch.zeros_like(whole.L_cyc)
    assert exactly_equal(unseen.score(side, genomes, None), replace(whole, L_DisA=none))
    assert exactly_equal(alone.score(side, genomes, None), replace(whole, L_cyc=none))


@pytest.mark.parametrize("side", DOMAINS)
def test_scores_need_pictures_of_the_domain_that_is_translated_alone(side: Domain) -> None:
    gan = tiny_gan()
    genomes = genomes_of(gan, side)
    whole = LocalScorer(gan.inputs()).score(side, genomes, None)
    mine: dict[Domain, Layout] = {side: gan.layouts[side]}
    half = LocalScorer(gan.inputs(layouts=mine, pictures={side: gan.pictures[side]}))
    assert exactly_equal(half.score(side, genomes, None), whole)


@pytest.mark.parametrize("refit", [False, True])
def test_batch_norms_of_individuals_follow_the_originals(refit: bool) -> None:
    gan = tiny_gan()
    for seed, side in enumerate(DOMAINS):
        gan.generators[side] = Generator(gan.generators[side].widths, "batch").requires_grad_(False).eval()
        fill(gan.generators[side], seed)  # whose statistics are not its maps' own
        gan.layouts[side] = Layout.of(gan.generators[side])
    layout = gan.layouts["A"]
    genomes = torch.cat([genomes_of(gan, "A", 2), layout.full()[None]])
    x = gan.pictures["A"].float() / 127.5 - 1
    one, three = (
        LocalScorer(gan.inputs(replace(PLAIN, batch=n, refit=refit))).score("A", genomes, None)
        for n in (1, 3)
    )
    close(one, three, atol=1e-5)
    assert float(one.L_GenA[2]) == pytest.approx(0, abs=1e-8)
    if not refit:
        slim = rebuilt(gan.generators["A"], layout, genomes[0])
        following(slim, layout, genomes[0], seen_by_norms(gan.generators["A"], [x]), [x])
        expected = (gan.generators["A"](x) - slim(x)).square().mean()
        assert float(one.L_GenA[0]) == pytest.approx(float(expected), rel=1e-4)
