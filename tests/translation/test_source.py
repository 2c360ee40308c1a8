"""Which network translates, by what a user gives; and networks of ONNX Runtime."""

import copy
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper

from ganprune.checkpoints import save_cyclegan_pth, save_generator
from ganprune.errors import InputError, MissingNetwork, UsageError
from ganprune.models.cyclegan import Generator, resnet_widths
from ganprune.onnx_files.cost import PictureInput
from ganprune.translation import OnnxTranslator, open_source, preparation_for
from ganprune.translation.preparation import Preparation
from ganprune.translation.translators import NetworkTranslator
from ganprune_exporters import ExportSettings, export_onnx
from tests.checkpoints.builders import make_generator
from tests.onnx_graphs import conv, model, of_kind, two_inputs, uint8_last, unknown_operator
from tests.tiny import fill, random_generator, random_pictures
from tests.translation.kit import tiny_net, write_run

X = random_pictures(2, 3, 32, 32, dtype=torch.float32)


def is_net(translator, net) -> bool:
    with torch.inference_mode():
        return torch.equal(translator(X), net(X))


@pytest.mark.parametrize(
    ("given", "direction", "network", "result"),
    [
        ("", None, "G_A", "AtoB"),
        ("", "BtoA", "G_B", "BtoA"),
        ("G_A.safetensors", None, "G_A", "AtoB"),
        ("G_A.safetensors", "BtoA", "G_B", "BtoA"),
        ("G_B.safetensors", None, "G_B", "BtoA"),
        ("G_B.safetensors", "AtoB", "G_A", "AtoB"),
    ],
)
def test_direction_picks_the_generator(tmp_path: Path, given, direction, network, result) -> None:
    networks = write_run(tmp_path)
    source = open_source(tmp_path / given, direction, both=True)
    assert (source.direction, source.network) == (result, tmp_path / f"{network}.safetensors")
    assert is_net(source.translate, networks[network])
    assert is_net(source.back, networks["G_B" if network == "G_A" else "G_A"])
    assert open_source(tmp_path / given, direction).back is None


@pytest.mark.parametrize("name", ["zebra.pth", "latest_net_G.pth"])
@pytest.mark.parametrize("direction", ["AtoB", "BtoA"])
def test_lone_generator_goes_the_one_way_it_has(tmp_path: Path, name: str, direction: str) -> None:
    net = tiny_net(7)
    save_cyclegan_pth(tmp_path / name, net)
    source = open_source(tmp_path / name, direction)
    assert source.direction == direction
    assert is_net(source.translate, net)
    taken = "G_A" if direction == "AtoB" else "G_B"
    assert source.notes == (f"{name} is one generator alone, taken as {taken}",)


def test_half_of_a_checkpoint_says_which_half_is_missing(tmp_path: Path) -> None:
    save_cyclegan_pth(tmp_path / "latest_net_G_B.pth", tiny_net(1))
    with pytest.raises(MissingNetwork, match=r"needed G_A; found G_B .*looked for latest_net_G_A.pth in"):
        open_source(tmp_path)
    assert open_source(tmp_path, "BtoA").direction == "BtoA"
    with pytest.raises(MissingNetwork, match="needed G_A; found G_B"):
        open_source(tmp_path, "BtoA", both=True)


def test_bfloat16_is_close_and_not_the_same(tmp_path: Path) -> None:
    net = tiny_net(1)
    exact, rough = NetworkTranslator(net)(X), NetworkTranslator(net, precision="bfloat16")(X)
    assert rough.dtype == torch.float32
    assert not torch.equal(exact, rough)
    assert (exact - rough).abs().mean() < 0.1
    assert next(net.parameters()).dtype == torch.float32


def test_batch_norm_uses_its_running_statistics() -> None:
    net = Generator(resnet_widths(4, 2), "batch")
    fill(net, 5)
    net.train()(X)
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    found = NetworkTranslator(net)(X)
    assert net.training
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())
    with torch.no_grad():
        assert torch.equal(found, net.eval()(X))
        assert not torch.allclose(found, net.train()(X), atol=0.01)


