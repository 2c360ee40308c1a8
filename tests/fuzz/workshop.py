"""A checkpoint, pictures and a run of them, and scratch folders with copies of the run."""

import hashlib
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.cli.kit import write_checkpoint, write_config, write_pictures
from tests.fuzz.program import EXPORTS, light, run

STEPS = "2steps"
"""Of fine-tuning."""


@dataclass(frozen=True, slots=True)
class Workshop:
    """Folders that no case may change."""

    root: Path

    @property
    def run(self) -> Path:
        """The run folder to copy."""
        return self.root / "run"

    def compress(self, output: object) -> list[object]:
        """The command that made the run."""
        return [
            "compress", self.root / "net", "--data", self.root / "data",
            "--config", self.root / "tiny.toml", "-o", output, "--quiet",
        ]  # fmt: skip

    def hashes(self) -> dict[str, str]:
        """SHA-256 of all that is there."""
        files = (path for path in sorted(self.root.rglob("*")) if path.is_file())
        return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    @contextmanager
    def scratch(self, folder: Path) -> Generator[Path]:
        """An empty working folder with a copy of the run in it, and a file outside that must stay."""
        here, outside = folder / "here", folder / "outside"
        for path in (here, outside):
            shutil.rmtree(path, ignore_errors=True)
            path.mkdir(parents=True)
        shutil.copytree(self.run, here / "run")
        (outside / "victim").write_text("precious")
        yield here
        assert [path.name for path in outside.iterdir()] == ["victim"]
        assert (outside / "victim").read_text() == "precious"
        assert {path.name for path in folder.iterdir()} == {"here", "outside"}


def workshop(root: Path, whole: bool) -> Workshop:
    """Make a workshop, or take the one that is there.

    whole: with exported and timed networks, which take half a minute.
    """
    made = Workshop(root)
    if not made.run.exists():
        making = root / "making"
        if not making.exists():
            write_checkpoint(root / "net")
            write_pictures(root / "data")
            write_config(root / "tiny.toml", budget=STEPS, direction="AtoB")
        with light(() if whole else EXPORTS):
            ended = run(made.compress(making), root, seconds=7200)
        assert ended.code in (0, 130), ended.err
        making.rename(made.run)
    return made
