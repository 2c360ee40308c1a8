"""Folders with one small CycleGAN, shared by the tests of checkpoints."""

from pathlib import Path

import pytest
from torch import nn

from tests.checkpoints.builders import A2B_NAMES, CYCLEGAN_NAMES, write_networks


@pytest.fixture
def cyclegan(tmp_path: Path) -> tuple[Path, dict[str, nn.Module]]:
    """A folder in CycleGAN's layout, and the networks written there."""
    folder = tmp_path / "cyclegan"
    folder.mkdir()
    return folder, write_networks(folder, CYCLEGAN_NAMES)


@pytest.fixture
def a2b(tmp_path: Path) -> tuple[Path, dict[str, nn.Module]]:
    """The same networks in the layout of aitorzip's code."""
    folder = tmp_path / "a2b"
    folder.mkdir()
    return folder, write_networks(folder, A2B_NAMES)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all examples of a property."""
    return tmp_path_factory.mktemp("scratch")
