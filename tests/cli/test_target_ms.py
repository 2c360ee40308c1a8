"""``--target-ms``: a machine is measured once, the search goes by it, and the result is compared with it."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from ganprune.channels import graph_of
from ganprune.checkpoints import load_generator
from ganprune.models.cyclegan import Generator, GeneratorWidths, resnet_widths
from ganprune.pruning.cost import macs
from ganprune.pruning.latency import Latency, LatencyTable, predicted
from ganprune.pruning.repair import ON_TARGET
from ganprune.reporting import SILENT, Reporter, Silent
from ganprune.stages.predicting import TABLES, compare_predictions, read_tables
from ganprune.storage.plain import read_toml
from ganprune_exporters import ExportSettings, export_onnx, latency
from tests.cli.conftest import Place
from tests.cli.kit import Outcome, ganprune, listing, stopped_before_export, write_checkpoint
from tests.tiny import layout_of, random_generator, resnet

WHOLE = resnet_widths(4, 2)
"""The generators of the tiny checkpoint."""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path / "cache"))
    return tmp_path / "cache" / "ganprune"


@pytest.fixture(autouse=True)
def measured(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A machine whose milliseconds are work; one entry for each time that it is measured."""
    sizes: list[int] = []

    def measured(network: nn.Module, size: int, made_for: Any, reporter: Reporter = SILENT) -> LatencyTable:
        sizes.append(size)
        return table_of(network, size, made_for)

    monkeypatch.setattr(latency, "measured", measured)
    return sizes


def table_of(network: nn.Module, size: int, made_for: Any = None) -> LatencyTable:
    graph = graph_of(network)
    return LatencyTable.by_work(graph, macs(graph, size, size, "true") / 1e4, made_for or {})


@pytest.fixture
def target(place: Place, here: Path, measured: list[int]) -> float:
    """Half of what the original takes on this machine; it is not measured yet."""
    return round(predicted(table_of(Generator(WHOLE), 32), layout_of(WHOLE).graph.sizes) / 2, 3)


def on_target(run: Path, side: Any, target: float) -> bool:
    """Whether the slim generator takes at most that, and as near to it as one more filter anywhere allows."""
    layout = layout_of(WHOLE)
    resource = Latency(read_tables(run / TABLES)[side], layout)
    counts = np.array([*resnet(load_generator(run / f"G_{side}.safetensors")).widths.groups().values()])
    larger = counts + np.eye(len(counts), dtype=int)
    fits = [row for row in larger if (row <= layout.sizes).all() and resource.of(row) <= target]
    ms = float(resource.of(counts))
    return ms <= target and (ms >= ON_TARGET * target or not fits)


def test_slim_generators_are_predicted_to_take_what_was_asked_for(
    place: Place, here: Path, target: float, measured: list[int], cache: Path
) -> None:
    done = place.compress_whole("-o", "run", "--target-ms", f"{target},{1.5 * target}")
    assert done.code == 0
    assert measured == [32]  # once for both: they are of the same widths
    assert len(list(cache.iterdir())) == 1
    run = here / "run"
    assert on_target(run, "A", target)
    assert on_target(run, "B", 1.5 * target)
    assert not on_target(run, "B", target)
    bench = json.loads((run / "bench.json").read_text())
    medians = {t["network"]: t["median_ms"] for t in bench["timings"] if t["threads"] == 1}
    tables = read_tables(run / TABLES)
    assert [entry["network"] for entry in bench["predictions"]] == ["G_A", "G_B"]
    for side, entry in zip(("A", "B"), bench["predictions"], strict=True):
        widths = resnet(load_generator(run / f"G_{side}.safetensors")).widths
        assert entry["predicted_ms"] == pytest.approx(predicted(tables[side], widths.groups()))
        assert entry["measured_ms"] == medians[f"G_{side}"]
        assert (
            f"G_{side}: {entry['predicted_ms']:.1f} ms predicted, {entry['measured_ms']:.1f} ms" in done.err
        )