def test_unknown_direction_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--direction must be AtoB or BtoA, found 'A2B'"):
        open_source(tmp_path, "A2B")


@pytest.mark.parametrize("dynamic", [False, True])
def test_onnx_computes_what_pytorch_computes(tmp_path: Path, dynamic: bool) -> None:
    net, path = tiny_net(3), tmp_path / "G_B.onnx"
    export_onnx(net, path, ExportSettings(32, dynamic=dynamic))
    source = open_source(path)
    assert (source.direction, source.back) == ("BtoA", None)
    assert open_source(path, "AtoB").direction == "AtoB"
    assert (source.translate(X) - net(X)).abs().max() < 1e-4
    if dynamic:
        other = random_pictures(3, 3, 24, 40, dtype=torch.float32)
        assert (source.translate(other) - net(other)).abs().max() < 1e-4


@pytest.mark.parametrize("n", [1, 3, 4, 7])
def test_batches_of_a_fixed_size_are_filled_up(tmp_path: Path, n: int) -> None:
    free, fixed = (conv(tmp_path / f"{b}.onnx", 3, (b, 3, 16, 16)) for b in ("n", 3))
    pictures = random_pictures(n, 3, 16, 16, dtype=torch.float32)
    found = OnnxTranslator(fixed)(pictures)
    assert found.shape == (n, 3, 16, 16)
    assert torch.allclose(found, OnnxTranslator(free)(pictures), atol=1e-6)


def no_onnx(path: Path) -> Path:
    path.write_bytes(b"see you later")
    return path


def float_last(path: Path) -> Path:
    return of_kind(path, TensorProto.FLOAT, (1, 16, 16, 3))


def tokens(path: Path) -> Path:
    return of_kind(path, TensorProto.INT64, (1, 12))


