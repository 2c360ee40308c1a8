"""One file to its tensors: wrappers, prefixes, precisions, and files that are none of it."""

import gzip
import io
import os
import pickle
import pickletools
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import safetensors.torch
import torch
from torch import Tensor, nn

from ganprune.checkpoints import load_generator, load_quartet, read_metadata, read_tensors
from ganprune.errors import CheckpointError, UsageError
from tests.checkpoints.builders import assert_same, make_generator, with_relics
from tests.checkpoints.mutations import resealed
from tests.onnx_graphs import model as onnx_model

WRITERS: dict[str, Callable[[Any, Path], None]] = {
    "torch zip": torch.save,
    "torch before 1.6": lambda held, path: torch.save(held, path, _use_new_zipfile_serialization=False),
    "safetensors": safetensors.torch.save_file,
}

LAYERS_AROUND: dict[str, Callable[[dict[str, Tensor]], Any]] = {
    "state_dict": lambda t: {"state_dict": t, "epoch": 200, "lr": 2e-4, "losses": [0.5, None, True]},
    "model_state_dict": lambda t: {"model_state_dict": t},
    "DataParallel": lambda t: {f"module.{name}": tensor for name, tensor in t.items()},
    "torch.compile": lambda t: {f"_orig_mod.{name}": tensor for name, tensor in t.items()},
    "both": lambda t: {f"_orig_mod.module.{name}": tensor for name, tensor in t.items()},
    "wrapped and prefixed": lambda t: {"state_dict": {f"module.{name}": t[name] for name in t}},
    "parameters": lambda t: OrderedDict((name, nn.Parameter(tensor)) for name, tensor in t.items()),
    "relics": with_relics,
    "tied": lambda t: {name: tensor.view_as(tensor) for name, tensor in t.items()},
}


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_every_format_and_precision_gives_the_same_generator(
    tmp_path: Path, writer: str, dtype: torch.dtype
) -> None:
    original = make_generator(0)
    WRITERS[writer]({name: t.to(dtype) for name, t in original.state_dict().items()}, tmp_path / "G.bin")
    loaded = load_generator(tmp_path / "G.bin").state_dict()
    for name, tensor in original.state_dict().items():
        assert torch.equal(loaded[name], tensor.to(dtype).float()), name


@pytest.mark.parametrize("writer", ["torch zip", "torch before 1.6"])
@pytest.mark.parametrize("around", LAYERS_AROUND)
def test_what_training_scripts_put_around_a_state_dict_is_undone(
    tmp_path: Path, writer: str, around: str
) -> None:
    original = make_generator(0)
    WRITERS[writer](LAYERS_AROUND[around](original.state_dict()), tmp_path / "G.pth")
    loaded = load_generator(tmp_path / "G.pth").state_dict()
    assert all(torch.equal(loaded[name], tensor) for name, tensor in original.state_dict().items())


class _OfPython2:
    """A state dict as Python 2 pickled it: made from a list of pairs."""

    def __init__(self, tensors: dict[str, Tensor]) -> None:
        self.pairs = [[name, tensor] for name, tensor in tensors.items()]

    def __reduce__(self) -> tuple[Any, ...]:
        return OrderedDict, (self.pairs,)


def _with_byte_strings(content: bytes) -> bytes:
    """The five pickles of a file before torch 1.6 with Python 2's strings."""
    written, file = b"", io.BytesIO(content)
    for _ in range(5):
        program = list(pickletools.genops(file))
        ends = [position for _, _, position in program[1:]] + [file.tell()]
        for (opcode, argument, start), end in zip(program, ends, strict=True):
            assert isinstance(start, int)
            assert isinstance(end, int)
            text = str(argument).encode() if opcode.name == "BINUNICODE" else b""
            written += b"U" + bytes([len(text)]) + text if text else content[start:end]
    return written + file.read()


def test_the_famous_files_of_python_2_are_read(tmp_path: Path) -> None:
    original = make_generator(0)
    tensors = _OfPython2(with_relics(original.state_dict()))
    torch.save(tensors, tmp_path / "G.pth", _use_new_zipfile_serialization=False)
    (tmp_path / "G.pth").write_bytes(_with_byte_strings((tmp_path / "G.pth").read_bytes()))
    assert b"U\x0emodel.1.weight" in (tmp_path / "G.pth").read_bytes()
    assert_same(load_generator(tmp_path / "G.pth"), original)


