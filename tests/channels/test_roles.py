"""Names of groups on architectures that people have."""

from collections.abc import Iterable

import torch
from hypothesis import given
from torch import Tensor, nn

from ganprune.channels import ChannelGraph
from tests.channels.networks import Drawn, programs


def graph_of(network: nn.Module) -> ChannelGraph:
    return ChannelGraph.trace(network, torch.zeros(1, 3, 32, 32))


def writers(graph: ChannelGraph) -> dict[str, list[str]]:
    return {name: [layer.name for layer in graph.writers(name)] for name in graph.groups}


class UNet(nn.Module):
    """Down four times and up again, each map beside that of its size."""

    def __init__(self) -> None:
        super().__init__()
        widths = [3, 4, 8, 16, 32]
        self.down = nn.ModuleList(nn.Conv2d(widths[i], widths[i + 1], 4, 2, 1) for i in range(4))
        reads = [32, 32, 16, 8]
        self.up = nn.ModuleList(nn.ConvTranspose2d(reads[i], widths[3 - i], 4, 2, 1) for i in range(4))

    def forward(self, x: Tensor) -> Tensor:
        skips = list[Tensor]()
        for conv in self.down:
            x = torch.relu(conv(x))
            skips.append(x)
        for conv, skip in zip(self.up, [None, *skips[-2::-1]], strict=True):
            x = conv(x if skip is None else torch.cat([skip, x], 1))
        return x


class Block(nn.Module):
    """Residual; with a 1×1 convolution beside it where it changes the width."""

    def __init__(self, inside: Iterable[nn.Module], beside: nn.Module | None = None) -> None:
        super().__init__()
        self.inside, self.beside = nn.Sequential(*inside), beside or nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.beside(x) + self.inside(x)


def test_a_u_net_goes_down_to_its_smallest_maps_and_up() -> None:
    graph = graph_of(UNet())
    assert writers(graph) == {
        "stem": ["down.0"],
        "down": ["down.1"],
        "down2": ["down.2"],
        "trunk": ["down.3"],
        "up1": ["up.0"],
        "up2": ["up.1"],
        "up3": ["up.2"],
    }
    assert (graph.stride, graph.notes) == (16, ())


def test_separable_blocks_as_in_gan_compression_have_one_inner_group_each() -> None:
    def block() -> Block:
        first, second = (nn.Conv2d(8, 8, 3, padding=1, groups=8) for _ in range(2))
        return Block([first, nn.Conv2d(8, 8, 1), nn.ReLU(), second, nn.Conv2d(8, 8, 1)])

    network = nn.Sequential(
        nn.Conv2d(3, 4, 7, padding=3), nn.Conv2d(4, 8, 3, 2, 1), nn.Conv2d(8, 8, 3, 2, 1), block(), block(),
        nn.ConvTranspose2d(8, 8, 4, 2, 1), nn.ConvTranspose2d(8, 4, 4, 2, 1), nn.Conv2d(4, 3, 7, padding=3),
    )  # fmt: skip
    graph = graph_of(network)
    assert graph.sizes == {"stem": 4, "down": 8, "trunk": 8, "inner0": 8, "inner1": 8, "up1": 8, "up2": 4}
    assert [name for name, _ in graph.taps()] == ["2", "3", "4"]


def test_residual_blocks_of_several_widths_have_a_trunk_each() -> None:
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1),
        Block([nn.Conv2d(4, 5, 3, padding=1), nn.ReLU(), nn.Conv2d(5, 4, 3, padding=1)]),
        Block([nn.Conv2d(4, 6, 3, 2, 1), nn.ReLU(), nn.Conv2d(6, 8, 3, padding=1)], nn.Conv2d(4, 8, 1, 2)),
        nn.ConvTranspose2d(8, 7, 4, 2, 1),
        nn.Conv2d(7, 3, 1),
    )
    graph = graph_of(network)
    assert graph.sizes == {"trunk": 4, "inner0": 5, "trunk2": 8, "inner1": 6, "up1": 7}
    assert [name for name, _ in graph.taps()] == ["0", "1", "2"]


@given(drawn=programs())
def test_every_group_has_a_name_units_and_a_writer_of_its_own(drawn: Drawn) -> None:
    graph = ChannelGraph.trace(drawn.network, drawn.example)
    places = [i for group in graph.groups.values() for i in range(group.units.start, group.units.stop)]
    assert places == list(range(graph.length))
    for name, group in graph.groups.items():
        assert name == group.name
        assert name.startswith(group.role)
        assert group.size > 0
        assert graph.writers(name)
