"""One training in several processes on this machine, which this one watches.

Each is a new Python process, not a fork, and does not run the main script again. All are out of reach of the
terminal's Ctrl-C and end at once when their pipe to this process closes: when this process has an answer, an
error or an interrupt, and when it is gone itself. What rank 0 reports comes through its pipe.
"""

import os
import pickle
import socket
import sys
import time
import traceback
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection, Pipe, wait
from pathlib import Path
from subprocess import DEVNULL
from threading import Thread
from typing import Any, TypeVar

import cloudpickle
import torch
from torch.distributed import FileStore  # pyright: ignore[reportPrivateImportUsage]

from ganprune.errors import GanpruneError, UsageError
from ganprune.reporting import Reporter, Task
from ganprune.storage.scratch import scratch_folder
from ganprune.system.children import how_it_died, start_python, stop
from ganprune.system.device import keep_freed_memory
from ganprune.training.step import TrainingError
from ganprune.training.team import LostProcess, Place, check_devices, joined

GRACE = 60.0
"""Seconds in which the cause must show once a process misses another, or waits for the words of rank 0."""

_PROGRAM = """
import os, sys
os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "FATAL")  # what gloo and NCCL say of a dead process
from ganprune.training.processes import serve
serve(int(sys.argv[1]))
"""
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Launch:
    """The one message to a process."""

    place: Place
    device: str
    threads: int
    meeting: Path
    """A file through which the processes find each other."""
    call: bytes
    """Pickled function of a ``team``; rank 0's takes a ``reporter`` too."""


