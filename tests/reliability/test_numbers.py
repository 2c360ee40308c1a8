"""NaN and infinity: in a checkpoint, in a slim network while searching. Of fine-tuning see tests/training."""

from pathlib import Path

import pytest
import torch

from ganprune.models.cyclegan import Generator, resnet_widths
from ganprune.pruning.genome import Layout
from ganprune.scoring import LocalScorer
from ganprune.search import SEARCHERS
from ganprune.search.coevolution import CoEvolution
from ganprune.settings.search import SearchSettings
from tests.tiny import fill, tiny_gan


@torch.no_grad()
def _cancelling() -> Generator:
    """Finite as it is: two huge filters cancel. Without one of them everything overflows."""
    net = Generator(resnet_widths(4, 1), "none")
    fill(net, 0)
    first, second, third = (net.get_parameter(f"model.{i}.weight") for i in (1, 4, 7))
    first[:2] = 1e35
    second[:, 0], second[:, 1] = 1.0, -1.0
    third[:] = 1e3
    return net.requires_grad_(False).eval()


def _scorer() -> tuple[LocalScorer, Layout]:
    gan, net = tiny_gan(), _cancelling()
    layouts = {"A": Layout.of(net)}
    generators = {"A": net, "B": gan.generators["B"]}
    return LocalScorer(gan.inputs(generators=generators, layouts=layouts)), layouts["A"]


def test_a_slim_network_that_overflows_is_the_least_fit() -> None:
    scorer, layout = _scorer()
    settings = SearchSettings(population=2, generations=1, direction="AtoB")
    searcher = SEARCHERS[settings.searcher](settings, {"A": layout}, scorer)
    genomes = torch.ones(2, layout.length, dtype=torch.bool)
    genomes[0, 1] = False  # one of the two that cancel
    population = searcher._score("A", genomes, None, 0.0)
    assert not population.L_DisA[0].isfinite()
    assert population.fitness[0] == 0
    assert population.best == 1


@pytest.mark.parametrize("name", SEARCHERS)
def test_every_searcher_ends_with_finite_networks_among_ones_that_overflow(name: str) -> None:
    scorer, layout = _scorer()
    settings = SearchSettings(population=6, generations=3, direction="AtoB", searcher=name)  # type: ignore[arg-type]
    searcher: CoEvolution = SEARCHERS[settings.searcher](settings, {"A": layout}, scorer)
    *_, last = searcher.states(None)
    population = last.populations["A"]
    assert population.fitness.isfinite().all()
    if (population.fitness > 0).any():
        assert population.L_cyc[population.best].isfinite()


def test_a_checkpoint_with_nan_is_refused_by_name(tmp_path: Path) -> None:
    from ganprune.checkpoints import load_generator
    from ganprune.errors import CheckpointError

    tensors = _cancelling().state_dict()
    tensors["model.1.weight"][0, 0, 0, 0] = float("nan")
    torch.save(tensors, tmp_path / "G.pth")
    with pytest.raises(CheckpointError, match=r"G\.pth: model\.1\.weight holds NaN"):
        load_generator(tmp_path / "G.pth")
