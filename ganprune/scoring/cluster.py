"""An existing Ray cluster: how to join it, and how many workers it has room for.

Ray is imported here alone, once it is asked for (``pip install ganprune[ray]``).
"""

import importlib
import os
import re
import signal
import socket
import threading
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ganprune.errors import UsageError
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
