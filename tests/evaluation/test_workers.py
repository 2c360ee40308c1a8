"""Scores of several processes against those of one, and what becomes of the processes."""

import os
import signal
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import torch
from torch import Tensor

from ganprune.errors import CheckpointError, GanpruneError, UsageError
from ganprune.evaluation import Domain, EvaluationSettings, LocalEvaluator, WorkersEvaluator
from ganprune.evaluation.serving import Request, Start, portable
from ganprune.evaluation.worker import Worker
from ganprune.evaluation.workers import worker_devices
from ganprune.settings import ComputeSettings
from ganprune.stages import Resolved
from ganprune.system.device import resolve_threads
from tests.evaluation.test_evaluation import exactly_equal, genomes_of, partner_of
from tests.evaluation.test_tuning import tuned
from tests.tiny import TinyGan, tiny_gan

PLAIN = EvaluationSettings()
Call = tuple[Domain, Tensor, Tensor | None, bool]


def several(
    gan: TinyGan,
    workers: int,
    settings: EvaluationSettings = PLAIN,
    on_scored: Callable[[], object] = lambda: None,
) -> WorkersEvaluator:
    return WorkersEvaluator(
        gan.generators, gan.judges, gan.layouts, gan.pictures, settings, on_scored, workers=workers, threads=1
    )


def calls(gan: TinyGan) -> list[Call]:
    """Two sides, partners that change and come back, genomes that stay, return and repeat."""
    P, Q = genomes_of(gan, "A", 7, 1), genomes_of(gan, "B", 5, 2)
    p, q = partner_of(gan, "B", 3), partner_of(gan, "A", 4)
    new = genomes_of(gan, "A", 6, 5)
    return [
        ("A", P, None, False),
        ("B", Q, None, False),
        ("A", torch.cat([P[:4], new[:3]]), q, False),
        ("A", torch.cat([P[:4], new[:3], P[:2], new[:1]]), None, False),
        ("B", torch.cat([Q[2:], Q[2:]]), p, False),
        ("A", torch.cat([P, new]), q, True),
        ("A", P[2:5], None, True),
        ("B", Q, p, True),
        ("A", P, q, False),
    ]


def gone(pids: tuple[int, ...]) -> bool:
    """Whether none of the processes lives."""
    for pid in pids:
        try:
            if psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                return False
        except psutil.NoSuchProcess:
            continue
    return True


@pytest.mark.parametrize(("workers", "precision"), [(1, "float32"), (2, "bfloat16"), (3, "float32")])
def test_any_number_of_workers_scores_as_one_process_does(workers: int, precision: str) -> None:
    gan, settings, told = tiny_gan(), replace(PLAIN, precision=precision), list[int]()
    local = LocalEvaluator(gan.generators, gan.judges, gan.layouts, gan.pictures, settings)
    with several(gan, workers, settings, lambda: told.append(1)) as evaluator:
        assert len(set(evaluator.pids)) == workers
        for side, genomes, partner, identity in calls(gan):
            told.clear()
            found = evaluator.score(side, genomes, partner, identity=identity)
            assert exactly_equal(found, local.score(side, genomes, partner, identity=identity))
            assert len(told) == len(genomes)
            assert evaluator.evaluations == local.evaluations


def test_nothing_is_computed_twice_and_work_goes_where_the_pictures_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gan = tiny_gan()
    computed = Counter[tuple[str, bytes, bytes]]()
    met = defaultdict[Worker, set[tuple[str, bytes, bytes]]](set)
    holds = defaultdict[tuple[Worker, str], set[bytes]](set)
    translated, send = 0, Worker.send

    def watch(worker: Worker, message: Start | Request) -> None:
        """Follow what a worker does about a task: it keeps scores, and the pictures of its last genomes."""
        nonlocal translated
        if isinstance(message, Request):
            side, partner, keys = message.side, message.partner, set(message.keys)
            work = {(str(side), key, partner) for key in keys} - met[worker]
            met[worker] |= work
            computed.update(work)
            translated += sum(key not in holds[worker, side] for _, key, _ in work)
            holds[worker, side] = keys
        send(worker, message)

    monkeypatch.setattr(Worker, "send", watch)
    P, first, second = genomes_of(gan, "A", 8), partner_of(gan, "A", 1), partner_of(gan, "A", 2)
    new = genomes_of(gan, "A", 4, seed=5)
    with several(gan, 2) as evaluator:
        evaluator.score("A", P, None)
        evaluator.score("A", P[[0, 0, 1]], None)
        assert translated == evaluator.evaluations == 8
        evaluator.score("A", P, first)
        assert (translated, evaluator.evaluations) == (8, 16)
        evaluator.score("A", torch.cat([P[:4], new]), first)
        evaluator.score("A", torch.cat([P[:4], new]), second)
        assert (translated, evaluator.evaluations) == (12, 28)
        assert len(computed) == 28
        assert set(computed.values()) == {1}
        assert len(met) == 2


