"""What the tracing understands, what it keeps whole, and what it says about it."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from ganprune.channels import ChannelGraph, graph_of
from ganprune.checkpoints.own import fitted
from ganprune.errors import CheckpointError, UsageError
from ganprune.models.traits import channels_of
from ganprune.pruning.genome import Layout
from ganprune.pruning.rebuild import masked, rebuilt
from ganprune.refit.walk import Walk
from tests.channels import parts
from tests.channels.parts import Do
from tests.tiny import random_pictures

PICTURES = random_pictures(2, 3, 16, 20)


def layout_of(network: nn.Module) -> Layout:
    return Layout.of(ChannelGraph.trace(network.double().eval(), PICTURES[:1]))


def halved(layout: Layout) -> Tensor:
    """Every second filter of each group."""
    genome = torch.zeros(layout.length, dtype=torch.bool)
    for piece in layout.genes.values():
        genome[piece.start : piece.stop : 2] = True
    return genome


def assert_cuts(network: nn.Module, sizes: dict[str, int]) -> None:
    """It has groups of these sizes, and cut in half it equals its masked twin."""
    layout = layout_of(network)
    assert layout.graph.sizes == sizes
    slim, dense = rebuilt(network, layout, halved(layout)), masked(network, layout, halved(layout))
    torch.testing.assert_close(slim(PICTURES), dense(PICTURES), atol=1e-9, rtol=1e-9)


def between(*middle: nn.Module, channels: int = 4) -> nn.Sequential:
    """A convolution to 4 channels, the parts in question, a convolution that reads what they make."""
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), *middle, nn.Conv2d(channels, 3, 1))


@pytest.mark.parametrize("function", parts.PLAIN)
def test_plain_functions_hand_channels_on(function: Callable[[Tensor], Tensor]) -> None:
    layout = layout_of(between(Do(function)))
    if function is parts.flattened_and_back:
        assert layout.graph.notes == ("1: view names numbers of channels; its channels are kept whole",)
    else:
        assert (layout.graph.notes, layout.graph.sizes) == ((), {"trunk": 4})


@pytest.mark.parametrize("function", [*parts.ODD, parts.transposed_channels, parts.shuffled, parts.split])
def test_what_is_not_understood_is_kept_whole_with_a_note(function: Callable[[Tensor], Tensor]) -> None:
    conv, x = nn.Conv2d(3, 4, 3, stride=(4, 1), padding=1), PICTURES[:1]  # as many rows as channels
    made = function(conv.double()(x).detach())
    graph = ChannelGraph.trace(nn.Sequential(conv, Do(function), nn.Conv2d(made.shape[1], 3, 1)).double(), x)
    if function is parts.padded_channels:  # those that are there may go, those that come are zeros that stay
        assert graph.sizes == {"trunk": 4}
    elif function is parts.multiplied_by_einsum:
        assert graph.notes == ("1: einsum is not known; its channels are kept whole",)
    else:
        assert graph.sizes == {}
        assert graph.notes
        assert all(note.endswith("its channels are kept whole") for note in graph.notes)


class Listed(nn.Module):
    """Convolutions in a plain list beside their registration, and a method as an attribute."""

    def __init__(self) -> None:
        super().__init__()
        self.order = list[nn.Module]()
        for i, (c, out) in enumerate(((3, 4), (4, 4), (4, 3))):
            self.order.append(nn.Conv2d(c, out, 3, padding=1))
            setattr(self, f"conv{i}", self.order[-1])
        self.work = self.in_order

    def in_order(self, x: Tensor) -> Tensor:
        for conv in self.order:
            x = torch.relu(conv(x))
        return x

    def forward(self, x: Tensor) -> Tensor:
        return self.work(x)


def test_modules_that_plain_lists_and_methods_hold_are_the_slim_ones() -> None:
    assert_cuts(Listed(), {"trunk": 4, "up1": 4})


def test_two_convolutions_of_one_weight_are_cut_together() -> None:
    network = between(parts.Tied(4))
    assert_cuts(network, {"trunk": 4})
    slim = rebuilt(network, layout_of(network), halved(layout_of(network)))
    tied = slim.get_submodule("1")
    assert isinstance(tied, parts.Tied)
    assert tied.first.weight is tied.second.weight
    assert tied.second.in_channels == tied.first.out_channels == 2


def test_a_module_that_is_used_twice_stays_one() -> None:
    conv = nn.Conv2d(4, 4, 3, padding=1)
    network = between(conv, nn.ReLU(), conv)
    assert_cuts(network, {"trunk": 4})
    slim = rebuilt(network, layout_of(network), halved(layout_of(network)))
    assert slim.get_submodule("1") is slim.get_submodule("3")


class Constant(nn.Module):
    """Has a number a channel that is neither parameter nor buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers = torch.arange(4.0, dtype=torch.float64).view(1, 4, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.numbers


def test_numbers_in_plain_attributes_keep_their_channels_whole() -> None:
    graph = layout_of(between(Constant())).graph
    assert graph.sizes == {}
    assert graph.notes == ("1: mul has a tensor that is made on the way; its channels are kept whole",)


class Numpy(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.from_numpy(x.numpy()[:, ::-1].copy())


def test_code_outside_of_pytorch_keeps_everything_before_it_whole() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 1), Numpy(), nn.Conv2d(4, 5, 1), nn.Conv2d(5, 3, 1))
    assert layout_of(network).graph.notes == (
        "2: code_outside_of_pytorch is not known; its channels are kept whole",
    )
    with torch.no_grad():
        assert_cuts(network, {"trunk": 5})
    with pytest.raises(UsageError, match=r"the refit runs a network call by call.*refit-pictures = 0"):
        Walk(network, [PICTURES[:1]], ["0"]).on(0, 0)


