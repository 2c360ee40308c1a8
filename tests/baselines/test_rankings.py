"""Magnitude, APoZ and sparse scales against numbers worked out by hand."""

import pytest
import torch

from ganprune.baselines import METHODS, Subject
from ganprune.baselines.allocation import uniform_share
from ganprune.baselines.magnitude import norms
from ganprune.baselines.slimming import SlimmingSettings, folded, scaled, slimming, sparse_scales
from ganprune.baselines.trimming import apoz
from ganprune.errors import UsageError
from ganprune.models.cyclegan import NORMS, Generator, GeneratorWidths, Norm, resnet_widths
from ganprune.pruning.genome import Layout
from ganprune.pruning.rebuild import rebuilt
from ganprune.pruning.repair import Constraints, Repairer
from tests.baselines.kit import WIDTHS, generator_of, subject_of
from tests.refit.test_sequence import settle
from tests.tiny import layout_of, random_genomes, random_pictures, seeded

NARROW = GeneratorWidths(3, 2, 2, (2,), 2, 2)
"""Three filters in the first layer, one block."""


def test_norms_are_those_of_all_weights_that_write_a_bit() -> None:
    net = generator_of(NARROW)
    for conv, rows in (
        ("model.1", [[3, 0, 0, 0], [1, -1, 1, 1], [0.5, 0, 0, 0]]),  # stem
        ("model.7", [[1, 0, 0, 0], [2, 2, 0, 0]]),  # the trunk, written here
        ("model.10.conv_block.5", [[4, 0, 0, 0], [0, 1, 0, 0]]),  # and here
    ):
        weight = net.get_parameter(f"{conv}.weight")
        weight.zero_()
        weight.flatten(1)[:, :4] = torch.tensor(rows)
    weight = net.get_parameter("model.11.weight")  # up1 is transposed: [in, out, k, k]
    weight.zero_()
    weight[:, 0, 0, 0] = torch.tensor([1.0, 2.0])
    weight[:, 1, 0, 0] = torch.tensor([-2.0, 2.0])
    layout = layout_of(NARROW)
    one, two = norms(net, layout, 1), norms(net, layout, 2)
    # L1: 3; 1+1+1+1 = 4; 0.5. L2: 3; √4 = 2; 0.5. So L1 and L2 do not agree on the best.
    assert one[layout.genes["stem"]].tolist() == [3, 4, 0.5]
    assert two[layout.genes["stem"]].tolist() == [3, 2, 0.5]
    # The trunk's bits: 1+4 = 5 and 2+2+1 = 5; √(1+16) = √17 and √(4+4+1) = 3.
    assert one[layout.genes["trunk"]].tolist() == [5, 5]
    assert two[layout.genes["trunk"]].tolist() == pytest.approx([17**0.5, 3])
    assert one[layout.genes["up1"]].tolist() == [3, 4]
    assert two[layout.genes["up1"]].tolist() == pytest.approx([5**0.5, 8**0.5])


@pytest.mark.parametrize(("name", "kept"), [("readers", 2), ("l1", 1), ("l2", 0)])
def test_magnitude_keeps_the_filters_of_the_largest_norms(name: str, kept: int) -> None:
    net = generator_of(NARROW)
    net.get_parameter("model.4.weight")[:, :2] *= 0.1  # mostly filter 2 is read
    stem = net.get_parameter("model.1.weight")
    stem.zero_()
    stem.flatten(1)[:, :4] = torch.tensor([[3.0, 0, 0, 0], [1, -1, 1, 1], [0.5, 0, 0, 0]])
    layout = layout_of(NARROW)
    least = Repairer(layout, Constraints(target_params=0.363))  # one filter a layer is 36.27 %, no more fits
    subject = Subject(net, layout, random_pictures(1, 3, 16, 16), least, seeded(0))
    genome = METHODS[name](subject).genome
    assert genome[layout.genes["stem"]].nonzero().flatten().tolist() == [kept]


