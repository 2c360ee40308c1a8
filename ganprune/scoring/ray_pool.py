"""A pool of actors on the nodes of a Ray cluster, which come and go with them."""

import time
from collections.abc import Collection
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from ganprune.errors import GanpruneError
from ganprune.reporting import SILENT, Reporter
from ganprune.scoring.cluster import checked_room, joined, room
from ganprune.scoring.local import ScoringInputs
from ganprune.scoring.worker import Assignment, Reply, Worker, packed, versions
from ganprune.settings.words import MOST_ACTORS


class RayPool:
    """A `Pool` of a cluster. The inputs travel once to each node, so nodes need no files."""

    patience = 2.0
    clock = staticmethod(time.monotonic)
    every = 2.0
    """Seconds between two looks at the cluster."""
    most_waiting = 300.0
    """Seconds without any worker after which a search is given up."""

    def __init__(
        self,
        inputs: ScoringInputs,
        address: str,
        *,
        workers: int | None = None,
        threads: int = 1,
        reporter: Reporter = SILENT,
    ) -> None:
        """Join the cluster at ``address``, see `ganprune.scoring.cluster.checked_address`.

        workers: how many at most; None: as many as there is room for, now and later. threads: CPU threads of
        each, which also takes so many CPUs of its node; on CUDA each takes a GPU. Raises `UsageError` where
        the cluster cannot be joined, or has no room.
        """
        self._device = device = (
            "cuda" if inputs.settings.device.startswith("cuda") else inputs.settings.device
        )
        self._address, self._most, self._threads = address, workers or MOST_ACTORS, threads
        self._looked, self._seen, self._alone = -self.every, 0, self.clock()
        self._stack = ExitStack()
        try:
            self._ray = self._stack.enter_context(joined(address))
            found = checked_room(self._ray, device, threads)
            share = {"num_gpus": 1, "num_cpus": 0} if device == "cuda" else {"num_cpus": threads}
            self._class = self._ray.remote(max_restarts=0, **share)(Worker)
            given, files = self._ray.put(packed(inputs)), self._ray.put(_kept(inputs.cache))
            self._start = (versions(), device, threads, given, files)
        except BaseException:
            self.close()
            raise
        reporter.info(
            f"Ray cluster of {found.nodes} nodes: up to {min(found.workers, self._most)} workers on {device}"
        )

    def room(self, ready: int) -> int:
        """See `Pool.room`; looks at the cluster every two seconds."""
        now = self.clock()
        if ready:
            self._alone = now
        if now - self._alone > self.most_waiting:
            found, free = room(self._ray, self._device, self._threads), self._ray.available_resources()
            raise GanpruneError(
                f"--set ray={self._address}: no worker for {self.most_waiting:.0f} s; the cluster has "
                f"{found.nodes} nodes, {found.cpus} CPUs ({free.get('CPU', 0):g} free) and {found.gpus} GPUs "
                f"({free.get('GPU', 0):g} free); run again to go on once there is room"
            )
        if now - self._looked >= self.every:
            self._looked = now
            self._seen = min(self._most, room(self._ray, self._device, self._threads).workers)
        return self._seen

    def worker(self, slot: int) -> "RayWorker":
        """See `Pool.worker`."""
        del slot
        return RayWorker(self._ray, self._class.remote(), self._start)

    def failure(self, error: Exception) -> Exception | None:
        """See `Pool.failure`. A worker that could not even be made says that no other can."""
        if is_death(self._ray, error):
            return None
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        return GanpruneError(
            f"--set ray: a worker could not be started ({lines[-1][:200]}); every node needs ganprune and "
            "its dependencies in the Python that `ray start` ran in"
        )

    def wait(self, calls: Collection[Future[Reply]], seconds: float | None) -> Collection[Future[Reply]]:
        """See `Pool.wait`; never so long that nodes which come go unnoticed."""
        most = self.every if seconds is None else min(seconds, self.every)
        if not calls:
            time.sleep(most)
        return wait(calls, most, FIRST_COMPLETED).done

    def close(self) -> None:
        """See `Pool.close`. Leaves the cluster as it was."""
        self._stack.close()


class RayWorker:
    """A `PoolWorker` that is a Ray actor."""

    def __init__(self, ray: Any, actor: Any, given: tuple[Any, ...]) -> None:
        self._ray, self._actor, self._given = ray, actor, given

    def start(self) -> Future[Reply]:
        """See `PoolWorker.start`."""
        return self._actor.start.remote(*self._given).future()

    def score(self, task: Assignment) -> Future[Reply]:
        """See `PoolWorker.score`."""
        return self._actor.score.remote(task).future()

    def end(self) -> None:
        """See `PoolWorker.end`."""
        with suppress(Exception):  # it is dead, or Ray is
            self._ray.kill(self._actor)


def _kept(cache: Path | None) -> dict[str, bytes]:
    """What workers read of a cache; they check whether it fits, and compute the rest."""
    paths = [path for kind in ("original", "grams") for path in (cache.glob(f"{kind}_*") if cache else ())]
    return {path.name: path.read_bytes() for path in paths}


def is_death(ray: Any, error: Exception) -> bool:
    """Whether Ray tells of a worker that lived: it was killed, for lack of memory too, or its node is lost.

    The others are of workers that could not be made.
    """
    e = ray.exceptions
    deaths = (e.RayActorError, e.OutOfMemoryError, e.ObjectLostError, e.NodeDiedError, e.WorkerCrashedError)
    return isinstance(error, deaths) and not getattr(error, "actor_init_failed", False)
