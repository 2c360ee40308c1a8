import pytest
import torch

from ganprune.coevolution import CoEvolution
from ganprune.evaluation import Side
from ganprune.genome import Layout, LayoutKind
from ganprune.importance import importance
from ganprune.networks import NORMS, Generator, Norm, resnet_widths
from ganprune.search_settings import SearchSettings
from tests.test_coevolution import LAYOUTS, FakeEvaluator
from tests.tiny import fill, seeded

WIDTHS = resnet_widths(4, 2)


def generator(norm: Norm = "instance") -> Generator:
    net = Generator(WIDTHS, norm)
    fill(net, 0)
    return net.requires_grad_(False).eval()


@pytest.mark.parametrize("kind", ["filters", "shared"])
@pytest.mark.parametrize("norm", NORMS)
def test_a_filter_that_nobody_reads_has_the_least_score(norm: Norm, kind: LayoutKind) -> None:
    net, layout = generator(norm), Layout.of(WIDTHS, kind)
    net.state_dict()["model.4.weight"][:, 2] = 0  # the third filter of the stem
    scores = importance(net, layout)
    assert scores.shape == (layout.length,)
    assert (scores > 0).all()
    for piece in layout.genes.values():
        assert float(scores[piece].mean()) == pytest.approx(1)
    stem = scores[layout.genes["stem"]]
    assert int(stem.argmin()) == 2
    assert float(stem[2]) < 1e-6


def test_instance_norm_makes_the_size_of_a_filter_itself_not_count() -> None:
    net, layout = generator(), Layout.of(WIDTHS)
    before = importance(net, layout)
    net.state_dict()["model.1.weight"][1] *= 50
    assert torch.equal(importance(net, layout), before)
    net.state_dict()["model.4.weight"][:, 1] *= 50
    assert int(importance(net, layout)[layout.genes["stem"]].argmax()) == 1


def test_batch_norm_counts_its_own_weights_and_no_norm_the_filter() -> None:
    changed: dict[Norm, str] = {"batch": "model.2.weight", "none": "model.1.weight"}
    for norm, key in changed.items():
        net, layout = generator(norm), Layout.of(WIDTHS)
        net.state_dict()[key][3] = 90
        assert int(importance(net, layout)[layout.genes["stem"]].argmax()) == 3


def test_informed_genomes_keep_the_best_filters_at_the_widths_of_the_drawn_ones() -> None:
    settings = SearchSettings(population=6, generations=0, informed=0.5, target_macs=(0.4, 0.4))
    scores: dict[Side, torch.Tensor] = {
        side: torch.rand(layout.length, generator=seeded(4)).double() for side, layout in LAYOUTS.items()
    }
    drawn = CoEvolution(settings, LAYOUTS, FakeEvaluator()).init()
    informed = CoEvolution(settings, LAYOUTS, FakeEvaluator(), scores).init()
    for side, layout in LAYOUTS.items():
        before, after = drawn.populations[side].genomes, informed.populations[side].genomes
        assert torch.equal(layout.gene_counts(before), layout.gene_counts(after))
        assert torch.equal(before[3:], after[3:])
        for piece in layout.genes.values():
            kept = after[0, piece]
            assert kept.all() or scores[side][piece][kept].min() >= scores[side][piece][~kept].max()
        assert not torch.equal(after[1], after[2])
