"""Which clusters can be joined, and what is said of others; none of this needs one, or Ray."""

import socket
import sys
from types import SimpleNamespace

import pytest

from ganprune.errors import UsageError
from ganprune.scoring import cluster_workers
from ganprune.scoring.cluster import checked_room, is_death, joined, room
from ganprune.settings import CompressSettings, ComputeSettings
from ganprune.stages import Resolved
from tests.scoring.ray_kit import needs_ray


@pytest.mark.parametrize("address", ["auto", "10.0.0.1:6379", "head.local:6379", "[fe80::1]:6379"])
def test_addresses_of_clusters_are_taken(address: str) -> None:
    assert ComputeSettings(ray=address).ray == address


@pytest.mark.parametrize("address", ["", "head", "head:", "http://head:6379", "10.0.0.1:6379 ", "a b:1"])
def test_other_addresses_are_refused(address: str) -> None:
    with pytest.raises(UsageError, match="--set ray must be auto or HOST:PORT of a cluster's head node"):
        ComputeSettings(ray=address)


def test_ray_client_is_refused_with_what_to_do_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    told = "is the address of a Ray client.*run ganprune on a node of the cluster and give --set ray=auto"
    with pytest.raises(UsageError, match=told):
        ComputeSettings(ray="ray://head:10001")
    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(is_initialized=lambda: False))
    monkeypatch.setitem(sys.modules, "ray._private.worker", SimpleNamespace())
    monkeypatch.setenv("RAY_ADDRESS", "ray://head:10001")
    with pytest.raises(UsageError, match=told), joined("auto"):
        pass


def test_workers_of_a_cluster_may_be_more_than_those_of_one_machine() -> None:
    assert ComputeSettings(ray="auto", workers=256).workers == 256
    with pytest.raises(UsageError, match="--workers must be 1 to 4096, found 5000"):
        ComputeSettings(ray="auto", workers=5000)


def test_ray_is_spelled_in_flat_settings_and_gives_each_worker_one_thread() -> None:
    assert CompressSettings().to_flat()["ray"] == "none"
    settings = CompressSettings.from_flat({"ray": "10.0.0.1:6379", "device": "cpu"})
    assert settings.to_flat()["ray"] == "10.0.0.1:6379"
    assert Resolved.of(settings.compute) == Resolved.of(ComputeSettings("cpu", workers=1))
    assert Resolved.of(settings.compute).scoring_threads == 1


def test_missing_ray_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match=r'pip install "ganprune\[ray\]"'):
        cluster_workers("auto", "cpu", 1, None)


@needs_ray
def test_head_that_does_not_answer_is_told_at_once() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        told = f"--set ray=127.0.0.1:{port}: nothing answers there .* `ray start --head --port={port}`"
        with pytest.raises(UsageError, match=told):
            cluster_workers(f"127.0.0.1:{port}", "cpu", 1, None)


@needs_ray
def test_other_versions_of_python_or_ray_are_told_in_rays_words(monkeypatch: pytest.MonkeyPatch) -> None:
    import ray  # pyright: ignore[reportMissingImports]

    def init(**_: object) -> None:
        raise RuntimeError(
            "Version mismatch: The cluster was started with:\n    Ray: 9.0.0\n    Python: 3.9.1"
        )

    monkeypatch.setattr(ray, "init", init)
    monkeypatch.setenv("RAY_ADDRESS", "")
    told = (
        r"could not be joined \(Version mismatch: .* Ray: 9.0.0 Python: 3.9.1\); .* same versions of Python"
    )
    with pytest.raises(UsageError, match=told) as caught:
        cluster_workers("auto", "cpu", 1, None)
    assert caught.value.exit_code == 2


@needs_ray
def test_no_cluster_says_how_to_start_one(monkeypatch: pytest.MonkeyPatch) -> None:
    import ray  # pyright: ignore[reportMissingImports]

    def init(**_: object) -> None:
        raise ConnectionError("Could not find any running Ray instance")

    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(ray, "init", init)
    with pytest.raises(
        UsageError, match="found none on this machine; start one here with `ray start --head`"
    ):
        cluster_workers("auto", "cpu", 1, None)


def cluster(*nodes: dict[str, float]) -> SimpleNamespace:
    """A stand-in for Ray with alive nodes of these resources, and a dead one."""
    dead = {"Alive": False, "Resources": {"CPU": 64.0, "GPU": 8.0}}
    return SimpleNamespace(nodes=lambda: [dead, *({"Alive": True, "Resources": node} for node in nodes)])


def test_workers_are_counted_node_by_node() -> None:
    ray = cluster({"CPU": 4.0}, {"CPU": 7.0, "GPU": 2.0}, {"GPU": 1.0}, {})
    assert [room(ray, "cpu", threads).workers for threads in (1, 2, 3, 4, 5, 8)] == [11, 5, 3, 2, 1, 0]
    assert room(ray, "cuda:1", 4).workers == 3
    found = room(ray, "cpu", 1)
    assert (found.nodes, found.cpus, found.gpus) == (4, 11, 3)


def test_cluster_without_room_says_what_a_worker_needs() -> None:
    with pytest.raises(UsageError, match="a worker needs a GPU, found 1 nodes with 4 CPUs and 0 GPUs in all"):
        checked_room(cluster({"CPU": 4.0}), "cuda", 1)
    with pytest.raises(UsageError, match="a worker needs 3 CPUs of one node, found 2 nodes with 4 CPUs"):
        checked_room(cluster({"CPU": 2.0}, {"CPU": 2.0}), "cpu", 3)


@needs_ray
def test_workers_that_were_killed_are_told_from_those_that_could_not_be_made() -> None:
    import ray
    from ray import exceptions as e

    deaths = (
        e.ActorDiedError(), e.OutOfMemoryError("memory"), e.ObjectLostError("0" * 56, None, ""),
        e.NodeDiedError("node"), e.WorkerCrashedError(),
    )  # fmt: skip
    assert all(is_death(ray, error) for error in deaths)
    assert not is_death(ray, e.ActorUnschedulableError("no room"))
    assert not is_death(ray, e.RayActorError(actor_init_failed=True))
