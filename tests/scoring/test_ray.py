"""Scores of a Ray cluster against those of one process, and what becomes of the cluster's workers."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from ganprune.errors import GanpruneError, UsageError
from ganprune.scoring import LocalScorer, PoolScorer, RayPool, ScoringInputs
from ganprune.scoring.worker import Reply, Worker
from tests.reliability.kit import Told
from tests.scoring.ray_kit import QUIET, add_node, cluster_of, needs_ray
from tests.scoring.test_local import exactly_equal, genomes_of, partner_of
from tests.scoring.test_processes import calls, gone, same_scores
from tests.scoring.test_tuning import tuned
from tests.tiny import tiny_gan

pytestmark = [needs_ray, *(pytest.mark.filterwarnings(line) for line in QUIET)]


class Nodes:
    """A scorer on a cluster, and what happens to it."""

    def __init__(self, cluster: Any) -> None:
        self.cluster, self.gan, self.told = cluster, tiny_gan(), Told()
        self.strike: Callable[[], object] = lambda: None
        """Done after every individual."""
        pool = RayPool(self.gan.inputs(), cluster.address)
        self.scorer = PoolScorer(pool, lambda: self.strike(), self.told)
        self.local = LocalScorer(self.gan.inputs())

    def once(self, strike: Callable[[], object]) -> None:
        """Do it after the next individual."""

        def struck() -> None:
            self.strike = lambda: None
            strike()

        self.strike = struck

    def check(self, *seeds: int, n: int = 12) -> None:
        """Score populations; the scores are those of one process."""
        for seed in seeds:
            P = genomes_of(self.gan, "A", n, seed)
            assert exactly_equal(self.scorer.score("A", P, None), self.local.score("A", P, None))

    def come_to(self, workers: int) -> None:
        """Go on scoring until there are so many workers."""
        end, seed = time.monotonic() + 240, 1000
        while len(self.scorer.pids) != workers:
            assert time.monotonic() < end, f"there are {len(self.scorer.pids)} workers"
            self.check(seed, n=4)
            seed += 1
            time.sleep(0.1)


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    """Two workers, which all tests of this file share that need no others."""
    with cluster_of(2) as cluster:
        nodes = Nodes(cluster)
        with nodes.scorer:
            yield nodes


@pytest.fixture
def cluster(nodes: Nodes) -> Any:
    """Theirs, with room for other workers."""
    nodes.scorer.close()
    return nodes.cluster


def test_cluster_scores_as_one_process_does(nodes: Nodes) -> None:
    told = list[int]()
    nodes.strike = lambda: told.append(1)
    assert nodes.scorer.wait_for(2, 240)
    same_scores(nodes.scorer, nodes.local, calls(nodes.gan), told)
    assert len(set(nodes.scorer.pids)) == 2


def test_worker_that_is_killed_costs_its_individuals_and_is_replaced(nodes: Nodes) -> None:
    struck = nodes.scorer.pids[0]
    nodes.once(lambda: os.kill(struck, signal.SIGKILL))
    for population in range(101, 121):  # Ray takes its time to say that a worker is gone
        nodes.check(population, n=16)
        if struck not in nodes.scorer.pids:
            break
    assert nodes.scorer.again <= 1
    nodes.come_to(2)
    assert struck not in nodes.scorer.pids
    assert nodes.told.warnings == [
        f"lost {os.uname().nodename} (process {struck}); what it was computing is computed again"
    ]


def test_node_that_dies_and_one_that_joins_change_no_score(
    nodes: Nodes, capsys: pytest.CaptureFixture[str]
) -> None:
    extra = add_node(nodes.cluster, 1)
    nodes.come_to(3)
    lost = len(nodes.told.warnings)
    nodes.once(lambda: nodes.cluster.remove_node(extra, allow_graceful=False))
    nodes.check(201, 202)
    nodes.come_to(2)
    assert "lost" in nodes.told.warnings[lost]
    other = add_node(nodes.cluster, 1)
    nodes.come_to(3)
    nodes.check(203)
    nodes.cluster.remove_node(other)
    assert capsys.readouterr().out == ""  # Ray's own news of the dead node


def test_worker_that_stands_still_is_worked_around(nodes: Nodes) -> None:
    """As a node does whose network breaks, until Ray declares it dead."""
    nodes.come_to(2)
    again, struck = nodes.scorer.again, nodes.scorer.pids[0]
    nodes.once(lambda: os.kill(struck, signal.SIGSTOP))
    nodes.check(301, 302)
    assert nodes.scorer.again == again
    nodes.scorer.close()
    assert gone((struck,), 120)
    with pytest.raises(RuntimeError, match="the workers are closed"):
        nodes.check(303)


class Reading(Worker):
    """Fails where it would have to compute what the originals make of the pictures."""

    def start(self, *given: Any, **more: Any) -> Reply:
        run, LocalScorer._run = LocalScorer._run, None  # type: ignore[assignment]
        try:
            return super().start(*given, **more)
        finally:
            LocalScorer._run = run


def on(cluster: Any, inputs: ScoringInputs) -> PoolScorer:
    return PoolScorer(RayPool(inputs, cluster.address, workers=1))


def test_nodes_need_no_files_and_fine_tune_alike(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gan, cache = tiny_gan(), tmp_path / "cache"
    one = tuned(gan, tmp_path / "data", steps=1)
    assert one._tuner is not None
    inputs = gan.inputs(tuner=replace(one._tuner, _read=[]), cache=cache)
    LocalScorer(inputs)
    P, q = genomes_of(gan, "A", 3), partner_of(gan, "A", 1)
    expected = one.score("A", P, q)
    monkeypatch.setattr("ganprune.scoring.cluster.Worker", Reading)
    pool = RayPool(inputs, cluster.address, workers=1)
    shutil.rmtree(tmp_path / "data")
    shutil.rmtree(cache)
    with PoolScorer(pool) as scorer:
        assert exactly_equal(scorer.score("A", P, q), expected)


def test_other_versions_on_a_node_are_refused(cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ganprune.scoring.cluster.versions", lambda: {"ganprune": "9", "torch": "9"})
    told = r"--set ray: all nodes need ganprune 9, .* found .* on .* \(process \d+\); install the same"
    with pytest.raises(UsageError, match=told) as caught:
        on(cluster, tiny_gan().inputs())
    assert "in a worker" in caught.value.__notes__[0]


def test_full_cluster_is_given_up_after_a_while(cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RayPool, "most_waiting", 0.0)
    pool = RayPool(tiny_gan().inputs(), cluster.address)
    told = rf"--set ray={cluster.address}: no worker for 0 s; the cluster has 1 nodes, 2 CPUs"
    with pytest.raises(GanpruneError, match=told):
        pool.room(0)
    pool.close()


DRIVER = """
import sys
from types import SimpleNamespace
from tests.scoring.test_ray import on
from tests.scoring.test_local import genomes_of
from tests.tiny import tiny_gan
gan, seed = tiny_gan(), 0
scorer = on(SimpleNamespace(address=sys.argv[1]), gan.inputs())
print(*scorer.pids, flush=True)
while True:
    seed += 1
    scorer.score("A", genomes_of(gan, "A", 8, seed), None)
"""


def test_workers_end_with_the_program_that_started_them(cluster: Any) -> None:
    words = [sys.executable, "-c", DRIVER, cluster.address]
    folders = os.pathsep.join(path for path in sys.path if path)
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        env=os.environ | {"PYTHONPATH": folders},
    ) as process:  # fmt: skip
        assert process.stdout is not None
        pids = tuple(int(word) for word in process.stdout.readline().split())
        assert pids
        assert all(psutil.pid_exists(pid) for pid in pids)
        process.kill()
    assert gone(pids, 60)
