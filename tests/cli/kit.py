"""A tiny but complete CycleGAN on disk, and ways to run the command line on it."""

import json
import os
import shutil
import sys
from collections.abc import Generator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import jsonschema
import torch
import typer.testing
from PIL import Image
from typer.main import get_command
from typer.testing import CliRunner

from ganprune.bench import BenchSettings
from ganprune.example import PICTURES, coats_of, demo
from ganprune.models.cyclegan import DiscriminatorWidths, resnet_widths
from ganprune.presets import compress_settings
from ganprune.settings import CompressSettings
from ganprune_cli.main import app
from ganprune_cli.schema import schema_of
from ganprune_exporters.exporter import OnnxExporter
from tests.tiny import random_generator, random_judge, seeded

CYCLEGAN = {name: f"latest_net_{name}.pth" for name in ("G_A", "G_B", "D_A", "D_B")}
A2B = {"G_A": "netG_A2B.pth", "G_B": "netG_B2A.pth", "D_A": "netD_B.pth", "D_B": "netD_A.pth"}
"""The same networks as `CYCLEGAN`: here netD_B judges domain B."""

TINY: dict[str, object] = {
    "population": 4, "generations": 3, "pictures": 2, "size": 32, "budget": "0",
    "device": "cpu", "precision": "float32", "threads": 1,
}  # fmt: skip
"""Settings of a compression that takes seconds."""

PROGRAM: Any = get_command(app)

QUICK = partial(BenchSettings, threads=(1,), runs=(2, 3), seconds=1)
"""How `compress` times networks in tests; it has no option for that."""


SMALL_TRAINING = (
    "--set", "ngf=4", "--set", "blocks=1", "--set", "ndf=4", "--size", "32", "--set", "threads=1", "--set",
    "device=cpu",
)  # fmt: skip
"""Options of `train` for tiny networks."""

LEAN = ("--no-bench", "--no-report")
"""For what is about neither: they take a third of the time of a compression."""


def write_checkpoint(folder: Path, names: Mapping[str, str] = CYCLEGAN, ngf: int = 4) -> Path:
    """A CycleGAN with two residual blocks; its two discriminators differ in their widths."""
    folder.mkdir(parents=True)
    networks = {
        "G_A": random_generator(resnet_widths(ngf, 2), 1, torch.float32),
        "G_B": random_generator(resnet_widths(ngf, 2), 2, torch.float32),
        "D_A": random_judge(DiscriminatorWidths((4, 8)), 3),
        "D_B": random_judge(DiscriminatorWidths((3, 6)), 4),
    }
    for name, file_name in names.items():
        torch.save(networks[name].state_dict(), folder / file_name)
    return folder


def write_pictures(root: Path, each: int = 8) -> Path:
    """trainA, trainB, testA and testB, each with pictures of random patches."""
    for seed, name in enumerate(("trainA", "trainB", "testA", "testB")):
        (root / name).mkdir(parents=True)
        patches = torch.randint(256, (each, 6, 6, 3), generator=seeded(seed), dtype=torch.uint8)
        for i, pixels in enumerate(patches):
            Image.fromarray(pixels.numpy()).resize((36, 36)).save(root / name / f"{i:02}.png")
    return root


def write_config(path: Path, **changes: object) -> Path:
    """A file for --config: `TINY`, changed."""
    flat = TINY | {key.replace("_", "-"): value for key, value in changes.items()}
    path.write_text("".join(f"{key} = {json.dumps(value)}\n" for key, value in flat.items()))
    return path


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command did."""

    code: int
    out: str
    err: str
    command: str = ""

    @property
    def json(self) -> Any:
        """What it printed, which is what the schema of its command says."""
        assert self.out, self.err
        found = json.loads(self.out)
        jsonschema.validate(found, schema_of(self.command))
        *_, last = self.err.splitlines() or [""]
        if last.startswith("next: "):
            assert found["next_command"]
            assert found["next_command"] in last
        return found


def ganprune(*words: object) -> Outcome:
    """Run one command in this process."""
    arguments = [str(word) for word in words]
    built = patch.object(typer.testing, "_get_command", lambda _: PROGRAM)  # which builds it for each call
    with built, patch.object(sys, "argv", ["ganprune", *arguments]):
        result = CliRunner().invoke(app, arguments)
    return Outcome(result.exit_code, result.stdout, result.stderr, *arguments[:1])


def few_pictures(folder: Path, train: int = 12, test: int = 8) -> Path:
    """A few of the example's pictures."""
    for source in PICTURES.iterdir():
        (folder / source.name).mkdir(parents=True)
        for path in sorted(source.iterdir())[: train if source.name.startswith("train") else test]:
            shutil.copy(path, folder / source.name)
    return folder


@contextmanager
def hasty_demo(profile: bool = False) -> Generator[None]:
    """Within, `demo` is the job that it is, of few pictures, scenes, individuals, generations and runs."""

    def settings(preset: str, file: Path | None, given: Mapping[str, object]) -> CompressSettings:
        small = {"population": 4, "generations": 2, "pictures": 4}
        return compress_settings(preset, file, {**given, **small})

    with (
        TemporaryDirectory() as folder,
        patch.object(demo, "PICTURES", few_pictures(Path(folder))),
        patch.object(demo, "compress_settings", settings),
        patch.object(demo, "coats_of", partial(coats_of, pictures=10)),
        patch.object(demo, "BENCH", QUICK(profile=profile)),
    ):
        yield


@contextmanager
def stopped_before_export() -> Generator[None]:
    """Within, `compress` is interrupted once it has written its slim generators."""
    with patch.object(OnnxExporter, "export_run", side_effect=KeyboardInterrupt):
        yield


def timed_briefly() -> AbstractContextManager[object]:
    """Within, `compress` times every file two or three times."""
    return patch.object(BenchSettings, "brief", lambda threads=None: QUICK())


def start(folder: Path, *words: object) -> ForkServerProcess:
    """Start one command in ``folder``, in a process of its own whose imports are already done."""
    context = get_context("forkserver")
    context.set_forkserver_preload(["ganprune_exporters.sources", "PIL.Image", "typer.testing"])
    process = context.Process(target=_main, args=(folder, [str(word) for word in words]))
    process.start()
    return process


def _main(folder: Path, arguments: list[str]) -> None:
    os.chdir(folder)
    sys.argv = ["ganprune", *arguments]
    with timed_briefly(), Path("log").open("a") as log:
        sys.stdout = sys.stderr = log
        app()


def listing(folder: Path) -> dict[str, tuple[int, int]]:
    """Everything below a folder: size and time of the last change."""
    entries = {path: path.lstat() for path in folder.rglob("*")}
    return {str(path): (entry.st_size, entry.st_mtime_ns) for path, entry in entries.items()}
