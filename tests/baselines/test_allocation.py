"""From scores to genomes of one size."""

import pytest
import torch

from ganprune.baselines import METHODS, NARROW
from ganprune.baselines.allocation import across_layers, uniform_counts, uniform_share, within_layers
from ganprune.errors import UsageError
from ganprune.models.cyclegan import Norm, resnet_widths
from ganprune.pruning.genome import LayoutKind
from ganprune.pruning.rebuild import rebuilt
from ganprune.pruning.repair import Constraints, Repairer
from tests.baselines.kit import generator_of, subject_of
from tests.tiny import layout_of, random_pictures, seeded, slim_widths


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize(("kind", "align"), [("filters", 1), ("filters", 4), ("shared", 2)])
def test_every_rival_satisfies_the_constraints(name: str, kind: LayoutKind, align: int) -> None:
    subject = subject_of(generator_of(), kind, align=align)
    pruned = METHODS[name](subject)
    again = subject.repairer(pruned.genome[None], seeded(5))[0]
    assert torch.equal(again, pruned.genome)  # allowed genomes come back unchanged
    assert 0.9 < subject.repairer.used(subject.layout.gene_counts(pruned.genome[None]).numpy())[0] <= 1
    assert pruned.network.widths == slim_widths(subject.layout, pruned.genome)


@pytest.mark.parametrize("name", METHODS)
def test_same_seed_gives_the_same_network_and_leaves_the_original(name: str) -> None:
    original = generator_of()
    before = {key: value.clone() for key, value in original.state_dict().items()}
    one, two = (METHODS[name](subject_of(original)).network.state_dict() for _ in range(2))
    assert all(torch.equal(one[key], two[key]) for key in one)
    assert all(torch.equal(before[key], value) for key, value in original.state_dict().items())


@pytest.mark.parametrize("norm", ["affine-instance", "batch", "none"])
@pytest.mark.parametrize("name", METHODS)
def test_rivals_know_other_norms(name: str, norm: Norm) -> None:
    pruned = METHODS[name](subject_of(generator_of(norm=norm)))
    assert torch.isfinite(pruned.network(random_pictures(1, 3, 16, 16))).all()


WEIGHTLESS = sorted(set(METHODS) - {"thinet", "slimming", NARROW})


@pytest.mark.parametrize("name", WEIGHTLESS)
def test_rivals_that_only_choose_leave_the_weights(name: str) -> None:
    subject = subject_of(generator_of())
    pruned = METHODS[name](subject)
    expected = rebuilt(subject.generator, subject.layout, pruned.genome).state_dict()
    assert all(torch.equal(expected[key], value) for key, value in pruned.network.state_dict().items())


def test_a_narrow_network_has_the_widths_of_uniform_and_weights_of_its_own() -> None:
    original = generator_of(norm="batch")
    narrow, uniform = (METHODS[name](subject_of(original)) for name in (NARROW, "uniform"))
    assert torch.equal(narrow.genome, uniform.genome)
    weights, sliced = narrow.network.state_dict(), uniform.network.state_dict()
    for name, weight in weights.items():
        assert weight.shape == sliced[name].shape
        if weight.dim() > 1:
            assert weight.std() == pytest.approx(0.02, rel=0.2)
            assert abs(torch.corrcoef(torch.stack([weight.flatten(), sliced[name].flatten()]))[0, 1]) < 0.3
    fresh = [(weights[name], 0 if name.endswith("mean") else 1) for name in weights if "running" in name]
    assert fresh
    assert all((value == expected).all() for value, expected in fresh)


def test_uniform_share_is_the_largest_within_the_target() -> None:
    # Parameters of one block, widths 4/8/16 and inner 16, without a repair's last steps. At a share of 1/2:
    # widths 2/4/8 and inner 8. Weights and biases of the convolutions, in · out · k² + out:
    #   3·2·49+2 = 296, 2·4·9+4 = 76, 4·8·9+8 = 296, 8·8·9+8 = 584 twice, 8·4·9+4 = 292, 4·2·9+2 = 74,
    #   2·3·49+3 = 297: together 2499. Whole: 3·4·49+4 = 592, 4·8·9+8 = 296, 8·16·9+16 = 1168,
    #   16·16·9+16 = 2320 twice, 16·8·9+8 = 1160, 8·4·9+4 = 292, 4·3·49+3 = 591: together 8739.
    layout = layout_of(resnet_widths(4, 1))
    repairer = Repairer(layout, Constraints(align=2, target_params=2499 / 8739))
    assert uniform_counts(repairer, seeded(0)).tolist() == [2, 4, 8, 8, 4, 2]
    # One step of 2 more comes first for the layers of 16 filters, at 9/16; shares below it round to 8.
    assert 0.5 <= uniform_share(repairer) <= 9 / 16


def test_within_layers_keeps_the_same_share_and_across_layers_the_best() -> None:
    layout = layout_of(resnet_widths(8, 2))
    repairer = Repairer(layout, Constraints(target_macs=0.3))
    scores = torch.arange(layout.length, dtype=torch.float64)  # later layers count more
    even = layout.gene_counts(within_layers(scores, repairer, seeded(0))[None])[0]
    shares = even / torch.tensor(layout.sizes)
    assert shares.max() - shares.min() < 0.2
    genome = across_layers(scores, repairer, seeded(0))
    uneven = layout.gene_counts(genome[None])[0].tolist()
    kept = dict(zip(layout.genes, uneven, strict=True))
    assert kept["up2"] == 8
    assert kept["stem"] == 1  # the least that a layer keeps
    for piece in layout.genes.values():  # the best of every layer
        assert genome[piece].tolist() == sorted(genome[piece].tolist())


def test_threshold_keeps_more_of_a_layer_that_matters_more() -> None:
    layout = layout_of(resnet_widths(8, 2))
    repairer = Repairer(layout, Constraints(target_macs=0.3))
    scores = torch.rand(layout.length, generator=seeded(0), dtype=torch.float64)
    scores[layout.genes["inner0"]] += 1
    counts = dict(zip(layout.genes, layout.gene_counts(across_layers(scores, repairer, seeded(0))[None])[0],
                      strict=True))  # fmt: skip
    assert counts["inner0"] > 2 * counts["inner1"]


def test_rivals_need_a_size() -> None:
    with pytest.raises(UsageError, match="rivals need a size to come to, found none; give speed-up"):
        METHODS["l1"](subject_of(generator_of(), target=None))