@pytest.mark.parametrize("writer", ["torch zip", "torch before 1.6"])
def test_tensors_that_lay_on_a_gpu_are_read_without_one(tmp_path: Path, writer: str) -> None:
    original = make_generator(0)
    WRITERS[writer](original.state_dict(), tmp_path / "G.pth")
    content = (tmp_path / "G.pth").read_bytes()
    on_cpu, on_gpu = b"X\x03\x00\x00\x00cpu", b"X\x06\x00\x00\x00cuda:0"

    def moved(pickled: bytes) -> bytes:
        assert pickled.count(on_cpu) == 1  # the others refer to it
        return pickled.replace(on_cpu, on_gpu)

    written = resealed(content, moved) if writer == "torch zip" else moved(content)
    (tmp_path / "G.pth").write_bytes(written)
    assert_same(load_generator(tmp_path / "G.pth"), original)


def test_counts_among_the_weights_are_stepped_over(tmp_path: Path) -> None:
    original = make_generator(0, norm="batch")
    counts = {"epoch": torch.tensor(7), "model.step": torch.tensor([7])[0], "seconds": 1.5, "steps": 9}
    counts |= {"total_ops": torch.ones(1), "model.1.total_params": torch.ones(1)}  # of the package thop
    torch.save({**original.state_dict(), **counts}, tmp_path / "G.pth")
    assert_same(load_generator(tmp_path / "G.pth"), original)


def test_tensors_are_read_as_they_lie_on_the_disk(tmp_path: Path) -> None:
    tensors = with_relics(make_generator(0).half().state_dict())
    torch.save(tensors, tmp_path / "G.pth")
    found = read_tensors(tmp_path / "G.pth")
    assert {name: t.dtype for name, t in found.items()} == {name: t.dtype for name, t in tensors.items()}


@pytest.mark.parametrize(
    ("held", "message"),
    [
        ({}, "holds no tensors"),
        ([torch.zeros(1)], "holds a list, a state dict was needed"),
        (torch.zeros(1), "holds a Tensor, a state dict was needed"),
        ({"epoch": "3", "w": torch.zeros(1)}, "holds a str as 'epoch'"),
        ({"epoch": 3}, "holds no tensors"),
        ({"G_A": {"w": torch.zeros(1)}, "ema": {"w": torch.zeros(1)}}, "holds a dict as 'G_A'"),
        ({"a": {"w": torch.zeros(1)}, "b": {"w": torch.zeros(1)}}, "save one of 'a', 'b' by itself"),
        ({"w": np.ones(2)}, "holds a NumPy value as 'w'"),
        ({"state_dict": 5}, "holds a int, a state dict was needed"),
    ],
)
def test_what_is_no_state_dict_says_what_it_is(tmp_path: Path, held: object, message: str) -> None:
    torch.save(held, tmp_path / "G.pth")
    with pytest.raises(CheckpointError, match=message):
        read_tensors(tmp_path / "G.pth")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"weights of mine", r"no checkpoint: it starts with b'weights of mine'; a file of torch\.save or"),
        (b"PK\x03\x04", r"truncated or damaged \(File is not a zip file\)"),
        (
            b"latest_net_G_A.pth".ljust(257, b"\0") + b"ustar\0" + b"00",
            "no checkpoint but a tar archive; unpack it",
        ),
        (pickle.dumps({"model.1.weight": 3}), r"a pickle, .*; load it .*, and save the weights as a PyTorch"),
        (b"\x80\x02", "truncated or damaged"),
        (b"\xff\xff\xff\xff\xff\xff\xff\x7f{", "truncated or damaged"),
    ],
)
def test_what_is_no_checkpoint_says_so(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "G.pth").write_bytes(content)
    with pytest.raises(CheckpointError, match=rf"G\.pth: {message}"):
        read_tensors(tmp_path / "G.pth")


def _onnx() -> bytes:
    nodes = [onnx.helper.make_node("Identity", ["input"], ["output"])]
    return onnx_model(nodes, (), [("input", onnx.TensorProto.FLOAT, (1, 3, 8, 8))]).SerializeToString()


def _zipped(*names: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, b"x")
    return file.getvalue()