def test_alignment_and_milliseconds_hold_together(place: Place, here: Path, target: float) -> None:
    with stopped_before_export():
        assert place.compress_whole("-o", "run", "--target-ms", target, "--set", "align=2").code == 130
    for side, table in read_tables(here / "run" / TABLES).items():
        widths = resnet(load_generator(here / "run" / f"G_{side}.safetensors")).widths
        assert all(width % 2 == 0 for width in widths.groups().values())
        assert 0.7 * target <= predicted(table, widths.groups()) <= target


def test_steps_that_miss_the_milliseconds_become_finer_unless_they_were_asked_for(
    place: Place, here: Path, target: float, measured: list[int]
) -> None:
    net = write_checkpoint(here / "net", ngf=16)
    wide = Generator(resnet_widths(16, 2))
    few = round(predicted(table_of(wide, 32), wide.widths.groups()) / 10, 3)
    words = ("compress", net, "--data", place.data, "--target-macs", "none", "--set", "population=4")
    words += ("--set", "generations=0", "--size", 32, "--budget", 0, "--threads", 1, "--target-ms", few)
    with stopped_before_export():
        done = ganprune(*words, "-o", "run")
        assert done.code == 130, done.err
        assert ganprune(*words, "-o", "run").code == 130  # the same run
    assert done.err.count("(coarser steps miss the target)") == 1
    config = read_toml(here / "run/config.toml")
    assert config["adapted"]["align"] == 16
    for side, table in read_tables(here / "run" / TABLES).items():
        widths = resnet(load_generator(here / "run" / f"G_{side}.safetensors")).widths
        assert all(width % config["settings"]["align"] == 0 for width in widths.groups().values())
        assert ON_TARGET * few <= predicted(table, widths.groups()) <= few
    shown = ganprune(*words, "--dry-run", "--json")
    assert shown.json["settings"]["align"] == config["settings"]["align"]
    refused = ganprune(*words, "--set", "align=16", "-o", "other")
    assert refused.code == 2
    assert "cannot be reached with --set align=16" in refused.err


def test_a_run_goes_on_with_the_tables_that_it_began_with(
    place: Place, here: Path, target: float, measured: list[int], cache: Path
) -> None:
    def compress() -> Outcome:
        with stopped_before_export():
            return place.compress_whole("-o", "run", "--target-ms", target)

    compress()
    before = listing(here / "run")
    shutil.rmtree(cache)
    assert compress().code == 130
    assert listing(here / "run") == before
    assert measured == [32]
    for name in ("state.safetensors", "search.jsonl"):
        shutil.copy(here / "run" / name, here / name)
        (here / "run" / name).unlink()
    slower = json.loads((here / "run" / TABLES).read_text())
    slower["G_A"]["whole"] = (np.array([1, 1.5]) * slower["G_A"]["whole"]).tolist()
    (here / "run" / TABLES).write_text(json.dumps(slower))
    assert compress().code == 130
    assert measured == [32]
    assert on_target(here / "run", "A", target)
    assert (here / "run" / "state.safetensors").read_bytes() != (here / "state.safetensors").read_bytes()


def test_damaged_tables_of_a_run_are_refused(place: Place, here: Path, target: float) -> None:
    with stopped_before_export():
        place.compress_whole("-o", "run", "--target-ms", target)
    (here / "run" / TABLES).write_text("{")
    again = place.compress_whole("-o", "run", "--target-ms", target)
    assert again.code == 3
    assert f"{TABLES} is damaged" in again.err
    assert "delete it to measure this machine again, or use `-o` another folder" in again.err


def test_milliseconds_out_of_reach_are_refused_before_a_run_begins(
    place: Place, here: Path, target: float
) -> None:
    least = predicted(
        table_of(Generator(WHOLE), 32), {group: 0 if "inner" in group else 1 for group in WHOLE.groups()}
    )
    done = place.compress_whole("-o", "run", "--target-ms", f"{target},0.01")
    assert done.code == 2
    assert (
        f"--target-ms 0.01 cannot be reached with --set align=1: the smallest such network has {least:.1f} ms"
        in done.err
    )
    assert not (here / "run").exists()


@pytest.mark.parametrize("text", ["0", "-1", "fast", "1,2,3", "inf"])
def test_what_is_no_time_is_refused(place: Place, here: Path, text: str) -> None:
    done = place.compress_whole("--target-ms", text)
    assert done.code == 2
    assert "--target-ms must be" in done.err


