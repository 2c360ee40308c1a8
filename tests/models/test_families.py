"""Every family: its own code's network is read, computes the same, and can be cut, traced and exported."""

import math
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from onnxruntime import InferenceSession
from torch import Tensor, nn

from ganprune import models
from ganprune.checkpoints import generator_from_tensors, read_tensors
from ganprune.checkpoints.contents import split_relics
from ganprune.checkpoints.folding import folded
from ganprune.errors import UnsupportedArchitecture
from ganprune.models import read_discriminator, read_generator
from ganprune.pruning.genome import Layout
from ganprune.pruning.rebuild import masked, rebuilt
from ganprune.refit import refitted
from tests.models import schools
from tests.refit.test_sequence import settle
from tests.tiny import seeded


def pictures(channels: int, side: int, n: int = 1) -> Tensor:
    return torch.rand(n, channels, side, side, generator=seeded(3)) * 2 - 1


def channels_of(network: nn.Module) -> int:
    return next(m.in_channels for m in network.modules() if isinstance(m, nn.Conv2d))


def half(layout: Layout, seed: int = 0, kept: float = 0.5) -> Tensor:
    """A random genome that keeps half of every gene."""
    genome = torch.zeros(layout.length, dtype=torch.bool)
    for piece in layout.genes.values():
        size = piece.stop - piece.start
        chosen = torch.randperm(size, generator=seeded(seed + piece.start))[: math.ceil(kept * size)]
        genome[piece.start + chosen] = True
    return genome


@pytest.mark.parametrize("name", schools.GENERATORS)
def test_a_generator_computes_what_its_schools_own_code_computes(name: str) -> None:
    school = schools.trained(schools.GENERATORS[name][0])
    network = read_generator(school.state_dict())
    x = pictures(channels_of(school), 64, n=2)
    # The blurs of CUT are written in another way, whose sums round differently.
    torch.testing.assert_close(network(x), school(x), rtol=0, atol=1e-5 if "CUT" in name else 0)


@pytest.mark.parametrize("name", schools.DISCRIMINATORS)
def test_a_discriminator_computes_what_its_schools_own_code_computes(name: str) -> None:
    school = schools.trained(schools.DISCRIMINATORS[name])
    network = read_discriminator(school.state_dict())
    x = pictures(channels_of(school), 64, n=2)
    torch.testing.assert_close(network(x), school(x), rtol=0, atol=1e-5 if "CUT" in name else 0)


@pytest.mark.parametrize("name", schools.GENERATORS)
def test_tensors_are_called_as_in_the_file_and_share_no_memory_with_it(name: str) -> None:
    state = schools.trained(schools.GENERATORS[name][0]).state_dict()
    network = read_generator(state)
    assert network.state_dict().keys() == state.keys()
    assert not network.training
    for key, tensor in network.state_dict(keep_vars=True).items():
        assert not tensor.requires_grad
        assert torch.equal(tensor, state[key])
        assert tensor.data_ptr() != state[key].data_ptr()


@pytest.mark.parametrize("name", schools.GENERATORS)
def test_a_slim_generator_equals_its_masked_twin_and_is_read_again_from_its_own_tensors(name: str) -> None:
    make, groups = schools.GENERATORS[name]
    network = read_generator(schools.trained(make).state_dict())
    layout = Layout.of(network)
    assert (len(layout.graph.groups), layout.graph.notes) == (groups, ())
    genome = half(layout)
    slim = rebuilt(network, layout, genome)
    x = pictures(channels_of(network), 64)
    torch.testing.assert_close(slim(x), masked(network, layout, genome)(x), rtol=0, atol=2e-4)
    again = read_generator(slim.state_dict())
    assert torch.equal(again(x), slim(x))
    assert Layout.of(again).sizes == tuple(layout.slim_widths(genome).values())
    numbers = ("in_channels", "out_channels", "num_features", "channels", "groups")
    told = [(n, getattr(m, n)) for m in again.modules() for n in numbers if hasattr(m, n)]
    assert (
        (again.notes, again.value_range)
        == (slim.notes, slim.value_range)
        == (network.notes, network.value_range)
    )
    assert told == [(n, getattr(m, n)) for m in slim.modules() for n in numbers if hasattr(m, n)]


