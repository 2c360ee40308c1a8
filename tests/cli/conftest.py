"""A workplace with a checkpoint and pictures, and one run that was made there."""

import shutil
from collections.abc import Generator
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.kit import (
    LEAN,
    Outcome,
    ganprune,
    timed_briefly,
    write_checkpoint,
    write_config,
    write_pictures,
)


@pytest.fixture(autouse=True)
def quick_bench() -> Generator[None]:
    with timed_briefly():
        yield


@dataclass(frozen=True, slots=True)
class Place:
    """Inputs of a compression."""

    checkpoint: Path
    data: Path
    config: Path

    def compress(self, *words: object) -> Outcome:
        """Without timing and report, which `Mission` has."""
        return self.compress_whole(*LEAN, *words)

    def compress_whole(self, *words: object) -> Outcome:
        return ganprune("compress", self.checkpoint, "--data", self.data, "--config", self.config, *words)


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Never written to by a test."""
    root = tmp_path_factory.mktemp("place")
    return Place(
        write_checkpoint(root / "net"), write_pictures(root / "data"), write_config(root / "tiny.toml")
    )


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@dataclass(frozen=True, slots=True)
class Mission:
    """The three commands, one after the other in an empty folder."""

    folder: Path
    run: Path
    compress: Outcome
    export: Outcome
    bench: Outcome


@pytest.fixture(scope="session")
def mission(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Mission:
    """Its folder is never written to by a test."""
    folder = tmp_path_factory.mktemp("mission")
    with chdir(folder), timed_briefly():
        compress = place.compress_whole()
        export = ganprune("export", "--onnx")
        bench = ganprune("bench", "--cpu", "--set", "runs=2,3")
    (run,) = (path for path in (folder / "runs").iterdir() if path.is_dir())
    return Mission(folder, run, compress, export, bench)


@pytest.fixture
def run(mission: Mission, here: Path) -> Path:
    """A copy of the mission's run in the working folder, free to be damaged."""
    return Path(shutil.copytree(mission.run, here / "copy"))
