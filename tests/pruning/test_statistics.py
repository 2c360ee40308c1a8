"""Running statistics of slim batch norms, which stand to their maps as the original's do to its own."""

import copy

import pytest
import torch
from torch import Tensor, nn

from ganprune.models.cyclegan import Generator, resnet_widths
from ganprune.pruning.genome import Layout
from ganprune.pruning.rebuild import rebuilt
from ganprune.pruning.statistics import following, seen_by_norms
from tests.refit.test_sequence import batch_norms, settle
from tests.tiny import fill, random_genomes, random_pictures

X = random_pictures(5, 3, 20, 24)


def of_batch_norms(*layers: nn.Module, stale: float = 0.3) -> nn.Module:
    """A network whose statistics are not its maps' own, as after a training on a picture at a time."""
    net = nn.Sequential(*layers) if layers else Generator(resnet_widths(6, 2), "batch")
    fill(net.double(), 3)
    settle(net, X)
    for mean, var in batch_norms(net).values():
        mean += stale * var.sqrt() * torch.linspace(-1, 1, len(var))
        var *= 1 + stale
    return net.requires_grad_(False).eval()


def followed(net: nn.Module, genome: Tensor, batch: int = 2) -> nn.Module:
    layout, parts = Layout.of(net), X.split(batch)
    return following(rebuilt(net, layout, genome), layout, genome, seen_by_norms(net, parts), parts)


@pytest.mark.parametrize(
    "layers",
    [
        (),
        (
            nn.Conv2d(3, 4, 4, 4),
            nn.BatchNorm2d(4, affine=False),
            nn.Dropout(),
            nn.ConvTranspose2d(4, 3, 4, 4),
        ),
        (nn.Conv2d(3, 4, (20, 24)), nn.BatchNorm2d(4), nn.ConvTranspose2d(4, 3, 20)),  # maps of one value
    ],
)
def test_with_all_filters_kept_nothing_changes(layers: tuple[nn.Module, ...]) -> None:
    net = of_batch_norms(*copy.deepcopy(layers))
    same = followed(net, Layout.of(net).full())
    for name, tensor in same.state_dict().items():
        torch.testing.assert_close(tensor, net.state_dict()[name], rtol=1e-5, atol=1e-6)
    assert not any(module.training or module._forward_hooks for module in same.modules())


def test_a_norm_gives_slim_maps_the_mean_and_the_variance_that_the_originals_have() -> None:
    net = of_batch_norms(nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.Conv2d(6, 3, 3))
    layout, genome = Layout.of(net), torch.arange(6) < 4
    slim = rebuilt(net, layout, genome)
    slim.get_parameter("0.weight").mul_(torch.linspace(0.5, 3, 4)[:, None, None, None]).roll(1)
    following(slim, layout, genome, seen_by_norms(net, [X]), [X])
    maps, wanted = (of.get_submodule("1")(of.get_submodule("0")(X)) for of in (slim, net))
    for found, known in zip(torch.var_mean(maps, (0, 2, 3)), torch.var_mean(wanted, (0, 2, 3)), strict=True):
        torch.testing.assert_close(found, known[:4], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("seed", range(3))
def test_a_slim_network_is_nearer_to_its_original_than_by_its_maps_own_statistics(seed: int) -> None:
    net = of_batch_norms()
    layout = Layout.of(net)
    genome = torch.rand(layout.length, generator=torch.Generator().manual_seed(seed)) < 0.9
    cut = rebuilt(net, layout, genome)
    own = copy.deepcopy(cut)
    settle(own, X)
    as_cut, by_own, found = (
        float((of(X) - net(X)).square().mean()) for of in (cut, own, followed(net, genome))
    )
    assert found < 0.7 * min(as_cut, by_own)


def test_statistics_do_not_depend_on_how_many_pictures_pass_at_once() -> None:
    net = of_batch_norms()
    genome = random_genomes(Layout.of(net), 1)[0]
    one, three, all_ = (followed(net, genome, batch).state_dict() for batch in (1, 3, 5))
    for name, tensor in one.items():
        torch.testing.assert_close(three[name], tensor, rtol=1e-5, atol=1e-7)
        torch.testing.assert_close(all_[name], tensor, rtol=1e-5, atol=1e-7)


def test_without_batch_norm_no_picture_is_looked_at() -> None:
    net = Generator(resnet_widths(2, 1), "instance")
    pictures = iter([X])
    assert seen_by_norms(net, pictures) == {}
    assert following(net, Layout.of(net), Layout.of(net).full(), {}, pictures) is net
    assert next(pictures) is X
