"""Generators to files and back: nothing is lost, nothing is carried along, the same bytes every time."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import safetensors
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ganprune.checkpoints import load_generator, read_metadata, save_cyclegan_pth, save_generator
from ganprune.errors import CheckpointError
from ganprune.models.cyclegan import Generator, GeneratorWidths, resnet_widths
from tests.checkpoints.builders import WIDTHS, make_generator

width = st.integers(1, 6)
any_widths = st.builds(
    GeneratorWidths, stem=width, down=width, trunk=width, inner=st.lists(width, max_size=4).map(tuple),
    up1=width, up2=width, in_channels=width, out_channels=width,
)  # fmt: skip

WRITERS: dict[str, Callable[[Path, Generator], None]] = {
    "G.pth": save_cyclegan_pth,
    "G.safetensors": lambda path, generator: save_generator(path, generator, {}),
}


@pytest.mark.parametrize("name", WRITERS)
@given(widths=any_widths, seed=st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_a_generator_of_any_widths_comes_back_as_it_was(
    scratch: Path, name: str, widths: GeneratorWidths, seed: int
) -> None:
    original = make_generator(seed, widths)
    WRITERS[name](scratch / name, original)
    loaded = load_generator(scratch / name)
    assert loaded.widths == widths
    for key, tensor in original.state_dict().items():
        assert torch.equal(loaded.state_dict()[key], tensor), key


@pytest.mark.parametrize("name", WRITERS)
def test_a_slice_of_a_wide_layer_is_not_written_with_the_whole_layer(tmp_path: Path, name: str) -> None:
    wide = make_generator(0, resnet_widths(32, 1)).state_dict()
    slim = make_generator(0)
    slices = {
        key: wide[key][tuple(slice(size) for size in tensor.shape)]
        for key, tensor in slim.state_dict().items()
        if key in wide and all(a <= b for a, b in zip(tensor.shape, wide[key].shape, strict=True))
    }
    assert slices["model.7.weight"].untyped_storage().nbytes() > 100_000
    slim.load_state_dict(slices, strict=False, assign=True)
    WRITERS[name](tmp_path / name, slim)
    weights = 4 * sum(parameter.numel() for parameter in slim.parameters())
    assert (tmp_path / name).stat().st_size < weights + 20_000


def test_cyclegans_own_way_of_loading_reads_our_pth(tmp_path: Path) -> None:
    save_cyclegan_pth(tmp_path / "latest_net_G_A.pth", make_generator(0))
    theirs = torch.load(tmp_path / "latest_net_G_A.pth", map_location="cpu", weights_only=True)
    assert type(theirs) is dict
    make_generator(1).load_state_dict(theirs, strict=True)
    assert {tensor.dtype for tensor in theirs.values()} == {torch.float32}


def test_a_half_precision_generator_is_written_in_float32(tmp_path: Path) -> None:
    for name, write in WRITERS.items():
        write(tmp_path / name, make_generator(0).half())
        loaded = load_generator(tmp_path / name)
        expected = make_generator(0).half().float().state_dict()["model.1.weight"]
        assert torch.equal(loaded.state_dict()["model.1.weight"], expected)


def test_metadata_say_what_the_file_is_and_what_the_caller_adds(tmp_path: Path) -> None:
    save_generator(tmp_path / "G.safetensors", make_generator(0), {"source": "abc", "kept": "[0, 2]"})
    metadata = read_metadata(tmp_path / "G.safetensors")
    assert metadata.keys() == {"format", "format_version", "widths", "norm", "source", "kept"}
    assert metadata["format_version"] == "1"
    assert json.loads(metadata["widths"]) == {**WIDTHS.groups(), "in_channels": 3, "out_channels": 3}
    with safetensors.safe_open(str(tmp_path / "G.safetensors"), framework="pt") as file:
        assert file.metadata() == metadata


def test_files_without_metadata_have_none(tmp_path: Path) -> None:
    tensors = make_generator(0).state_dict()
    torch.save(tensors, tmp_path / "G.pth")
    safetensors.torch.save_file(tensors, tmp_path / "G.safetensors")
    assert read_metadata(tmp_path / "G.pth") == {}
    assert read_metadata(tmp_path / "G.safetensors") == {}
    assert load_generator(tmp_path / "G.safetensors").widths == WIDTHS


def test_metadata_of_ours_cannot_be_overwritten(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="metadata format_version, widths is written by save_generator"):
        save_generator(tmp_path / "G.safetensors", make_generator(0), {"widths": "", "format_version": "9"})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"format_version": "2"}, r"written in format '2' by a newer ganprune, this one reads 1"),
        ({"widths": '{"stem": 9}'}, r"its metadata speak of widths .{11}, its tensors are .\"stem\": 2"),
        ({"widths": "{"}, "truncated or damaged"),
    ],
)
def test_metadata_that_contradict_the_tensors_are_refused(
    tmp_path: Path, metadata: dict[str, str], message: str
) -> None:
    safetensors.torch.save_file(make_generator(0).state_dict(), tmp_path / "G.safetensors", metadata)
    with pytest.raises(CheckpointError, match=rf"G\.safetensors: {message}"):
        load_generator(tmp_path / "G.safetensors")


def test_the_same_generator_gives_the_same_bytes_in_every_process(tmp_path: Path) -> None:
    code = (
        "import pathlib, sys\n"
        "from tests.checkpoints.builders import make_generator\n"
        "from ganprune.checkpoints import save_cyclegan_pth, save_generator\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "save_generator(folder / 'G.safetensors', make_generator(0), {k: k for k in 'zyxwvuts'})\n"
        "save_cyclegan_pth(folder / 'G.pth', make_generator(0))\n"
    )
    root = Path(__file__).parents[2]
    for process in ("one", "two"):
        subprocess.run([sys.executable, "-c", code, str(tmp_path / process)], cwd=root, check=True)
    for name in WRITERS:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_tensors_start_at_a_multiple_of_eight_bytes(tmp_path: Path) -> None:
    for length in range(9):
        save_generator(tmp_path / "G.safetensors", make_generator(0), {"note": "x" * length})
        header = int.from_bytes((tmp_path / "G.safetensors").read_bytes()[:8], "little")
        assert header % 8 == 0
