"""Ray clusters on this machine, for tests and benchmarks."""

import os
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from filelock import FileLock

STARTING = 240
"""Seconds that a node or a worker may take to start; Ray's own 30 are too few where all cores are busy."""
PATIENT = {
    "RAY_agent_register_timeout_ms": str(1000 * STARTING),
    "RAY_worker_register_timeout_seconds": str(STARTING),
    "RAY_raylet_start_wait_time_s": str(STARTING),
    "RAY_enable_worker_prestart": "0",
    "RAY_prestart_worker_first_driver": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
}
"""Of the environment that nodes are started in: time enough, and no processes that nobody asked for."""


def patient(get_node: Callable[..., Any]) -> Callable[..., Any]:
    """Ray asks once whether a new node is there, and again, for half a minute; this asks for longer."""

    def ask(*words: Any, **more: Any) -> Any:
        end = time.monotonic() + STARTING
        while True:
            try:
                return get_node(*words, **more)
            except RuntimeError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.2)

    return ask


def add_node(cluster: Any, cpus: int) -> Any:
    """One more node of a `ray.cluster_utils.Cluster`."""
    from ray._private import services  # pyright: ignore[reportMissingImports]

    with patch.dict(os.environ, PATIENT), patch.object(services, "get_node", patient(services.get_node)):
        return cluster.add_node(num_cpus=cpus, object_store_memory=96 << 20, include_dashboard=False)


@contextmanager
def cluster_of(*cpus: int) -> Generator[Any]:
    """A `ray.cluster_utils.Cluster` with a node for each number of CPUs; the first is the head.

    One at a time on a machine, whatever number of processes test: two would contend for ports and memory.
    """
    from ray.cluster_utils import Cluster  # pyright: ignore[reportMissingImports]

    with FileLock(Path(tempfile.gettempdir(), "ganprune-tests-ray.lock")):
        cluster = Cluster()
        try:
            for number in cpus:
                add_node(cluster, number)
            yield cluster
        finally:
            cluster.shutdown()


needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason='needs Ray: pip install "ganprune[ray]"')
QUIET = (
    "ignore:Tip. In future versions of Ray:FutureWarning",
    "ignore:.*subprocess .* is still running:ResourceWarning",
    "ignore:unclosed (file|socket):ResourceWarning",
)
"""Warnings that Ray itself gives while it starts and ends."""
