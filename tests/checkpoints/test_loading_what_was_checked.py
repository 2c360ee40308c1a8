"""A file has one reader: what it checks is what comes out, and nothing else is looked at."""

import io
import pickle
import struct
import zipfile
from collections import Counter, OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ganprune.checkpoints import inspect, load_quartet, read_tensors
from ganprune.checkpoints.reading import read_held
from ganprune.errors import CheckpointError, UnsafeCheckpoint
from tests.checkpoints.builders import Forged, assert_same, forged_pickle, make_networks, write_zip
from tests.checkpoints.test_hostile_files import within


def test_a_second_pickle_under_a_name_that_differs_by_case_is_never_read(tmp_path: Path) -> None:
    """Of these two records PyTorch's own reader takes the second."""
    honest = forged_pickle({"w": Forged((2,), (1,), stored=2)})
    expanded = forged_pickle({"w": Forged((10**5, 10**5), (0, 0), stored=1)})
    records = {"DATA.PKL": expanded, "data/0": struct.pack("<2f", 3, 4)}
    write_zip(tmp_path / "G.pth", honest, records)
    with within():
        assert read_tensors(tmp_path / "G.pth")["w"].tolist() == [3, 4]


@pytest.mark.parametrize("legacy", [False, True])
def test_every_number_format_layout_and_alias_comes_out_as_torch_gives_it(
    tmp_path: Path, legacy: bool
) -> None:
    base = torch.arange(24, dtype=torch.float32).reshape(2, 3, 4)
    held = OrderedDict(
        base=base, turned=base.permute(2, 0, 1), part=base[1, 1:, ::2], one=base[0, 0, 1],
        empty=torch.empty(0, 3), lines=base.to(memory_format=torch.contiguous_format),
        **{str(kind): torch.tensor([0, 1, 2]).to(kind) for kind in (
            torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16, torch.int8,
            torch.uint8, torch.bool,
        )},
    )  # fmt: skip
    torch.save(held, tmp_path / "G.pth", _use_new_zipfile_serialization=not legacy)
    theirs, ours = torch.load(tmp_path / "G.pth", weights_only=True), read_tensors(tmp_path / "G.pth")
    assert list(ours) == list(theirs)
    for name, tensor in theirs.items():
        assert torch.equal(ours[name], tensor), name
        assert (ours[name].dtype, ours[name].stride()) == (tensor.dtype, tensor.stride()), name
    ours["base"].zero_()
    assert not ours["turned"].any()  # they share what they shared


@pytest.mark.parametrize("legacy", [False, True])
def test_plain_values_and_an_optimizers_state_come_out_as_torch_gives_them(
    tmp_path: Path, legacy: bool
) -> None:
    weight = torch.nn.Parameter(torch.ones(3))
    optimizer = torch.optim.Adam([weight], fused=True)
    weight.sum().backward()
    optimizer.step()
    held = {
        "numbers": [True, False, None, 0, 1, 255, 256, 65536, -1, -(2**31), 2**31, 2**70, 0.1, float("inf")],
        "texts": ("", "é", "x" * 300, ("nested", ["deeper", {"deep": ()}])),
        "optimizer": optimizer.state_dict(), 3: "an integer's",
    }  # fmt: skip
    torch.save(held, tmp_path / "all.pth", _use_new_zipfile_serialization=not legacy)
    assert str(read_held(tmp_path / "all.pth")) == str(torch.load(tmp_path / "all.pth", weights_only=True))


def test_integer_keys_that_all_have_one_hash_are_refused(tmp_path: Path) -> None:
    keys = {i * (2**61 - 1): None for i in range(1, 40)}
    (tmp_path / "G.pth").write_bytes(pickle.dumps(keys, protocol=2))
    with within(), pytest.raises(CheckpointError, match="a key of its dict is an integer of 61 bits"):
        read_tensors(tmp_path / "G.pth")


def test_addresses_as_the_keys_of_an_old_optimizer_are_read(tmp_path: Path) -> None:
    networks = make_networks()
    held = {name: network.state_dict() for name, network in networks.items()}
    held["optimizer"] = {"state": {2**47 - 8 * i: {"step": i} for i in range(20_000)}}
    torch.save(held, tmp_path / "all.pth")
    with within(20):
        assert_same(load_quartet(tmp_path / "all.pth").G_A, networks["G_A"])


