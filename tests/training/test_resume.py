"""A training that is interrupted, in whatever way, ends with the same bits as an undisturbed one."""

import json
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ganprune.errors import RunError
from ganprune.training import Budget, TrainSettings, loop, train
from tests.training.kit import TINY, Interrupted, Interrupter, log, networks, pictures, same_bits, weights

STEPS = Budget(14, "steps")

KILLED = """
import os, signal, sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from ganprune.training import train
from tests.training.kit import TINY, networks, pictures
from tests.training.test_resume import STEPS

root, step = Path(sys.argv[1]), int(sys.argv[2])
whole = torch.save

def half(content, file):
    if content.get("step") == step:
        file.write(b"half of a file")
        file.flush()
        os.kill(os.getpid(), signal.SIGKILL)
    whole(content, file)

torch.save = half
train(networks(), pictures(root), TINY, STEPS, root / "out", save_seconds=0, log_every=3)
"""


@pytest.mark.parametrize(
    ("after", "precision"),
    [((1, 5, 3), "float32"), ((7, 6), "float32"), ((6, 3), "bfloat16")],
    ids=str,
)
def test_an_interrupted_training_ends_with_the_same_bits(tmp_path: Path, after, precision):
    data, settings = pictures(tmp_path / "data"), replace(TINY, precision=precision)
    wanted = train(networks(), data, settings, STEPS, tmp_path / "whole", log_every=3)
    folder, done = tmp_path / "parts", 0
    for more in after:
        with pytest.raises(Interrupted):
            train(networks(), data, settings, STEPS, folder, Interrupter(more), save_seconds=0, log_every=3)
        done += more
    last = Interrupter(99)
    got = train(networks(), data, settings, STEPS, folder, last, log_every=3)
    assert ("training", 14, done) in last.opened
    assert same_bits(got.networks, wanted.networks)
    for name in ("train.jsonl", "samples-0.png", "samples-7.png", "samples-14.png", "latest_net_D_A.pth"):
        assert (folder / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert not (folder / "train_state.pt").exists()


def test_steps_that_were_not_saved_are_made_again_with_the_same_bits(tmp_path: Path):
    data = pictures(tmp_path / "data")
    wanted = train(networks(), data, TINY, STEPS, tmp_path / "whole", log_every=3)
    with pytest.raises(Interrupted):
        train(networks(), data, TINY, STEPS, tmp_path / "parts", Interrupter(8), log_every=3)
    assert [line["step"] for line in log(tmp_path / "parts")] == [3, 6]
    last = Interrupter(99)
    got = train(networks(), data, TINY, STEPS, tmp_path / "parts", last, log_every=3)
    assert ("training", 14, 0) in last.opened
    assert same_bits(got.networks, wanted.networks)
    assert log(tmp_path / "parts") == log(tmp_path / "whole")


def test_sigkill_in_the_middle_of_a_save_changes_nothing(tmp_path: Path):
    data, out = pictures(tmp_path), tmp_path / "out"
    command = [sys.executable, "-c", KILLED, str(tmp_path), "9"]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    assert len(list(out.glob(".*.partial*"))) == 1
    assert torch.load(out / "train_state.pt", weights_only=True)["step"] == 8
    got = train(networks(), data, TINY, STEPS, out, log_every=3)
    wanted = train(networks(), data, TINY, STEPS, tmp_path / "whole", log_every=3)
    assert same_bits(got.networks, wanted.networks)
    assert log(out) == log(tmp_path / "whole")
    assert [path.name for path in out.glob(".*")] == [".ganprune"]


def test_a_finished_training_is_read_and_not_done_again(tmp_path: Path):
    data = pictures(tmp_path / "data")
    first = train(networks(), data, TINY, STEPS, tmp_path / "out")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
    listener = Interrupter(1)
    again = train(networks(), data, TINY, STEPS, tmp_path / "out", listener)
    assert listener.opened == []
    assert same_bits(first.networks, again.networks)
    assert (again.steps, again.files) == (first.steps, first.files)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()} == before


