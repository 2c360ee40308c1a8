"""What export writes, where, and when it says no."""

from pathlib import Path

import onnx
import pytest
import torch

from ganprune_cli.pipeline import few_of
from tests.cli.conftest import Place
from tests.cli.kit import ganprune, write_pictures


def test_missed_verification_exits_4_with_all_files_written(run: Path) -> None:
    names = ("original_G_A.onnx", "original_G_B.onnx", "G_A.onnx", "G_B.onnx")
    for name in names:
        (run / name).write_bytes(b"old")
    missed = ganprune("export", "--onnx", run, "--atol", "1e-12", "--size", "16")
    assert missed.code == 4
    line = missed.err.splitlines()[-1]
    assert all(f"{run / name}: needed PyTorch's output within 1e-12" in line for name in names)
    for name in names:
        onnx.checker.check_model(onnx.load(run / name), full_check=True)


def test_lone_generator_becomes_g_and_a_folder_both(place: Place, here: Path) -> None:
    one = ganprune("export", "--onnx", place.checkpoint / "latest_net_G_B.pth", "--data", place.data,
                   "-o", "one", "--size", "32", "--json")  # fmt: skip
    assert one.code == 0, one.err
    assert [path.name for path in Path("one").iterdir()] == ["G.onnx"]
    (file,) = one.json["files"]
    assert file["path"] == "one/G.onnx"
    assert file["max_abs"] <= 1e-4
    assert file["pictures"] == 2
    assert one.err.splitlines()[-1] == "next: ganprune bench --cpu one/G.onnx"

    both = ganprune("export", "--onnx", place.checkpoint, "-o", "both", "--dynamic", "--size", "32")
    assert both.code == 0, both.err
    assert sorted(path.name for path in Path("both").iterdir()) == ["G_A.onnx", "G_B.onnx"]
    assert "verified on noise" in both.err
    size = [d.dim_param for d in onnx.load("both/G_A.onnx").graph.input[0].type.tensor_type.shape.dim]
    assert all(size[i] for i in (0, 2, 3))


def test_run_goes_elsewhere_when_asked_to(place: Place, run: Path, here: Path) -> None:
    before = (run / "provenance.json").read_bytes()
    data = write_pictures(here / "data", each=4)
    found = ganprune("export", "--onnx", run, "-o", "out", "--data", data, "--size", "16")
    assert found.code == 0, found.err
    assert sorted(path.name for path in Path("out").iterdir()) == [
        "G_A.onnx", "G_B.onnx", "original_G_A.onnx", "original_G_B.onnx"
    ]  # fmt: skip
    assert (run / "provenance.json").read_bytes() == before
    assert found.err.splitlines()[-1] == "next: ganprune bench --cpu out"
    timed = ganprune("bench", "--cpu", "out", "--runs", "2,2", "--threads", "1", "--json")
    assert {n["name"]: n["against"] for n in timed.json["networks"]} == {
        "original_G_A": None, "original_G_B": None, "G_A": "original_G_A", "G_B": "original_G_B"
    }  # fmt: skip
    assert {n["height"] for n in timed.json["networks"]} == {16}


def test_files_are_verified_on_pictures_of_the_domain_that_they_translate() -> None:
    A, B = torch.zeros(5, 3, 16, 16, dtype=torch.uint8), torch.full((5, 3, 16, 16), 255, dtype=torch.uint8)
    found = few_of({"A": A, "B": B}, ("original_G_A", "original_G_B", "G_A", "G_B", "G"))
    shown = {name: pictures.unique().tolist() for name, pictures in found.items() if pictures is not None}
    assert shown == {"original_G_A": [-1], "original_G_B": [1], "G_A": [-1], "G_B": [1], "G": [-1]}


@pytest.mark.parametrize("against", ["original_G_A.onnx", "latest_net_G_A.pth"])
def test_bench_compares_files_with_the_first(run: Path, against: str) -> None:
    timed = ganprune("bench", "--cpu", run / against, run / "G_B.onnx", "--size", "32",
                     "--runs", "2,3", "--threads", "1", "--json")  # fmt: skip
    assert timed.code == 0, timed.err
    first, second = timed.json["networks"]
    assert first["against"] is None
    assert second["against"] == first["name"]
