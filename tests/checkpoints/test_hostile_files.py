"""Files that were made to do harm: nothing of them is run, and they cost neither memory nor time."""

import gc
import os
import pickle
import struct
import time
import zipfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from ganprune.checkpoints import load_generator, load_quartet, read_tensors
from ganprune.errors import CheckpointError, UnsafeCheckpoint
from tests.checkpoints.builders import (
    CYCLEGAN_NAMES,
    Forged,
    assert_same,
    forged_pickle,
    make_generator,
    write_networks,
    write_zip,
)

SYSTEM = os.system  # pyright: ignore[reportDeprecated]

SECONDS = 2.0
"""A hostile file is refused within this time of the CPU, however busy the machine is."""


@contextmanager
def within(seconds: float = SECONDS) -> Generator[None]:
    gc.freeze()  # a collection looks at what the reader made, not at all that earlier tests left
    try:
        start = time.process_time()
        yield
        spent = time.process_time() - start
    finally:
        gc.unfreeze()
    assert spent < seconds


class Canary:
    """Makes a folder when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return SYSTEM, (f"mkdir {self.trace}",)


def _save_plainly(held: object, path: Path, protocol: int) -> None:
    path.write_bytes(pickle.dumps(held, protocol=protocol))


CANARY_WRITERS: dict[str, Callable[[object, Path], None]] = {
    "torch zip": torch.save,
    "torch before 1.6": lambda held, path: torch.save(held, path, _use_new_zipfile_serialization=False),
    "protocol 4": lambda held, path: torch.save(held, path, pickle_protocol=4),
    "plain pickle 2": lambda held, path: _save_plainly(held, path, 2),
    "plain pickle 5": lambda held, path: _save_plainly(held, path, 5),
}


@pytest.mark.parametrize("writer", CANARY_WRITERS)
def test_a_pickle_that_would_run_a_command_is_refused_by_name_and_not_run(
    tmp_path: Path, writer: str
) -> None:
    trace, file = tmp_path / "trace", tmp_path / "latest_net_G.pth"
    held = {"epoch": 5, "model.2.canary": Canary(trace)}
    CANARY_WRITERS[writer](held, file)
    with pytest.raises(UnsafeCheckpoint, match=f"its pickle asks for {SYSTEM.__module__}.system, which"):
        load_generator(file)
    assert not trace.exists()


def test_the_canary_would_have_run(tmp_path: Path) -> None:
    torch.save(Canary(tmp_path / "trace"), tmp_path / "G.pth")
    torch.load(tmp_path / "G.pth", weights_only=False)
    assert (tmp_path / "trace").is_dir()


def test_a_pickled_module_is_refused_with_its_class(tmp_path: Path) -> None:
    torch.save(make_generator(0), tmp_path / "G.pth")
    with pytest.raises(UnsafeCheckpoint, match=r"models\.cyclegan\.Generator.* state_dict\(\) alone"):
        load_generator(tmp_path / "G.pth")


def test_a_global_that_torch_allows_and_a_state_dict_has_no_need_of_is_refused(tmp_path: Path) -> None:
    torch.save({"w": bytearray(10)}, tmp_path / "G.pth")  # bytearray(10**12) would fill the memory
    with pytest.raises(UnsafeCheckpoint, match="bytearray"):
        load_generator(tmp_path / "G.pth")


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_a_state_dict_of_another_pickle_protocol_is_read(tmp_path: Path, protocol: int) -> None:
    original = make_generator(0)
    torch.save(original.state_dict(), tmp_path / "G.pth", pickle_protocol=protocol)
    assert_same(load_generator(tmp_path / "G.pth"), original)


def test_a_torchscript_program_says_what_to_save(tmp_path: Path) -> None:
    write_zip(tmp_path / "G.pt", b"", {"constants.pkl": b"", "code/main.py": b""})
    with pytest.raises(CheckpointError, match="TorchScript program; save the state_dict"):
        read_tensors(tmp_path / "G.pt")


LIES = {
    "stride 0": Forged((10**6, 10**6), (0, 0), stored=1),
    "beyond the storage": Forged((2, 2), (2, 1), stored=3),
    "offset beyond the storage": Forged((1,), (1,), stored=4, offset=4),
    "negative offset": Forged((1,), (1,), stored=4, offset=-1),
    "negative size": Forged((-1,), (1,), stored=4),
    "size that is no number": Forged(("4",), (1,), stored=4),
    "more strides than sizes": Forged((2,), (2, 1), stored=4),
    "nine axes": Forged((1,) * 9, (1,) * 9, stored=1),
    "numbers of two thousand bits": Forged((2**2000, 0), (1, 1), stored=1),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_tensor_that_lies_about_its_shape_is_refused(tmp_path: Path, lie: str) -> None:
    forged = LIES[lie]
    write_zip(tmp_path / "G.pth", forged_pickle({"w": forged}), {"data/0": bytes(4 * forged.stored)})
    with within(), pytest.raises(CheckpointError, match=r"G\.pth: (a tensor of|its pickle holds)"):
        read_tensors(tmp_path / "G.pth")


def test_an_honest_tensor_in_a_forged_archive_is_read(tmp_path: Path) -> None:
    stored = torch.arange(6, dtype=torch.float32)
    forged = Forged((2, 2), (3, 1), stored=6, offset=1)
    write_zip(tmp_path / "G.pth", forged_pickle({"w": forged}), {"data/0": stored.numpy().tobytes()})
    assert read_tensors(tmp_path / "G.pth")["w"].tolist() == [[1.0, 2.0], [4.0, 5.0]]


@pytest.mark.parametrize("held", [{}, {"data/0": bytes(8)}, {"data/0": bytes(400)}])
def test_a_storage_must_be_as_long_as_declared(tmp_path: Path, held: dict[str, bytes]) -> None:
    # torch itself would read past the end of the shorter one.
    write_zip(tmp_path / "G.pth", forged_pickle({"w": Forged((10**9,), (1,), stored=10**9)}), held)
    with (
        within(),
        pytest.raises(CheckpointError, match="declares 4000000000 bytes of weights as data/0"),
    ):
        read_tensors(tmp_path / "G.pth")


def test_a_legacy_storage_must_be_as_long_as_declared(tmp_path: Path) -> None:
    torch.save(torch.zeros(4), tmp_path / "G.pth", _use_new_zipfile_serialization=False)
    honest = (tmp_path / "G.pth").read_bytes()
    four, many = b"K\x04N", b"J" + struct.pack("<i", 2**31 - 1) + b"N"  # BININT1 4, BININT 2³¹-1
    assert honest.count(four) == 1
    (tmp_path / "G.pth").write_bytes(honest.replace(four, many))
    with (
        within(),
        pytest.raises(CheckpointError, match="truncated: it declares 8589934588 bytes"),
    ):
        read_tensors(tmp_path / "G.pth")


def test_many_tensors_over_one_storage_are_refused(tmp_path: Path) -> None:
    tensor = torch.zeros(1000)
    torch.save({f"w{i}": tensor[:999] for i in range(50)}, tmp_path / "G.pth")
    with within(), pytest.raises(CheckpointError, match="claim 49950 elements and share 1000"):
        read_tensors(tmp_path / "G.pth")


def test_a_zip_bomb_is_refused_before_it_unpacks(tmp_path: Path) -> None:
    elements = 64 << 20
    pickled = forged_pickle({"w": Forged((elements,), (1,), stored=elements)})
    write_zip(tmp_path / "G.pth", pickled, {"data/0": bytes(4 * elements)}, compress=True)
    assert (tmp_path / "G.pth").stat().st_size < 1 << 20
    with (
        within(),
        pytest.raises(CheckpointError, match=r"declares 2684\d+ bytes packed into \d+; no"),
    ):
        read_tensors(tmp_path / "G.pth")


def test_a_compressed_archive_of_honest_size_is_read(tmp_path: Path) -> None:
    weights = torch.randn(500, generator=torch.Generator().manual_seed(0))
    pickled = forged_pickle({"w": Forged((500,), (1,), stored=500)})
    write_zip(tmp_path / "G.pth", pickled, {"data/0": weights.numpy().tobytes()}, compress=True)
    assert torch.equal(read_tensors(tmp_path / "G.pth")["w"], weights)


def test_two_records_of_one_name_are_refused(tmp_path: Path) -> None:
    torch.save(make_generator(0).state_dict(), tmp_path / "G.pth")
    with zipfile.ZipFile(tmp_path / "G.pth", "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("G/data.pkl", b"")
    with pytest.raises(CheckpointError, match="two records of the same name"):
        read_tensors(tmp_path / "G.pth")


_DEEP = b"\x80\x02}" + b")" + b"\x85" * 150_000  # {(((…),),)
PICKLES = {
    "key of shared tuples": b"\x80\x02})" + b"q\x00h\x00\x86" * 60 + b"K\x01s.",
    "key of nested tuples": _DEEP + b"K\x01s.",
    "global of shared tuples": b"\x80\x02)" + b"q\x00h\x00\x86" * 60 + b"h\x00\x93.",
    "ordered dict of shared tuples": (
        b"\x80\x02ccollections\nOrderedDict\n](]()" + b"q\x00h\x00\x86" * 60 + b"K\x01ee\x85R."
    ),
    "far memo": b"\x80\x02Nr\xff\xff\xff\x7f}q\x00.",
    "list that grows": b"\x80\x02]q\x00(" + b"h\x00" * 1000 + b"e" + b"h\x00a" * 1000 + b".",
    "no end": b"\x80\x02}",
    "more taken than put": b"\x80\x02\x87.",
}


@pytest.mark.parametrize("archived", [True, False])
@pytest.mark.parametrize("case", PICKLES)
def test_pickles_that_would_take_forever_are_refused_quickly(
    tmp_path: Path, case: str, archived: bool
) -> None:
    file = tmp_path / "G.pth"
    if archived:
        write_zip(file, PICKLES[case], {"data/0": b""})
    else:
        file.write_bytes(PICKLES[case])
    with within(), pytest.raises(CheckpointError):
        read_tensors(file)


def test_a_pickle_of_a_million_instructions_is_not_stepped_through(tmp_path: Path) -> None:
    write_zip(tmp_path / "G.pth", b"\x80\x02" + b"N" * 1_000_000 + b".", {})
    with within(), pytest.raises(CheckpointError, match="its pickle has more than 300000 instructions"):
        read_tensors(tmp_path / "G.pth")


def test_names_of_a_megabyte_make_a_short_message(tmp_path: Path) -> None:
    safetensors.torch.save_file({"x\n" * 500_000: torch.zeros(1)}, tmp_path / "G.safetensors")
    with pytest.raises(CheckpointError) as caught:
        load_generator(tmp_path / "G.safetensors")
    assert len(str(caught.value)) < 1000
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "header",
    [
        '{"w":{"dtype":"F32","shape":[1000000,1000000],"data_offsets":[0,4]}}',
        '{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4000000000000]}}',
        '{"w":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}',
        '{"w":{"dtype":"F99","shape":[1],"data_offsets":[0,4]}}',
        '{"w":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}',
        '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},'
        '"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
        "{" * 5000,
    ],
)
def test_a_safetensors_header_that_lies_is_refused(tmp_path: Path, header: str) -> None:
    text = header.encode()
    (tmp_path / "G.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + bytes(4))
    with within(), pytest.raises(CheckpointError, match="truncated or damaged"):
        read_tensors(tmp_path / "G.safetensors")


def test_a_safetensors_header_of_megabytes_is_refused_unread(tmp_path: Path) -> None:
    entry = '"x%d":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}'
    header = "{" + ",".join(entry % i for i in range(40_000)) + "}"
    (tmp_path / "G.safetensors").write_bytes(len(header).to_bytes(8, "little") + header.encode())
    with within(0.5), pytest.raises(CheckpointError, match="header is longer than 2097152 bytes"):
        load_quartet(tmp_path / "G.safetensors")


def test_prefixes_without_end_are_taken_off_a_few_times_only(tmp_path: Path) -> None:
    torch.save({"module." * 20_000 + f"{i}": torch.zeros(1) for i in range(10)}, tmp_path / "G.pth")
    with within(), pytest.raises(CheckpointError, match=r"'module\.module\."):
        load_quartet(tmp_path / "G.pth")


def test_a_call_with_a_list_of_arguments_without_end_is_refused(tmp_path: Path) -> None:
    arguments = b"(" + b"N" * 1000 + b"tq\x00"
    for function in (b"ctorch._utils\n_rebuild_tensor_v2\n", b"ccollections\nOrderedDict\n"):
        write_zip(tmp_path / "G.pth", b"\x80\x02" + function + arguments + b"R.", {})
        with pytest.raises(CheckpointError, match="makes a call with 1000 arguments"):
            load_quartet(tmp_path / "G.pth")


def test_a_state_dict_under_a_suffix_of_another_format_is_read_by_its_contents(tmp_path: Path) -> None:
    original = make_generator(0)
    torch.save(original.state_dict(), tmp_path / "G.safetensors")
    torch.save(original.state_dict(), tmp_path / "old.safetensors", _use_new_zipfile_serialization=False)
    safetensors.torch.save_file(original.state_dict(), tmp_path / "G.pth")
    for name in ("G.safetensors", "old.safetensors", "G.pth"):
        assert load_generator(tmp_path / name).widths == original.widths


def test_a_folder_in_the_place_of_a_network_is_no_missing_network(tmp_path: Path) -> None:
    write_networks(tmp_path, CYCLEGAN_NAMES)
    (tmp_path / "latest_net_D_B.pth").unlink()
    (tmp_path / "latest_net_D_B.pth").mkdir()
    with pytest.raises(CheckpointError, match=r"latest_net_D_B\.pth: a folder, one file was needed"):
        load_quartet(tmp_path)
