"""Running statistics of a slim batch norm network, taken anew from its own maps."""

import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from ganprune.models.cyclegan import Generator, GeneratorWidths, Norm, resnet_widths
from ganprune.pruning.genome import Layout
from ganprune.pruning.rebuild import rebuilt, recalibrated
from tests.checkpoints.builders import make_generator
from tests.strategies import generator_widths
from tests.tiny import random_genomes, random_pictures


def _batch_norms(G: Generator) -> dict[str, nn.BatchNorm2d]:
    return {name: module for name, module in G.named_modules() if isinstance(module, nn.BatchNorm2d)}


@given(widths=generator_widths(), batches=st.lists(st.integers(1, 3), min_size=1, max_size=3))
def test_recalibrated_statistics_are_the_means_over_batches_of_what_each_norm_sees(
    widths: GeneratorWidths, batches: list[int]
) -> None:
    G = make_generator(1, widths, "batch").double()
    pictures = [random_pictures(n, widths.in_channels, 16, 20, seed=n) for n in batches]
    seen: dict[str, list[Tensor]] = {name: [] for name in _batch_norms(G)}
    twin = copy.deepcopy(G).train()
    for name, module in _batch_norms(twin).items():
        module.register_forward_hook(lambda _, inputs, __, name=name: seen[name].append(inputs[0]))
    for x in pictures:
        twin(x)
    after = recalibrated(G, iter(pictures))
    for name, module in _batch_norms(after).items():
        means = torch.stack([h.mean((0, 2, 3)) for h in seen[name]])
        variances = torch.stack([h.transpose(0, 1).flatten(1).var(1, unbiased=True) for h in seen[name]])
        assert module.running_mean is not None
        assert module.running_var is not None
        torch.testing.assert_close(module.running_mean, means.mean(0), atol=1e-10, rtol=0)
        torch.testing.assert_close(module.running_var, variances.mean(0), atol=1e-10, rtol=1e-10)


def test_recalibration_changes_statistics_alone_and_nothing_of_the_original() -> None:
    G = make_generator(1, resnet_widths(2, 1), "batch")
    before = copy.deepcopy(G.state_dict())
    after = recalibrated(G, [random_pictures(2, 3, 16, 16, dtype=torch.float32)])
    assert not after.training
    assert {module.momentum for module in _batch_norms(after).values()} == {0.1}
    assert not any(parameter.requires_grad for parameter in after.parameters())
    for name, tensor in G.state_dict().items():
        assert torch.equal(tensor, before[name])
    changed = {n.rpartition(".")[2] for n, t in after.state_dict().items() if not torch.equal(t, before[n])}
    assert changed == {"running_mean", "running_var", "num_batches_tracked"}


def test_recalibration_brings_a_cut_network_back_to_the_statistics_it_has() -> None:
    G = make_generator(1, resnet_widths(4, 1), "batch").double()
    layout = Layout.of(G)
    x = random_pictures(4, 3, 16, 16)
    slim = rebuilt(G, layout, random_genomes(layout, 1)[0])
    after = recalibrated(slim, [x])
    in_training = copy.deepcopy(slim).train()(x)  # normalised by the pictures' own statistics
    assert (after(x) - in_training).abs().max() < 0.2 * (slim(x) - in_training).abs().max()


@pytest.mark.parametrize("norm", ["instance", "affine-instance", "none"])
def test_without_batch_norm_there_is_nothing_to_recalibrate(norm: Norm) -> None:
    G = make_generator(1, resnet_widths(2, 1), norm)
    assert recalibrated(G, []) is G


def test_norms_of_a_single_value_a_channel_keep_their_statistics() -> None:
    """As at the bottom of a U-Net that is as deep as its pictures allow."""
    layers = nn.Conv2d(3, 4, 4, 4), nn.BatchNorm2d(4), nn.ConvTranspose2d(4, 3, 4, 4), nn.BatchNorm2d(3)
    network = nn.Sequential(*layers).eval()
    nn.init.constant_(network.get_buffer("1.running_mean"), 0.5)
    before = copy.deepcopy(network.state_dict())
    after = recalibrated(network, random_pictures(2, 3, 4, 4, dtype=torch.float32).split(1))
    for name, tensor in after.state_dict().items():
        assert torch.equal(tensor, before[name]) == (
            not name.startswith("3.") or name[2:] in ("weight", "bias")
        )
    assert not any(module.training or module._forward_pre_hooks for module in after.modules())
