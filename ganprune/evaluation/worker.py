"""One worker: a new Python process with a `LocalEvaluator`, and both ends of the pipe to it.

The process is started anew, not forked, so threads and CUDA in this one do no harm; it does not run the main
script again. It is out of reach of the terminal's Ctrl-C, and it ends at once, in the middle of whatever it
computes, when its pipe closes: when the worker is closed, or when this process is gone for any reason.
"""

import os
import pickle
import signal
import subprocess
import sys
import traceback
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any

import torch
from torch import Tensor

from ganprune.device import keep_freed_memory
from ganprune.errors import GanpruneError
from ganprune.evaluation.interface import SIDES, Side
from ganprune.evaluation.local import EvaluationSettings, LocalEvaluator
from ganprune.evaluation.tuning import FineTuner
from ganprune.genome import Layout, unpack
from ganprune.networks import Discriminator, Generator

Row = tuple[float, float, float, float]
"""L_DisA, L_GenA, L_cyc and L_idt of one individual."""

_PROGRAM = "import sys; from ganprune.evaluation.worker import serve; serve(int(sys.argv[1]))"


@dataclass(frozen=True, slots=True)
class Inputs:
    """What all workers have in common: the arguments of `LocalEvaluator`."""

    generators: Mapping[Side, Generator]
    judges: Mapping[Side, Discriminator]
    layouts: Mapping[Side, Layout]
    pictures: Mapping[Side, Tensor]
    tuner: FineTuner | None
    cache: Path | None


@dataclass(frozen=True, slots=True)
class Start:
    """The first message to a worker. Answered by None once all about the originals is computed."""

    settings: EvaluationSettings
    threads: int
    inputs: bytes
    """Pickled `Inputs`, once for all workers."""


@dataclass(frozen=True, slots=True)
class Task:
    """Every other message to a worker. Answered by one `Row` a key."""

    side: Side
    keys: tuple[bytes, ...]
    """Of the genomes, see `ganprune.genome.genome_key`."""
    partner: bytes
    """The same; empty: the original."""
    identity: bool


class Worker:
    """This process's end of the pipe to a worker."""

    def __init__(self, name: str) -> None:
        """Start the process and return at once; ``name`` is for messages."""
        self._name = name
        self.connection, theirs = Pipe()
        paths = [path or str(Path.cwd()) for path in sys.path]
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", _PROGRAM, str(theirs.fileno())],
                env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()], process_group=0,
            )  # fmt: skip
        self.pid = self._process.pid
        self.held: dict[Side, dict[bytes, frozenset[bytes]]] = {side: {} for side in SIDES}
        """Genomes whose translated pictures it has, each with the partners that it met there."""

    def send(self, message: Start | Task) -> None:
        """Raises `GanpruneError` where the worker is dead."""
        try:
            self.connection.send_bytes(pickle.dumps(message))
        except OSError:
            raise GanpruneError(self._obituary()) from None

    def receive(self) -> Any:
        """The answer to the last message; waits for it.

        Raises what the worker raised, with its traceback as a note, and `GanpruneError` where it is dead.
        """
        try:
            answer = pickle.loads(self.connection.recv_bytes())
        except (EOFError, OSError):
            raise GanpruneError(self._obituary()) from None
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self) -> None:
        """End the process, whatever it does, and wait until it is gone. May be called again."""
        self.connection.close()
        self._process.kill()
        self._process.wait()

    def _obituary(self) -> str:
        """How it died. One that closed its pipe is about to end."""
        how = "no longer answers"
        with suppress(subprocess.TimeoutExpired):
            code = self._process.wait(timeout=10)
            how = f"ended with status {code}" if code >= 0 else f"was ended by {signal.Signals(-code).name}"
        return (
            f"{self._name} (process {self.pid}) {how}; run again to go on after the last whole generation, "
            "with fewer --workers if memory ran out"
        )


def serve(descriptor: int) -> None:
    """The whole life of a worker's process. descriptor: its end of the pipe."""
    keep_freed_memory()
    connection, messages = Connection(descriptor), SimpleQueue[bytes]()
    Thread(target=_listen, args=(connection, messages), daemon=True).start()
    server: _Server | None = None
    while True:
        answer: object = None
        try:
            message = pickle.loads(messages.get())
            if isinstance(message, Start):
                server = _Server(message)
            else:
                assert server is not None
                answer = server.score(message)
        except Exception as error:
            answer = _portable(error)
        with suppress(OSError):  # nobody is there any more: `_listen` ends the process
            connection.send_bytes(pickle.dumps(answer))


def _listen(connection: Connection, messages: "SimpleQueue[bytes]") -> None:
    """Pass on what arrives; end the process when the pipe closes."""
    with suppress(EOFError, OSError):
        while True:
            messages.put(connection.recv_bytes())
    os._exit(0)


class _Server:
    """What a worker's process holds."""

    def __init__(self, start: Start) -> None:
        torch.set_num_threads(start.threads)
        inputs: Inputs = pickle.loads(start.inputs)
        self._layouts, tuner = inputs.layouts, inputs.tuner
        if tuner is not None:
            tuner = replace(tuner, settings=replace(tuner.settings, device=start.settings.device))
        self._evaluator = LocalEvaluator(
            inputs.generators, inputs.judges, inputs.layouts, inputs.pictures, start.settings,
            tuner=tuner, cache=inputs.cache,
        )  # fmt: skip

    def score(self, task: Task) -> list[Row]:
        """Answer a task."""
        other: Side = "B" if task.side == "A" else "A"
        partner = self._genomes(other, [task.partner])[0] if task.partner else None
        genomes = self._genomes(task.side, task.keys)
        found = self._evaluator.score(task.side, genomes, partner, identity=task.identity)
        terms = (found.L_DisA, found.L_GenA, found.L_cyc, found.L_idt)
        return list(zip(*(term.tolist() for term in terms), strict=True))

    def _genomes(self, side: Side, keys: "tuple[bytes, ...] | list[bytes]") -> Tensor:
        packed = torch.frombuffer(bytearray(b"".join(keys)), dtype=torch.uint8)
        return unpack(packed.view(len(keys), -1), self._layouts[side].length)


def _portable(error: Exception) -> Exception:
    """The same error with its traceback as a note; if it does not survive the pipe, one that tells of it."""
    error.add_note("in a worker:\n" + traceback.format_exc())
    try:
        return pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
