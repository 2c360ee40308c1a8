"""Scores of several processes against those of one, and what becomes of the processes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from torch import Tensor

from ganprune.errors import CheckpointError, GanpruneError, UsageError
from ganprune.images.sources import Domain
from ganprune.scoring import LocalScorer, PoolScorer, ProcessPool, ScoringSettings
from ganprune.scoring.processes import worker_devices
from ganprune.settings import ComputeSettings
from ganprune.stages import Resolved
from ganprune.system.children import portable
from ganprune.system.device import resolve_threads
from tests.reliability.kit import Told
from tests.scoring.test_local import exactly_equal, genomes_of, partner_of
from tests.scoring.test_tuning import tuned
from tests.tiny import TinyGan, tiny_gan

Call = tuple[Domain, Tensor, Tensor | None]


def several(
    gan: TinyGan, workers: int, on_scored: Callable[[], object] = lambda: None, told: Told | None = None,
    **changes: Any,
) -> PoolScorer:  # fmt: skip
    pool = ProcessPool(gan.inputs(**changes), workers=workers, threads=1)
    return PoolScorer(pool, on_scored, told or Told())


def calls(gan: TinyGan) -> list[Call]:
    """Two sides, partners that change and come back, genomes that stay, return and repeat."""
    P, Q = genomes_of(gan, "A", 7, 1), genomes_of(gan, "B", 5, 2)
    p, q = partner_of(gan, "B", 3), partner_of(gan, "A", 4)
    new = genomes_of(gan, "A", 6, 5)
    return [
        ("A", P, None),
        ("B", Q, None),
        ("A", torch.cat([P[:4], new[:3]]), q),
        ("A", torch.cat([P[:4], new[:3], P[:2], new[:1]]), None),
        ("B", torch.cat([Q[2:], Q[2:]]), p),
        ("A", torch.cat([P, new]), q),
        ("A", P[2:5], None),
        ("A", P, q),
    ]


def gone(pids: tuple[int, ...], seconds: float = 10) -> bool:
    """Whether all of the processes end in time."""

    def lives(pid: int) -> bool:
        try:
            return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    end = time.monotonic() + seconds
    while any(map(lives, pids)):
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def children() -> set[psutil.Process]:
    """Of this process, but for Python's own that looks after semaphores."""
    found = psutil.Process().children(recursive=True)
    return {child for child in found if "resource_tracker" not in " ".join(child.cmdline())}


def same_scores(pool: PoolScorer, local: LocalScorer, all_calls: list[Call], told: list[int]) -> None:
    for side, genomes, partner in all_calls:
        told.clear()
        found = pool.score(side, genomes, partner)
        assert exactly_equal(found, local.score(side, genomes, partner))
        assert len(told) == len(genomes)
        assert pool.evaluations == local.evaluations


@pytest.mark.parametrize(("workers", "precision"), [(1, "bfloat16"), (3, "float32")])
def test_any_number_of_workers_scores_as_one_process_does(workers: int, precision: str) -> None:
    gan, told = tiny_gan(), list[int]()
    settings = ScoringSettings(precision=precision, identity=True)  # type: ignore[arg-type]
    local = LocalScorer(gan.inputs(settings))
    with several(gan, workers, lambda: told.append(1), settings=settings) as scorer:
        same_scores(scorer, local, calls(gan), told)
        assert scorer.wait_for(workers, 60)
        pids = scorer.pids
        assert len(set(pids)) == workers
    assert gone(pids)
    with pytest.raises(RuntimeError, match="the workers are closed"):
        scorer.score("A", genomes_of(gan, "A"), None)


def test_a_worker_that_is_killed_costs_its_individuals_and_is_replaced() -> None:
    gan, told, struck = tiny_gan(), Told(), list[int]()

    def strike() -> None:
        if len(struck) < 2:
            struck.append(next(pid for pid in scorer.pids if pid not in struck))
            os.kill(struck[-1], signal.SIGKILL)

    local = LocalScorer(gan.inputs())
    with several(gan, 2, strike, told) as scorer:
        assert scorer.wait_for(2, 60)
        for seed in range(2):
            P = genomes_of(gan, "A", 12, seed)
            assert exactly_equal(scorer.score("A", P, None), local.score("A", P, None))
        assert scorer.evaluations == 24
        assert scorer.again <= 2
        assert scorer.wait_for(2, 60)
        assert not set(struck) & set(scorer.pids)
        assert gone(tuple(struck))
    assert sorted(told.warnings) == sorted(
        f"lost {os.uname().nodename} (process {pid}); what it was computing is computed again"
        for pid in struck
    )


