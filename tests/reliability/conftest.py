"""A checkpoint, pictures and a finished search, of which each test may damage a copy."""

import shutil
from contextlib import chdir
from pathlib import Path

import pytest

from tests.cli.conftest import Place
from tests.cli.kit import stopped_before_export, write_checkpoint, write_config, write_pictures


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


@pytest.fixture(scope="session")
def calm(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing disturbed, up to its slim generators. Never written to by a test."""
    folder = tmp_path_factory.mktemp("calm")
    with chdir(folder), stopped_before_export():
        assert place.compress("-o", "run").code == 130
    return folder / "run"


@pytest.fixture
def run(calm: Path, here: Path) -> Path:
    """A copy of it in the working folder."""
    return Path(shutil.copytree(calm, here / "run"))
