"""A worker: what scores individuals in another process, on this machine or on a node of a Ray cluster."""

import os
import pickle
import socket
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import cloudpickle
import torch

from ganprune.errors import UsageError
from ganprune.reporting import Silent
from ganprune.scoring.local import LocalScorer, ScoringInputs
from ganprune.scoring.scores import Row
from ganprune.settings.words import Domain
from ganprune.storage.scratch import scratch_folder
from ganprune.system.children import portable
from ganprune.system.cpu import cpu_model
from ganprune.system.device import keep_freed_memory
from ganprune.system.installed import version_of


@dataclass(frozen=True, slots=True)
class Assignment:
    """One individual to score; answered by its `Row`."""

    side: Domain
    key: bytes
    """Of the genome, see `ganprune.pruning.genome.genome_key`."""
    partner: bytes
    """The same; empty: the original."""


@dataclass(frozen=True, slots=True)
class Greeting:
    """What a worker says of itself once it is ready."""

    host: str
    pid: int
    hardware: str
    """What decides the last bits of its scores."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, and the warnings that came up on the way."""

    answer: Row | Greeting | Exception
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CalledWorker:
    """A `ganprune.scoring.pool.PoolWorker` that calls a `Worker` somewhere else."""

    start: Callable[[], Future[Reply]]
    score: Callable[[Assignment], Future[Reply]]
    end: Callable[[], object]


class Worker(Silent):
    """Ends with the program that started it. Whatever it raises is a `Reply` too."""

    def __init__(self) -> None:
        keep_freed_memory()
        self._scorer: LocalScorer | None = None
        self._warnings: list[str] = []

    def warn(self, message: str) -> None:
        """Keep a warning for the next reply; see `Reporter.warn`."""
        self._warnings.append(message)

    def start(
        self,
        needed: Mapping[str, str],
        device: str,
        threads: int,
        inputs: bytes,
        files: Mapping[str, bytes] | None = None,
    ) -> Reply:
        """Prepare everything about the originals; answered by a `Greeting`.

        needed: `versions` of the program that started this one. inputs: `packed`. files: what lies in the
        cache of the inputs, where it is not on this machine.
        """

        def prepare() -> Greeting:
            host, pid = socket.gethostname(), os.getpid()
            for package, found in versions().items():
                if found != needed[package]:
                    raise UsageError(
                        f"--set ray: all nodes need {package} {needed[package]}, which is where the search "
                        f"runs, found {found} on {host} (process {pid}); install the same versions everywhere"
                    )
            torch.set_num_threads(threads)
            given: ScoringInputs = pickle.loads(inputs)
            cache, tuner = given.cache, given.tuner
            if tuner is not None:
                tuner = replace(tuner, settings=replace(tuner.settings, device=device))
            with ExitStack() as stack:
                if files is not None:
                    cache = stack.enter_context(scratch_folder())
                    for name, content in files.items():
                        (cache / name).write_bytes(content)
                settings = replace(given.settings, device=device)
                here = replace(given, settings=settings, tuner=tuner, cache=cache)
                self._scorer = LocalScorer(here, reporter=self)
            return Greeting(host, pid, hardware(device))

        return self._reply(prepare)

    def score(self, task: Assignment) -> Reply:
        """Answered by a `Row`."""

        def compute() -> Row:
            assert self._scorer is not None
            ((_, row),) = self._scorer.computed(task.side, [task.key], [task.key], task.partner)
            return row

        return self._reply(compute)

    def _reply(self, work: Callable[[], Row | Greeting]) -> Reply:
        try:
            answer: Row | Greeting | Exception = work()
        except Exception as error:
            answer = portable(error, "a worker")
        warnings, self._warnings = tuple(self._warnings), []
        return Reply(answer, warnings)


def packed(inputs: ScoringInputs) -> bytes:
    """What workers are given. It carries the pictures to fine-tune on, and modules of the user's own."""
    if inputs.tuner is not None:
        inputs.tuner.read()
    return cloudpickle.dumps(inputs)


def versions() -> dict[str, str]:
    """Of what computes scores. All workers must have those of the program that started them."""
    return {"ganprune": version_of("ganprune", "unknown"), "torch": torch.__version__.partition("+")[0]}


def hardware(device: str) -> str:
    """The model of the GPU, or the CPU with the instructions that PyTorch uses of it; PyTorch's build."""
    kind: Any = f"{cpu_model()} with {torch.backends.cpu.get_cpu_capability()}"
    if device.startswith("cuda"):
        kind = torch.cuda.get_device_name(device)
    return f"{kind}, PyTorch {torch.__version__}"
