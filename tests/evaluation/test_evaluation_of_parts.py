"""Scores where a judge or a partner is missing, and where norms have statistics."""

from dataclasses import replace

import pytest
import torch

from ganprune.evaluation import DOMAINS, Domain, LocalEvaluator
from ganprune.models.cyclegan import Generator
from ganprune.pruning.genome import Layout
from ganprune.pruning.rebuild import rebuilt
from tests.evaluation.test_evaluation import PLAIN, evaluator, exactly_equal, genomes_of
from tests.tiny import fill, tiny_gan


@pytest.mark.parametrize("side", DOMAINS)
def test_scores_without_a_judge_or_a_partner_leave_out_only_their_terms(side: Domain) -> None:
    gan = tiny_gan()
    genomes = genomes_of(gan, side)
    whole = evaluator(gan).score(side, genomes, None, identity=True)
    mine: dict[Domain, Layout] = {side: gan.layouts[side]}
    no_judge = LocalEvaluator(gan.generators, {}, mine, gan.pictures, PLAIN)
    alone = LocalEvaluator({side: gan.generators[side]}, gan.judges, mine, gan.pictures, PLAIN)
    none = torch.zeros_like(whole.L_cyc)
    assert exactly_equal(no_judge.score(side, genomes, None, identity=True), replace(whole, L_DisA=none))
    assert exactly_equal(alone.score(side, genomes, None, identity=True), replace(whole, L_cyc=none))


@pytest.mark.parametrize("side", DOMAINS)
def test_scores_need_pictures_of_the_domain_that_is_translated_alone(side: Domain) -> None:
    gan = tiny_gan()
    genomes = genomes_of(gan, side)
    whole = evaluator(gan).score(side, genomes, None)
    mine: dict[Domain, Layout] = {side: gan.layouts[side]}
    half = LocalEvaluator(gan.generators, gan.judges, mine, {side: gan.pictures[side]}, PLAIN)
    assert exactly_equal(half.score(side, genomes, None), whole)


def test_batch_norm_is_scored_with_the_statistics_of_the_slim_network() -> None:
    gan = tiny_gan()
    for seed, side in enumerate(DOMAINS):
        gan.generators[side] = Generator(gan.generators[side].widths, "batch").requires_grad_(False).eval()
        fill(gan.generators[side], seed)
        gan.layouts[side] = Layout.of(gan.generators[side])
    genome = genomes_of(gan, "A", 1)
    slim = rebuilt(gan.generators["A"], gan.layouts["A"], genome[0]).train()
    for module in slim.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None
            module.reset_running_stats()
    x = gan.pictures["A"].float() / 127.5 - 1
    for picture in x:
        slim(picture[None])
    expected = (gan.generators["A"](x) - slim.eval()(x)).square().mean()
    found = evaluator(gan).score("A", genome, None).L_GenA
    assert float(found) == pytest.approx(float(expected), rel=1e-4)
