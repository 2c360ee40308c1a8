import math
from dataclasses import replace
from pathlib import Path

import pytest

from ganprune.bench import BenchSettings, bench, candidates_of, engine, machine
from ganprune.bench.engine import engine_for, installed_providers
from ganprune.bench.machine import (
    physical_cores,
    usable_cores,  # bound before conftest.py patches it
)
from ganprune.errors import UsageError
from tests import onnx_graphs
from tests.bench.kit import QUICK

OPENVINO = "OpenVINOExecutionProvider"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"threads": ()}, "--threads must be whole numbers separated by commas, found none"),
        ({"threads": (1, 0)}, "--threads must be 1 to 1024, found 0"),
        ({"threads": (100000,)}, "--threads must be 1 to 1024, found 100000"),
        ({"runs": (1,)}, "--set runs must be 2 or more, found 1"),
        ({"runs": (30, 20)}, "with MAX no less than MIN, found 30,20"),
        ({"seconds": 0.0}, "--set seconds must be finite and above 0, found 0"),
        ({"size": 30}, "--size must be a multiple of 4"),
        (
            {"arithmetic": "float16"},
            "--set precision must be one of auto, float32, bfloat16, found 'float16'",
        ),
        ({"least_speedup": 0.0}, "--assert-speedup must be finite and above 0, found 0"),
        ({"most_ms": math.nan}, "--assert-max-ms must be finite and above 0, found nan"),
    ],
)
def test_settings_out_of_range_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        replace(BenchSettings(), **change)


def test_all_and_one_threads_are_measured_by_default() -> None:
    assert set(BenchSettings().threads) == {1, physical_cores()}


def test_more_threads_than_cores_are_refused_before_anything_is_timed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, asked = onnx_graphs.conv(tmp_path / "a.onnx"), replace(QUICK, threads=(1, 8), least_speedup=6.0)
    monkeypatch.setattr(machine, "usable_cores", lambda: 2)
    with pytest.raises(
        UsageError, match=r"may use cores, 2, found 8: .* how they wait for each other; give --threads 2"
    ):
        bench(candidates_of((path,)), asked)
    machine.enough_cores((1, 2))


@pytest.mark.parametrize(
    ("limits", "cores"),
    [
        ({"cpu.max": "200000 100000"}, 2),
        ({"cpu.max": "150000 100000\n"}, 1),
        ({"cpu.max": "20000 100000"}, 1),
        ({"cpu.max": "max 100000"}, 64),
        ({"quota": "300000\n", "period": "100000\n"}, 3),
        ({"quota": "-1", "period": "100000"}, 64),
        ({}, 64),
    ],
)
def test_cores_are_those_that_a_container_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limits: dict[str, str], cores: int
) -> None:
    for name, text in limits.items():
        (tmp_path / name).write_text(text)
    files = ((str(tmp_path / "cpu.max"),), (str(tmp_path / "quota"), str(tmp_path / "period")))
    monkeypatch.setattr(machine, "_QUOTAS", files)
    monkeypatch.setattr(machine, "usable_cores", usable_cores)
    monkeypatch.setattr(machine.os, "sched_getaffinity", lambda _: set(range(64)), raising=False)
    assert machine.usable_cores() == cores
    assert machine.physical_cores() <= cores


@pytest.mark.parametrize(
    "change",
    [
        {"threads": (1,)}, {"runs": (2,)}, {"runs": (20, 20)}, {"seconds": 1.0}, {"precision": 0.5},
        {"size": 64}, {"provider": OPENVINO}, {"warmup": 0},
    ],
)  # fmt: skip
def test_a_hastier_or_different_measurement_is_told_apart(change: dict[str, object]) -> None:
    careful = BenchSettings(threads=(1, 2))
    assert not replace(careful, **change).at_least_as_long(careful.to_json())
    assert careful.at_least_as_long(careful.to_json())


def test_a_longer_measurement_is_at_least_as_long() -> None:
    once = BenchSettings(threads=(1,), input=Path("x"))
    more = replace(
        once, threads=(1, 2, 4), runs=(50,), seconds=99.0, precision=0.01, profile=True, input=None
    )
    assert more.at_least_as_long(once.to_json())


def test_providers_that_are_not_there_are_refused(tmp_path: Path) -> None:
    path = onnx_graphs.conv(tmp_path / "a.onnx")
    with pytest.raises(UsageError, match=r"--provider must be one of .*CPUExecutionProvider.*, found cpu$"):
        bench(candidates_of((path,)), replace(QUICK, provider="cpu"))
    with pytest.raises(
        UsageError, match="--set precision=bfloat16 needs --provider OpenVINOExecutionProvider"
    ):
        bench(candidates_of((path,)), replace(QUICK, arithmetic="bfloat16"))


def test_a_missing_openvino_is_told_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "installed_providers", lambda: ("CPUExecutionProvider",))
    with pytest.raises(
        UsageError, match=r"found OpenVINOExecutionProvider; pip install 'ganprune\[openvino\]'"
    ):
        engine_for(OPENVINO)


@pytest.mark.parametrize("bfloat16", [True, False])
def test_openvino_computes_in_what_the_cpu_has(bfloat16: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "installed_providers", lambda: (OPENVINO,))
    monkeypatch.setattr(engine, "computes_bfloat16", lambda: bfloat16)
    found = engine_for(OPENVINO)
    assert found.arithmetic == ("bfloat16" if bfloat16 else "float32")
    hint = '"INFERENCE_PRECISION_HINT": "bf16"' if bfloat16 else '"INFERENCE_PRECISION_HINT": "f32"'
    assert hint in found.options(3)["load_config"]
    assert '"INFERENCE_NUM_THREADS": 3' in found.options(3)["load_config"]
    assert found.arithmetic in str(found)
    assert engine_for(OPENVINO, "float32").arithmetic == "float32"


@pytest.mark.skipif(OPENVINO not in installed_providers(), reason="needs ganprune[openvino]")
def test_openvino_runs_a_network_where_it_is_installed(tmp_path: Path) -> None:
    path = onnx_graphs.conv(tmp_path / "a.onnx")
    if "GenuineIntel" not in Path("/proc/cpuinfo").read_text():  # see docs/running.md
        with pytest.raises(UsageError, match="finds no CPU that it supports"):
            bench(candidates_of((path,)), replace(QUICK, provider=OPENVINO))
        return
    report = bench(candidates_of((path,)), replace(QUICK, provider=OPENVINO))
    assert report.timings[0].times.median > 0
    assert OPENVINO in report.header()


def test_a_provider_that_does_not_start_is_a_matter_of_usage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = onnx_graphs.conv(tmp_path / "a.onnx")
    monkeypatch.setattr(engine, "installed_providers", lambda: ("CUDAExecutionProvider",))
    monkeypatch.setitem(engine._PLUGINS, "CUDAExecutionProvider", "tests.bench.no_devices")
    with pytest.raises(
        UsageError, match="does not start here: it finds no CPU that it supports; docs/running"
    ):
        bench(candidates_of((path,)), replace(QUICK, provider="CUDAExecutionProvider"))
