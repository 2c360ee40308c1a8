import pytest
import torch

from ganprune.channels import graph_of
from ganprune.models.cyclegan import NORMS, Generator, Norm, resnet_widths
from ganprune.pruning.genome import LayoutKind
from ganprune.pruning.importance import channel_energies, importance
from tests.refit.test_sequence import settle
from tests.tiny import fill, layout_of, random_pictures

WIDTHS = resnet_widths(4, 2)
PICTURES = random_pictures(2, 3, 32, 32, dtype=torch.float32)


def generator(norm: Norm = "instance") -> Generator:
    net = Generator(WIDTHS, norm)
    fill(net, 0)
    return net.requires_grad_(False).eval()


@pytest.mark.parametrize("kind", ["filters", "shared"])
@pytest.mark.parametrize("norm", NORMS)
def test_a_filter_that_nobody_reads_has_the_least_score(norm: Norm, kind: LayoutKind) -> None:
    net, layout = generator(norm), layout_of(WIDTHS, kind)
    net.state_dict()["model.4.weight"][:, 2] = 0  # the third filter of the stem
    scores = importance(net, layout, PICTURES)
    assert scores.shape == (layout.length,)
    assert (scores > 0).all()
    for piece in layout.genes.values():
        assert float(scores[piece].mean()) == pytest.approx(1)
    stem = scores[layout.genes["stem"]]
    assert stem[2] == stem.min()  # others may be as dead: behind a ReLU, by their norm
    assert float(stem[2]) < 1e-6


@pytest.mark.parametrize("norm", ["instance", "affine-instance", "batch"])
def test_behind_a_norm_the_size_of_a_filter_itself_does_not_count(norm: Norm) -> None:
    net, layout = generator(norm), layout_of(WIDTHS)
    settle(net, PICTURES)  # statistics are those of its maps, as after a training
    before = importance(net, layout, PICTURES)
    net.state_dict()["model.1.weight"][1] *= 50
    settle(net, PICTURES)
    torch.testing.assert_close(importance(net, layout, PICTURES), before, rtol=1e-3, atol=1e-4)
    net.state_dict()["model.4.weight"][:, 1] *= 50
    assert int(importance(net, layout, PICTURES)[layout.genes["stem"]].argmax()) == 1


@pytest.mark.parametrize(
    ("norm", "key"),
    [("affine-instance", "model.2.weight"), ("batch", "model.2.weight"), ("none", "model.1.weight")],
)
def test_the_scale_of_a_channel_counts_whatever_gives_it(norm: Norm, key: str) -> None:
    net, layout = generator(norm), layout_of(WIDTHS)
    net.state_dict()[key][3] = 90
    assert int(importance(net, layout, PICTURES)[layout.genes["stem"]].argmax()) == 3


def test_a_channel_that_its_norm_switches_off_has_the_least_score() -> None:
    net, layout = generator("affine-instance"), layout_of(WIDTHS)
    net.state_dict()["model.2.bias"][2] = -90  # the ReLU leaves nothing of it
    stem = importance(net, layout, PICTURES)[layout.genes["stem"]]
    assert stem[2] == stem.min() < 1e-6


@pytest.mark.parametrize("norm", NORMS)
def test_energies_are_variances_of_what_each_convolution_reads(norm: Norm) -> None:
    net = generator(norm).double()
    energies = channel_energies(net, graph_of(net), PICTURES)
    x = PICTURES.double()
    for i, module in enumerate(net.model):
        if f"model.{i}" in energies:
            expected = torch.stack([one.flatten(1).var(1, correction=0) for one in x]).mean(0)
            torch.testing.assert_close(energies[f"model.{i}"], expected)
        x = module(x)
