"""Residual blocks that keep no filters of their own: which ones may go, what is left, what that costs."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from ganprune.channels import ChannelGraph, Removed
from ganprune.models.cyclegan import NORMS, Norm, ResnetBlock, resnet_widths
from ganprune.pruning.cost import macs, params
from ganprune.pruning.genome import Layout
from ganprune.pruning.rebuild import masked, rebuilt
from ganprune.pruning.repair import ON_TARGET, Constraints, Repairer
from ganprune.pruning.resources import KAPPA, Convolutions, Use, kept_macs
from tests.channels.parts import Block
from tests.checkpoints.builders import make_generator
from tests.strategies import genomes, layouts
from tests.tiny import layout_of, random_pictures, seeded, widths_of

ORIGINAL = resnet_widths(16, 4)


def blocks_of(layout: Layout, genome: Tensor) -> list[str]:
    """Genes of the residual blocks that are gone."""
    return [gene for gene in layout.blocks if not genome[layout.genes[gene]].any()]


@pytest.mark.parametrize("norm", NORMS)
@settings(max_examples=6)
@given(data=st.data(), layout=layouts(), seed=st.integers(0, 2**32))
def test_costs_are_those_of_the_network_without_its_blocks(
    norm: Norm, data: st.DataObject, layout: Layout, seed: int
) -> None:
    G = make_generator(seed, widths_of(layout), norm)
    layout = Layout.of(G, layout.kind)
    genome = data.draw(genomes(layout))
    slim, counts, written = (
        rebuilt(G, layout, genome),
        layout.gene_counts(genome[None]).numpy()[0],
        list[int](),
    )
    for module in slim.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            module.register_forward_hook(lambda *args: written.append(args[2].numel()))
    slim(torch.zeros(1, widths_of(layout).in_channels, 16, 16))
    values, mac = sum(written), macs(slim, 16, 16, "true")
    counted: dict[Use, float] = {
        "params": params(slim),
        "macs": mac / 256,
        "work": (mac + KAPPA * values) / 256,
    }
    for use, expected in counted.items():
        assert Convolutions.of_layout(layout, use).of(counts) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("norm", NORMS)
def test_of_a_block_nothing_is_left_but_the_constant_that_its_norm_adds(norm: Norm) -> None:
    G = make_generator(0, resnet_widths(4, 2), norm).double()
    layout, x = Layout.of(G), random_pictures(1, 16, 8, 8)
    genome = layout.full()
    genome[layout.genes["inner1"]] = False
    left = rebuilt(G, layout, genome).get_submodule("model.11")
    assert isinstance(left, Removed)
    if norm in ("instance", "none"):
        assert not [*left.parameters()]
        assert left(x) is x
        return
    state, norm_name = G.state_dict(), "model.11.conv_block.6"
    mean, variance, bias = (
        state.get(f"{norm_name}.{key}") for key in ("running_mean", "running_var", "bias")
    )
    assert bias is not None
    weight = G.get_parameter("model.11.conv_block.6.weight")
    adds = bias if mean is None or variance is None else bias - weight * mean / (variance + 1e-5).sqrt()
    torch.testing.assert_close(left(x) - x, adds.view(-1, 1, 1).expand(1, -1, 8, 8), atol=1e-12, rtol=0)


class Two(nn.Module):
    """A block, and what is none or must stay, on four channels."""

    def __init__(self, other: nn.Module) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 3, 1)
        self.blocks = nn.Sequential(Block(4, 5, None, True, "zeros"), other)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.blocks(self.first(x)))


class Bottleneck(nn.Module):
    """Its second group would be left without anything to read."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(4, 2, 1), nn.ReLU(), nn.Conv2d(2, 2, 3, padding=1), nn.ReLU(), nn.Conv2d(2, 4, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