@settings(max_examples=15)
@given(
    norm=st.sampled_from(schools.TOLD),
    ngf=st.integers(1, 3),
    blocks=st.integers(1, 3),
    up=st.sampled_from(["transposed", "nearest", "bilinear", "blurred"]),
    down=st.sampled_from(["strided", "blurred"]),
    dropout=st.booleans(),
    pads=st.sampled_from(["reflect", "zero"]),
    channels=st.integers(1, 5),
    levels=st.integers(1, 3),
)
def test_resnets_of_any_norm_depth_width_and_sampling_are_read(
    norm: str,
    ngf: int,
    blocks: int,
    up: str,
    down: str,
    dropout: bool,
    pads: str,
    channels: int,
    levels: int,
) -> None:
    how: dict[str, Any] = {"dropout": dropout, "pads": pads, "channels": channels, "levels": levels}
    school = schools.trained(lambda: schools.resnet(norm, ngf, blocks, up, down, **how))
    network, x = read_generator(school.state_dict()), pictures(channels, 16)
    torch.testing.assert_close(network(x), school(x), rtol=0, atol=1e-5)


@settings(max_examples=10)
@given(
    norm=st.sampled_from(schools.TOLD),
    ngf=st.integers(1, 2),
    depth=st.integers(5, 6),
    dropout=st.booleans(),
    channels=st.integers(1, 4),
)
def test_u_nets_of_any_norm_depth_and_width_are_read(
    norm: str, ngf: int, depth: int, dropout: bool, channels: int
) -> None:
    school = schools.trained(lambda: schools.unet(norm, ngf, depth, dropout=dropout, channels=channels))
    network, x = read_generator(school.state_dict()), pictures(channels, 2**depth)
    assert torch.equal(network(x), school(x))


@settings(max_examples=10)
@given(
    norm=st.sampled_from(schools.TOLD),
    layers=st.integers(1, 4),
    blurred=st.booleans(),
    zeros=st.booleans(),
    channels=st.integers(1, 6),
)
def test_patchgans_of_any_norm_depth_and_kind_are_read(
    norm: str, layers: int, blurred: bool, zeros: bool, channels: int
) -> None:
    school = schools.trained(
        lambda: schools.patchgan(norm, 2, layers, channels, blurred, zeros and not blurred)
    )
    network, x = read_discriminator(school.state_dict()), pictures(channels, 96)
    torch.testing.assert_close(network(x), school(x), rtol=0, atol=1e-5)


def test_instance_norm_that_keeps_statistics_is_read_as_eval_mode_has_it() -> None:
    network = read_generator(schools.trained(lambda: schools.resnet("tracked")).state_dict())
    assert sum(isinstance(module, nn.BatchNorm2d) for module in network.modules()) == 9


def test_old_files_with_statistics_that_instance_norm_does_not_use_are_read_without_them() -> None:
    school = schools.trained(schools.resnet)
    relics = {"model.2.running_mean": torch.zeros(4), "model.2.running_var": torch.full((4,), math.nan)}
    network = read_generator({**school.state_dict(), **relics})
    assert torch.equal(network(pictures(3, 32)), school(pictures(3, 32)))


def test_published_files_of_fast_style_transfer_are_read_without_the_statistics_that_it_does_not_use() -> (
    None
):
    school = schools.trained(schools.UnitJohnson)
    old = {f"{norm}.running_{part}": torch.ones(4) for norm in ("in1", "in5") for part in ("mean", "var")}
    old |= {f"res1.in2.running_{part}": torch.full((16,), math.nan) for part in ("mean", "var")}
    network = read_generator({**school.state_dict(), **old})
    assert torch.equal(network(pictures(3, 32)), school(pictures(3, 32)))


@pytest.mark.parametrize("norm", [nn.utils.spectral_norm, nn.utils.parametrizations.spectral_norm])
def test_a_discriminator_of_spectral_norm_is_read_once_that_is_folded_in(
    norm: Callable[[nn.Module], nn.Module],
) -> None:
    def normed() -> nn.Module:
        school = schools.patchgan(zeros=True)
        for module in school.modules():
            if isinstance(module, nn.Conv2d):
                norm(module)
        school(pictures(3, 96))
        return school

    school = schools.trained(normed)
    weights, kinds = folded(school.state_dict())
    assert kinds == ("spectral norm",)
    torch.testing.assert_close(read_discriminator(weights)(pictures(3, 96)), school(pictures(3, 96)))


