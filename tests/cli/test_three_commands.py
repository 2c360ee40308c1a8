"""compress, export --onnx and bench --cpu, one after the other in an empty folder."""

import json
import re
import tomllib
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from safetensors.torch import load_file
from torch.utils.flop_counter import FlopCounterMode

from ganprune.checkpoints import load_generator, read_metadata
from ganprune.images import load_pictures, to_float
from ganprune.search.coevolution import State
from ganprune.stages.family import DRAWN, FRONT
from ganprune.stages.racing import ROUNDS
from ganprune.storage.files import sha256
from ganprune_exporters.remembered import FILE as REWRITES
from tests.cli.conftest import Mission, Place
from tests.cli.kit import TINY, Outcome, ganprune
from tests.docs.pages import ROOT
from tests.tiny import layout_of, resnet

FILES = {
    "config.toml", "search.jsonl", "state.safetensors", "bench.json", "provenance.json",
    "G_A.safetensors", "G_B.safetensors", "latest_net_G_A.pth", "latest_net_G_B.pth", "slim_generator.py",
    "G_A.onnx", "G_B.onnx", "original_G_A.onnx", "original_G_B.onnx",
}  # fmt: skip

COMMANDS = ("compress", "export", "bench")


@pytest.fixture(params=COMMANDS)
def outcome(request: pytest.FixtureRequest, mission: Mission) -> Outcome:
    return getattr(mission, request.param)


def test_a_run_holds_every_file_that_is_promised(mission: Mission) -> None:
    assert {path.name for path in mission.run.iterdir()} >= FILES
    assert not list(mission.run.glob("*.partial*"))


def test_the_page_on_run_folders_names_every_file_of_one(mission: Mission) -> None:
    page = (ROOT / "docs/run-folder.md").read_text(encoding="utf-8")
    there = {path.name for path in mission.run.iterdir()} - {".lock"}
    others = {FRONT, DRAWN, ROUNDS, REWRITES, "points"}  # of other commands and settings
    assert {name for name in there | others if f"`{name}" not in page} == set()


def test_each_command_succeeds(outcome: Outcome) -> None:
    assert outcome.code == 0, outcome.err


def test_each_command_ends_by_printing_the_next_one(mission: Mission) -> None:
    run = mission.run.relative_to(mission.folder)
    onward = f"next: ganprune translate {run} PICTURES -o translated"
    assert mission.compress.err.splitlines()[-1] == onward
    assert mission.export.err.splitlines()[-1] == f"next: ganprune bench --cpu {run}"
    assert mission.bench.err.splitlines()[-1] == f"next: ganprune report {run}"


def test_stdout_holds_data_and_stderr_the_rest(outcome: Outcome) -> None:
    assert "G_A" in outcome.out
    assert not {"next:", "run folder:", "warning:", "left"} & set(outcome.out.split())
    assert "│" not in outcome.err


def test_progress_off_a_terminal_is_plain_lines(mission: Mission) -> None:
    assert "\x1b" not in mission.compress.err + mission.compress.out
    lines = mission.compress.err.splitlines()
    assert any(re.match(r"stage 1 of \d: search 32/32, generation 3 of 3, fitness ", line) for line in lines)


def test_state_of_the_search_is_small(mission: Mission) -> None:
    assert (mission.run / "state.safetensors").stat().st_size < 5_000_000


def test_config_records_the_whole_command(mission: Mission, place: Place) -> None:
    config = tomllib.loads((mission.run / "config.toml").read_text())
    assert config["checkpoint"] == str(place.checkpoint)
    assert config["data"] == str(place.data)
    assert {key: config["settings"][key] for key in TINY} == TINY
    assert config["resolved"] == {
        "device": "cpu",
        "precision": "float32",
        "threads": 1,
        "batch": 1,
        "worker_threads": 0,
    }
    assert config["sha256"] == {
        name: sha256(place.checkpoint / f"latest_net_{name}.pth") for name in ("G_A", "G_B", "D_A", "D_B")
    }


def test_search_history_has_one_line_a_generation(mission: Mission) -> None:
    lines = [json.loads(line) for line in (mission.run / "search.jsonl").read_text().splitlines()]
    assert [line["generation"] for line in lines] == [0, 1, 2, 3]
    assert lines[-1]["A"]["fitness"] >= lines[0]["A"]["fitness"]


@pytest.mark.parametrize("name", ["G_A", "G_B"])
def test_slim_generators_are_cut_by_the_best_genomes(mission: Mission, place: Place, name: str) -> None:
    state = State.from_tensors(load_file(mission.run / "state.safetensors"))
    layout = layout_of(resnet(load_generator(place.checkpoint / f"latest_net_{name}.pth")).widths)
    kept = layout.kept(state.populations["A" if name == "G_A" else "B"].best_genome)
    metadata = read_metadata(mission.run / f"{name}.safetensors")
    assert json.loads(metadata["kept"]) == {group: index.tolist() for group, index in kept.items()}
    assert metadata["source_sha256"] == sha256(place.checkpoint / f"latest_net_{name}.pth")
    slim = load_generator(mission.run / f"{name}.safetensors")
    assert resnet(slim).widths.groups() == {group: len(index) for group, index in kept.items()}


