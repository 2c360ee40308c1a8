"""Python processes that work for this one: how they are started, and what is said of one that died."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

PATIENCE = 10.0
"""Seconds for a process that closed its pipe to end."""


def start_python(
    *arguments: str, stdin: int, stdout: int, stderr: int | None = None, descriptors: Sequence[int] = ()
) -> subprocess.Popen[bytes]:
    """Start Python on a program, with the modules that this process finds; return at once.

    The process is out of reach of the terminal's Ctrl-C. Streams are as `subprocess.Popen` takes them;
    descriptors: of files that it inherits.
    """
    paths = [entry or str(Path.cwd()) for entry in sys.path]
    # -P: the program's own folder may hold a module called as one of Python's.
    return subprocess.Popen(
        [sys.executable, "-P", *arguments],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
        stdin=stdin, stdout=stdout, stderr=stderr, pass_fds=tuple(descriptors), process_group=0,
    )  # fmt: skip


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process, whatever it does, and wait until it is gone. May be called again."""
    process.kill()
    process.wait()


def how_it_died(process: subprocess.Popen[bytes]) -> str:
    """``ended with status 1``, ``was ended by SIGKILL`` or ``no longer answers``."""
    with suppress(subprocess.TimeoutExpired):
        code = process.wait(timeout=PATIENCE)
        return f"ended with status {code}" if code >= 0 else f"was ended by {signal.Signals(-code).name}"
    return "no longer answers"
