"""What becomes of a training in several processes when one of them, or the one that watches, fails."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import psutil
import pytest
import torch

from ganprune.errors import DataError, GanpruneError
from ganprune.models.cyclegan import Discriminator, DiscriminatorWidths, Generator, resnet_widths
from ganprune.reporting import SILENT, Reporter, Silent
from ganprune.training import Budget, Networks, ProcessGroup, Trainer, TrainingError, TrainState, train
from ganprune.training.pictures import TrainingPictures
from ganprune.training.processes import together
from ganprune.training.seeds import generator_for
from tests.tiny import fill
from tests.training.kit import TINY, Interrupter, log, networks, pictures, same_bits

STEPS = Budget(8, "steps")
SETTINGS = replace(TINY, batch=2)

WATCHED = """
import sys
from pathlib import Path
from ganprune.training import Budget, train
from tests.training.kit import networks, pictures
from tests.training.test_parallel_faults import SETTINGS, Telling
root = Path(sys.argv[1])
train(networks(), pictures(root), SETTINGS, Budget(100_000, "steps"), root / "out", Telling(), processes=2)
"""


class Telling(Silent):
    """Writes a line to stdout for every step."""

    def task(self, title: str, total: int, done: int = 0):
        return self if title.startswith("training") else SILENT.task(title, total, done)

    def __enter__(self):
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def advance(self, steps: int = 1, **_: float | str) -> None:
        os.write(1, b"step\n")


class Killer(Interrupter):
    """Kills the second process after some steps."""

    def __init__(self, steps: int) -> None:
        super().__init__(10**9)
        self._steps = steps
        self.killed = 0

    def advance(self, steps: int = 1, **_: float | str) -> None:
        self._steps -= steps
        if self._steps == 0:
            victim = max(members(os.getpid()), key=lambda one: (one.create_time(), one.pid))
            self.killed = victim.pid
            victim.kill()


def members(pid: int) -> list[psutil.Process]:
    children = psutil.Process(pid).children()
    return [child for child in children if "ganprune.training.processes" in " ".join(child.cmdline())]


def wait(until: Callable[[], object], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.05)


def gone(processes: list[psutil.Process]) -> bool:
    return not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in processes)


def test_process_that_dies_ends_the_training_which_then_ends_with_the_same_bits(tmp_path: Path):
    data, killer, killed = pictures(tmp_path / "data"), Killer(3), tmp_path / "killed"
    wanted = train(networks(), data, SETTINGS, STEPS, tmp_path / "calm", log_every=3, processes=2)
    with pytest.raises(GanpruneError) as caught:
        train(networks(), data, SETTINGS, STEPS, killed, killer, save_seconds=0, log_every=3, processes=2)
    assert str(caught.value) == (
        f"training process 2 of 2 (process {killer.killed}) was ended by SIGKILL; "
        "run again to go on from the last saved step, with fewer processes (--set processes=N) if memory "
        "ran out"
    )
    assert not members(os.getpid())
    listener = Interrupter(99)
    got = train(networks(), data, SETTINGS, STEPS, killed, listener, log_every=3, processes=2)
    assert 3 <= listener.opened[-1][2] < 8
    assert same_bits(got.networks, wanted.networks)
    assert log(killed) == log(tmp_path / "calm")
    assert [path.name for path in killed.glob(".*")] == [".ganprune"]


def test_processes_end_with_the_one_that_watches(tmp_path: Path):
    command = [sys.executable, "-c", WATCHED, str(tmp_path)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"step\n"
        processes = members(process.pid)
        assert len(processes) == 2
        process.kill()
    wait(lambda: gone(processes), 20)
    assert (tmp_path / "out/train_state.pt").exists()


def test_training_that_goes_wrong_tells_the_same_as_in_one_process(tmp_path: Path):
    data, wild = pictures(tmp_path / "data"), replace(SETTINGS, lr=1e30)
    told: list[str] = []
    for processes in (1, 2):
        with pytest.raises(TrainingError) as caught:
            train(networks(), data, wild, STEPS, tmp_path / "out", processes=processes)
        told.append(str(caught.value))
        assert (tmp_path / "out/iter_0_net_G_A.pth").exists()
        for path in (tmp_path / "out").iterdir():
            path.unlink()
    assert told[0] == told[1]
    assert "\n" not in told[0]


def silent(group: ProcessGroup, reporter: Reporter) -> int:
    return group.agreed(7)


def unreadable(group: ProcessGroup) -> None:
    raise DataError("trainA needs pictures, found none; give others")


def explains(group: ProcessGroup, reporter: Reporter) -> None:
    group.agreed()
    time.sleep(0.5)
    raise TrainingError("with what to do next")


def complains(group: ProcessGroup) -> None:
    group.agreed()
    raise TrainingError("bare")


def leaves(group: ProcessGroup) -> None:
    os._exit(3)


def test_error_of_another_process_reaches_the_caller_as_it_is():
    with pytest.raises(DataError) as caught:
        together(2, silent, unreadable, "cpu", SILENT)
    assert str(caught.value) == "trainA needs pictures, found none; give others"
    assert "in unreadable" in caught.value.__notes__[0]


def test_where_all_fail_alike_rank_0_explains():
    with pytest.raises(TrainingError, match="with what to do next"):
        together(2, explains, complains, "cpu", SILENT)


def test_process_that_leaves_is_named_though_others_miss_it_first():
    with pytest.raises(
        GanpruneError, match=r"^training process 2 of 2 \(process \d+\) ended with status 3; "
    ):
        together(2, silent, leaves, "cpu", SILENT)


def norms(root: Path, group: ProcessGroup, reporter: Reporter = SILENT) -> list[float]:
    """Three steps of a CycleGAN with batch norm; a sum over all that it consists of, a process each."""
    made = Networks(
        Generator(resnet_widths(4, 1), "batch"), Generator(resnet_widths(4, 1), "batch"),
        Discriminator(DiscriminatorWidths((4, 6))), Discriminator(DiscriminatorWidths((3, 5))),
    )  # fmt: skip
    for seed, (_, net) in enumerate(made.items()):
        fill(net, seed)
    data = TrainingPictures(pictures(root / f"{group.rank}"), SETTINGS.transform, reporter)
    trainer = Trainer(TrainState.start(made, SETTINGS), SETTINGS, group=group)
    for step in range(3):
        generator = generator_for(SETTINGS.seed, "step", step)
        batch = data.batch(SETTINGS.seed, step, SETTINGS.batch, generator)
        share = group.share(SETTINGS.batch)
        trainer.step({side: whole[share] for side, whole in batch.items()}, SETTINGS.lr, generator)
    tensors = [t for _, net in trainer.state.networks.items() for t in net.state_dict().values()]
    state = torch.cat([tensor.flatten().double() for tensor in tensors])
    return group.gathered((state * torch.arange(len(state))).sum()[None]).tolist()


def test_batch_norm_stays_the_same_in_all_processes_though_not_that_of_the_whole_batch(tmp_path: Path):
    run = partial(norms, tmp_path)
    each = together(2, run, run, "cpu", SILENT)
    assert each[0] == each[1]
    assert run(ProcessGroup())[0] != pytest.approx(each[0], rel=1e-6)