def test_a_worker_that_is_killed_is_named_and_all_are_ended() -> None:
    gan, struck = tiny_gan(), list[int]()

    def strike() -> None:
        if not struck:
            struck.append(evaluator.pids[1])
            os.kill(struck[0], signal.SIGKILL)

    evaluator = several(gan, 2, on_scored=strike)
    pids = evaluator.pids
    told = r"worker 2 of 2 on cpu \(process \d+\) was ended by SIGKILL; run again .* fewer --workers"
    with pytest.raises(GanpruneError, match=told) as caught:
        evaluator.score("A", genomes_of(gan, "A", 12), None)
    assert f"(process {struck[0]})" in str(caught.value)
    assert caught.value.exit_code == 1
    assert gone(pids)
    with pytest.raises(RuntimeError, match="the workers are closed"):
        evaluator.score("A", genomes_of(gan, "A"), None)


def test_ctrl_c_ends_all_workers_at_once() -> None:
    gan = tiny_gan()

    def interrupt() -> None:
        raise KeyboardInterrupt

    before = set(psutil.Process().children(recursive=True))
    evaluator = several(gan, 2, on_scored=interrupt)
    pids = evaluator.pids
    assert {child.pid for child in set(psutil.Process().children(recursive=True)) - before} == set(pids)
    with pytest.raises(KeyboardInterrupt):
        evaluator.score("A", genomes_of(gan, "A"), None)
    assert gone(pids)
    assert set(psutil.Process().children(recursive=True)) == before
    evaluator.close()


def test_what_a_worker_raises_arrives_as_it_is() -> None:
    before = set(psutil.Process().children(recursive=True))
    with pytest.raises(UsageError, match="pictures of at least 12 pixels, found 8; give a larger --size"):
        several(tiny_gan(size=8), 1)
    gan = tiny_gan()
    gan.pictures["B"] = gan.pictures["B"][:, :1]
    with pytest.raises(CheckpointError, match="pictures of 1 channels need networks of as many") as caught:
        several(gan, 1)
    assert "in _check_fit" in caught.value.__notes__[0]
    assert set(psutil.Process().children(recursive=True)) == before


def test_an_error_that_no_pipe_carries_is_told_in_words() -> None:
    class Unlucky(Exception):
        pass

    found = portable(Unlucky("thirteen"))
    assert type(found) is RuntimeError
    assert str(found) == "Unlucky: thirteen"


def test_cuda_is_spread_over_devices_of_one_model(monkeypatch: pytest.MonkeyPatch) -> None:
    models = ["H200", "T4", "H200"]
    monkeypatch.setattr(torch.cuda, "device_count", lambda: len(models))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda i: models[i])
    assert worker_devices("cuda", 3) == ("cuda:0", "cuda:2", "cuda:0")
    assert worker_devices("cuda:1", 2) == ("cuda:1", "cuda:1")
    assert worker_devices("cpu", 2) == ("cpu", "cpu")


@pytest.mark.parametrize("threads", [None, 1, 3])
def test_threads_of_a_worker_never_depend_on_how_many_there_are(threads: int | None) -> None:
    found = {Resolved.of(ComputeSettings("cpu", threads=threads, workers=n)) for n in (1, 2, 8, 64)}
    (resolved,) = found
    assert resolved.scoring_threads == (threads or 1)
    assert resolved.threads == resolve_threads(threads)
    alone = Resolved.of(ComputeSettings("cpu", threads=threads))
    assert alone.scoring_threads == alone.threads == resolved.threads


@pytest.mark.parametrize("workers", [0, -1, 65])
def test_number_of_workers_is_checked(workers: int) -> None:
    with pytest.raises(UsageError, match=f"--workers must be 1 to 64, found {workers}"):
        ComputeSettings(workers=workers)


def test_fine_tuned_individuals_score_alike_in_workers(tmp_path: Path) -> None:
    gan = tiny_gan()
    local = tuned(gan, tmp_path, steps=1)
    with WorkersEvaluator(
        gan.generators, gan.judges, gan.layouts, gan.pictures, PLAIN,
        tuner=local._tuner, cache=tmp_path / "cache", workers=2, threads=1,
    ) as evaluator:  # fmt: skip
        for side, genomes, partner, identity in calls(gan)[2:5]:
            found = evaluator.score(side, genomes[:3], partner, identity=identity)
            assert exactly_equal(found, local.score(side, genomes[:3], partner, identity=identity))
            assert evaluator.evaluations == local.evaluations
