"""A pool of actors on the nodes of an existing Ray cluster, which come and go with them; how it is joined.

Ray is imported here alone, once it is asked for (``pip install ganprune[ray]``).
"""

import importlib
import os
import re
import signal
import socket
import threading
import time
import warnings
from collections.abc import Collection, Generator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganprune.errors import GanpruneError, UsageError
from ganprune.reporting import SILENT, Reporter
from ganprune.scoring.local import ScoringInputs
from ganprune.scoring.worker import CalledWorker, Reply, Worker, packed, versions
from ganprune.settings.words import MOST_ACTORS

_HOW = "see docs/cluster.md"
_PROBE = 5.0
"""Seconds that a head node may take to be reached."""


def checked_address(address: str) -> str:
    """Raises `UsageError` unless it is ``auto`` or HOST:PORT."""
    if address.startswith("ray://"):
        raise UsageError(
            f"--set ray={address} is the address of a Ray client, which pictures and networks do not go "
            f"through; run ganprune on a node of the cluster and give --set ray=auto; {_HOW}"
        )
    if address != "auto" and not re.fullmatch(r"[^\s:/]+:\d{1,5}|\[[0-9a-fA-F:]+\]:\d{1,5}", address):
        raise UsageError(
            f"--set ray must be auto or HOST:PORT of a cluster's head node, found {address!r}; {_HOW}"
        )
    return address


@contextmanager
def joined(address: str) -> Generator[Any]:
    """The module ``ray``, connected to a running cluster; one that is connected already stays so afterwards.

    Raises `UsageError` where Ray is not installed, or no cluster is reached from this machine.
    """
    checked_address(address)
    try:
        ray = importlib.import_module("ray")
    except ImportError:
        raise UsageError('--set ray needs Ray, which is not installed: pip install "ganprune[ray]"') from None
    if ray.is_initialized():
        yield ray
        return
    with _hushed():
        _connect(ray, address)
        try:
            yield ray
        finally:
            ray.shutdown()


@contextmanager
def _hushed() -> Generator[None]:
    """Keep Ray from writing what befalls nodes to stdout, where results go; it has no setting for it."""
    worker = importlib.import_module("ray._private.worker")
    write = getattr(worker, "print_to_stdstream", None)
    if write is not None:
        setattr(worker, "print_to_stdstream", _silent)  # noqa: B010
    try:
        yield
    finally:
        if write is not None:
            setattr(worker, "print_to_stdstream", write)  # noqa: B010


def _silent(*_: object, **__: object) -> None:
    pass


def _connect(ray: Any, address: str) -> None:
    default = os.environ.get("RAY_ADDRESS", "")
    if address == "auto" and default not in ("", "auto"):
        checked_address(default)
    if address != "auto":
        _probe(address)
    # Ray sets a handler for SIGTERM that belongs to the whole process.
    main = threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGTERM) if main else None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            ray.init(address=address, log_to_driver=False, logging_level="ERROR")
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        if address == "auto" and isinstance(error, ConnectionError):
            raise UsageError(
                "--set ray=auto needs a running Ray cluster, found none on this machine; start one here with "
                f"`ray start --head`, or join one with `ray start --address=HOST:6379`; {_HOW}"
            ) from None
        line = " ".join(str(error).split())[:200]
        raise UsageError(
            f"--set ray={address}: the cluster could not be joined ({line}); this machine must be one of its "
            f"nodes, of the same versions of Python and Ray: `ray start --address=HOST:6379`; {_HOW}"
        ) from None
    finally:
        if main and handler is not None:
            signal.signal(signal.SIGTERM, handler)


def _probe(address: str) -> None:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_PROBE).close()
    except (OSError, OverflowError) as error:
        raise UsageError(
            f"--set ray={address}: nothing answers there ({error}); on the head node, `ray start --head "
            f"--port={port}` prints the address to give; {_HOW}"
        ) from None


@dataclass(frozen=True, slots=True)
class Room:
    """What a cluster has, whoever uses it now."""

    nodes: int
    cpus: int
    gpus: int
    workers: int
    """How many workers of the wanted kind its nodes can hold."""


def room(ray: Any, device: str, threads: int) -> Room:
    """Count the nodes that are alive: a worker takes ``threads`` CPUs of one node, or a GPU."""
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    cpus = [int(node.get("CPU", 0)) for node in nodes]
    gpus = sum(int(node.get("GPU", 0)) for node in nodes)
    workers = gpus if device.startswith("cuda") else sum(n // threads for n in cpus)
    return Room(len(nodes), sum(cpus), gpus, workers)


def checked_room(ray: Any, device: str, threads: int) -> Room:
    """`room`. Raises `UsageError` where there is none."""
    found = room(ray, device, threads)
    if not found.workers:
        one = (
            "a GPU"
            if device.startswith("cuda")
            else f"{threads} CPUs of one node"
            if threads > 1
            else "a CPU"
        )
        raise UsageError(
            f"--set ray: a worker needs {one}, found {found.nodes} nodes with {found.cpus} CPUs and "
            f"{found.gpus} GPUs in all; add nodes, or give another --device or --threads to a new run"
        )
    return found


def cluster_workers(address: str, device: str, threads: int, most: int | None) -> int:
    """How many workers a search would use now. Raises as `joined` and `checked_room` do."""
    with joined(address) as ray:
        return min(checked_room(ray, device, threads).workers, most or MOST_ACTORS)


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

    def worker(self, slot: int) -> CalledWorker:
        """See `Pool.worker`."""
        del slot
        actor = self._class.remote()

        def end() -> None:
            with suppress(Exception):  # it is dead, or Ray is
                self._ray.kill(actor)

        return CalledWorker(
            lambda: actor.start.remote(*self._start).future(),
            lambda task: actor.score.remote(task).future(),
            end,
        )

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
