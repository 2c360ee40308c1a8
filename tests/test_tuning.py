"""Individuals that are fine-tuned before they are scored."""

from pathlib import Path

from ganprune.evaluation import SIDES, FineTuner, LocalEvaluator, Scores, tuning_pictures
from ganprune.images import find_domains, split
from ganprune.training import TrainSettings
from tests.images.pictures import write
from tests.test_evaluation import PLAIN, TERMS, evaluator, exactly_equal, genomes_of, partner_of
from tests.tiny import TinyGan, tiny_gan


def tuned(gan: TinyGan, root: Path, steps: int = 2) -> LocalEvaluator:
    for seed, side in enumerate(SIDES):
        for i in range(12):
            write(root / f"train{side}/{i}.png", 100 * seed + i, 40, 40)
    chosen = tuning_pictures(find_domains(root), seed=3, holdout=4)
    recipe = TrainSettings(size=32, load_size=36, seed=3, lr=1e-2)
    tuner = FineTuner(gan.judges, chosen, recipe, steps)
    return LocalEvaluator(gan.generators, gan.judges, gan.layouts, gan.pictures, PLAIN, tuner=tuner)


def test_individuals_are_fine_tuned_before_they_are_scored(tmp_path: Path) -> None:
    gan = tiny_gan()
    genomes, partner = genomes_of(gan, "A"), partner_of(gan, "A")
    plain = evaluator(gan).score("A", genomes, partner)
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


def test_pictures_to_tune_on_are_a_tenth_of_those_that_nobody_is_scored_on(tmp_path: Path) -> None:
    for side in SIDES:
        for i in range(44):
            write(tmp_path / f"train{side}/{i}.png", i, 8, 8)
    folders = find_domains(tmp_path)
    chosen = tuning_pictures(folders, seed=1, holdout=4)
    for side in SIDES:
        _, scored = split(folders, side, seed=1, holdout=4)
        assert len(chosen[side]) == 4
        assert not set(chosen[side]) & set(scored)
    assert chosen != tuning_pictures(folders, seed=2, holdout=4)
