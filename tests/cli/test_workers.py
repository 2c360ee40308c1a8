"""Searches of several processes: kills, interrupts, and another number of workers in between."""

import os
import signal
import subprocess
import sysconfig
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.cli.conftest import Place
from tests.cli.kit import ganprune, start, stopped_before_export, write_config


@pytest.fixture
def command(place: Place, here: Path) -> tuple[object, ...]:
    """A search of some seconds."""
    config = write_config(here / "long.toml", generations=40, population=6)
    return ("compress", place.checkpoint, "--data", place.data, "--config", config)


def wait(until: Callable[[], object], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.02)


def generations(run: str) -> int:
    path = Path(run, "search.jsonl")
    return len(path.read_text().splitlines()) if path.exists() else 0


def workers_of(pid: int) -> list[psutil.Process]:
    return [child for child in psutil.Process(pid).children() if "spawn_main" in " ".join(child.cmdline())]


def gone(processes: list[psutil.Process]) -> bool:
    return not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in processes)


def searched(run: str, *words: object) -> dict[str, bytes]:
    """Files of a run after its search."""
    with stopped_before_export():
        found = ganprune(*words, "-o", run)
    assert found.code == 130, found.err
    return {name: Path(run, name).read_bytes() for name in ("state.safetensors", "G_A.safetensors")}


def test_search_of_two_workers_ends_in_the_bits_of_one(place: Place, here: Path) -> None:
    words = ("compress", place.checkpoint, "--data", place.data, "--config", place.config)
    assert searched("two", *words, "--workers", 2) == searched("one", *words)


def test_number_of_workers_is_no_other_run(place: Place, here: Path) -> None:
    with stopped_before_export():
        for options in ((), ("--workers", 1), ("--workers", 2)):
            assert place.compress(*options).code == 130
    (run,) = (path for path in Path("runs").iterdir() if path.is_dir())
    assert generations(str(run)) == 4
    assert "workers = 2" in (run / "config.toml").read_text()


def test_search_whose_workers_and_then_itself_are_killed_goes_on_with_another_number(
    command: tuple[object, ...], here: Path
) -> None:
    process = start(here, *command, "--workers", 2, "-o", "killed")
    assert process.pid is not None
    wait(lambda: generations("killed") > 2 or not process.is_alive())
    lost, kept = workers_of(process.pid)
    lost.kill()
    reached = generations("killed")
    wait(lambda: generations("killed") > reached + 2 or not process.is_alive())
    workers = workers_of(process.pid)
    assert kept in workers
    assert lost not in workers
    process.kill()
    process.join(30)
    wait(lambda: gone(workers), 10)
    assert f"(process {lost.pid}); what it was computing is computed again" in Path("log").read_text()
    assert 5 < generations("killed") < 41
    assert searched("killed", *command) == searched("calm", *command)


def test_ctrl_c_in_a_terminal_ends_the_workers_without_a_word_of_theirs(
    command: tuple[object, ...], here: Path
) -> None:
    script = Path(sysconfig.get_path("scripts")) / "ganprune"
    words = [
        str(word) for word in (script, *command, "--set", "generations=100_000", "--workers", 2, "-o", "run")
    ]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        wait(lambda: generations("run") > 1 or process.poll() is not None)
        workers = workers_of(process.pid)
        assert len(workers) == 2
        os.killpg(process.pid, signal.SIGINT)
        _, told = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "interrupted; to go on, run again: ganprune compress" in told.splitlines()[-1]
    assert "Traceback" not in told
    assert gone(workers)
