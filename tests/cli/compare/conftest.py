"""A small comparison, finished once for all tests of ``ganprune compare``."""

from contextlib import chdir
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from ganprune.bench import BenchSettings
from ganprune.comparing import running
from tests.cli.conftest import Place
from tests.cli.kit import Outcome, ganprune
from tests.metrics.kit import keras_file

CELLS = """
[settings]
population = 4
generations = 2
pictures = 2
size = 32
target-macs = 0.4
budget = "4steps"
device = "cpu"
precision = "float32"
threads = 1

[compare]
task = "horse2zebra"
claim = "ours"
bench-seconds = 1

[cells.ours]
seeds = [0, 1]
[cells.swarm]
searcher = "swarm"
[cells.thinet]
method = "thinet"
seeds = [0, 1]
[cells.random]
method = "random"
"""
KEYS = ["ours-0", "ours-1", "swarm-0", "thinet-0", "thinet-1", "random-0"]


def quick_bench(threads: tuple[int, ...], seconds: float, **_: object) -> BenchSettings:
    """What `compare` asks for, with fewer runs."""
    return BenchSettings(threads=threads, seconds=seconds, runs=(2, 200))


@pytest.fixture(autouse=True)
def no_features_in_the_environment_and_a_quick_bench(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GANPRUNE_FEATURES", raising=False)
    monkeypatch.setattr(running, "BenchSettings", quick_bench)


@pytest.fixture(scope="session")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A settings file, beside a network of features."""
    folder = tmp_path_factory.mktemp("compare")
    (folder / "cells.toml").write_text(CELLS)
    keras_file(folder / "m.safetensors")
    return folder


@pytest.fixture(scope="session")
def untimed(table: Path) -> Path:
    """The same settings, but for times, which take exports."""
    path = table / "untimed.toml"
    path.write_text(CELLS.replace("bench-seconds = 1", "bench-seconds = 0"))
    return path


def compare(place: Place, table: Path, *words: object) -> Outcome:
    given = ("--config", table / "cells.toml", "--features", table / "m.safetensors")
    return ganprune("compare", place.checkpoint, "--data", place.data, *given, *words)


@pytest.fixture(scope="session")
def out(place: Place, table: Path) -> Path:
    """A finished comparison; never written to by a test."""
    with chdir(table), patch.object(running, "BenchSettings", quick_bench):
        done = compare(place, table, "-o", "out", "-q")
    assert done.code == 0, done.err
    return table / "out"


@pytest.fixture
def result(place: Place, table: Path, out: Path) -> Any:
    """What it says when it is asked again."""
    return compare(place, table, "-o", out, "--json").json
