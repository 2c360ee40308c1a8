"""Scores of a Ray cluster against those of one process, and what becomes of the cluster's workers."""

import os
import re
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
from torch import Tensor

from ganprune.errors import UsageError
from ganprune.evaluation import EvaluationSettings, LocalEvaluator, RayEvaluator
from ganprune.evaluation.actor import Actor, Greeting
from ganprune.evaluation.actors import Actors
from ganprune.reporting import Silent
from tests.evaluation.ray_kit import QUIET, add_node, cluster_of, needs_ray
from tests.evaluation.test_evaluation import exactly_equal, genomes_of, partner_of
from tests.evaluation.test_tuning import tuned
from tests.evaluation.test_workers import PLAIN, calls, gone
from tests.tiny import TinyGan, tiny_gan

pytestmark = [needs_ray, *(pytest.mark.filterwarnings(line) for line in QUIET)]


class Heard(Silent):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def info(self, message: str) -> None:
        self.lines.append(message)

    def warn(self, message: str) -> None:
        self.lines.append(message)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with cluster_of(2) as cluster:
        yield cluster


def nodes(
    gan: TinyGan,
    cluster: Any,
    workers: int | None = None,
    *,
    settings: EvaluationSettings = PLAIN,
    on_scored: Callable[[], object] = lambda: None,
    reporter: Silent | None = None,
    **more: Any,
) -> RayEvaluator:
    return RayEvaluator(
        gan.generators, gan.judges, gan.layouts, gan.pictures, settings, on_scored,
        reporter=reporter or Silent(), address=cluster.address, workers=workers, **more,
    )  # fmt: skip


def local(gan: TinyGan, cache: Path | None = None) -> LocalEvaluator:
    return LocalEvaluator(gan.generators, gan.judges, gan.layouts, gan.pictures, PLAIN, cache=cache)


def processes(evaluator: RayEvaluator) -> tuple[int, ...]:
    """Process ids of the workers that are ready; they are on this machine."""
    found = [re.search(r"\(process (\d+)\)", worker.name) for worker in evaluator._actors.members()]
    return tuple(int(match[1]) for match in found if match)


def wait(until: Callable[[], object], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.1)


def come_to(evaluator: RayEvaluator, gan: TinyGan, workers: int) -> None:
    """Go on scoring until there are so many workers."""
    end, seed = time.monotonic() + 120, 1000
    while evaluator.workers != workers:
        assert time.monotonic() < end, f"there are {evaluator.workers} workers"
        evaluator.score("A", genomes_of(gan, "A", 4, seed), None)
        seed += 1
        time.sleep(0.1)


@pytest.mark.parametrize("workers", [1, None])
def test_cluster_scores_as_one_process_does(cluster: Any, workers: int | None) -> None:
    gan, told = tiny_gan(), list[int]()
    one = local(gan)
    with nodes(gan, cluster, workers, on_scored=lambda: told.append(1)) as evaluator:
        for side, genomes, partner, identity in calls(gan):
            told.clear()
            found = evaluator.score(side, genomes, partner, identity=identity)
            assert exactly_equal(found, one.score(side, genomes, partner, identity=identity))
            assert len(told) == len(genomes)
            assert evaluator.evaluations == one.evaluations
        come_to(evaluator, gan, workers or 2)
        pids = processes(evaluator)
        assert len(set(pids)) == (workers or 2)
    wait(lambda: gone(pids))
    with pytest.raises(RuntimeError, match="the workers are closed"):
        evaluator.score("A", genomes_of(gan, "A"), None)


def test_worker_that_is_killed_costs_its_individuals_and_is_replaced(cluster: Any) -> None:
    gan, heard, struck = tiny_gan(), Heard(), list[int]()
    P, Q, q = genomes_of(gan, "A", 16), genomes_of(gan, "B", 6), partner_of(gan, "A", 1)

    def strike() -> None:
        if not struck:
            struck.append(processes(evaluator)[0])
            os.kill(struck[0], signal.SIGKILL)

    one = local(gan)
    with nodes(gan, cluster, on_scored=strike, reporter=heard) as evaluator:
        assert exactly_equal(evaluator.score("A", P, q), one.score("A", P, q))
        assert evaluator.evaluations == 16
        assert evaluator.schedule.again <= 1
        come_to(evaluator, gan, 2)
        assert struck[0] not in processes(evaluator)
        assert exactly_equal(evaluator.score("B", Q, None), one.score("B", Q, None))
    assert sum(f"lost {os.uname().nodename} (process {struck[0]})" in line for line in heard.lines) == 1