FOREIGN: dict[str, tuple[Callable[[], bytes], str]] = {
    "LFS pointer": (
        lambda: b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 45\n",
        "a Git LFS pointer, not the file itself; run `git lfs pull` there, or download the file",
    ),
    "page": (lambda: b"\n<!DOCTYPE html><html>", "a web page; the download gave a page .* download it again"),
    ".h5": (lambda: b"\x89HDF\r\n\x1a\n" + bytes(90), r"an HDF5 file, as Keras writes; load it .*state_dict"),
    ".tflite": (lambda: b"\x1c\0\0\0TFL3" + bytes(90), "a TensorFlow Lite model; give the .pth file"),
    ".t7": (lambda: struct.pack("<iiii", 4, 1, 3, 3) + b"V 1", "a file of Lua Torch; load it .*state_dict"),
    ".t7 as text": (lambda: b"4\n1\n3\nV 1\n13\nnn.Sequential\n", "a file of Lua Torch; load it"),
    ".onnx": (_onnx, "an ONNX model; give the .pth file .* bench and translate take ONNX files"),
    "SavedModel": (lambda: b"\x08\x01\x12\x80\x01", r"a TensorFlow model; load it .*state_dict"),
    ".keras": (lambda: _zipped("config.json", "model.weights.h5"), r"a Keras model; load it .*state_dict"),
    ".pt2": (lambda: _zipped("g/archive_format"), r"a program of torch.export; save the state_dict\(\)"),
    ".npz": (lambda: _zipped("arr_0.npy"), r"NumPy arrays; load it .*state_dict"),
    ".npy": (lambda: b"\x93NUMPY\x01\0", "a NumPy array; load it"),
    ".tar.gz": (lambda: gzip.compress(b"x"), "an archive; unpack it, and give the checkpoint inside"),
    ".png": (lambda: b"\x89PNG\r\n\x1a\n", "a picture; give the generator's .pth file"),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_other_kinds_of_files_are_named_with_what_helps(tmp_path: Path, kind: str) -> None:
    make, message = FOREIGN[kind]
    (tmp_path / "latest_net_G_A.pth").write_bytes(make())
    with pytest.raises(CheckpointError, match=rf"latest_net_G_A\.pth: no checkpoint but {message}"):
        load_quartet(tmp_path / "latest_net_G_A.pth")


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("part", [0.02, 0.5, 0.98])
def test_a_truncated_file_says_so(tmp_path: Path, writer: str, part: float) -> None:
    WRITERS[writer](make_generator(0).state_dict(), tmp_path / "whole")
    whole = (tmp_path / "whole").read_bytes()
    (tmp_path / "G.pth").write_bytes(whole[: int(part * len(whole))])
    with pytest.raises(CheckpointError, match=r"G\.pth: .*truncated"):
        read_tensors(tmp_path / "G.pth")


@pytest.mark.parametrize("read", [read_tensors, load_generator, read_metadata])
def test_paths_that_hold_no_file(tmp_path: Path, read: Callable[[Path], object]) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(CheckpointError, match="a folder, one file was needed"):
        read(tmp_path)
    with pytest.raises(CheckpointError, match="pipe: no regular file"):
        read(tmp_path / "pipe")
    with pytest.raises(CheckpointError, match="loop: cannot be read: Too many levels"):
        read(tmp_path / "loop")
    for nowhere in (tmp_path / "nowhere", tmp_path / "file" / "below"):
        with pytest.raises(UsageError, match="does not exist"):
            read(nowhere)


def test_a_file_that_may_not_be_read_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, *_: object) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    torch.save({}, tmp_path / "G.pth")
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(CheckpointError, match=r"G\.pth: cannot be read: Permission denied"):
        read_tensors(tmp_path / "G.pth")


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_safetensors_whose_header_is_as_long_as_a_pickle_begins_are_read(
    tmp_path: Path, protocol: int
) -> None:
    """A header of 0x…0280 bytes starts with a pickle's mark and protocol 2."""
    tensors, wanted = {"model.1.weight": torch.ones(2)}, 0x80 + 256 * protocol
    least = int.from_bytes(safetensors.torch.save(tensors, {"note": ""})[:8], "little")
    written = safetensors.torch.save(tensors, {"note": "x" * (wanted - least)})
    assert written[:2] == bytes([0x80, protocol])
    (tmp_path / "G.pth").write_bytes(written)
    assert torch.equal(read_tensors(tmp_path / "G.pth")["model.1.weight"], torch.ones(2))
