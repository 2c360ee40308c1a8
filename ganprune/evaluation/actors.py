"""Scores computed by the nodes of a Ray cluster; see `ganprune.evaluation.spread`."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import cloudpickle
from torch import Tensor, nn

from ganprune.errors import GanpruneError, UsageError
from ganprune.evaluation.actor import Actor, Files, Greeting, Reply, versions
from ganprune.evaluation.cluster import MOST_ACTORS, checked_room, joined, room
from ganprune.evaluation.interface import Domain
from ganprune.evaluation.local import EvaluationSettings
from ganprune.evaluation.schedule import Member
from ganprune.evaluation.serving import Inputs, Request, Row
from ganprune.evaluation.spread import SpreadEvaluator
from ganprune.evaluation.tuning import FineTuner
from ganprune.pruning.genome import Layout
from ganprune.reporting import SILENT, Reporter
from ganprune.storage.files import write_atomically


class RayEvaluator(SpreadEvaluator):
    """An `Evaluator` that spreads its work over a Ray cluster. Close it, or use it as a context manager."""

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
        address: str,
        workers: int | None = None,
        threads: int = 1,
    ) -> None:
        """Join the cluster at ``address``, see `checked_address`, and wait for the first worker.

        The first nine arguments are those of `LocalEvaluator`, and so are the errors; all of them travel, so
        nodes need no files. workers: how many at most; None: as many as there is room for, now and later.
        threads: CPU threads of each, which also takes so many CPUs of its node; on CUDA each takes a GPU.

        Raises `UsageError` where the cluster cannot be joined, has no room or other versions, and
        `GanpruneError` where no worker can be started.
        """
        if tuner is not None:
            tuner.read()
        inputs = Inputs(dict(generators), dict(judges), dict(layouts), dict(pictures), tuner, None)
        self._actors = Actors(
            address, settings, inputs, cache, reporter, most=workers or MOST_ACTORS, threads=threads
        )
        super().__init__(self._actors, settings, on_scored, lasting=tuner is None)

    @property
    def workers(self) -> int:
        """Workers that are ready now."""
        return len(self._actors.members())

    def wait_for(self, workers: int, seconds: float) -> bool:
        """Wait until so many workers are ready; False: they were not within ``seconds``."""
        end = time.monotonic() + seconds
        while self.workers < workers and time.monotonic() < end:
            self.schedule.settle()
        return self.workers >= workers


class RayWorker(Member):
    """The driver's handle of one `Actor`."""

    def __init__(self, actor: Any) -> None:
        super().__init__()
        self.actor = actor
        self.name = "a worker that has not come up"
        self.starting, self.ready = False, False