def test_a_kill_while_the_first_steps_are_timed_leaves_nothing_to_another_training(tmp_path: Path):
    data, out, budget = pictures(tmp_path / "data"), tmp_path / "out", Budget(3, "seconds")

    class Impatient(Interrupter):
        def info(self, message: str) -> None:
            raise Interrupted

    with pytest.raises(Interrupted):
        train(networks(), data, TINY, budget, out, Impatient(99))
    with pytest.raises(RunError, match=r"--set lr=0\.001"):
        train(networks(), data, replace(TINY, lr=0.5), budget, out)
    (out / "train.json").unlink()
    other = replace(networks(), G_A=networks().G_B, G_B=networks().G_A)
    got = train(other, data, TINY, STEPS, out)
    assert same_bits(got.networks, train(other, data, TINY, STEPS, tmp_path / "whole").networks)


def test_a_lost_result_is_made_again(tmp_path: Path):
    data = pictures(tmp_path / "data")
    first = train(networks(), data, TINY, STEPS, tmp_path / "out")
    (tmp_path / "out/latest_net_D_B.pth").unlink()
    assert same_bits(train(networks(), data, TINY, STEPS, tmp_path / "out").networks, first.networks)


def test_a_time_budget_becomes_steps_once_and_the_steps_rule(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    data, out, budget = pictures(tmp_path / "data"), tmp_path / "out", Budget(3, "seconds")
    clock = iter(range(10**6))
    monkeypatch.setattr(loop.time, "monotonic", lambda: next(clock) / 10)  # every look costs 0.1 s
    with pytest.raises(Interrupted):
        train(networks(), data, TINY, budget, out, Interrupter(9), save_seconds=0.5)
    record = json.loads((out / "train.json").read_text())
    assert record["seconds_per_step"] == pytest.approx(0.1)
    assert record["steps"] == pytest.approx(30, abs=1)
    monkeypatch.setattr(loop.time, "monotonic", lambda: next(clock) * 10)  # now a hundred times slower
    got = train(networks(), data, TINY, budget, out)
    assert got.steps == record["steps"]
    wanted = train(networks(), data, TINY, Budget(got.steps, "steps"), tmp_path / "counted")
    assert same_bits(got.networks, wanted.networks)
    assert log(out) == log(tmp_path / "counted")


def test_a_time_too_short_for_timing_still_trains_a_whole_schedule(tmp_path: Path):
    result = train(
        networks(), pictures(tmp_path), TINY, Budget(1e-6, "seconds"), tmp_path / "out", log_every=1
    )
    assert result.steps == 8
    assert [line["lr"] for line in log(tmp_path / "out")] == pytest.approx(
        [1e-3] * 5 + [0.75e-3, 0.5e-3, 0.25e-3]
    )


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:1000]), r"train_state.pt is no training state"),
        (lambda path: path.write_bytes(b""), r"train_state.pt is no training state"),
        (
            lambda path: torch.save({"version": 99}, path),
            r"\(version 99, needed 2\); delete it",
        ),
        (lambda path: torch.save([1], path), r"train_state.pt is no training state"),
    ],
    ids=["cut", "empty", "version", "list"],
)
def test_a_damaged_state_is_one_line(tmp_path: Path, spoil, message: str):
    data = pictures(tmp_path / "data")
    with pytest.raises(Interrupted):
        train(networks(), data, TINY, STEPS, tmp_path / "out", Interrupter(2), save_seconds=0)
    spoil(tmp_path / "out/train_state.pt")
    with pytest.raises(RunError, match=message) as caught:
        train(networks(), data, TINY, STEPS, tmp_path / "out")
    assert "\n" not in str(caught.value)


def test_everything_that_a_step_depends_on_is_in_the_state(tmp_path: Path):
    """A state loaded into networks that began elsewhere goes on as if they had not."""
    from ganprune.training import Trainer, TrainState
    from tests.tiny import random_pictures, seeded

    settings: TrainSettings = TINY

    def go_on(state: TrainState, steps: range) -> None:
        for step in steps:
            A = random_pictures(1, 3, 16, 16, seed=step, dtype=torch.float32)
            Trainer(state, settings).step({"A": A, "B": A.flip(-1)}, 1e-3, seeded(step))

    one = TrainState.start(networks(), settings)
    go_on(one, range(5))
    one.save(tmp_path / "state.pt")
    other = TrainState.start(networks(), settings)
    go_on(other, range(7, 9))
    other.load(tmp_path / "state.pt")
    assert other.step == 5
    go_on(one, range(5, 9))
    go_on(other, range(5, 9))
    a, b = weights(one.networks), weights(other.networks)
    assert all(torch.equal(a[key], b[key]) for key in a)