@pytest.mark.parametrize("name", ["G_A", "G_B"])
def test_cyclegan_file_holds_the_same_tensors(mission: Mission, name: str) -> None:
    ours = load_file(mission.run / f"{name}.safetensors")
    theirs = torch.load(mission.run / f"latest_net_{name}.pth", weights_only=True)
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)


@pytest.mark.parametrize("name", ["G_A", "G_B", "original_G_A", "original_G_B"])
def test_onnx_files_compute_what_the_networks_compute(mission: Mission, place: Place, name: str) -> None:
    generator = load_generator(
        place.checkpoint / f"latest_net_{name.removeprefix('original_')}.pth"
        if name.startswith("original_")
        else mission.run / f"{name}.safetensors"
    )
    pictures = to_float(load_pictures(sorted((place.data / "testA").iterdir())[:1], 32))
    session = onnxruntime.InferenceSession(mission.run / f"{name}.onnx", providers=["CPUExecutionProvider"])
    found = np.asarray(session.run(["output"], {"input": pictures.numpy()})[0])
    assert np.abs(found - generator(pictures).numpy()).max() <= 1e-4


def test_bench_counts_what_an_independent_counter_counts(mission: Mission) -> None:
    bench = json.loads((mission.run / "bench.json").read_text())
    networks = {network["name"]: network for network in bench["networks"]}
    for name in ("G_A", "G_B"):
        generator = load_generator(mission.run / f"{name}.safetensors")
        with FlopCounterMode(display=False) as counter:
            generator(torch.zeros(1, 3, 32, 32))
        assert networks[name]["macs_true"] == counter.get_total_flops() // 2
        assert networks[name]["params"] == sum(p.numel() for p in generator.parameters())
        assert networks[name]["against"] == f"original_{name}"


def test_bench_json_is_what_bench_measured_last(mission: Mission) -> None:
    bench = json.loads((mission.run / "bench.json").read_text())
    assert bench["schema"] == 1
    assert {network["name"] for network in bench["networks"]} == {
        "original_G_A", "original_G_A.rewritten", "G_A", "original_G_B", "original_G_B.rewritten", "G_B"
    }  # fmt: skip
    for timing in bench["timings"]:
        assert timing["p10_ms"] <= timing["median_ms"] <= timing["p90_ms"]
        speedup = timing["speedup"]
        assert (speedup is None) == (timing["network"] in ("original_G_A", "original_G_B"))
        assert speedup is None or speedup["low"] <= speedup["value"] <= speedup["high"]
    assert all(sentence in mission.bench.out for sentence in bench["sentences"])


def test_provenance_tells_versions_command_and_outputs(mission: Mission) -> None:
    provenance = json.loads((mission.run / "provenance.json").read_text())
    assert provenance["schema"] == 1
    assert provenance["command"].startswith("ganprune compress ")
    assert provenance["versions"]["torch"] == torch.__version__
    outputs = {
        name: known for stage in provenance["stages"].values() for name, known in stage["outputs"].items()
    }
    assert outputs.keys() >= FILES - {"config.toml", "provenance.json"}
    assert {name: sha256(mission.run / name) for name in outputs} == outputs


def test_latest_names_the_run(mission: Mission) -> None:
    assert (mission.folder / "runs" / "latest").read_text() == f"{mission.run.name}\n"


@pytest.fixture
def commands(place: Place, run: Path) -> dict[str, tuple[object, ...]]:
    """Every command that has a table or JSON to show, on a run that is done."""
    onnx = run / "G_A.onnx"
    return {
        "compress": (
            "compress", place.checkpoint, "--data", place.data, "--config", place.config, "-o", run
        ),
        "dry run": (
            "compress", place.checkpoint, "--data", place.data, "--config", place.config, "--dry-run"
        ),
        "export": ("export", "--onnx", run),
        "bench": ("bench", "--cpu", run, "--set", "runs=2,2", "--threads", "1"),
        "inspect": ("inspect", place.checkpoint),
        "inspect run": ("inspect", run),
        "inspect onnx": ("inspect", onnx),
        "presets": ("presets",),
        "preset": ("presets", "paper"),
    }  # fmt: skip


def test_json_is_one_object_with_a_schema(commands: dict[str, tuple[object, ...]]) -> None:
    for name, words in commands.items():
        found = ganprune(*words, "--json")
        assert found.code == 0, f"{name}: {found.err}"
        assert found.json["schema"] == 1, name


def test_markdown_tables_have_equally_long_rows(commands: dict[str, tuple[object, ...]]) -> None:
    del commands["preset"]  # it prints a file, not a table
    for name, words in commands.items():
        found = ganprune(*words, "--markdown")
        rows = [line for line in found.out.splitlines() if line.startswith("|")]
        tables = [i for i, line in enumerate(rows) if set(line) <= set("|:- ")]
        assert tables, name
        assert "│" not in found.out
        for start, end in zip(tables, [*(i - 1 for i in tables[1:]), len(rows)], strict=True):
            assert len({row.count("|") for row in rows[start - 1 : end]}) == 1, name


@pytest.mark.parametrize("command", ["compress", "dry run", "export"])
def test_quiet_says_nothing_on_stderr(commands: dict[str, tuple[object, ...]], command: str) -> None:
    found = ganprune(*commands[command], "--quiet")
    assert found.err == ""
    assert found.out
