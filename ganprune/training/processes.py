"""One training in several processes on this machine, which this one watches.

Each is a new Python process, not a fork, and does not run the main script again. All are out of reach of the
terminal's Ctrl-C and end at once when their pipe to this process closes: when this process has an answer, an
error or an interrupt, and when it is gone itself. What rank 0 reports comes through its pipe.
"""

import os
import socket
import sys
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing.connection import Connection, Pipe, wait
from subprocess import DEVNULL, Popen
from threading import Thread
from typing import Any, TypeVar

import cloudpickle
import torch
from torch.distributed import FileStore  # pyright: ignore[reportPrivateImportUsage]

from ganprune.errors import GanpruneError, UsageError
from ganprune.reporting import Reporter, Task
from ganprune.storage.scratch import scratch_folder
from ganprune.system.children import end_with, how_it_died, portable, start_python, stop
from ganprune.system.device import keep_freed_memory
from ganprune.training.process_group import LostProcess, ProcessGroup, check_devices
from ganprune.training.step import TrainingError

GRACE = 60.0
"""Seconds in which the cause must show once a process misses another, or waits for the words of rank 0."""

_PROGRAM = """
import os, sys
os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "FATAL")  # what gloo and NCCL say of a dead process
from ganprune.training.processes import serve
serve(int(sys.argv[1]))
"""
_T = TypeVar("_T")
_Processes = Mapping[Connection, tuple[int, Popen[bytes]]]  # rank and process at the other end of each pipe


def together(
    processes: int, lead: Callable[..., _T], follow: Callable[..., object], device: str, reporter: Reporter
) -> _T:
    """Call ``lead(group=…, reporter=…)`` in a new process and ``follow(group=…)`` in others, as one group.

    cloudpickle must carry both. device: cpu, where they share this process's threads, or cuda, where each has
    a GPU of its own. Returns what ``lead`` returns. Raises what one of them raises, `GanpruneError` where one
    dies, and `UsageError` where there are not enough devices.
    """
    if os.name != "posix":
        raise UsageError(f"--set processes needs Linux or macOS, found {sys.platform}; leave it out")
    check_devices(device, processes)
    threads = max(1, torch.get_num_threads() // processes)
    started: dict[Connection, tuple[int, Popen[bytes]]] = {}
    with scratch_folder() as folder, ExitStack() as ending:
        for rank in range(processes):
            ours, theirs = Pipe()
            with theirs:
                process = start_python(
                    "-c", _PROGRAM, str(theirs.fileno()),
                    stdin=DEVNULL, stdout=DEVNULL, descriptors=[theirs.fileno()],
                )  # fmt: skip
            ending.callback(stop, process)
            started[ending.enter_context(ours)] = rank, process
        for connection, (rank, _) in started.items():
            group, meeting = ProcessGroup(rank, processes, rank, processes), str(folder / "meeting")
            with suppress(OSError):  # a dead process is told of below
                call = follow if rank else lead
                connection.send_bytes(cloudpickle.dumps((group, device, threads, meeting, call)))
        return _answer(started, reporter)


def _answer(started: _Processes, reporter: Reporter) -> Any:
    """Pass on what rank 0 reports until it returns; raise the first error that tells the cause."""
    working = dict(started)
    told: Exception | None = None  # by a process that suffers from the cause
    end = float("inf")
    with ExitStack() as whole:
        tasks: list[tuple[ExitStack, Task]] = []
        while working and time.monotonic() < end:
            for connection in wait(list(working), None if told is None else GRACE / 20):
                assert isinstance(connection, Connection)
                rank, process = working[connection]
                try:
                    message = connection.recv()
                except (EOFError, OSError):
                    raise GanpruneError(
                        f"training process {rank + 1} of {len(started)} (process {process.pid}) "
                        f"{how_it_died(process)}; run again to go on from the last saved step, "
                        "with fewer processes (--set processes=N) if memory ran out"
                    ) from None
                match message:
                    case ("task", *words):
                        one = whole.enter_context(ExitStack())
                        tasks.append((one, one.enter_context(reporter.task(*words))))
                    case ("advance", steps, figures):
                        tasks[-1][1].advance(steps, **figures)
                    case ("close",):
                        tasks.pop()[0].close()
                    case ("info" | "warn" as level, text):
                        getattr(reporter, level)(text)
                    case ("returned", answer):
                        if rank == 0:
                            return answer
                        del working[connection]
                    case ("raised", error):
                        # Rank 0 has more to say of a training that goes wrong for all.
                        follows = isinstance(error, TrainingError) and rank > 0
                        if not (follows or isinstance(error, LostProcess)):
                            raise error
                        told, end = told or error, min(end, time.monotonic() + GRACE)
                        del working[connection]
                    case other:
                        raise ValueError(f"{other[0]} is no message")
    assert told is not None
    raise told


def serve(descriptor: int) -> None:
    """The whole life of a process. descriptor: its end of the pipe."""
    keep_freed_memory()
    for _, name in socket.if_nameindex():
        if name in ("lo", "lo0"):  # gloo stays on this machine, and needs no name of it
            os.environ.setdefault("GLOO_SOCKET_IFNAME", name)
    connection = Connection(descriptor)
    try:
        group, device, threads, meeting, call = connection.recv()
    except (EOFError, OSError):  # nobody is there any more
        return
    Thread(target=end_with, args=(connection,), daemon=True).start()

    def tell(*message: object) -> None:
        with suppress(OSError):  # nobody is there any more: `end_with` ends the process
            connection.send_bytes(cloudpickle.dumps(message))

    try:
        torch.set_num_threads(threads)
        with group.joined(device, FileStore(meeting, group.size)):
            answer = call(group=group, reporter=_Relay(tell)) if group.leads else call(group=group)
        tell("returned", answer if group.leads else None)
    except Exception as error:
        tell("raised", portable(error, "a training process"))


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
