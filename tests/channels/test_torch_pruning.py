"""Rebuilt networks are Torch-Pruning's, where it supports what they are made of."""

import copy

import torch
import torch_pruning
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from ganprune.channels import ChannelGraph, kept
from ganprune.pruning.genome import Layout
from ganprune.pruning.rebuild import rebuilt
from tests.channels.networks import Builder, Drawn, programs
from tests.channels.parts import Do, added, joined
from tests.strategies import genomes


class Chain(Builder):
    """Every part reads the last map, as Torch-Pruning does not see what the picture does not come of."""

    padding_modes = ("zeros", "reflect")  # Torch-Pruning takes minutes for circular ones

    def place(self) -> int:
        return len(self.shapes) - 1

    def norm(self) -> None:
        c = self.shapes[-1][0]
        self.add(self.draw(st.sampled_from((nn.BatchNorm2d(c), nn.InstanceNorm2d(c)))), self.place())

    def activation(self) -> None:
        c = self.shapes[-1][0]
        kinds = (nn.ReLU(), nn.LeakyReLU(0.2), nn.Tanh(), nn.PReLU(c) if c > 1 else nn.SiLU())
        self.add(self.draw(st.sampled_from(kinds)), self.place())

    def block(self) -> None:
        """Residual, or with a skip that is concatenated."""
        start = self.place()
        c = self.shapes[start][0]
        self.add(nn.Conv2d(c, self.width(), 3, padding=1, bias=self.yes()), start)
        self.activation()
        if self.yes():
            self.add(nn.Conv2d(self.shapes[-1][0], c, 3, padding=1), self.place())
            self.add(Do(added), self.place(), start)
        else:
            self.add(Do(joined, dim=1), self.place(), start)


SUPPORTED = (Chain.convolution, Chain.transposed, Chain.norm, Chain.activation, Chain.block, Chain.block)


def pruned(network: nn.Module, layout: Layout, genome: Tensor, example: Tensor) -> nn.Module:
    """The same filters removed by Torch-Pruning, group after group."""
    twin = copy.deepcopy(network).requires_grad_(True)
    units = layout.units(genome)
    for name in layout.graph.groups:
        layer = layout.graph.writers(name)[0]
        piece = layout.graph.groups[name].units
        own = [i for i, unit in enumerate(layer.writes) if piece.start <= unit < piece.stop]
        dropped = sorted(set(own) - set(kept(layer.writes, units).tolist()))
        now = range(twin.get_parameter(f"{layer.name}.weight").shape[1 if layer.transposed else 0])
        assert len(now) == len(layer.writes) or not dropped, "two groups of one convolution"
        if dropped:
            graph = torch_pruning.DependencyGraph().build_dependency(twin, example_inputs=example)
            root = twin.get_submodule(layer.name)
            graph.get_pruning_group(root, torch_pruning.prune_conv_out_channels, idxs=dropped).prune()
    return twin


@settings(max_examples=30)
@given(data=st.data(), drawn=programs(SUPPORTED, most=5, builds=Chain))
def test_a_rebuilt_network_is_torch_prunings(data: st.DataObject, drawn: Drawn) -> None:
    layout = Layout.of(ChannelGraph.trace(drawn.network, drawn.example))
    genome = data.draw(genomes(layout))
    slim = rebuilt(drawn.network, layout, genome)
    other = pruned(drawn.network, layout, genome, drawn.example)
    ours, theirs = slim.state_dict(), other.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    torch.testing.assert_close(slim(drawn.pictures), other(drawn.pictures), atol=1e-12, rtol=1e-12)