def _mirror(weights: list[float]) -> Generator:
    """No norms; filter c of the first layer is the red channel times weights[c]; the rest is random."""
    net = generator_of(NARROW, norm="none")
    stem = net.get_parameter("model.1.weight")
    stem.zero_()
    stem[:, 0, 3, 3] = torch.tensor(weights, dtype=stem.dtype)
    return net


def test_apoz_is_the_share_of_zeros_behind_the_relu() -> None:
    x = torch.full((2, 3, 16, 16), -1.0, dtype=torch.float64)
    x[0, 0, :, :4] = 1  # a quarter of the first picture's red
    x[1, 0, :, :8] = 1  # half of the second's
    layout = layout_of(NARROW)
    found = apoz(_mirror([1.0, -2.0, 0.0]), layout, x)[layout.genes["stem"]]
    # Filter 0 is red, zero where red is -1: (3/4 + 1/2) / 2 = 0.625. Filter 1 is its negative: 0.375.
    # Filter 2 is zero everywhere.
    assert found.tolist() == pytest.approx([0.625, 0.375, 1.0])


def test_apoz_of_the_trunk_is_taken_where_it_is_rectified() -> None:
    net, x = generator_of(resnet_widths(4, 2)), random_pictures(2, 3, 16, 16)
    layout = Layout.of(net)
    found = apoz(net, layout, x)
    trunk = net.model[:10](x)  # up to the third ReLU
    inner = net.model[11].conv_block[:4](net.model[:11](x))  # pyright: ignore
    for gene, maps in (("trunk", trunk), ("inner1", inner)):
        expected = (maps == 0).double().mean((0, 2, 3))
        assert torch.allclose(found[layout.genes[gene]], expected)


def test_apoz_of_shared_bits_is_the_mean_over_their_maps() -> None:
    net, x = generator_of(resnet_widths(4, 2)), random_pictures(2, 3, 16, 16)
    layout = Layout.of(net, "shared")
    maps = [net.model[:10](x)] + [
        net.model[10 + i].conv_block[:4](net.model[: 10 + i](x))  # pyright: ignore
        for i in range(2)
    ]
    expected = sum((one == 0).double().mean((0, 2, 3)) for one in maps) / 3
    assert torch.allclose(apoz(net, layout, x)[layout.genes["trunk"]], expected)  # pyright: ignore


def test_trimming_drops_what_is_mostly_zero() -> None:
    net = _mirror([1.0, -2.0, 0.0])
    subject = subject_of(net, target=None)
    x = -subject.pictures.abs() * torch.ones(1, 3, 1, 1, dtype=torch.float64)  # red is negative everywhere
    least = Repairer(subject.layout, Constraints(target_params=0.363))
    genome = METHODS["trimming"](Subject(net, subject.layout, x, least, seeded(0))).genome
    assert genome[subject.layout.genes["stem"]].nonzero().flatten().tolist() == [1]


def test_scales_fall_where_nothing_holds_them() -> None:
    net = generator_of(NARROW)
    net.get_parameter("model.4.weight")[:, 0] = 0  # nothing reads filter 0 of the first layer
    layout, x = layout_of(NARROW), random_pictures(2, 3, 16, 16)
    # Its gradient is λ in every step, and Adam then moves by the learning rate: 1 - 20 · 0.01 = 0.8.
    scales = sparse_scales(net, layout, x, SlimmingSettings(steps=20, lr=0.01, penalty=1e-4))
    assert float(scales[0]) == pytest.approx(0.8, abs=1e-4)
    assert float(scales[1]) > 0.9
    # 120 steps would take it below zero: it stays there.
    assert float(sparse_scales(net, layout, x, SlimmingSettings(steps=120, lr=0.01))[0]) == 0


def test_without_a_penalty_the_original_is_best() -> None:
    net, x = generator_of(NARROW), random_pictures(2, 3, 16, 16)
    scales = sparse_scales(net, layout_of(NARROW), x, SlimmingSettings(steps=3, penalty=0))
    assert torch.equal(scales, torch.ones_like(scales))