REFUSED = {
    "damaged": (no_onnx, "needed an ONNX file"),
    "uint8": (uint8_last, r"found that picture is uint8 1×any×any×3"),
    "channels last": (float_last, r"found that tokens is float32 1×16×16×3"),
    "two inputs": (two_inputs, "one input, the picture, found left, right"),
    "no pictures": (tokens, "of 4 dimensions, found that tokens is int64"),
    "unknown operator": (unknown_operator, "that ONNX Runtime can run, it says: .*Teleport"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_onnx_file_that_translates_no_pictures_is_refused(tmp_path: Path, kind: str) -> None:
    forge, told = REFUSED[kind]
    with pytest.raises(InputError, match=told):
        open_source(forge(tmp_path / "net.onnx"))


def test_onnx_file_that_gives_no_pictures_is_refused(tmp_path: Path) -> None:
    nodes = [helper.make_node("Flatten", ["input"], ["output"])]
    onnx.save(model(nodes, [], [("input", TensorProto.FLOAT, ("n", 3, "h", "w"))]), tmp_path / "net.onnx")
    source = open_source(tmp_path / "net.onnx")
    with pytest.raises(InputError, match=r"net.onnx: .* gives float32 pictures, 2×3×.*found float32 2×768"):
        source.translate(random_pictures(2, 3, 16, 16, dtype=torch.float32))


@pytest.mark.parametrize(("inputs", "outputs"), [(1, 1), (1, 3), (5, 2)])
def test_a_source_says_how_many_channels_go_in_and_out(tmp_path: Path, inputs: int, outputs: int) -> None:
    save_generator(
        tmp_path / "net.safetensors",
        random_generator(resnet_widths(4, 1, inputs, outputs), 0, torch.float32), {},
    )  # fmt: skip
    file = conv(tmp_path / "net.onnx", outputs, (1, inputs, 16, 16))
    for path in (tmp_path / "net.safetensors", file):
        assert open_source(path).channels == (inputs, outputs)


def test_onnx_file_that_fails_on_a_picture_says_why(tmp_path: Path) -> None:
    nodes = [helper.make_node("Reshape", ["input", "shape"], ["output"])]
    shape = onnx.numpy_helper.from_array(np.array([1, 3, 16, 16]), "shape")
    graph = model(nodes, [shape], [("input", TensorProto.FLOAT, ("n", 3, "h", "w"))])
    onnx.save(graph, tmp_path / "net.onnx")
    with pytest.raises(InputError, match=r"net.onnx: needed a network that ONNX Runtime can run, it says"):
        open_source(tmp_path / "net.onnx").translate(X)


@pytest.mark.parametrize("wish", [{"device": "cuda"}, {"precision": "bfloat16"}])
def test_onnx_files_have_one_device_and_one_precision(tmp_path: Path, wish) -> None:
    with pytest.raises(UsageError, match="ONNX files are run on the CPU in float32, found --device"):
        open_source(conv(tmp_path / "net.onnx"), **wish)


def test_onnx_file_has_no_partner(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--save rec needs both generators, found one in"):
        open_source(conv(tmp_path / "net.onnx"), both=True)


def takes(*sides: int | None) -> PictureInput:
    return PictureInput("net.onnx", "input", "float32", (1, 3, *sides))


@pytest.mark.parametrize(
    ("mode", "size", "given", "wanted"),
    [
        ("resize", None, None, ("resize", 256, 256)),
        ("resize", 64, None, ("resize", 64, 64)),
        ("none", None, takes(None, None), ("none", 256, 256)),
        ("scale_width", 64, takes(None, None), ("scale_width", 64, 64)),
        ("resize", 64, takes(None, None), ("resize", 64, 64)),
        ("resize", None, takes(30, 50), ("resize", 30, 50)),
        ("resize", 32, takes(32, 32), ("resize", 32, 32)),
        ("resize", None, takes(48, None), ("resize", 48, 256)),
    ],
)
def test_size_comes_from_the_file_or_the_user(mode, size, given, wanted) -> None:
    assert preparation_for(mode, size, given) == Preparation(*wanted)
    assert given is not None or size is not None or preparation_for(mode, size, given, 80).width == 80


@pytest.mark.parametrize(
    ("mode", "size", "given", "told"),
    [
        ("crop", None, None, "--preprocess must be one of resize, scale_width, none, found 'crop'"),
        ("resize", 30, None, "--size must be a multiple of 4 from 16 to 8192, found 30"),
        ("scale_width", 12, None, "--size must be a multiple of 4 from 16 to 8192, found 12"),
        ("none", 64, None, "--preprocess none keeps the size of pictures"),
        ("none", None, takes(32, 32), "found that net.onnx takes 32×32 pixels; use --preprocess resize"),
        ("scale_width", None, takes(None, 32), "found that net.onnx takes any×32 pixels"),
        ("resize", 64, takes(32, 32), "needed an input of 64×64 pixels, found a fixed 32×32"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(mode, size, given, told) -> None:
    with pytest.raises(UsageError, match=told):
        preparation_for(mode, size, given)


def test_picture_statistics_are_those_of_test_py_without_eval(tmp_path: Path) -> None:
    networks = {name: make_generator(seed, norm="batch") for seed, name in enumerate(("G_A", "G_B"))}
    for name, net in networks.items():
        save_generator(tmp_path / f"{name}.safetensors", net, {})
    running, own = (open_source(tmp_path, both=True, picture_statistics=chosen) for chosen in (False, True))
    assert [note.startswith("batch norm in") for note in running.notes] == [True]
    assert own.notes == (
        "--set picture-statistics=true: each picture's own statistics for the batch norm in G_A, G_B",
    )
    assert own.back is not None
    for translate, name in ((own.translate, "G_A"), (own.back, "G_B")):
        wanted = torch.cat([copy.deepcopy(networks[name]).train()(x) for x in X.split(1)])
        torch.testing.assert_close(translate(X), wanted, atol=2e-5, rtol=0)
    assert is_net(running.translate, networks["G_A"])


def test_picture_statistics_of_an_exported_file_are_chosen_at_its_export(tmp_path: Path) -> None:
    export_onnx(tiny_net(1), tmp_path / "G.onnx", ExportSettings(size=32))
    with pytest.raises(
        UsageError, match="--set picture-statistics=true is chosen when a network is exported, found"
    ):
        open_source(tmp_path / "G.onnx", picture_statistics=True)