class Actors:
    """A `Crew` of Ray actors, which come and go with the cluster's nodes."""

    patience = 2.0
    clock = staticmethod(time.monotonic)
    every = 2.0
    """Seconds between two looks at the cluster."""
    most_waiting = 300.0
    """Seconds without any worker after which a search is given up.

    Also those that the first worker may take for the originals' pictures before another computes them too.
    """

    def __init__(
        self,
        address: str,
        settings: EvaluationSettings,
        inputs: Inputs,
        cache: Path | None,
        reporter: Reporter,
        *,
        most: int,
        threads: int,
    ) -> None:
        device = "cuda" if settings.device.startswith("cuda") else settings.device
        self._settings, self._threads, self._most = replace(settings, device=device), threads, most
        self._address, self._cache, self._reporter = address, cache, reporter
        self._workers: list[RayWorker] = []
        self._calls = dict[Any, tuple[RayWorker, str]]()
        """What is under way: reference → who, and which call."""
        self._waiting: list[RayWorker] = []
        """Those who could start, but for the originals' pictures that the first one computes."""
        self._first_began = 0.0
        self._hardware, self._told = set[str](), False
        self._looked, self._alone = -self.every, self.clock()
        self._stack = ExitStack()
        try:
            self._ray = self._stack.enter_context(joined(address))
            found = checked_room(self._ray, device, threads)
            share = {"num_gpus": 1, "num_cpus": 0} if device == "cuda" else {"num_cpus": threads}
            self._class = self._ray.remote(max_restarts=0, **share)(Actor)
            self._inputs = self._ray.put(cloudpickle.dumps(inputs))
            self._files = self._ray.put(files) if (files := self._known_files(inputs)) else None
            reporter.info(
                f"Ray cluster of {found.nodes} nodes: up to {min(found.workers, most)} workers on {device}"
            )
            while not self.members():
                self.answers(None)
        except BaseException:
            self.close()
            raise

    def members(self) -> Sequence[RayWorker]:
        """See `Crew.members`; looks every two seconds whether there is room for more."""
        if self.clock() - self._looked >= self.every:
            self._looked = self.clock()
            wanted = min(self._most, room(self._ray, self._settings.device, self._threads).workers)
            for _ in range(wanted - len(self._workers)):
                worker = RayWorker(self._class.remote())
                self._workers.append(worker)
                self._call(worker, "hello", self._settings.device)
            self._start_those_waiting()
        return [worker for worker in self._workers if worker.ready]

    def send(self, member: RayWorker, task: Request) -> None:
        """See `Crew.send`."""
        self._call(member, "score", task)

    def answers(self, seconds: float | None) -> Sequence[tuple[RayWorker, list[Row] | None]]:
        """See `Crew.answers`. Raises `GanpruneError` where there was no worker for five minutes."""
        self._check_alone()
        timeout = min(self.every / 2, self.every if seconds is None else seconds)
        if not self._calls:
            time.sleep(timeout)
            return []
        done, rest = self._ray.wait(list(self._calls), timeout=timeout)
        if done and rest:
            done += self._ray.wait(rest, num_returns=len(rest), timeout=0)[0]
        found: list[tuple[RayWorker, list[Row] | None]] = []
        for reference in done:
            worker, call = self._calls.pop(reference)
            try:
                answer = self._ray.get(reference)
            except self._ray.exceptions.RayError as error:
                self._bury(worker, error)
                found += [(worker, None)] if call == "score" else []
                continue
            if call == "hello":
                self._greet(worker, answer)
            elif call == "start":
                self._begin(worker, self._opened(worker, answer))
            else:
                found.append((worker, self._opened(worker, answer)))
        return found

    def close(self) -> None:
        """See `Crew.close`. Leaves the cluster as it was."""
        for worker in self._workers:
            self._kill(worker)
        self._workers.clear()
        self._calls.clear()
        self._stack.close()

    def _call(self, worker: RayWorker, name: str, *arguments: Any) -> None:
        self._calls[getattr(worker.actor, name).remote(*arguments)] = worker, name

    def _greet(self, worker: RayWorker, greeting: Greeting) -> None:
        worker.name, ours = greeting.place, versions()
        for package, theirs in greeting.versions.items():
            if theirs != ours[package]:
                raise UsageError(
                    f"--ray: all nodes need {package} {ours[package]}, which is here, found {theirs} on "
                    f"{worker.name}; install the same versions everywhere"
                )
        self._hardware.add(greeting.hardware)
        if len(self._hardware) > 1 and not self._told:
            self._told = True
            self._reporter.warn(
                f"workers on unlike hardware ({'; '.join(sorted(self._hardware))}): the last digits of a "
                "score depend on which of them computes it, so a search may not repeat bit for bit"
            )
        self._waiting.append(worker)
        self._start_those_waiting()

    def _start_those_waiting(self) -> None:
        """All, or, where nobody has the originals' pictures yet and nobody computes them, the first."""
        chosen = self._waiting[:]
        if self._files is None:
            now, busy = self.clock(), any(call == "start" for _, call in self._calls.values())
            if busy and now - self._first_began < self.most_waiting:
                return
            self._first_began, chosen = now, self._waiting[:1]
        del self._waiting[: len(chosen)]
        for worker in chosen:
            worker.starting = True
            files = {} if self._files is None else self._files
            self._call(worker, "start", self._settings, self._threads, self._inputs, files)

    def _begin(self, worker: RayWorker, files: Files) -> None:
        """A worker is ready, and had to compute these files."""
        worker.ready = True
        if files or self._files is None:
            known = {} if self._files is None else self._ray.get(self._files)
            self._files = self._ray.put(known | files)
            for name, data in files.items() if self._cache is not None else ():
                write_atomically(self._cache / name, data, over="any")  # pyright: ignore[reportOptionalOperand]
        self._start_those_waiting()

    def _known_files(self, inputs: Inputs) -> Files:
        """What an earlier start of the run has left, if it is complete; workers check whether it fits."""
        paths = (
            [self._cache / f"original_{side}.safetensors" for side in inputs.layouts] if self._cache else []
        )
        return {path.name: path.read_bytes() for path in paths} if all(p.is_file() for p in paths) else {}

    def _opened(self, worker: RayWorker, reply: Reply) -> Any:
        for message in reply.warnings:
            self._reporter.warn(f"{worker.name}: {message}")
        if isinstance(reply.answer, Exception):
            raise reply.answer
        return reply.answer

    def _bury(self, worker: RayWorker, error: Exception) -> None:
        """A worker died; one that could not even be made says that no other can."""
        if not is_death(self._ray, error):
            lines = [line.strip() for line in str(error).splitlines() if line.strip()]
            raise GanpruneError(
                f"--ray: a worker could not be started ({lines[-1][:200]}); every node needs ganprune and "
                "its dependencies in the Python that `ray start` ran in"
            )
        self._kill(worker)
        self._workers.remove(worker)
        if worker in self._waiting:
            self._waiting.remove(worker)
        self._reporter.warn(f"lost {worker.name}; what it was computing is computed again")
        self._start_those_waiting()

    def _kill(self, worker: RayWorker) -> None:
        with suppress(Exception):  # it is dead, or Ray is
            self._ray.kill(worker.actor)

    def _check_alone(self) -> None:
        if any(worker.starting for worker in self._workers):
            self._alone = self.clock()
        elif self.clock() - self._alone > self.most_waiting:
            found = room(self._ray, self._settings.device, self._threads)
            free = self._ray.available_resources()
            raise GanpruneError(
                f"--ray {self._address}: no worker for {self.most_waiting:.0f} s; the cluster has "
                f"{found.nodes} nodes, {found.cpus} CPUs ({free.get('CPU', 0):g} free) and {found.gpus} GPUs "
                f"({free.get('GPU', 0):g} free); run again to go on once there is room"
            )


def is_death(ray: Any, error: Exception) -> bool:
    """Whether Ray tells of a worker that lived: it was killed, for lack of memory too, or its node is lost.

    The others are of workers that could not be made.
    """
    e = ray.exceptions
    deaths = (e.RayActorError, e.OutOfMemoryError, e.ObjectLostError, e.NodeDiedError, e.WorkerCrashedError)
    return isinstance(error, deaths) and not getattr(error, "actor_init_failed", False)