@pytest.mark.parametrize("norm", NORMS)
def test_folded_scales_are_scales_behind_the_norms(norm: Norm) -> None:
    net, x = generator_of(resnet_widths(4, 2), norm), random_pictures(2, 3, 16, 16)
    layout = Layout.of(net)
    scales = torch.rand(layout.length, generator=seeded(1), dtype=torch.float64) * 2
    assert torch.allclose(folded(net, layout, scales)(x), scaled(net, layout, scales, x), atol=1e-9)
    # A scale of 0 drops the filter: the slim network computes what the masked scales do.
    genome = random_genomes(layout, 1)[0]
    slim = rebuilt(folded(net, layout, scales), layout, genome)
    assert torch.allclose(slim(x), scaled(net, layout, scales * genome, x), atol=1e-9)


def test_slimming_drops_the_smallest_scales_of_the_whole_network() -> None:
    net = generator_of(resnet_widths(8, 2))
    net.get_parameter("model.11.conv_block.5.weight")[:, 1:] = 0  # inner1 is not read, but for one filter
    subject = subject_of(net, target=0.7)
    pruned = slimming(subject, SlimmingSettings(steps=30))
    kept = {gene: int(n) for gene, n in zip(subject.layout.genes,
            subject.layout.gene_counts(pruned.genome[None])[0], strict=True)}  # fmt: skip
    assert kept["inner1"] < kept["inner0"] / 2


def test_slim_network_keeps_the_scales_that_were_trained() -> None:
    net, settings = generator_of(WIDTHS), SlimmingSettings(steps=5, lr=0.1)
    subject = subject_of(net)
    pruned = slimming(subject, settings)
    scales = sparse_scales(net, subject.layout, subject.pictures, settings)
    assert (scales - 1).abs().max() > 0.1
    expected = scaled(net, subject.layout, scales * pruned.genome, subject.pictures)
    assert torch.allclose(pruned.network(subject.pictures), expected, atol=1e-6)


@pytest.mark.parametrize("norm", ["batch", "affine-instance"])
def test_slimming_counts_the_weights_of_norms_that_have_them(norm: Norm) -> None:
    net = generator_of(WIDTHS, norm)
    subject = subject_of(net)
    genome = slimming(subject, SlimmingSettings(steps=1, lr=1e-9)).genome  # so all scales are 1
    norms = {"stem": [2], "down": [5], "inner0": ["10.conv_block.2"], "inner1": ["11.conv_block.2"],
             "trunk": [8, "10.conv_block.6", "11.conv_block.6"], "up1": [13], "up2": [16]}  # fmt: skip
    for gene, places in norms.items():
        worth = sum(net.get_parameter(f"model.{place}.weight").abs() for place in places)
        kept = genome[subject.layout.genes[gene]]
        assert worth[kept].min() > worth[~kept].max()  # pyright: ignore


def test_slim_batch_norms_have_the_statistics_of_their_own_maps_as_the_original_has() -> None:
    subject = subject_of(net := generator_of(norm="batch"))
    settle(net, subject.pictures)
    slim = METHODS["l1"](subject).network
    assert isinstance(slim, Generator)
    maps = slim.model[:2](subject.pictures)  # before the first norm, as many places a picture
    assert torch.allclose(slim.get_buffer("model.2.running_mean"), maps.mean((0, 2, 3)))


def test_slimming_without_steps_is_refused() -> None:
    with pytest.raises(UsageError, match="slimming needs 1 step or more"):
        SlimmingSettings(steps=0)


@pytest.mark.parametrize("name", ["uniform", "random"])
def test_masks_by_lot_differ_by_seed(name: str) -> None:
    net = generator_of()
    a, b = (METHODS[name](subject_of(net, seed=seed)).genome for seed in (0, 1))
    assert not torch.equal(a, b)


def test_random_mask_is_a_coin_a_filter_but_for_what_repair_changes() -> None:
    subject = subject_of(generator_of(), seed=3)
    share, n = uniform_share(subject.repairer), subject.layout.length
    coins = torch.rand(n, generator=seeded(3)) < share
    genome = METHODS["random"](subject).genome
    assert (genome != coins).sum() < 0.1 * n
