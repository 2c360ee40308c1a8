"""State dicts that are damaged, of no family, or made to do harm."""

import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from ganprune.errors import CheckpointError, UnsupportedArchitecture
from ganprune.models import DISCRIMINATORS, GENERATORS, read_discriminator, read_generator
from tests.models import schools
from tests.models.test_families import channels_of, pictures

State = dict[str, Tensor]

FAMILIES = (
    "CycleGAN", "CycleGAN, batch norm, dropout", "PyTorch-GAN", "fork, bilinear", "CUT", "arnab39", "pix2pix",
    "PyTorch-GAN's U-Net", "aladdinpersson", "Udacity", "Toronto, 5×5", "fast style transfer",
    "StarGAN", "fork, pixel shuffle", "UPIT", "DualGAN", "aladdinpersson's pix2pix", "deeplearning.ai",
)  # fmt: skip


def state_of(name: str) -> State:
    return dict(schools.trained(schools.GENERATORS[name][0]).state_dict())


def weights(state: State) -> list[str]:
    return [name for name in state if not name.endswith("num_batches_tracked")]


@pytest.mark.parametrize("name", FAMILIES)
def test_a_tensor_that_is_missing_is_named(name: str) -> None:
    state = state_of(name)
    for key in weights(state)[::3]:
        with pytest.raises(CheckpointError, match=f"lacks {re.escape(key)}; the file is incomplete or of"):
            read_generator({other: tensor for other, tensor in state.items() if other != key})


@pytest.mark.parametrize("name", FAMILIES)
def test_a_tensor_that_is_left_over_is_named(name: str) -> None:
    state = state_of(name)
    conv = next(key for key in state if key.endswith(".weight"))
    more = f"{conv.removesuffix('weight')}more"
    with pytest.raises(CheckpointError, match=f"holds '{re.escape(more)}', which no such network has"):
        read_generator({**state, more: torch.zeros(3)})


@pytest.mark.parametrize("name", FAMILIES)
def test_a_tensor_that_holds_no_numbers_is_named(name: str) -> None:
    state = state_of(name)
    for key in weights(state)[1::7]:
        spoilt = state[key].clone()
        spoilt.view(-1)[-1] = float("nan")
        with pytest.raises(CheckpointError, match=f"{re.escape(key)} holds NaN or infinite values"):
            read_generator({**state, key: spoilt})
        with pytest.raises(CheckpointError, match=f"{re.escape(key)} is int64, not floating point"):
            read_generator({**state, key: state[key].long()})


@pytest.mark.parametrize("name", FAMILIES)
def test_shapes_that_contradict_each_other_are_named(name: str) -> None:
    """One channel less: its own layer or the one behind it does not fit."""
    state = state_of(name)
    for key in weights(state)[2:-1:3]:
        if len(state[key]) > 1:
            with pytest.raises(CheckpointError, match=r"has shape [\d×]+, but"):
                read_generator({**state, key: state[key][:-1]})


def test_the_tensor_that_does_not_fit_is_the_one_that_is_named() -> None:
    state = state_of("CycleGAN")
    for key, less, told in (
        ("model.4.weight", state["model.4.weight"][:, :-1],
         "model.4.weight has shape 8×3×3×3, but the maps that it reads have 4 channels"),
        ("model.4.bias", state["model.4.bias"][:-1],
         "model.4.bias has shape 7, but model.4.weight has 8 filters"),
        ("model.10.conv_block.1.weight", state["model.10.conv_block.1.weight"][:, :, :-1],
         "model.10.conv_block.1.weight has shape 16×16×2×3, but a 3×3 kernel was needed"),
    ):  # fmt: skip
        with pytest.raises(CheckpointError, match=f"^{re.escape(told)}$"):
            read_generator({**state, key: less})


def test_a_residual_sum_of_other_widths_is_named_even_where_it_could_be_broadcast() -> None:
    state = state_of("CycleGAN")
    conv = "model.10.conv_block.5"
    for width in (1, 7):
        cut = {f"{conv}.{part}": state[f"{conv}.{part}"][:width] for part in ("weight", "bias")}
        told = f"{conv}.weight has shape {width}×16×3×3, but the residual sums need 16 filters"
        with pytest.raises(CheckpointError, match=re.escape(told)):
            read_generator({**state, **cut})


def test_a_norm_and_a_blur_of_other_widths_are_named() -> None:
    state = state_of("CycleGAN, batch norm, dropout")
    with pytest.raises(CheckpointError, match=r"model.5.running_mean has shape 7, but the maps"):
        read_generator({**state, "model.5.running_mean": torch.zeros(7)})
    with pytest.raises(CheckpointError, match=r"model.5.running_var holds negative variances"):
        read_generator({**state, "model.5.running_var": -state["model.5.running_var"]})
    state = state_of("CUT")
    with pytest.raises(CheckpointError, match=r"model.7.filt has shape 7×1×3×3, but the maps"):
        read_generator({**state, "model.7.filt": state["model.7.filt"][:7]})