def test_real_generators_are_read_as_ever(real_data: Path) -> None:
    for file in sorted((real_data / "teachers").glob("*/*G*.pth")):
        tensors = read_tensors(file)
        network, x = read_generator(tensors), pictures(3, 64)
        assert torch.equal(network(x), generator_from_tensors(tensors)(x))
        assert network.state_dict().keys() == split_relics(tensors)[0].keys()


def test_a_real_generator_of_no_family_is_described(real_data: Path) -> None:
    tensors = read_tensors(real_data / "others" / "fast_style_udnie" / "weights.pth")
    told = "it has 48 tensors, 'down.0.conv.weight' (32×3×9×9), 'down.0.norm.weight' (32)"
    with pytest.raises(UnsupportedArchitecture, match=re.escape(told)):
        read_generator(tensors)


def test_fast_style_transfer_takes_and_gives_pictures_as_all_others_and_says_what_it_was_trained_on() -> None:
    network = read_generator(schools.trained(schools.Johnson).state_dict())
    assert network.value_range == (0.0, 255.0)
    assert network(pictures(3, 32)).abs().max() <= 1
    assert read_generator(schools.trained(schools.resnet).state_dict()).value_range == (-1.0, 1.0)


@pytest.mark.parametrize("name", ["CUT", "pix2pix", "PyTorch-GAN's U-Net", "fast style transfer"])
def test_a_generator_can_be_pickled_and_trained(name: str) -> None:
    network = read_generator(schools.trained(schools.GENERATORS[name][0]).state_dict())
    other = pickle.loads(pickle.dumps(network)).train().requires_grad_()
    x = pictures(3, 64, n=2)
    before = network(x)
    other(x).square().mean().backward()
    assert all(weight.grad is not None for weight in other.parameters())
    assert torch.equal(network(x), before)


def test_what_the_file_leaves_open_is_noted() -> None:
    fork = read_generator(schools.trained(lambda: schools.resnet(up="bilinear")).state_dict())
    assert "how maps are enlarged: taken as bilinear" in fork.notes[0]
    fork = read_generator(schools.trained(lambda: schools.resnet(up="nearest")).state_dict())
    assert "how maps are enlarged: taken as of nearest neighbours" in fork.notes[0]
    known = schools.resnet(up="nearest", inner="block")
    assert read_generator(known.state_dict()).notes == ()
    judge = read_discriminator(schools.trained(lambda: schools.UdacityJudge(toronto=True)).state_dict())
    assert "whether a sigmoid comes last: taken without one" in judge.notes[0]
    for norm in schools.NORMS:
        for read, make in (read_generator, schools.resnet), (read_discriminator, schools.patchgan):
            state = schools.trained(lambda make=make, norm=norm: make(norm)).state_dict()
            open_norm = any("taken as without norms" in note for note in read(state).notes)
            assert open_norm == (norm in ("none", "instance without biases"))
    for root, inner in (("model", "conv_block"), ("model", "block"), ("main", "res"), ("main", "main")):
        known = schools.trained(lambda root=root, inner=inner: schools.resnet(root=root, inner=inner))
        assert read_generator(known.state_dict()).notes == ()
    for root, inner in (("gen", "conv_block"), ("model", "path")):
        stranger = schools.trained(lambda root=root, inner=inner: schools.resnet(root=root, inner=inner))
        assert "names that no known school has" in read_generator(stranger.state_dict()).notes[0]


def test_a_generator_of_4x4_convolutions_alone_is_never_called_a_discriminator() -> None:
    """DiscoGAN's own, down and up again without skips."""
    down, up = nn.Conv2d(3, 4, 4, 2, 1), nn.ConvTranspose2d(8, 4, 4, 2, 1)
    inner = nn.Conv2d(4, 8, 4, 2, 1), nn.BatchNorm2d(8), nn.LeakyReLU(0.2)
    layers = down, nn.LeakyReLU(0.2), *inner, up, nn.BatchNorm2d(4), nn.ReLU(), nn.ConvTranspose2d(4, 3, 4)
    state = schools.Named("main", *layers).state_dict()
    assert models.role_of(state) is None
    with pytest.raises(UnsupportedArchitecture, match="a generator of no family that is read"):
        read_generator(state)