def score_both(evaluator: RayEvaluator, one: LocalEvaluator, genomes: Tensor) -> None:
    assert exactly_equal(evaluator.score("A", genomes, None), one.score("A", genomes, None))


def test_node_that_dies_and_one_that_joins_change_no_score(
    cluster: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    gan, heard, fuse = tiny_gan(), Heard(), [0]
    extra = [add_node(cluster, 1)]

    def strike() -> None:
        fuse[0] -= 1
        if not fuse[0]:
            cluster.remove_node(extra.pop(), allow_graceful=False)

    one = local(gan)
    with nodes(gan, cluster, on_scored=strike, reporter=heard) as evaluator:
        come_to(evaluator, gan, 3)
        fuse[0] = 3
        for seed in range(2):
            score_both(evaluator, one, genomes_of(gan, "A", 12, seed))
        come_to(evaluator, gan, 2)
        extra.append(add_node(cluster, 1))
        come_to(evaluator, gan, 3)
        score_both(evaluator, one, genomes_of(gan, "A", 12, 9))
    assert any("lost" in line for line in heard.lines)
    assert capsys.readouterr().out == ""  # Ray's own news of the dead node
    cluster.remove_node(extra.pop())


def test_originals_are_computed_once_and_kept_for_the_run(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gan, given, made = tiny_gan(), list[bool](), list[int]()
    call, begin = Actors._call, Actors._begin

    def watch(crew: Actors, worker: Any, name: str, *arguments: Any) -> None:
        if name == "start":
            given.append(arguments[-1] != {})
        call(crew, worker, name, *arguments)

    def count(crew: Actors, worker: Any, files: dict[str, bytes]) -> None:
        made.append(len(files))
        begin(crew, worker, files)

    monkeypatch.setattr(Actors, "_call", watch)
    monkeypatch.setattr(Actors, "_begin", count)
    for folder in ("own", "nodes"):
        (tmp_path / folder).mkdir()
    local(gan, tmp_path / "own")
    files = {path.name: path.read_bytes() for path in (tmp_path / "own").iterdir()}
    assert len(files) == 2
    for stale, begun, computed in ((0, [False, True], 2), (0, [True, True], 0), (1, [True, True], 1)):
        for name in list(files)[:stale]:
            (tmp_path / "nodes" / name).write_bytes(b"of another search")
        given.clear()
        made.clear()
        with nodes(gan, cluster, cache=tmp_path / "nodes") as evaluator:
            come_to(evaluator, gan, 2)
        assert given == begun
        # What a worker was given does not travel back. If both start at once, both find that a file is stale.
        assert made[0] == computed
        assert made[1] in ((0, computed) if stale else (0,))
        assert {path.name: path.read_bytes() for path in (tmp_path / "nodes").iterdir()} == files


def be_impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for half a second, once the first worker is there."""
    greet = Actors._greet

    def impatient(crew: Actors, *given: Any) -> None:
        monkeypatch.setattr(Actors, "most_waiting", 0.5)
        greet(crew, *given)

    monkeypatch.setattr(Actors, "_greet", impatient)


def test_originals_that_take_long_on_the_only_worker_are_waited_for(
    cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Slow(Actor):
        def start(self, *given: Any, **more: Any) -> Any:
            time.sleep(3)
            return super().start(*given, **more)

    gan = tiny_gan()
    be_impatient(monkeypatch)
    monkeypatch.setattr("ganprune.evaluation.actors.Actor", Slow)
    with nodes(gan, cluster, 1) as evaluator:
        score_both(evaluator, local(gan), genomes_of(gan, "A", 4))


def test_first_worker_that_hangs_keeps_nobody_waiting(
    cluster: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    first = tmp_path / "first"

    class Hanging(Actor):
        def start(self, *given: Any, **more: Any) -> Any:
            try:
                first.mkdir()
            except FileExistsError:
                return super().start(*given, **more)
            time.sleep(600)

    monkeypatch.setattr("ganprune.evaluation.actors.Actor", Hanging)
    be_impatient(monkeypatch)
    gan = tiny_gan()
    with nodes(gan, cluster) as evaluator:
        score_both(evaluator, local(gan), genomes_of(gan, "A", 4))
        assert evaluator.workers == 1


def test_worker_that_stands_still_is_worked_around(cluster: Any) -> None:
    """As a node does whose network breaks, until Ray declares it dead."""
    gan, struck = tiny_gan(), list[int]()

    def strike() -> None:
        if not struck:
            struck.append(processes(evaluator)[0])
            os.kill(struck[0], signal.SIGSTOP)

    one = local(gan)
    with nodes(gan, cluster, on_scored=strike) as evaluator:
        come_to(evaluator, gan, 2)
        score_both(evaluator, one, genomes_of(gan, "A", 12))
        score_both(evaluator, one, genomes_of(gan, "A", 12, 7))
        assert evaluator.schedule.again == 0
    wait(lambda: gone((struck[0],)))


def test_workers_on_unlike_hardware_are_told_once(cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    heard, greet, kinds = Heard(), Actors._greet, iter(("one kind", "another kind", "a third"))

    def unlike(crew: Actors, worker: Any, greeting: Greeting) -> None:
        greet(crew, worker, replace(greeting, hardware=next(kinds)))

    monkeypatch.setattr(Actors, "_greet", unlike)
    gan = tiny_gan()
    with nodes(gan, cluster, reporter=heard) as evaluator:
        come_to(evaluator, gan, 2)
    assert sum("workers on unlike hardware (another kind; one kind)" in line for line in heard.lines) == 1


def test_fine_tuned_individuals_score_alike_on_nodes_without_their_pictures(
    cluster: Any, tmp_path: Path
) -> None:
    gan = tiny_gan()
    one = tuned(gan, tmp_path, steps=1)
    assert one._tuner is not None
    tuner = replace(one._tuner, _read=[])
    P, q = genomes_of(gan, "A", 3), partner_of(gan, "A", 1)
    expected = one.score("A", P, q)
    with nodes(gan, cluster, 1, tuner=tuner) as evaluator:
        for paths in tuner.pictures.values():
            shutil.rmtree(paths[0].parent, ignore_errors=True)
        assert exactly_equal(evaluator.score("A", P, q), expected)


def test_what_a_node_raises_arrives_as_it_is(cluster: Any) -> None:
    with pytest.raises(UsageError, match="pictures of at least 12 pixels, found 8") as caught:
        nodes(tiny_gan(size=8), cluster, 1)
    assert "in _check_fit" in caught.value.__notes__[0]


def test_other_versions_on_a_node_are_refused(cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ganprune.evaluation.actors.versions", lambda: {"ganprune": "9", "torch": "9"})
    with pytest.raises(UsageError, match=r"all nodes need ganprune 9, which is here, found .* on "):
        nodes(tiny_gan(), cluster, 1)


def test_full_cluster_is_given_up_after_a_while(cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Actors, "most_waiting", 1.0)
    monkeypatch.setattr(Actors, "_greet", lambda *_: None)
    told = rf"--ray {cluster.address}: no worker for 1 s; the cluster has 1 nodes, 2 CPUs"
    with pytest.raises(Exception, match=told):
        nodes(tiny_gan(), cluster, 1)


DRIVER = """
import sys
from tests.evaluation.test_ray import nodes, processes
from tests.evaluation.test_evaluation import genomes_of
from tests.tiny import tiny_gan
from types import SimpleNamespace
gan, seed = tiny_gan(), 0
evaluator = nodes(gan, SimpleNamespace(address=sys.argv[1]), 1)
print(*processes(evaluator), flush=True)
while True:
    seed += 1
    evaluator.score("A", genomes_of(gan, "A", 8, seed), None)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_workers_end_with_the_program_that_started_them(cluster: Any, how: signal.Signals) -> None:
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
        process.send_signal(how)
        process.wait(60)
    wait(lambda: gone(pids), 60)