class Changing(Block):
    """Without its filters it still halves what it is given."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) - x / 2


class Marked(Block):
    """What it adds without its filters is another number in every place."""

    def __init__(self) -> None:
        super().__init__(4, 5, None, True, "zeros")
        self.place = nn.Parameter(torch.zeros(1, 1, 16, 16))

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + self.place


class Beside(Block):
    """Its sum is that of a module of its own."""

    def __init__(self) -> None:
        super().__init__(4, 5, nn.InstanceNorm2d, True, "reflect")
        self.total = Sum()

    def forward(self, x: Tensor) -> Tensor:
        return self.total(x, self.layers(x))


class Sum(nn.Module):
    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return x + y


@pytest.mark.parametrize(
    ("other", "may_go"),
    [
        (Beside(), True), (ResnetBlock(4, 3), True), (Block(4, 5, nn.BatchNorm2d, False, "zeros"), True),
        (Bottleneck(), False), (Changing(4, 5, None, True, "zeros"), False), (Marked(), False),
    ],
)  # fmt: skip
def test_a_block_may_go_where_it_gives_back_its_input_and_a_constant_without_its_filters(
    other: nn.Module, may_go: bool
) -> None:
    network = Two(other).double().eval().requires_grad_(False)
    layout = Layout.of(ChannelGraph.trace(network, random_pictures(1, 3, 16, 16)))
    assert [block.module for block in layout.blocks.values()] == ["blocks.0", "blocks.1"][: 1 + may_go]
    genome, x = layout.full(), random_pictures(2, 3, 16, 16)
    for gene in layout.blocks:
        genome[layout.genes[gene]] = False
    torch.testing.assert_close(rebuilt(network, layout, genome)(x), masked(network, layout, genome)(x))


@pytest.mark.parametrize("shared", ["module", "weight"])
def test_a_block_stays_whose_filters_are_used_elsewhere(shared: str) -> None:
    first, other, third = (Block(4, 5, None, True, "zeros") for _ in range(3))
    conv = first.layers[0]
    assert isinstance(conv, nn.Conv2d)
    if shared == "module":
        other.layers[0] = conv
    else:
        other.get_submodule("layers.0").weight = conv.weight
    network = Two(nn.Sequential(other, third))
    network.blocks[0] = first
    layout = Layout.of(ChannelGraph.trace(network.double(), random_pictures(1, 3, 16, 16)))
    assert [block.module for block in layout.blocks.values()] == ["blocks.1.1"]


def test_with_the_trunks_bits_no_block_may_go() -> None:
    assert not layout_of(resnet_widths(4, 2), "shared").blocks


@settings(max_examples=8)
@given(
    align=st.sampled_from([1, 4]),
    target=st.sampled_from([0.1, 0.4]),
    keep=st.floats(0, 0.6),
    seed=st.integers(0, 999),
)
def test_repair_takes_blocks_out_and_keeps_to_targets(
    align: int, target: float, keep: float, seed: int
) -> None:
    layout = layout_of(ORIGINAL)
    repair = Repairer(layout, Constraints(align, target, remove_blocks=True))
    genome = torch.rand(1, layout.length, generator=seeded(seed)) < keep
    genome[:, layout.genes["inner3"]] = False
    repaired = repair(genome, seeded(seed))
    assert ON_TARGET * target <= float(kept_macs(layout, repaired)) <= target
    for gene, count in zip(layout.genes, layout.gene_counts(repaired)[0].tolist(), strict=True):
        assert count % align == 0
        assert count >= align or (count == 0 and gene in layout.blocks)
    assert torch.equal(repair(repaired, seeded(seed + 1)), repaired)


def test_blocks_stay_where_they_may_not_be_taken_out_and_come_back() -> None:
    layout = layout_of(ORIGINAL)
    genome = layout.full()[None].clone()
    genome[:, layout.genes["inner3"]] = False
    gone, back = (
        Repairer(layout, Constraints(16, remove_blocks=may))(genome, seeded(0))[0] for may in (True, False)
    )
    assert (blocks_of(layout, gone), blocks_of(layout, back)) == (["inner3"], [])
    assert int(back[layout.genes["inner3"]].sum()) == 16
    smallest = [Repairer(layout, Constraints(16, remove_blocks=may)) for may in (True, False)]
    least = [float(kept_macs(layout, one(torch.zeros_like(genome), seeded(0)))) for one in smallest]
    assert least[0] < least[1]
    full = Repairer(layout, Constraints(16, 1.0, remove_blocks=True))(genome, seeded(1))[0]
    assert blocks_of(layout, full) == []  # what the target has room for


def test_the_cheapest_network_is_without_the_block_that_costs_least() -> None:
    layout = layout_of(ORIGINAL)
    costs = [np.linspace(1, 0, size + 1) for size in layout.sizes]
    free = list(layout.genes).index("inner2")
    costs[free] = costs[free] * 1e-6
    repair = Repairer(layout, Constraints(16, 0.85, remove_blocks=True))
    counts = dict(zip(layout.genes, repair.cheapest(costs).tolist(), strict=True))
    assert [gene for gene, count in counts.items() if not count] == ["inner2"]
