"""Scores computed by several processes, each with a `LocalEvaluator` of its own.

The calling process keeps every score and hands out what is missing, one individual at a time and the largest
first, to whichever worker is free. A genome that meets a new partner goes where its translated pictures still
are. Where and when something was computed never shows: the result equals that of a `LocalEvaluator` with the
same settings and as many threads as each worker has, bit for bit.
"""

import os
import pickle
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from multiprocessing.connection import wait
from pathlib import Path
from typing import Self

import torch
from torch import Tensor

from ganprune.errors import UsageError
from ganprune.evaluation.interface import SIDES, Scores, Side
from ganprune.evaluation.local import EvaluationSettings
from ganprune.evaluation.tuning import FineTuner
from ganprune.evaluation.worker import Inputs, Row, Start, Task, Worker
from ganprune.genome import Layout, genome_key
from ganprune.networks import Discriminator, Generator

MOST_WORKERS = 64
"""More would only bring the machine down."""


class WorkersEvaluator:
    """An `Evaluator` that spreads its work over processes. Close it, or use it as a context manager."""

    def __init__(
        self,
        generators: Mapping[Side, Generator],
        judges: Mapping[Side, Discriminator],
        layouts: Mapping[Side, Layout],
        pictures: Mapping[Side, Tensor],
        settings: EvaluationSettings,
        on_scored: Callable[[], object] = lambda: None,
        tuner: FineTuner | None = None,
        cache: Path | None = None,
        *,
        workers: int,
        threads: int,
    ) -> None:
        """Start the processes and wait until each has computed all about the originals.

        The first eight arguments are those of `LocalEvaluator`, and so are the errors. workers: number of
        processes; `worker_devices` says what each computes on. threads: CPU threads of each.
        """
        if os.name != "posix":
            raise UsageError(f"--workers needs Linux or macOS, found {sys.platform}; leave it out")
        self.settings, self._on_scored = settings, on_scored
        self.evaluations = 0
        """Number of slim networks run so far: new genomes, and known genomes with a new partner."""
        self._known: dict[Side, dict[tuple[bytes, bytes], Row]] = {side: {} for side in SIDES}
        """By the keys of a genome and of its partner, see `Task`."""
        self._identities: dict[Side, dict[bytes, float]] = {side: {} for side in SIDES}
        """L_idt by genome; of fine-tuned ones by genome and partner."""
        self._lasting = tuner is None
        """Whether a genome translates alike beside every partner."""
        inputs = Inputs(dict(generators), dict(judges), dict(layouts), dict(pictures), tuner, cache)
        self._workers: list[Worker] = []
        try:
            devices = worker_devices(settings.device, workers)
            for i, device in enumerate(devices, 1):
                self._workers.append(Worker(f"worker {i} of {workers} on {device}"))
            common = pickle.dumps(inputs)
            for worker, device in zip(self._workers, devices, strict=True):
                worker.send(Start(replace(settings, device=device), threads, common))
            for worker in self._workers:
                worker.receive()
        except BaseException:
            self.close()
            raise

    @property
    def pids(self) -> tuple[int, ...]:
        """Process ids of the workers; none once they are closed."""
        return tuple(worker.pid for worker in self._workers)

    def close(self) -> None:
        """End all workers at once. May be called again."""
        for worker in self._workers:
            worker.close()
        self._workers.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def score(self, side: Side, genomes: Tensor, partner: Tensor | None, *, identity: bool = False) -> Scores:
        """See `Evaluator.score`. Raises `GanpruneError` where a worker has died.

        After any error, Ctrl-C too, the workers are closed.
        """
        if not self._workers:
            raise RuntimeError("the workers are closed")
        goal = b"" if partner is None else genome_key(partner)
        keys = [genome_key(genome) for genome in genomes]
        known, identities = self._known[side], self._identities[side]
        names = {key: key if self._lasting else key + goal for key in keys}
        count = Counter(keys)
        missing = [
            key for key in count if (key, goal) not in known or (identity and names[key] not in identities)
        ]
        try:
            self._advance(sum(n for key, n in count.items() if key not in missing))
            for key, row in self._computed(side, missing, count, goal, identity):
                known[key, goal] = row
                if identity:
                    identities[names[key]] = row[3]
                self.evaluations += 1
                self._advance(count[key])
        except BaseException:
            self.close()
            raise
        rows = [(*known[key, goal][:3], identities[names[key]] if identity else 0.0) for key in keys]
        return Scores(*torch.tensor(rows, dtype=torch.float64).unbind(1))

    def _computed(
        self,
        side: Side,
        missing: Collection[bytes],
        population: Collection[bytes],
        partner: bytes,
        identity: bool,
    ) -> Iterator[tuple[bytes, Row]]:
        """Have scores computed; yields each as soon as it is there.

        An evaluator keeps the pictures of the last genomes that it was given. So every task names again what
        its worker has done in this call or earlier, as far as that costs nothing, and then what is wanted.
        """
        home = {key: worker for worker in self._workers for key in worker.held[side] if key in missing}
        new = sorted((key for key in missing if key not in home), key=_filters)
        done = dict[Worker, list[bytes]]()
        busy = dict[object, tuple[Worker, list[bytes]]]()

        def assign(worker: Worker, wanted: list[bytes]) -> None:
            worker.send(Task(side, (*done[worker], *wanted), partner, identity))
            busy[worker.connection] = worker, wanted
            done[worker] += wanted
            if self._lasting:
                held = worker.held[side]
                worker.held[side] = {key: held.get(key, frozenset()) | {partner} for key in done[worker]}

        for worker in self._workers:
            held = worker.held[side]
            done[worker] = [key for key in population if partner in held.get(key, ()) and key not in missing]
            wanted = [key for key in held if home.get(key) is worker]
            if wanted or new:
                assign(worker, wanted or [new.pop()])
        while busy:
            for connection in wait(list(busy)):  # pyright: ignore[reportArgumentType]
                worker, wanted = busy.pop(connection)
                rows = worker.receive()
                if new:
                    assign(worker, [new.pop()])
                yield from zip(wanted, rows[-len(wanted) :], strict=True)

    def _advance(self, individuals: int) -> None:
        for _ in range(individuals):
            self._on_scored()


def worker_devices(device: str, workers: int) -> tuple[str, ...]:
    """What each worker computes on: the same device, but for ``cuda`` all that are alike, in turn."""
    if device != "cuda":
        return (device,) * workers
    names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    alike = [f"cuda:{i}" for i, name in enumerate(names) if name == names[0]]
    return tuple(alike[i % len(alike)] for i in range(workers))


def _filters(key: bytes) -> int:
    """Number of filters that a genome keeps."""
    return int.from_bytes(key, "big").bit_count()
