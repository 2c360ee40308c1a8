"""A checkpoint, pictures, what commands make of them, and scratch folders with copies of that."""

import hashlib
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.cli.kit import write_checkpoint, write_config, write_pictures
from tests.fuzz.program import EXPORTS, light, run
from tests.metrics.kit import keras_file

STEPS = "2steps"
"""Of fine-tuning."""
KINDS = ("run", "front", "cells", "gan")
"""Folders that `compress`, `front`, `compare` and `train` have made."""
CELLS = """
[settings]
population = 4
generations = 1
pictures = 2
size = 32
target-macs = 0.4
budget = "1steps"
device = "cpu"
precision = "float32"
threads = 1

[compare]
claim = "uniform"
bench-seconds = 0

[cells.uniform]
method = "uniform"
[cells.random]
method = "random"
"""


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

    def makes(self, kind: str, output: object) -> list[object]:
        """The command that made a folder of a kind."""
        net, data = self.root / "net", ("--data", self.root / "data")
        few = (
            "--set",
            "population=4",
            "--set",
            "generations=1",
            "--set",
            "pictures=2",
            "--size",
            32,
            "--budget",
            0,
        )
        here = (
            "--set", "device=cpu", "--set", "precision=float32", "--set", "threads=1",
            "-o", output, "--quiet",
        )  # fmt: skip
        return {
            "run": self.compress(output),
            "front": ["front", net, *data, *few, "--set", "align=1", "--points", 0.5, *here],
            "cells": [
                "compare", net, *data, "--config", self.root / "cells.toml", "--features",
                self.root / "features.safetensors", "-o", output, "--quiet",
            ],
            "gan": [
                "train", *data, "--size", 32, "--set", "ngf=2", "--set", "ndf=2", "--set", "blocks=1",
                "--budget", STEPS, *here,
            ],
        }[kind]  # fmt: skip

    def hashes(self) -> dict[str, str]:
        """SHA-256 of all that is there."""
        files = (path for path in sorted(self.root.rglob("*")) if path.is_file())
        return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    @contextmanager
    def scratch(self, folder: Path, kind: str = "run") -> Generator[Path]:
        """A working folder with a copy of one of `KINDS`, as ``run``, and a file outside that must stay."""
        here, outside = folder / "here", folder / "outside"
        for path in (here, outside):
            shutil.rmtree(path, ignore_errors=True)
            path.mkdir(parents=True)
        shutil.copytree(self.root / kind, here / "run")
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
            (root / "cells.toml").write_text(CELLS)
            keras_file(root / "features.safetensors")
        with light(() if whole else EXPORTS):
            ended = run(made.compress(making), root, seconds=7200)
        assert ended.code in (0, 130), ended.err
        making.rename(made.run)
    for kind in KINDS[1:]:
        if not (root / kind).exists():
            ended = run(made.makes(kind, root / "making"), root, seconds=7200)
            assert ended.code == 0, ended.err
            (root / "making").rename(root / kind)
    return made