def test_what_stands_before_all_names_is_taken_off() -> None:
    school = schools.trained(schools.Aladdin)
    named = {f"nets.gen_ab.{name}": tensor for name, tensor in school.state_dict().items()}
    assert torch.equal(read_generator(named)(pictures(3, 32)), school(pictures(3, 32)))


@pytest.mark.parametrize("before", ["", "module.", "nets.gen_ab."])
def test_files_of_every_family_are_read_under_their_own_names(before: str, tmp_path: Path) -> None:
    tables = (schools.GENERATORS, read_generator), (schools.DISCRIMINATORS, read_discriminator)
    for table, read in tables:
        for entry in table.values():
            school = schools.trained(entry[0] if isinstance(entry, tuple) else entry)
            state = school.state_dict()
            named = {before + name: tensor for name, tensor in state.items()}
            torch.save({"state_dict": named, "epoch": 3}, tmp_path / "network.pth")
            found = read(read_tensors(tmp_path / "network.pth")).state_dict().keys()
            # What stands before the names of a Sequential by itself may be the name that it has.
            assert found == state.keys() or (next(iter(state))[0].isdigit() and before == "nets.gen_ab.")


def test_the_order_of_the_names_is_of_no_matter() -> None:
    for table, read in ((schools.GENERATORS, read_generator), (schools.DISCRIMINATORS, read_discriminator)):
        for entry in table.values():
            school = schools.trained(entry[0] if isinstance(entry, tuple) else entry)
            state = school.state_dict()
            network, x = read(dict(sorted(state.items(), reverse=True))), pictures(channels_of(school), 64)
            assert torch.equal(network(x), read(state)(x))


@pytest.mark.parametrize(
    "name",
    [
        "fork, bilinear", "fork, pixel shuffle", "StarGAN", "CUT", "pix2pix", "PyTorch-GAN's U-Net",
        "aladdinpersson", "Toronto, 5×5", "fast style transfer",
    ],
)  # fmt: skip
def test_a_slim_generator_is_exported_and_onnx_runtime_computes_the_same(name: str, tmp_path: Path) -> None:
    network = read_generator(schools.trained(schools.GENERATORS[name][0]).state_dict())
    layout = Layout.of(network)
    slim, x = rebuilt(network, layout, half(layout)), pictures(channels_of(network), 32)
    torch.onnx.export(slim, (x,), tmp_path / "G.onnx", dynamo=True, verbose=False)
    session = InferenceSession(tmp_path / "G.onnx", providers=["CPUExecutionProvider"])
    (computed,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    torch.testing.assert_close(torch.from_numpy(computed), slim(x), rtol=0, atol=1e-4)


FAR_NEARER = ("PyTorch-GAN", "CUT", "pix2pix, instance norm", "aladdinpersson", "fast style transfer")


@pytest.mark.parametrize("name", schools.GENERATORS)
def test_a_refit_brings_a_slim_generator_nearer_to_its_original(name: str) -> None:
    network = read_generator(schools.trained(schools.GENERATORS[name][0]).state_dict())
    x = list(pictures(channels_of(network), 64, n=3).split(1))
    settle(network, torch.cat(x))  # batch norms have statistics of such pictures after a training
    layout = Layout.of(network)
    genome = half(layout, kept=0.75)
    slim = rebuilt(network, layout, genome)

    def error(candidate: nn.Module) -> float:
        return sum(float((candidate(one) - network(one)).square().mean()) for one in x)

    most = 0.75 if name in FAR_NEARER else 1
    assert error(refitted(slim, network, layout.units(genome), x)) < most * error(slim)


def test_the_documentation_has_every_network_that_is_tested_and_no_other() -> None:
    page = (Path(__file__).parents[2] / "docs" / "checkpoints.md").read_text(encoding="utf-8")
    section = page.partition("## Families\n")[2].partition("\n## ")[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("|")]
    told = [name for *_, last in rows for name in re.findall(r"`([^`]+)`", last)]
    assert sorted(told) == sorted([*schools.GENERATORS, *(f"D of {name}" for name in schools.DISCRIMINATORS)])
    readers = {name for row in rows for name in re.findall(r"`(\w+\.py)`", row[2])}
    assert all((Path(models.__file__).parent / reader).is_file() for reader in readers)