def together(
    processes: int,
    lead: Callable[..., _T],
    follow: Callable[..., object],
    device: str,
    reporter: Reporter,
) -> _T:
    """Call ``lead(team=…, reporter=…)`` in one process and ``follow(team=…)`` in the others, as one team.

    cloudpickle must carry both. device: cpu, where they share this process's threads, or cuda, where each has
    a GPU of its own. Returns what ``lead`` returns. Raises what one of them raises, `GanpruneError` where one
    dies, and `UsageError` where there are not enough devices.
    """
    if os.name != "posix":
        raise UsageError(f"--processes needs Linux or macOS, found {sys.platform}; leave it out")
    check_devices(device, processes)
    threads = max(1, torch.get_num_threads() // processes)
    members: list[_Process] = []
    with scratch_folder() as folder:
        try:
            for rank in range(processes):
                members.append(_Process(rank, processes))
            for member in members:
                call = cloudpickle.dumps(follow if member.rank else lead)
                meeting = folder / "meeting"
                place = Place(member.rank, processes, member.rank, processes)
                member.send(Launch(place, device, threads, meeting, call))
            return _attend(members, reporter)
        finally:
            for member in members:
                member.close()


class _Process:
    """This process's end of the pipe to one of the others."""

    def __init__(self, rank: int, size: int) -> None:
        """Start the process and return at once."""
        self.rank, self._name = rank, f"training process {rank + 1} of {size}"
        self.connection, theirs = Pipe()
        with theirs:
            self._process = start_python(
                "-c", _PROGRAM, str(theirs.fileno()),
                stdin=DEVNULL, stdout=DEVNULL, descriptors=[theirs.fileno()],
            )  # fmt: skip

    def send(self, message: Launch) -> None:
        """Raises `GanpruneError` where the process is dead."""
        try:
            self.connection.send_bytes(pickle.dumps(message))
        except OSError:
            raise self._obituary() from None

    def receive(self) -> tuple[Any, ...]:
        """The next message; waits for it. Raises `GanpruneError` where the process is dead."""
        try:
            return pickle.loads(self.connection.recv_bytes())
        except (EOFError, OSError):
            raise self._obituary() from None

    def close(self) -> None:
        """End the process, whatever it does, and wait until it is gone."""
        self.connection.close()
        stop(self._process)

    def _obituary(self) -> GanpruneError:
        how = how_it_died(self._process)
        return GanpruneError(
            f"{self._name} (process {self._process.pid}) {how}; run again to go on from the last saved step, "
            "with fewer --processes if memory ran out"
        )


def _attend(members: Sequence[_Process], reporter: Reporter) -> Any:
    """Pass on what rank 0 reports until it returns; raise the first error that tells the cause."""
    working = {member.connection: member for member in members}
    told: Exception | None = None  # by a process that suffers from the cause
    end = float("inf")
    with ExitStack() as whole:
        tasks: list[tuple[ExitStack, Task]] = []
        while working and time.monotonic() < end:
            for connection in wait(list(working), None if told is None else GRACE / 20):
                member = working[connection]  # pyright: ignore[reportArgumentType]
                match member.receive():
                    case ("task", *words):
                        one = whole.enter_context(ExitStack())
                        tasks.append((one, one.enter_context(reporter.task(*words))))
                    case ("advance", steps, figures):
                        tasks[-1][1].advance(steps, **figures)
                    case ("close",):
                        tasks.pop()[0].close()
                    case ("info", text):
                        reporter.info(text)
                    case ("warn", text):
                        reporter.warn(text)
                    case ("returned", answer):
                        if member.rank == 0:
                            return answer
                        del working[member.connection]
                    case ("raised", error):
                        followed = isinstance(error, TrainingError) and member.rank > 0
                        if not (followed or isinstance(error, LostProcess)):
                            raise error
                        told, end = told or error, min(end, time.monotonic() + GRACE)
                        del working[member.connection]
                    case other:
                        raise ValueError(f"{other[0]} is no message")
    assert told is not None
    raise told


def serve(descriptor: int) -> None:
    """The whole life of a process. descriptor: its end of the pipe."""
    keep_freed_memory()
    _stay_on_this_machine()
    connection = Connection(descriptor)
    try:
        start: Launch = pickle.loads(connection.recv_bytes())
    except (EOFError, OSError):  # nobody is there any more
        return
    Thread(target=_end_with, args=(connection,), daemon=True).start()

    def tell(*message: object) -> None:
        with suppress(OSError):  # nobody is there any more: `_end_with` ends the process
            connection.send_bytes(cloudpickle.dumps(message))

    try:
        torch.set_num_threads(start.threads)
        store = FileStore(str(start.meeting), start.place.size)
        with joined(start.device, start.place, store) as team:
            call: Callable[..., object] = pickle.loads(start.call)
            lead = partial(call, reporter=_Relay(tell)) if team.leads else call
            answer = lead(team=team)
        tell("returned", answer)
    except Exception as error:
        tell("raised", _portable(error))


class _Relay:
    """A `Reporter` whose words are said in another process."""

    def __init__(self, tell: Callable[..., None]) -> None:
        self._tell = tell

    @contextmanager
    def task(self, title: str, total: int, done: int = 0) -> Generator["_Relay"]:
        """See `Reporter.task`."""
        self._tell("task", title, total, done)
        yield self
        self._tell("close")

    def advance(self, steps: int = 1, **figures: float | str) -> None:
        """See `Task.advance`."""
        self._tell("advance", steps, figures)

    def info(self, message: str) -> None:
        """See `Reporter.info`."""
        self._tell("info", message)

    def warn(self, message: str) -> None:
        """See `Reporter.warn`."""
        self._tell("warn", message)


def _end_with(connection: Connection) -> None:
    """End this process when its pipe closes; nothing else ever comes through it."""
    with suppress(EOFError, OSError):
        connection.recv_bytes()
    os._exit(0)


def _stay_on_this_machine() -> None:
    """Let gloo listen on the loopback device only, which also needs no name of this machine."""
    for _, name in socket.if_nameindex():
        if name in ("lo", "lo0"):
            os.environ.setdefault("GLOO_SOCKET_IFNAME", name)


def _portable(error: Exception) -> Exception:
    """The same error with its traceback as a note; if it does not survive the pipe, one that tells of it."""
    error.add_note("in a training process:\n" + traceback.format_exc())
    try:
        return pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
