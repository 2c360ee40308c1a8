"""What export writes, where, and when it says no."""

import copy
import json
import shutil
from pathlib import Path
from unittest.mock import patch

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from PIL import Image

from ganprune.models.picture_statistics import OPTION
from ganprune_exporters import chain, sources
from ganprune_exporters.files import calibration_of, few_of
from tests.checkpoints.builders import make_generator
from tests.cli.conftest import Place
from tests.cli.kit import ganprune, write_pictures
from tests.tiny import random_pictures


def test_missed_verification_exits_4_with_all_files_written(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What float32 itself loses is allowed beside the tolerance: here, as if it lost nothing.
    monkeypatch.setattr("ganprune_exporters.verify.lost_by_float32", lambda *_: 0.0)
    names = [f"{kind}.onnx" for side in "AB" for kind in (
        f"original_G_{side}", f"original_G_{side}.rewritten", f"G_{side}"
    )]  # fmt: skip
    for name in names:
        (run / name).unlink(missing_ok=True)
    missed = ganprune("export", "--onnx", run, "--set", "atol=1e-12", "--size", "16")
    assert missed.code == 4
    line = missed.err.splitlines()[-1]
    assert all(f"{run / name}: needed PyTorch's output within 1e-12" in line for name in names)
    for name in names:
        onnx.checker.check_model(onnx.load(run / name), full_check=True)


def test_lone_generator_becomes_g_and_a_folder_both(place: Place, here: Path) -> None:
    one = ganprune("export", place.checkpoint / "latest_net_G_B.pth", "--data", place.data, "-o", "one",
                   "--size", "32", "--json")  # fmt: skip
    assert one.code == 0, one.err
    assert [path.name for path in Path("one").glob("[!.]*")] == ["G.onnx"]
    (file,) = one.json["files"]
    assert file["path"] == "one/G.onnx"
    assert file["max_abs"] <= 1e-4
    assert file["pictures"] == 2
    assert one.err.splitlines()[-1] == "next: ganprune bench --cpu one/G.onnx"

    both = ganprune("export", "--onnx", place.checkpoint, "-o", "both", "--dynamic", "--size", "32")
    assert both.code == 0, both.err
    assert sorted(path.name for path in Path("both").glob("[!.]*")) == ["G_A.onnx", "G_B.onnx"]
    assert "verified on noise" in both.err
    size = [d.dim_param for d in onnx.load("both/G_A.onnx").graph.input[0].type.tensor_type.shape.dim]
    assert all(size[i] for i in (0, 2, 3))


def test_run_goes_elsewhere_when_asked_to(place: Place, run: Path, here: Path) -> None:
    before = (run / "provenance.json").read_bytes()
    data = write_pictures(here / "data", each=4)
    found = ganprune("export", "--onnx", run, "-o", "out", "--data", data, "--size", "16", "--json")
    assert found.code == 0, found.err
    assert sorted(path.name for path in Path("out").glob("[!.]*")) == [
        "G_A.onnx", "G_B.onnx", "original_G_A.onnx", "original_G_A.rewritten.onnx", "original_G_B.onnx",
        "original_G_B.rewritten.onnx",
    ]  # fmt: skip
    rewrites = {Path(file["path"]).stem: file["rewrites"] for file in found.json["files"]}
    assert rewrites["original_G_A"] == []
    assert rewrites["original_G_A.rewritten"] == rewrites["G_A"] != []
    assert (run / "provenance.json").read_bytes() == before
    assert found.err.splitlines()[-1] == "next: ganprune bench --cpu out"
    timed = ganprune("bench", "--cpu", "out", "--set", "runs=2,2", "--threads", "1", "--json")
    against = {n["name"]: n["against"] for n in timed.json["networks"]}
    assert set(against) == {path.stem for path in Path("out").glob("[!.]*")}
    assert (against["G_A"], against["G_B"]) == ("original_G_A", "original_G_B")
    assert against["original_G_A"] is against["original_G_B"] is None
    assert {n["height"] for n in timed.json["networks"]} == {16}


def test_files_are_verified_on_pictures_of_the_domain_that_they_translate() -> None:
    A, B = torch.zeros(5, 3, 16, 16, dtype=torch.uint8), torch.full((5, 3, 16, 16), 255, dtype=torch.uint8)
    names = ("original_G_A", "original_G_B.rewritten", "G_A", "G_B", "G")
    for chosen, many in ((few_of, 2), (calibration_of, 3)):
        found = chosen({"A": A, "B": B}, names)
        shown = {name: pictures.unique().tolist() for name, pictures in found.items() if pictures is not None}
        assert shown == {
            "original_G_A": [-1], "original_G_B.rewritten": [1], "G_A": [-1], "G_B": [1], "G": [-1]
        }  # fmt: skip
        assert {len(pictures) for pictures in found.values() if pictures is not None} == {many}


def test_pictures_of_a_training_from_b_to_a_change_places(place: Place, run: Path, here: Path) -> None:
    net = Path(shutil.copytree(place.checkpoint, here / "net"))
    (net / "train_opt.txt").write_text("direction: BtoA\n")
    config = (run / "config.toml").read_text()
    (run / "config.toml").write_text(config.replace(str(place.checkpoint.resolve()), str(net)))
    for source in (net, net / "latest_net_G_A.pth", run):
        with patch.object(sources, "search_pictures", wraps=sources.search_pictures) as seen:
            done = ganprune("export", "--onnx", source, "-o", "out", "--size", "32", "--data", place.data)
        assert done.code == 0, done.err
        (folders, *_), _ = seen.call_args
        assert {path.parent.name for path in folders.train_A} == {"trainB"}


def test_rewrites_can_be_left_out_and_bytes_asked_for(place: Place, here: Path) -> None:
    file = place.checkpoint / "latest_net_G_A.pth"
    found = ganprune("export", "--onnx", file, "-o", "out", "--size", "32", "--data", place.data, "--uint8",
                     "--set", "no-pass=dead-biases", "--set", "no-pass=winograd", "--json")  # fmt: skip
    assert found.code == 0, found.err
    (report,) = found.json["files"]
    assert report["rewrites"] == ["last-convolution=4", "transposed-convolutions"]
    kinds = {v.type.tensor_type.elem_type for v in onnx.load("out/G.onnx").graph.input}
    assert kinds == {onnx.TensorProto.UINT8}
    refused = ganprune("export", "--onnx", file, "-o", "out", "--set", "no-pass=speed")
    assert refused.code == 2
    assert "--set no-pass takes dead-biases, last-convolution" in refused.err


def test_tuned_run_keeps_its_choice_and_makes_the_same_files_again(run: Path) -> None:
    command = ("export", "--onnx", run, "--tune", "--size", "32")
    assert ganprune(*command).code == 0
    kept = json.loads((run / "rewrites.json").read_text())["files"]
    assert set(kept) == {f"{first}G_{side}{last}" for side in "AB" for first, last in
                         (("", ""), ("original_", ""), ("original_", ".rewritten"))}  # fmt: skip
    before = {path.name: path.read_bytes() for path in run.glob("*.onnx")}
    for path in run.glob("*.onnx"):
        path.unlink()
    with patch.object(chain, "speedups", side_effect=AssertionError("measured again")):
        again = ganprune(*command)
    assert again.code == 0, again.err
    assert {path.name: path.read_bytes() for path in run.glob("*.onnx")} == before


def test_reduced_precision_stands_beside_the_float_file_with_what_it_costs(place: Place, here: Path) -> None:
    file = place.checkpoint / "latest_net_G_A.pth"
    command = ("export", "--onnx", file, "-o", "out", "--size", "32")
    refused = ganprune(*command, "--int8")
    assert refused.code == 2
    assert "--int8 needs pictures to calibrate with, found none; give --data DIR" in refused.err
    assert not Path("out").exists()
    found = ganprune(
        *command, "--int8", "--fp16", "--portable", "--data", place.data, "--set", "int8-limit=0.3", "--json"
    )
    assert found.code == 0, found.err
    assert sorted(path.name for path in Path("out").glob("[!.]*")) == [
        "G.fp16.onnx", "G.int8.onnx", "G.onnx", "G.portable.onnx"
    ]  # fmt: skip
    half, eight, portable = found.json["variants"]
    assert portable["max_abs"] <= 2e-4
    assert "only operators that most runtimes have" in portable["verdict"]
    assert (half["kind"], eight["kind"]) == ("fp16", "int8")
    assert half["mean_abs"] <= 0.01
    assert 0 < eight["mean_abs"] <= 0.3
    assert eight["speedup"]["value"] > 0
    assert eight["recommended"] or "not recommended" in found.err
    table = ganprune(*command, "--fp16", "--data", place.data)
    assert "Variants, against the float32 file" in table.out
    assert "half the size" in table.out


@pytest.mark.parametrize("against", ["original_G_A.onnx", "latest_net_G_A.pth"])
def test_bench_compares_files_with_the_first(run: Path, against: str) -> None:
    timed = ganprune("bench", "--cpu", run / against, run / "G_B.onnx", "--size", "32",
                     "--set", "runs=2,3", "--threads", "1", "--json")  # fmt: skip
    assert timed.code == 0, timed.err
    first, second = timed.json["networks"]
    assert first["against"] is None
    assert second["against"] == first["name"]


def test_batch_norm_is_told_and_exported_by_picture_statistics_on_request(here: Path) -> None:
    network = make_generator(1, norm="batch")
    torch.save(network.state_dict(), "G.pth")
    words = ("export", "--onnx", "G.pth", "--size", "16", "--json")
    by = {
        name: ganprune(*words, "-o", name, *more) for name, more in (("running", ()), ("own", OPTION.split()))
    }
    assert [found.code for found in by.values()] == [0, 0]
    assert (
        "batch norm in G: its running statistics are used, as CycleGAN's test.py does with"
        in by["running"].err
    )
    assert f"{OPTION}: each picture's own statistics for the batch norm in G" in by["own"].err
    picture = random_pictures(1, 3, 16, 16, dtype=torch.float32)
    for name, mode in (("running", False), ("own", True)):
        session = onnxruntime.InferenceSession(f"{name}/G.onnx", providers=["CPUExecutionProvider"])
        made = torch.from_numpy(np.asarray(session.run(None, {"input": picture.numpy()})[0]))
        torch.testing.assert_close(made, copy.deepcopy(network).train(mode)(picture), atol=1e-4, rtol=0)


def test_old_opset_and_blank_pictures_end_well(here: Path) -> None:
    torch.save(make_generator(1).state_dict(), "G.pth")
    for domain in "AB":
        Path(f"data/train{domain}").mkdir(parents=True)
        for i in range(4):
            Image.new("RGB", (16, 16), (40 * i, 90, 20)).save(f"data/train{domain}/{i}.png")
    found = ganprune(
        "export",
        "--onnx",
        "G.pth",
        "--size",
        "16",
        "--data",
        "data",
        "-o",
        "out",
        "--set",
        "opset=11",
        "--fp16",
        "--json",
    )
    assert found.code == 0, found.err
    assert "of the pictures to verify it on told nothing, because float32 itself loses them" in found.err
    assert onnx.load("out/G.onnx").opset_import[0].version == 11
    assert found.json["files"][0]["mute"] == 2
    assert found.json["variants"][0]["recommended"]
