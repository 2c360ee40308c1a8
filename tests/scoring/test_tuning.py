"""Individuals that are fine-tuned before they are scored."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from ganprune.images import find_domains, split, to_float
from ganprune.pruning.fitness import l_cyc, l_disa
from ganprune.pruning.genome import genome_key
from ganprune.pruning.rebuild import rebuilt
from ganprune.scoring import FineTuner, LocalScorer, Scores, tuning_pictures
from ganprune.search.coevolution import CoEvolution, State
from ganprune.settings.search import SearchSettings
from ganprune.settings.words import DOMAINS, Domain
from ganprune.training import TrainSettings
from tests.images.pictures import write
from tests.scoring.test_local import TERMS, exactly_equal, genomes_of, partner_of
from tests.tiny import TinyGan, tiny_gan


def tuned(gan: TinyGan, root: Path, steps: int = 2) -> LocalScorer:
    for seed, side in enumerate(DOMAINS):
        for i in range(12):
            write(root / f"train{side}/{i}.png", 100 * seed + i, 40, 40)
    chosen = tuning_pictures(find_domains(root), seed=3, holdout=4)
    recipe = TrainSettings(size=32, load_size=36, seed=3, lr=1e-2)
    tuner = FineTuner(gan.judges, chosen, recipe, steps)
    return LocalScorer(gan.inputs(tuner=tuner))


def test_individuals_are_fine_tuned_before_they_are_scored(tmp_path: Path) -> None:
    gan = tiny_gan()
    genomes, partner = genomes_of(gan, "A"), partner_of(gan, "A")
    plain = LocalScorer(gan.inputs()).score("A", genomes, partner)
    tuner = tuned(gan, tmp_path)
    found = tuner.score("A", genomes, partner)
    assert not any((getattr(plain, term) == getattr(found, term)).any() for term in TERMS[:3])
    assert exactly_equal(tuned(gan, tmp_path).score("A", genomes.flip(0), partner), Scores(
        *(getattr(found, term).flip(0) for term in TERMS)
    ))  # fmt: skip
    other = tuner.score("A", genomes, partner_of(gan, "A", seed=10))
    assert not (other.L_DisA == found.L_DisA).any()
    before = tuner.evaluations
    assert exactly_equal(tuner.score("A", genomes, partner), found)
    assert tuner.evaluations == before
    none = tuned(gan, tmp_path, steps=0)
    assert exactly_equal(none.score("A", genomes, partner), plain)


def test_partner_is_fine_tuned_too(tmp_path: Path) -> None:
    gan = tiny_gan()
    p, q = genomes_of(gan, "A", 1)[0], partner_of(gan, "A")
    local = tuned(gan, tmp_path)
    found, tune = local.score("A", p[None], q), local._tuner
    assert tune is not None
    genomes: dict[Domain, Tensor] = {"A": p, "B": q}
    cut = {side: rebuilt(gan.generators[side], gan.layouts[side], genomes[side]) for side in genomes}
    # q as in generation 0, beside the original G_A; then p beside that.
    partner = tune("B", cut["B"], gan.generators["A"], genome_key(q).hex())
    slim = tune("A", cut["A"], partner, (genome_key(p) + genome_key(q)).hex())
    x = to_float(gan.pictures["A"])
    fake, D = slim(x), gan.judges["A"]
    assert float(found.L_cyc) == pytest.approx(l_cyc(partner(fake), x), rel=1e-4)
    assert float(found.L_DisA) == pytest.approx(l_disa(D(gan.generators["A"](x)), D(fake)), rel=1e-4)
    assert l_cyc(cut["B"](fake), x) != pytest.approx(float(found.L_cyc), rel=1e-3)  # tuning has moved it


def test_search_of_fine_tuned_individuals_goes_on_to_the_same_end(tmp_path: Path) -> None:
    gan = tiny_gan()
    settings = SearchSettings(population=2, generations=2)

    def states(state: State | None) -> list[State]:
        return list(CoEvolution(settings, gan.layouts, tuned(gan, tmp_path, steps=1)).states(state))

    first, second, third = states(None)
    for before, left in ((first, [second, third]), (second, [third])):
        again = states(State.from_tensors(before.to_tensors()))
        for a, b in zip(again, left, strict=True):
            one, other = a.to_tensors(), b.to_tensors()
            assert all(torch.equal(one[name], other[name]) for name in other)


def test_pictures_to_tune_on_are_a_tenth_of_those_that_nobody_is_scored_on(tmp_path: Path) -> None:
    for side in DOMAINS:
        for i in range(44):
            write(tmp_path / f"train{side}/{i}.png", i, 8, 8)
    folders = find_domains(tmp_path)
    chosen = tuning_pictures(folders, seed=1, holdout=4)
    for side in DOMAINS:
        _, scored = split(folders, side, seed=1, holdout=4)
        assert len(chosen[side]) == 4
        assert not set(chosen[side]) & set(scored)
    assert chosen != tuning_pictures(folders, seed=2, holdout=4)