def test_workers_that_die_while_they_start_are_given_up() -> None:
    gan = tiny_gan()
    with pytest.raises(GanpruneError, match="3 workers in a row have died while they started; if"):
        several(gan, 1, generators={"A": Deadly(gan.generators["A"])}, layouts={"A": gan.layouts["A"]})


class Deadly:
    """Kills whoever unpickles it."""

    def __init__(self, network: torch.nn.Module) -> None:
        self.network = network

    def __reduce__(self) -> tuple[Callable[[int], None], tuple[int]]:
        return os._exit, (9,)


def test_ctrl_c_ends_all_workers_at_once() -> None:
    gan = tiny_gan()

    def interrupt() -> None:
        raise KeyboardInterrupt

    before = children()
    scorer = several(gan, 2, interrupt)
    pids = {child.pid for child in children() - before}
    assert set(scorer.pids) <= pids
    with pytest.raises(KeyboardInterrupt):
        scorer.score("A", genomes_of(gan, "A"), None)
    assert gone(tuple(pids), 1)
    scorer.close()


def test_what_a_worker_raises_arrives_as_it_is() -> None:
    before = children()
    with pytest.raises(UsageError, match="pictures of at least 12 pixels, found 8; give a larger --size"):
        several(tiny_gan(size=8), 1)
    gan = tiny_gan()
    gan.pictures["B"] = gan.pictures["B"][:, :1]
    with pytest.raises(CheckpointError, match=r"pictures of B need 3 channels .*, found 1") as caught:
        several(gan, 1)
    assert "in _check_fit" in caught.value.__notes__[0]
    assert children() == before


SCRIPT = """
import sys
print("the script runs", flush=True)
from tests.scoring.test_processes import several
from tests.scoring.test_local import genomes_of
from tests.tiny import tiny_gan
scorer = several(tiny_gan(), 2)
print(*scorer.pids, flush=True)
for seed in range(10**6):
    scorer.score("A", genomes_of(tiny_gan(), "A", 8, seed), None)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_workers_end_with_a_script_that_runs_once_and_alone_hears_ctrl_c(
    tmp_path: Path, how: signal.Signals
) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    folders = os.pathsep.join(path for path in sys.path if path)
    with subprocess.Popen(
        [sys.executable, tmp_path / "script.py"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=os.environ | {"PYTHONPATH": folders}, start_new_session=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "the script runs\n"
        pids = tuple(int(word) for word in process.stdout.readline().split())
        assert pids
        os.killpg(process.pid, how) if how == signal.SIGINT else process.kill()
        out, err = process.communicate(timeout=60)
    assert gone(pids)
    assert out == ""  # of no second run
    assert err.count("Traceback") == (how == signal.SIGINT)  # this script's own


def test_an_error_that_no_pipe_carries_is_told_in_words() -> None:
    class Unlucky(Exception):
        pass

    found = portable(Unlucky("thirteen"), "a worker")
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


@pytest.mark.parametrize(("workers", "most"), [(0, 4096), (-1, 4096), (65, 64)])
def test_number_of_workers_is_checked(workers: int, most: int) -> None:
    with pytest.raises(UsageError, match=f"--workers must be 1 to {most}, found {workers}"):
        ComputeSettings(workers=workers)


def test_fine_tuned_individuals_score_alike_in_workers(tmp_path: Path) -> None:
    gan = tiny_gan()
    local = tuned(gan, tmp_path, steps=1)
    with several(gan, 2, tuner=local._tuner, cache=tmp_path / "cache") as scorer:
        few: list[Call] = [(side, genomes[:3], partner) for side, genomes, partner in calls(gan)[2:5]]
        for side, genomes, partner in few:
            assert exactly_equal(scorer.score(side, genomes, partner), local.score(side, genomes, partner))
        assert scorer.evaluations == local.evaluations
