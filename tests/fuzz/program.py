"""The command line in this process, and what must be true of it whatever it is given.

A command ends with success, or with one line that begins with "error: " and an exit code of 1 to 4, or with
the usage that an unknown option gets. It never shows a traceback, and never takes forever. 130 stands for the
beginning of long work: `light` stops commands there.
"""

import io
import os
import pkgutil
import signal
import sys
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Any
from unittest.mock import patch

import torch
from typer.main import get_command

import ganprune_cli
import ganprune_exporters
from ganprune_cli.main import app

SECONDS = 300
"""Within so many seconds of the clock every command ends, on a machine however busy."""

LONG = (
    "ganprune.stages.preparing.Prepared.opened", "ganprune.compression.tables_for",
    "ganprune.compression.plan",
    "ganprune_cli.training.train", "ganprune_cli.training.complete", "ganprune.example.demo.run_demo",
    "ganprune.comparing.running.compare",
    "ganprune.figures.of_runs.draw_figures", "ganprune_cli.evaluating.load_features",
    "ganprune_cli.serving.serve", "ganprune.download.download",
)  # fmt: skip
"""Where long work begins, or the network is asked."""
EXPORTS = (
    "ganprune_exporters.runs.export_all", "ganprune_exporters.sources.export_all",
    "ganprune_exporters.benching.export_all", "ganprune.stages.benching.bench",
    "ganprune_exporters.tuning.speedups",
)  # fmt: skip
"""Where networks are exported or timed, of which each takes seconds."""


class Hang(BaseException):
    """A command does not end."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


@contextmanager
def time_limit(seconds: int = SECONDS) -> Generator[None]:
    """Raises `Hang` in what takes longer."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise Hang(f"still going after {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def light(targets: Sequence[str]) -> Generator[None]:
    """Within, commands are interrupted where work of these names begins; unknown names are left out."""
    _import_all()  # a module that is imported in here would keep the interrupted names for good
    with ExitStack() as stack:
        for target in targets:
            try:
                stack.enter_context(patch(target, side_effect=KeyboardInterrupt))
            except (AttributeError, ModuleNotFoundError):
                continue
        yield


@cache
def _import_all() -> None:
    for package in (ganprune_cli, ganprune_exporters):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith("__main__"):
                import_module(module.name)


@cache
def _command() -> Any:
    return get_command(app)


def run(words: Sequence[object], folder: Path, seconds: int = SECONDS) -> Ended:
    """Run one command in ``folder``. Whatever it raises is raised."""
    arguments, before, threads = [str(word) for word in words], Path.cwd(), torch.get_num_threads()
    out, err = (
        io.TextIOWrapper(io.BytesIO(), "utf-8", kind) for kind in ("surrogateescape", "backslashreplace")
    )
    code = 0
    os.chdir(folder)
    try:
        with (
            time_limit(seconds),
            patch.object(sys, "argv", ["ganprune", *arguments]),
            redirect_stdout(out),
            redirect_stderr(err),
        ):
            try:
                _command().main(args=arguments, prog_name="ganprune")
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else int(end.code is not None)
    finally:
        os.chdir(before)
        torch.set_num_threads(threads)
    return Ended(code, *_texts(out, err))


def _texts(*streams: io.TextIOWrapper) -> Iterator[str]:
    for stream in streams:
        stream.flush()
        buffer = stream.buffer
        assert isinstance(buffer, io.BytesIO)
        yield buffer.getvalue().decode("utf-8", "replace")


def check(ended: Ended) -> str:
    """How it ended, in a word. Fails unless it is one of the ways that are promised."""
    told = ended.err
    assert "Traceback" not in told, told
    assert "internal error" not in told, told
    assert ended.code in (0, 1, 2, 3, 4, 130), (ended.code, told)
    if ended.code in (0, 130) or (ended.code == 2 and told.startswith("Usage: ")):
        return f"exit {ended.code}"
    errors = [line for line in told.splitlines() if line.startswith(("error: ", '{"schema": 1, "error": '))]
    assert len(errors) == 1, told
    assert told.splitlines()[-1] == errors[0], told
    assert errors[0].isprintable(), errors[0]
    return f"exit {ended.code}"