def test_records_packed_so_that_sizes_are_not_kept_are_refused(tmp_path: Path) -> None:
    pickled = forged_pickle({"w": Forged((4,), (1,), stored=4)})
    for method in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        with zipfile.ZipFile(tmp_path / "G.pth", "w", method) as archive:
            archive.writestr("archive/data.pkl", pickled)
            archive.writestr("archive/data/0", bytes(16))
        with pytest.raises(CheckpointError, match="another method than zip's own; pack it again"):
            read_tensors(tmp_path / "G.pth")


def test_a_record_that_unpacks_to_more_than_it_declares_costs_no_more(tmp_path: Path) -> None:
    many = 1 << 28
    pickled = forged_pickle({"w": Forged((4,), (1,), stored=4)})
    write_zip(tmp_path / "G.pth", pickled, {"data/0": bytes(many)}, compress=True)
    content = (tmp_path / "G.pth").read_bytes()
    (tmp_path / "G.pth").write_bytes(content.replace(struct.pack("<I", many), struct.pack("<I", 16)))
    with within(1), pytest.raises(CheckpointError, match="truncated or damaged"):
        read_tensors(tmp_path / "G.pth")


def test_a_file_of_a_machine_of_the_other_byte_order_is_refused(tmp_path: Path) -> None:
    torch.save({"w": torch.ones(2)}, tmp_path / "G.pth")
    content = io.BytesIO()
    with zipfile.ZipFile(tmp_path / "G.pth") as old, zipfile.ZipFile(content, "w") as new:
        for record in old.infolist():
            new.writestr(record, b"big" if record.filename.endswith("byteorder") else old.read(record))
    (tmp_path / "G.pth").write_bytes(content.getvalue())
    with pytest.raises(CheckpointError, match="was not saved on a little-endian machine"):
        read_tensors(tmp_path / "G.pth")


BESIDE: dict[str, Any] = {
    "a scalar": np.float64(12.5),
    "an integer": np.int64(3),
    "an array": np.arange(6, dtype=np.float32).reshape(2, 3),
    "a megabyte": np.zeros(1 << 18, np.float32),
    "a column-major array": np.asfortranarray(np.ones((2, 3))),
    "the state of NumPy's random numbers": np.random.get_state(),
    "a text of NumPy": np.str_("x"),
    "a date": np.datetime64("2026-01-01"),
    "a list of them": [np.float32(1), {"fid": np.float32(2)}],
    "torch's plain values": (torch.Size([1, 2]), torch.device("cuda:0"), torch.float16),
    "a counter": Counter({3: 1}),
}


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("beside", BESIDE)
def test_plain_values_beside_the_networks_are_stepped_over(
    tmp_path: Path, beside: str, legacy: bool, protocol: int
) -> None:
    networks = make_networks()
    held = {"best": BESIDE[beside]} | {name: net.state_dict() for name, net in networks.items()}
    file = tmp_path / "all.pth"
    torch.save(held, file, pickle_protocol=protocol, _use_new_zipfile_serialization=not legacy)
    quartet = load_quartet(file)
    for name, network in networks.items():
        assert_same(getattr(quartet, name), network)
    assert "left aside what is no network of a CycleGAN: 'best'" in " ".join(inspect(file).notes)


def test_an_array_that_claims_to_be_huge_takes_no_memory(tmp_path: Path) -> None:
    class Huge:
        def __reduce__(self) -> tuple[Any, ...]:
            return np.empty(0).__reduce__()[0], (np.ndarray, (10**12,), b"b")

    torch.save({"state_dict": {"w": torch.ones(1)}, "best": Huge()}, tmp_path / "G.pth")
    with within():
        assert read_tensors(tmp_path / "G.pth")["w"].tolist() == [1]


@pytest.mark.parametrize("beside", [Path("checkpoints"), np.array([Path("x")], dtype=object)])
def test_values_that_would_run_code_are_refused_inside_arrays_too(tmp_path: Path, beside: object) -> None:
    torch.save({"state_dict": {"w": torch.ones(1)}, "best": beside}, tmp_path / "G.pth")
    with pytest.raises(UnsafeCheckpoint, match=r"its pickle asks for pathlib\.\w*PosixPath"):
        read_tensors(tmp_path / "G.pth")
