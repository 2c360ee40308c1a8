"""A pool of processes on this machine."""

import os
import sys
import time
from collections.abc import Collection
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait
from functools import cache, partial

import torch

from ganprune.errors import UsageError
from ganprune.scoring.local import ScoringInputs
from ganprune.scoring.worker import CalledWorker, Reply, Worker, packed, versions
from ganprune.system.children import ChildProcess


class ProcessPool:
    """A `Pool` of as many processes, whichever die. They share one machine, so none is late."""

    patience = None
    clock = staticmethod(time.monotonic)

    def __init__(self, inputs: ScoringInputs, *, workers: int, threads: int) -> None:
        """workers: number of processes; `worker_devices` says what each computes on. threads: of each."""
        if os.name != "posix":
            raise UsageError(f"--workers needs Linux or macOS, found {sys.platform}; leave it out")
        self._inputs, self._threads = inputs, threads
        self._devices = worker_devices(inputs.settings.device, workers)

    def room(self, ready: int) -> int:
        """See `Pool.room`."""
        del ready
        return len(self._devices)

    def worker(self, slot: int) -> CalledWorker:
        """See `Pool.worker`."""
        process, device = ChildProcess(), self._devices[slot]

        def start() -> Future[Reply]:
            return process.submit(_call, "start", versions(), device, self._threads, packed(self._inputs))

        return CalledWorker(start, partial(process.submit, _call, "score"), process.close)

    def failure(self, error: Exception) -> Exception | None:
        """See `Pool.failure`."""
        return None if isinstance(error, BrokenExecutor) else error

    def wait(self, calls: Collection[Future[Reply]], seconds: float | None) -> Collection[Future[Reply]]:
        """See `Pool.wait`."""
        return wait(calls, seconds, FIRST_COMPLETED).done

    def close(self) -> None:
        """See `Pool.close`."""


@cache
def _own_worker() -> Worker:
    """The worker of this process."""
    return Worker()


def _call(name: str, *given: object) -> Reply:
    """In a worker's process."""
    return getattr(_own_worker(), name)(*given)


def worker_devices(device: str, workers: int) -> tuple[str, ...]:
    """What each worker computes on: the same device, but for ``cuda`` all that are alike, in turn."""
    if device != "cuda":
        return (device,) * workers
    names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    alike = [f"cuda:{i}" for i, name in enumerate(names) if name == names[0]]
    return tuple(alike[i % len(alike)] for i in range(workers))
