"""Scores computed by several processes of this machine; see `ganprune.evaluation.spread`."""

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from multiprocessing.connection import wait
from pathlib import Path

import cloudpickle
import torch
from torch import Tensor, nn

from ganprune.errors import UsageError
from ganprune.evaluation.interface import Domain
from ganprune.evaluation.local import EvaluationSettings
from ganprune.evaluation.serving import Inputs, Request, Row, Start
from ganprune.evaluation.spread import SpreadEvaluator
from ganprune.evaluation.tuning import FineTuner
from ganprune.evaluation.worker import Worker
from ganprune.pruning.genome import Layout
from ganprune.reporting import SILENT, Reporter

MOST_WORKERS = 64
"""More would only bring the machine down."""


class WorkersEvaluator(SpreadEvaluator):
    """An `Evaluator` that spreads its work over processes. Close it, or use it as a context manager."""

    def __init__(
        self,
        generators: Mapping[Domain, nn.Module],
        judges: Mapping[Domain, nn.Module],
        layouts: Mapping[Domain, Layout],
        pictures: Mapping[Domain, Tensor],
        settings: EvaluationSettings,
        on_scored: Callable[[], object] = lambda: None,
        tuner: FineTuner | None = None,
        cache: Path | None = None,
        reporter: Reporter = SILENT,
        *,
        workers: int,
        threads: int,
    ) -> None:
        """Start the processes and wait until each has computed all about the originals.

        The first nine arguments are those of `LocalEvaluator`, and so are the errors. workers: number of
        processes; `worker_devices` says what each computes on. threads: CPU threads of each.
        """
        if os.name != "posix":
            raise UsageError(f"--workers needs Linux or macOS, found {sys.platform}; leave it out")
        inputs = Inputs(dict(generators), dict(judges), dict(layouts), dict(pictures), tuner, cache)
        self._processes = _Processes(settings, inputs, workers, threads, reporter)
        super().__init__(self._processes, settings, on_scored, lasting=tuner is None)

    @property
    def pids(self) -> tuple[int, ...]:
        """Process ids of the workers; none once they are closed."""
        return tuple(worker.pid for worker in self._processes.members())


class _Processes:
    """A `Crew` of processes. They share one machine, so none is late; where one dies, all is given up."""

    patience = None
    clock = staticmethod(time.monotonic)

    def __init__(
        self, settings: EvaluationSettings, inputs: Inputs, workers: int, threads: int, reporter: Reporter
    ) -> None:
        self._workers: list[Worker] = []
        self._busy = dict[object, Worker]()
        """By their connections."""
        try:
            devices = worker_devices(settings.device, workers)
            for i, device in enumerate(devices, 1):
                self._workers.append(Worker(f"worker {i} of {workers} on {device}", reporter))
            common = cloudpickle.dumps(inputs)
            for worker, device in zip(self._workers, devices, strict=True):
                worker.send(Start(replace(settings, device=device), threads, common))
            for worker in self._workers:
                worker.receive()
        except BaseException:
            self.close()
            raise

    def members(self) -> Sequence[Worker]:
        return self._workers

    def send(self, member: Worker, task: Request) -> None:
        member.send(task)
        self._busy[member.connection] = member

    def answers(self, seconds: float | None) -> Sequence[tuple[Worker, list[Row] | None]]:
        ready = wait(list(self._busy), seconds)  # pyright: ignore[reportArgumentType]
        workers = [self._busy.pop(connection) for connection in ready]
        return [(worker, worker.receive()) for worker in workers]

    def close(self) -> None:
        for worker in self._workers:
            worker.close()
        self._workers.clear()


def worker_devices(device: str, workers: int) -> tuple[str, ...]:
    """What each worker computes on: the same device, but for ``cuda`` all that are alike, in turn."""
    if device != "cuda":
        return (device,) * workers
    names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    alike = [f"cuda:{i}" for i, name in enumerate(names) if name == names[0]]
    return tuple(alike[i % len(alike)] for i in range(workers))