def test_a_discriminator_ends_in_one_filter() -> None:
    state = dict(schools.trained(schools.patchgan).state_dict())
    last = {"model.11.weight": torch.ones(2, 32, 4, 4), "model.11.bias": torch.ones(2)}
    with pytest.raises(
        CheckpointError, match=r"model.11.weight has shape 2×32×4×4, but a discriminator ends in"
    ):
        read_discriminator({**state, **last})


def test_a_network_of_the_other_kind_is_named() -> None:
    for make in schools.DISCRIMINATORS.values():
        with pytest.raises(CheckpointError, match=r"^holds a discriminator, a generator was needed$"):
            read_generator(schools.trained(make).state_dict())
    for make, _ in schools.GENERATORS.values():
        with pytest.raises(CheckpointError, match=r"^holds a generator, a discriminator was needed$"):
            read_discriminator(schools.trained(make).state_dict())


def test_a_complete_network_of_no_family_is_described_and_never_called_incomplete() -> None:
    strangers = (
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 3, 3)).state_dict(),
        {f"encoder.{i}.weight": torch.zeros(3, 3, 3, 3) for i in range(9)},
        {"model.1.weight": torch.zeros(4, 3, 7, 7), "model.9.gamma": torch.zeros(4)},
        {},
    )
    for state in strangers:
        with pytest.raises(UnsupportedArchitecture) as error:
            read_generator(state)
        message = str(error.value)
        assert "incomplete" not in message
        assert "\n" not in message
        assert f"it has {len(state)} tensors" in message
        assert "--generator FILE.py:FACTORY" in message
        assert all(family.title in message for family in GENERATORS)
        assert all(
            f"'{name}' ({'×'.join(map(str, state[name].shape))})" in message for name in list(state)[:4]
        )
    with pytest.raises(UnsupportedArchitecture, match=r"--discriminator FILE\.py:FACTORY") as error:
        read_discriminator(strangers[0])
    assert all(family.title in str(error.value) for family in DISCRIMINATORS)


def test_blocks_of_another_make_are_no_file_that_is_incomplete() -> None:
    """As GAN Compression's separable ones under CycleGAN's names."""
    state = state_of("CycleGAN")
    separable = {
        name.replace("conv_block.1.", "conv_block.1.conv.0."): tensor for name, tensor in state.items()
    }
    with pytest.raises(UnsupportedArchitecture, match=r"of no family that is read"):
        read_generator(separable)


ROOT = r"model|main|res_model|net|conv1|down_blocks|up1|res_blocks|\(|\[a-"
NAMES = st.from_regex(
    rf"\A({ROOT})(\.(\d{{1,7}}|conv|model|block|filt)){{1,6}}\.(weight|bias|filt|running_var)\Z"
)


@settings(max_examples=30)
@given(
    named=st.dictionaries(NAMES, st.lists(st.integers(0, 4), max_size=4), max_size=8),
    of=st.sampled_from(FAMILIES),
    dropped=st.integers(0, 100),
)
def test_whatever_the_names_and_shapes_a_file_is_read_or_refused_by_one_line(
    named: dict[str, list[int]], of: str, dropped: int
) -> None:
    strange = {name: torch.zeros(shape) for name, shape in named.items()}
    state = state_of(of)
    key = weights(state)[dropped % len(weights(state))]
    mixed = {name: tensor for name, tensor in state.items() if name != key} | strange
    for tensors in (strange, mixed):
        for read in (read_generator, read_discriminator):
            network = message = None
            try:
                network = read(tensors)
            except CheckpointError as error:
                message = str(error)
            if network is not None:
                assert network(pictures(channels_of(network), 64)).ndim == 4
            assert message is None or "\n" not in message


def test_numbers_and_levels_without_end_cost_nothing() -> None:
    def zeros(*shape: int) -> Tensor:
        return torch.zeros(shape)

    far = {"model.999999.conv_block.1.weight": zeros(2, 2, 3, 3), "model.1.weight": zeros(2, 3, 7, 7)}
    deep = {f"model.model{'.1.model' * i}.0.weight": zeros(1, 1, 4, 4) for i in range(400)}
    many = {f"{part}.999999.conv.0.weight": zeros(2, 2, 3, 3) for part in ("down_blocks", "up_blocks")}
    for state in (far, deep, {**many, "initial.0.weight": zeros(2, 3, 7, 7)}):
        with pytest.raises(CheckpointError):
            read_generator(state)
    with pytest.raises(CheckpointError):
        read_discriminator({"model.0.weight": zeros(2, 3, 4, 4), "model.999999.weight": zeros(1, 2, 4, 4)})
