"""Kills and interrupts of real processes."""

import json
import random
import signal
import subprocess
import sysconfig
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from safetensors.torch import load_file

from tests.cli.conftest import Place
from tests.cli.kit import ganprune, start, stopped_before_export, write_config

GENERATIONS = 30
KILLS = 6


def _history(run: Path) -> list[dict[str, Any]]:
    with suppress(FileNotFoundError):
        return [json.loads(line) for line in (run / "search.jsonl").read_text().splitlines()]
    return []


def _finished(run: Path, stage: str) -> bool:
    with suppress(FileNotFoundError):
        return stage in json.loads((run / "provenance.json").read_text()).get("stages", {})
    return False


def _wait(until: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.002)


def test_search_that_is_killed_again_and_again_ends_the_same(place: Place, here: Path) -> None:
    chance, killed = random.Random(0), Path("killed")
    config = write_config(here / "long.toml", generations=GENERATIONS, population=6)
    command = ("compress", place.checkpoint, "--data", place.data, "--config", config)

    stops: list[int] = []
    while len(stops) < KILLS and not _finished(killed, "search"):
        before = len(_history(killed))
        process = start(here, *command, "-o", killed)
        _wait(lambda: len(_history(killed)) > before or not process.is_alive())  # noqa: B023
        time.sleep(chance.uniform(0, 0.1))
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL, Path("log").read_text()
        stops.append(len(_history(killed)))
    assert len(stops) >= 3, f"the search ended before it was killed often enough: {stops}"
    assert stops == sorted(stops)

    process = start(here, *command, "-o", killed)
    _wait(lambda: _finished(killed, "write") or not process.is_alive())
    time.sleep(chance.uniform(0, 1))  # in the middle of the export
    process.kill()
    process.join()
    assert not _finished(killed, "export")
    last = ganprune(*command, "-o", killed)
    assert last.code == 0, last.err

    with stopped_before_export():
        assert ganprune(*command, "-o", "calm").code == 130
    found, expected = (load_file(run / "state.safetensors") for run in (killed, Path("calm")))
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    for name in ("G_A.safetensors", "G_B.safetensors"):
        assert (killed / name).read_bytes() == (Path("calm") / name).read_bytes()
    effort = ("seconds", "evaluations")
    lines = [[{k: v for k, v in line.items() if k not in effort} for line in _history(run)]
             for run in (killed, Path("calm"))]  # fmt: skip
    assert [line["generation"] for line in lines[0]] == list(range(GENERATIONS + 1))
    assert lines[0] == lines[1]
    assert not [path for path in killed.iterdir() if "partial" in path.name]


@pytest.mark.parametrize(("how", "code", "workers"), [(signal.SIGINT, 130, 0), (signal.SIGTERM, 143, 2)])
def test_ctrl_c_and_kill_end_with_130_or_143_and_the_command_to_go_on(
    place: Place, here: Path, how: signal.Signals, code: int, workers: int
) -> None:
    script = Path(sysconfig.get_path("scripts")) / "ganprune"
    config = write_config(here / "endless.toml", generations=1_000_000)
    command = [
        "compress",
        str(place.checkpoint),
        "--data",
        str(place.data),
        "--config",
        str(config),
        "-o",
        "run",
        *(("--workers", str(workers)) if workers else ()),
    ]
    with subprocess.Popen([script, *command], stderr=subprocess.PIPE, text=True) as process:
        _wait(lambda: len(_history(Path("run"))) > 2 or process.poll() is not None)
        refused = ganprune(*command)
        children = psutil.Process(process.pid).children()
        process.send_signal(how)
        _, told = process.communicate(timeout=60)
    assert process.returncode == code
    assert len(children) in (workers, workers + 1)  # and what Python's multiprocessing tidies up with
    assert not psutil.wait_procs(children, timeout=20)[1]
    assert told.splitlines()[-1] == f"interrupted; to go on, run again: ganprune {' '.join(command)}"
    assert "Traceback" not in told
    assert refused.code == 3
    assert "another ganprune is working in run" in refused.err
    state = load_file("run/state.safetensors")
    assert int(state["generation"]) in (len(_history(Path("run"))) - 1, len(_history(Path("run"))) - 2)
