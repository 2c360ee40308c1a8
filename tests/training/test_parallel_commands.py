"""``processes`` and torchrun, from the command line."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from ganprune.checkpoints import load_quartet
from ganprune.training import Networks
from tests.cli.kit import ganprune, stopped_before_export, write_checkpoint, write_config, write_pictures
from tests.training.kit import same_bits

ROOT = Path(__file__).parents[2]
TINY = (
    "--set", "ngf=4", "--set", "blocks=1", "--set", "ndf=4", "--size", "32",
    "--set", "device=cpu", "--set", "threads=1", "--set", "batch=2",
)  # fmt: skip


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with pictures in data/."""
    monkeypatch.chdir(tmp_path)
    write_pictures(tmp_path / "data")
    return tmp_path


def started(*words: object, into: Path) -> subprocess.Popen[str]:
    """A command in a process of its own, by this interpreter and this source."""
    paths = [str(ROOT), str(ROOT / "cli"), str(ROOT / "exporters"), *sys.path]
    return subprocess.Popen(
        [sys.executable, *map(str, words)],
        cwd=into, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
    )  # fmt: skip


def test_torchrun_and_processes_train_the_same_networks(here: Path) -> None:
    words = ("train", "--data", "data", "--budget", "3steps", *TINY)
    spread = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "ganprune_cli")
    with started(*spread, *words, "-o", "torchrun", into=here) as process:
        out, err = process.communicate(timeout=600)
    assert process.returncode == 0, err
    assert out.count("latest_net_G_A.pth") == 1  # one process tells
    own = ganprune(*words, "-o", "own", "--set", "processes=2")
    assert own.code == 0, own.err
    one, other = (Networks.of(load_quartet(here / name)) for name in ("torchrun", "own"))
    assert same_bits(one, other)


def test_a_batch_that_nobody_asked_for_is_one_that_the_processes_can_share(here: Path) -> None:
    checkpoint, config = write_checkpoint(here / "net"), write_config(here / "tiny.toml", budget="2steps")
    words = ("compress", checkpoint, "--data", "data", "--config", config, "-o", "run", "--set")
    with stopped_before_export():
        done = ganprune(*words, "processes=2")
        assert done.code == 130
        assert done.err.count("--set tune-batch=2 (2 processes share every batch)") == 1
        before = (here / "run/fine-tune/train.json").read_bytes()
        assert b'"batch": 2' in before
        assert ganprune(*words, "processes=1").code == 130
    assert (here / "run/fine-tune/train.json").read_bytes() == before  # the number is no other run
    refused = ganprune(*words, "processes=4")
    assert refused.code == 3
    assert "multiple of 4, found 2; use --set tune-batch=4, and `-o` another folder" in refused.err
    assert ganprune("export", "--onnx", "run").code == 0


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            "--set processes=2 --set tune-batch=1",
            "2 processes share every batch, so --set tune-batch must be a multiple of 2, found 1",
        ),
        ("--set processes=0", "--set processes must be 1 to 64, found 0"),
        ("--set tune-batch=0", "--set tune-batch must be 1 to 4096, found 0"),
    ],
)
def test_batch_that_does_not_fit_is_refused_before_the_search(here: Path, words: str, told: str) -> None:
    found = ganprune("compress", "net", "--data", "data", *words.split())
    assert found.code == 2
    assert told in found.err
    assert len(found.err.splitlines()) == 1


def test_train_refuses_a_batch_that_cannot_be_shared_and_chooses_one_that_can(here: Path) -> None:
    found = ganprune("train", "--data", "data", "-o", "net", *TINY, "--set", "processes=4")
    assert found.code == 2
    assert "so --set batch must be a multiple of 4, found 2; use --set batch=4" in found.err
    assert not (here / "net/train.json").exists()
    fitting = ganprune(
        "train", "--data", "data", "-o", "net", *TINY[:-2], "--set", "processes=2", "--budget", "1steps"
    )
    assert fitting.code == 0, fitting.err
    assert "--set batch=2, as 2 processes share every batch" in fitting.err
    assert b'"batch": 2' in (here / "net/train.json").read_bytes()


def test_ctrl_c_is_one_line_and_leaves_nothing_behind(here: Path) -> None:
    words = ("-m", "ganprune_cli", "train", "--data", "data", "-o", "net", "--budget", "100000steps", *TINY)
    with started(*words, "--set", "processes=2", into=here) as process:
        end = time.monotonic() + 120
        while not (here / "net/train_state.pt").exists() or len(children(process)) < 2:
            assert process.poll() is None
            assert time.monotonic() < end, "nothing happened"
            time.sleep(0.1)
        processes = children(process)
        os.killpg(process.pid, signal.SIGINT)  # what a terminal's Ctrl-C reaches
        _, err = process.communicate(timeout=60)
    assert "Traceback" not in err
    assert process.returncode == 130
    assert err.strip().splitlines()[-1].startswith("interrupted; to go on, run again: ")
    assert not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in processes)


def children(process: subprocess.Popen[str]) -> list[psutil.Process]:
    found = psutil.Process(process.pid).children()
    return [child for child in found if "ganprune.training.processes" in " ".join(child.cmdline())]