def test_dry_run_measures_nothing_and_speaks_from_what_is_known(
    place: Place, here: Path, target: float, measured: list[int], cache: Path
) -> None:
    first = place.compress_whole("--dry-run", "--target-ms", target)
    assert first.code == 0
    assert "how fast this machine is would be measured first" in first.err
    assert measured == []
    assert not cache.exists()
    latency.latency_table(Generator(WHOLE), 32)
    second = place.compress_whole("--dry-run", "--target-ms", target)
    assert "this machine is measured first" in first.out
    assert f"{2 * target:.1f} ms → at most {target:g} ms predicted" in " ".join(second.out.split())
    assert place.compress_whole("--dry-run", "--target-ms", "0.01").code == 2
    assert measured == [32]
    assert not (here / "runs").exists()


def test_without_it_nothing_is_measured_or_written(place: Place, here: Path, measured: list[int]) -> None:
    with stopped_before_export():
        assert place.compress_whole("-o", "run").code == 130
    assert measured == []
    assert not (here / "run" / TABLES).exists()


class Told(Silent):
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.news: list[str] = []
        self.warnings: list[str] = []

    def info(self, message: str) -> None:
        self.news.append(message)

    def warn(self, message: str) -> None:
        self.warnings.append(message)


@pytest.fixture(scope="module")
def timed_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any, float]:
    """A run's tables and exported G_A, what `bench` says of it, and what the tables predict."""
    run = tmp_path_factory.mktemp("run")
    narrow = GeneratorWidths(2, 3, 4, (5,), 3, 2)
    export_onnx(random_generator(narrow, dtype=torch.float32), run / "G_A.onnx", ExportSettings(size=16))
    table = table_of(Generator(WHOLE), 16, latency._made_for(Generator(WHOLE), 16))
    (run / TABLES).write_text(json.dumps({"G_A": table.to_json()}))
    expected = predicted(table, narrow.groups())
    machine = {key: table.made_for[key] for key in ("cpu", "onnxruntime")}
    timings = [
        {"network": name, "threads": n, "median_ms": 1.03 * expected}
        for n in (1, 2)
        for name in ("G_A", "original_G_A")
    ]
    networks = [{"name": name, "batch": 1, "height": 16, "width": 16} for name in ("G_A", "original_G_A")]
    settings = {"provider": "CPUExecutionProvider"}
    return run, {"machine": machine, "settings": settings, "timings": timings, "networks": networks}, expected


def test_a_measurement_near_the_prediction_is_told_and_one_far_off_is_warned_of(
    timed_run: tuple[Path, Any, float],
) -> None:
    run, timed, expected = timed_run
    told = Told()
    assert compare_predictions(run, timed, told) == [
        {"network": "G_A", "predicted_ms": pytest.approx(expected), "measured_ms": 1.03 * expected}
    ]
    assert told.news == [f"G_A: {expected:.1f} ms predicted, {1.03 * expected:.1f} ms measured"]
    assert told.warnings == []
    for ms in (0.88 * expected, 1.13 * expected):
        told = Told()
        compare_predictions(
            run, timed | {"timings": [{"network": "G_A", "threads": 1, "median_ms": ms}]}, told
        )
        assert told.news == []
        assert len(told.warnings) == 1
        assert told.warnings[0].startswith(
            f"G_A: {expected:.1f} ms predicted, {ms:.1f} ms measured (1 thread); close other"
        )


def test_nothing_is_said_of_what_the_tables_were_not_made_for(
    timed_run: tuple[Path, Any, float], tmp_path: Path
) -> None:
    run, timed, _ = timed_run
    told = Told()
    for changed in (
        {"settings": {"provider": "CUDAExecutionProvider"}},
        {"machine": timed["machine"] | {"cpu": "another"}},
        {"machine": timed["machine"] | {"onnxruntime": "0.0"}},
        {"networks": [{"name": "G_A", "batch": 1, "height": 32, "width": 32}]},
        {"timings": [{"network": "G_A", "threads": 2, "median_ms": 16.5}]},
    ):
        assert compare_predictions(run, timed | {"timings": timed["timings"][:1]} | changed, told) == []
    assert compare_predictions(tmp_path, timed, told) == []
    assert told.news == told.warnings == []
