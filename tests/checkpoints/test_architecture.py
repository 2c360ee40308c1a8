"""Tensors to networks: widths and depths from shapes, and every way in which they contradict themselves."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from ganprune.checkpoints import discriminator_from_tensors, generator_from_tensors, load_quartet
from ganprune.errors import CheckpointError, UnsupportedArchitecture
from ganprune.models.cyclegan import DiscriminatorWidths, Generator, GeneratorWidths
from tests.checkpoints.builders import make_discriminator, make_generator
from tests.models import schools

Tensors = dict[str, Tensor]
width = st.integers(1, 5)
generator_widths = st.builds(
    GeneratorWidths, stem=width, down=width, trunk=width, inner=st.lists(width, max_size=4).map(tuple),
    up1=width, up2=width, in_channels=width, out_channels=width,
)  # fmt: skip
discriminator_widths = st.builds(
    DiscriminatorWidths, filters=st.lists(width, min_size=2, max_size=6).map(tuple), in_channels=width
)


@given(widths=generator_widths)
@settings(max_examples=25, deadline=None)
def test_widths_and_blocks_of_a_generator_are_read_from_its_shapes(widths: GeneratorWidths) -> None:
    original = make_generator(0, widths)
    loaded = generator_from_tensors(original.state_dict())
    assert loaded.widths == widths
    picture = torch.rand(1, widths.in_channels, 16, 16)
    assert torch.equal(loaded(picture), original(picture))


@given(widths=discriminator_widths)
@settings(max_examples=25, deadline=None)
def test_widths_and_depth_of_a_discriminator_are_read_from_its_shapes(widths: DiscriminatorWidths) -> None:
    original = make_discriminator(0, widths)
    loaded = discriminator_from_tensors(original.state_dict())
    assert loaded.widths == widths
    picture = torch.rand(1, widths.in_channels, 128, 128)
    assert torch.equal(loaded(picture), original(picture))


def test_loading_draws_no_random_numbers_and_shares_no_memory() -> None:
    tensors = make_generator(0).state_dict()
    before = torch.random.get_rng_state()
    loaded = generator_from_tensors(tensors)
    assert torch.equal(torch.random.get_rng_state(), before)
    expected = tensors["model.1.weight"].clone()
    tensors["model.1.weight"].zero_()
    assert torch.equal(loaded.state_dict()["model.1.weight"], expected)


def _replace(name: str, make: Callable[[Tensor], Tensor]) -> Callable[[Tensors], Tensors]:
    return lambda tensors: {**tensors, name: make(tensors[name])}


def _without(name: str) -> Callable[[Tensors], Tensors]:
    return lambda tensors: {key: tensor for key, tensor in tensors.items() if key != name}


def _renamed(old: str, new: str) -> Callable[[Tensors], Tensors]:
    return lambda tensors: {key.replace(old, new): tensor for key, tensor in tensors.items()}


def _with(name: str, tensor: Tensor) -> Callable[[Tensors], Tensors]:
    return lambda tensors: {**tensors, name: tensor}


BROKEN_GENERATORS = {
    "first kernel": (
        _replace("model.1.weight", lambda t: t[:, :, 1:6, 1:6]),
        r"model\.1\.weight .* 7×7 kernel .* 'model\.1\.weight' \(.*FILE\.py:FACTORY; tried: ResNets",
    ),
    "last kernel": (
        _replace("model.19.weight", lambda t: t[:, :, 2:5, 2:5]),
        r"model\.19\.weight .* 7×7 kernel",
    ),
    "block kernel": (
        _replace("model.10.conv_block.5.weight", lambda t: t[:, :, :1, :1]),
        r"conv_block\.5\.weight",
    ),
    "stem and down": (_replace("model.4.weight", lambda t: t[:, :1]), r"model\.4\.weight has shape 3×1×3×3"),
    "trunk": (
        _replace("model.11.conv_block.5.weight", lambda t: t[:2]),
        r"bias has shape 4, but .* 2 filters",
    ),
    "inner": (
        _replace("model.11.conv_block.5.weight", lambda t: t.repeat(1, 2, 1, 1)),
        r"reads have 1 channels",
    ),
    "transposed": (
        _replace("model.15.weight", lambda t: t.transpose(0, 1)),
        r"model\.15\.bias|model\.15\.weight",
    ),
    "three axes": (_replace("model.7.weight", lambda t: t[0]), r"model\.7\.weight has shape 3×3×3"),
    "no filters": (_replace("model.1.weight", lambda t: t[:0]), r"model\.1\.weight has shape 0×3×7×7"),
    "no weight": (_without("model.15.weight"), r"lacks model\.15\.weight"),
    "no bias": (_without("model.10.conv_block.1.bias"), r"lacks model\.10\.conv_block\.1\.bias"),
    "no last layer": (lambda t: {k: v for k, v in t.items() if "19" not in k}, r"lacks model\.19\.weight"),
    "no first block": (_renamed("model.10.", "model.30."), r"lacks model\.10\.conv_block\.1\.weight"),
    "far block": (_renamed("model.11.", "model.999999."), r"lacks model\.11\.conv_block\.1\.weight"),
    "convolution twice": (
        _with("model.10.conv_block.6.weight", torch.zeros(4, 5, 3, 3)),
        r"holds 'model\.10\.conv_block\.6\.weight', which no such",
    ),
    "left over": (_with("model.3.extra", torch.zeros(2, 2)), r"holds 'model\.3\.extra', which no such"),
    "integers": (
        _replace("model.4.weight", lambda t: t.to(torch.int32)),
        r"model\.4\.weight is int32, not float",
    ),
    "complex": (_replace("model.4.bias", lambda t: t.to(torch.complex64)), r"model\.4\.bias is complex64"),
    "NaN": (_replace("model.4.weight", lambda t: t * float("nan")), r"model\.4\.weight holds NaN or inf"),
    "infinity": (_replace("model.19.bias", lambda t: t + float("inf")), r"model\.19\.bias holds NaN or inf"),
    "overflow": (_replace("model.4.bias", lambda t: t.double() + 1e300), r"model\.4\.bias holds NaN or inf"),
}


@pytest.mark.parametrize("case", BROKEN_GENERATORS)
def test_a_broken_generator_names_the_tensor(case: str) -> None:
    breaking, message = BROKEN_GENERATORS[case]
    with pytest.raises(CheckpointError, match=message):
        generator_from_tensors(breaking(make_generator(0).state_dict()))


def test_a_block_that_leaves_the_trunk_is_told_what_the_residual_sums_need() -> None:
    tensors = make_generator(0).state_dict()
    for part in ("weight", "bias"):
        name = f"model.11.conv_block.5.{part}"
        tensors[name] = tensors[name][:3]
    with pytest.raises(CheckpointError, match=r"conv_block\.5\.weight has shape 3×.* sums need 4 filters"):
        generator_from_tensors(tensors)


BROKEN_DISCRIMINATORS = {
    "kernel": (_replace("model.2.weight", lambda t: t[:, :, :3, :3]), r"model\.2\.weight .* 4×4 kernel"),
    "inputs": (_replace("model.5.weight", lambda t: t[:, :1]), r"model\.5\.weight .* reads have 3 channels"),
    "two scores": (
        lambda t: {**t, "model.8.weight": torch.zeros(2, 4, 4, 4), "model.8.bias": torch.zeros(2)},
        r"model\.8\.weight .* last layer of a PatchGAN has 1 filter",
    ),
    "gap": (lambda t: {k: v for k, v in t.items() if "5" not in k}, r"lacks model\.5\.weight"),
    "one layer": (lambda t: {k: v for k, v in t.items() if "model.0" in k}, r"of 1 convolutions"),
    "NaN": (_replace("model.8.bias", lambda t: t / 0), r"model\.8\.bias holds NaN or inf"),
}


@pytest.mark.parametrize("case", BROKEN_DISCRIMINATORS)
def test_a_broken_discriminator_names_the_tensor(case: str) -> None:
    breaking, message = BROKEN_DISCRIMINATORS[case]
    with pytest.raises(CheckpointError, match=message):
        discriminator_from_tensors(breaking(make_discriminator(0).state_dict()))


FORKS: dict[str, tuple[Callable[[list[nn.Module]], list[nn.Module]], str]] = {
    "1×1 convolutions among the blocks": (
        lambda layers: [*layers[:11], nn.Conv2d(16, 16, 1), *layers[11:]], "another network",
    ),
    "a slope of its own a channel": (
        lambda layers: [*layers[:3], nn.PReLU(), *layers[4:]], "holds 'model.3.weight', which no such",
    ),
    "a norm behind the last convolution": (
        lambda layers: [*layers[:-1], nn.BatchNorm2d(3), layers[-1]], "lacks |holds ",
    ),
    "a convolution more that keeps the size": (
        lambda layers: [*layers[:4], nn.Conv2d(4, 4, 3, 1, 1), nn.InstanceNorm2d(4), nn.ReLU(), *layers[4:]],
        "another network",
    ),
    "smaller kernels": (
        lambda layers: [nn.ReflectionPad2d(2), nn.Conv2d(3, 4, 5), *layers[2:]], "a 7×7 kernel was needed",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fork", FORKS)
def test_a_complete_network_near_cyclegans_is_refused_with_how_to_bring_it(fork: str) -> None:
    changed, told = FORKS[fork]
    network = schools.resnet()
    network.model = nn.Sequential(*changed(list(network.get_submodule("model").children())))
    with pytest.raises(CheckpointError, match=told) as error:
        generator_from_tensors(network.state_dict())
    assert "--generator FILE.py:FACTORY" in str(error.value)


def test_tensors_of_something_else_are_told_what_was_needed() -> None:
    with pytest.raises(CheckpointError, match=r"'features\.0\.weight' \(3\).*--generator FILE.*; tried: "):
        generator_from_tensors({"features.0.weight": torch.zeros(3)})


def test_a_generator_without_blocks_is_still_a_generator() -> None:
    widths = GeneratorWidths(1, 1, 1, (), 1, 1)
    assert generator_from_tensors(Generator(widths).state_dict()).widths == widths


def test_gan_compressions_student_is_named_kindly(real_data: Path) -> None:
    with pytest.raises(UnsupportedArchitecture, match=r"GAN Compression's students.*slim already"):
        load_quartet(real_data / "peers/gan_compression_horse2zebra")