class Out(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        out = torch.empty_like(x)
        torch.add(x, x, out=out)
        return out


def test_a_function_that_writes_into_another_tensor_keeps_it_whole() -> None:
    graph = layout_of(between(Out())).graph
    assert graph.sizes == {}
    assert graph.notes == ("1: add writes into another tensor; its channels are kept whole",)


class Joint(nn.Module):
    """Two convolutions behind each other in channels, added to one that writes all of them."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.other, self.both = (nn.Conv2d(3, n, 1) for n in (2, 4, 6))
        self.last = nn.Conv2d(6, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(torch.cat([self.one(x), self.other(x)], 1) + self.both(x))


def test_every_convolution_keeps_a_filter_where_sums_meet_concatenations() -> None:
    """Groups are of the same convolutions: of a group of all six, both filters of the first could go."""
    assert sorted(layout_of(Joint()).graph.sizes.values()) == [2, 4]
    assert_cuts(Joint(), layout_of(Joint()).graph.sizes)


def test_a_network_without_groups_has_an_empty_genome_and_rebuilds() -> None:
    network = nn.Conv2d(3, 3, 1)
    assert_cuts(network, {})
    assert layout_of(network).full().shape == (0,)


def test_a_network_that_returns_more_than_a_tensor_is_named() -> None:
    with pytest.raises(TypeError, match="a network must return one tensor, found tuple"):
        ChannelGraph.trace(
            Do(functional.adaptive_max_pool2d, output_size=4, return_indices=True), PICTURES[:1]
        )


class WithCoordinates(nn.Module):
    """Puts the rows' and columns' places beside the picture, as CoordConv does."""

    def forward(self, x: Tensor) -> Tensor:
        rows, columns = torch.meshgrid(*(torch.linspace(-1, 1, n).to(x) for n in x.shape[2:]), indexing="ij")
        return torch.cat([x, torch.stack([rows, columns]).expand(len(x), -1, -1, -1)], 1)


@pytest.mark.parametrize(
    ("before", "reads", "after"),
    [(nn.PixelUnshuffle(2), 12, nn.PixelShuffle(2)), (WithCoordinates(), 5, nn.Conv2d(12, 3, 1))],
)
def test_pictures_have_other_channels_than_the_first_convolution_reads(
    before: nn.Module, reads: int, after: nn.Module
) -> None:
    convolutions = nn.Conv2d(reads, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 12, 3, padding=1)
    network = nn.Sequential(before, *convolutions, after)
    assert channels_of(network) == (3, 3)
    assert graph_of(network).sizes["trunk"] == 8


def test_channels_of_a_group_norms_group_go_together() -> None:
    assert_cuts(between(nn.GroupNorm(2, 4), nn.ReLU()), {"trunk": 2})
    layout = layout_of(network := between(nn.GroupNorm(2, 4)))
    norm = rebuilt(network, layout, halved(layout)).get_submodule("1")
    assert isinstance(norm, nn.GroupNorm)
    assert (norm.num_groups, norm.num_channels) == (1, 2)
    (note,) = layout_of(between(nn.GroupNorm(1, 4))).graph.notes
    assert "group_norm goes over all channels" in note
    (note,) = layout_of(between(nn.GroupNorm(2, 4, affine=False))).graph.notes
    assert "is no layer with weights, which would know its groups" in note


def test_maps_are_compared_behind_modules_that_are_called_once() -> None:
    class Shared(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.convs, self.act = nn.ModuleList(nn.Conv2d(3, n, 1) for n in (3, 3)), nn.ReLU()
            self.norm, self.last = nn.InstanceNorm2d(3), nn.ReLU()

        def forward(self, x: Tensor) -> Tensor:
            x = self.act(self.norm(self.convs[0](x)))
            return self.convs[1](self.last(self.act(x)))

    taps = [name for name, _ in graph_of(Shared()).taps()]
    assert taps == ["norm"]


class Scaled(nn.Module):
    """A convolution whose weight is computed on the way, as in StyleGAN."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(6, 4, 3, 3))

    def forward(self, x: Tensor) -> Tensor:
        return functional.conv2d(x, self.weight * 0.1, padding=1)


@pytest.mark.parametrize("part", [Scaled(), nn.Conv2d(4, 6, 3, padding=1, groups=2)])
def test_convolutions_that_are_kept_whole_are_read_and_halve_no_map(part: nn.Module) -> None:
    network = between(part, channels=6).float().eval()
    assert graph_of(network).stride == 1
    read = fitted(network, network.state_dict())
    with torch.no_grad():
        assert torch.equal(read(PICTURES.float()), network(PICTURES.float()))


def test_a_module_of_ones_own_that_returns_more_than_a_tensor_says_so() -> None:
    network = Do(functional.adaptive_max_pool2d, output_size=4, return_indices=True)
    with pytest.raises(CheckpointError, match=r"Do returns a tuple, one tensor .* was needed; put a module"):
        fitted(network, network.state_dict())
