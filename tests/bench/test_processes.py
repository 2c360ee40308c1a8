"""Networks in processes of their own: they end when they should, and their ends are told."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest

from ganprune.bench import Candidate, bench, candidates_of
from ganprune.bench.engine import engine_for
from ganprune.bench.process import NetworkProcess
from ganprune.errors import InputError, UsageError
from tests import onnx_graphs
from tests.bench.kit import QUICK

NOISE = np.zeros((1, 1, 3, 16, 16), np.float32)
CPU = engine_for("CPUExecutionProvider")

PARENT = """
import sys, time
import numpy as np
from pathlib import Path
from ganprune.bench.engine import engine_for
from ganprune.bench.process import NetworkProcess
process = NetworkProcess(Path(sys.argv[1]))
process.load(engine_for("CPUExecutionProvider"), 1, "input", np.zeros((1, 1, 3, 16, 16), np.float32))
print(process.pid, flush=True)
{then}
"""


def gone(pid: int, seconds: float = 10.0) -> bool:
    """Whether a process ends in time."""
    try:
        process = psutil.Process(pid)
    except psutil.NoSuchProcess:
        return True
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.05)
    return False


def test_each_network_has_a_process_without_pytorch_that_ends_with_the_measurement(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mapped: dict[int, str] = {}
    run = NetworkProcess.run

    def listened(process: NetworkProcess, picture: int = 0) -> float:
        mapped[process.pid] = Path(f"/proc/{process.pid}/maps").read_text()
        return run(process, picture)

    monkeypatch.setattr(NetworkProcess, "run", listened)
    files = (onnx_graphs.conv(tmp_path / "a.onnx"), onnx_graphs.conv(tmp_path / "b.onnx"))
    bench(candidates_of(files), replace(QUICK, threads=(1, 2)))
    assert len(mapped) == 4
    assert all("onnxruntime" in text and "libtorch" not in text for text in mapped.values())
    assert os.getpid() not in mapped
    assert all(gone(pid) for pid in mapped)


@pytest.mark.parametrize("then", ["import os; os.kill(os.getpid(), 9)", "sys.exit(0)", "1 / 0"])
def test_a_process_ends_with_the_one_that_started_it(tmp_path: Path, then: str) -> None:
    path = onnx_graphs.conv(tmp_path / "a.onnx")
    root = Path(__file__).parents[2]
    found = subprocess.run(
        [sys.executable, "-c", PARENT.format(then=then), str(path)],
        cwd=root, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False,
    )  # fmt: skip
    assert gone(int(found.stdout))


def test_a_process_does_not_even_finish_its_run(tmp_path: Path) -> None:
    slow = onnx_graphs.conv(tmp_path / "slow.onnx", 512, (1, 3, 256, 256), layers=4)  # 464 G MACs: seconds
    then = "import os, threading; threading.Timer(0.5, os._exit, (1,)).start(); process.run()"
    found = subprocess.run(
        [sys.executable, "-c", PARENT.format(then=then).replace("3, 16, 16", "3, 256, 256"), str(slow)],
        cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    assert gone(int(found.stdout), 1.0)


def test_a_process_that_dies_is_told_in_one_line_that_names_the_file(tmp_path: Path) -> None:
    path = onnx_graphs.conv(tmp_path / "a.onnx")
    with NetworkProcess(path) as process:
        process.load(CPU, 1, "input", NOISE)
        assert process.run() > 0
        os.kill(process.pid, signal.SIGSEGV)
        with pytest.raises(
            InputError, match=r"a\.onnx: .* the process that ran it was ended by SIGSEGV; "
        ) as e:
            process.run()
    assert "\n" not in str(e.value)


def test_all_processes_end_when_one_dies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = tuple(onnx_graphs.conv(tmp_path / f"{name}.onnx") for name in "abc")
    pids: list[int] = []
    start, run = NetworkProcess.__init__, NetworkProcess.run

    def started(process: NetworkProcess, path: Path) -> None:
        start(process, path)
        pids.append(process.pid)

    def killed(process: NetworkProcess, picture: int = 0) -> float:
        if process.pid == pids[1] and picture == 2:
            os.kill(process.pid, signal.SIGKILL)
        return run(process, picture)

    monkeypatch.setattr(NetworkProcess, "__init__", started)
    monkeypatch.setattr(NetworkProcess, "run", killed)
    with pytest.raises(InputError, match=r"b\.onnx: .* was ended by SIGKILL"):
        bench(candidates_of(files), QUICK)
    assert len(pids) == 3
    assert all(gone(pid) for pid in pids)


def test_a_process_that_waits_takes_no_cpu_time(tmp_path: Path) -> None:
    with NetworkProcess(onnx_graphs.conv(tmp_path / "a.onnx", 64, layers=3)) as process:
        process.load(CPU, 4, "input", NOISE)
        for _ in range(3):
            process.run()
        time.sleep(0.1)
        waiting = psutil.Process(process.pid)
        before = sum(waiting.cpu_times()[:2])
        time.sleep(0.5)
        assert sum(waiting.cpu_times()[:2]) - before <= 0.02


def test_an_error_of_the_runtime_does_not_end_the_process(tmp_path: Path) -> None:
    with NetworkProcess(onnx_graphs.conv(tmp_path / "a.onnx")) as process:
        process.load(CPU, 1, "no such input", NOISE)
        with pytest.raises(
            InputError, match=r"a\.onnx: needed a network that ONNX Runtime can run, it says: .*"
        ):
            process.run()
        process.load(CPU, 1, "input", NOISE)
        assert process.run() > 0


def test_files_that_cannot_run_are_named(tmp_path: Path) -> None:
    (tmp_path / "corrupt.onnx").write_bytes(b"\x08\x07\x12corrupt" * 9)
    with pytest.raises(InputError, match=r"corrupt\.onnx: needed an ONNX file, found none inside"):
        bench([Candidate("corrupt", tmp_path / "corrupt.onnx")], QUICK)
    strange = onnx_graphs.unknown_operator(tmp_path / "strange.onnx")
    with pytest.raises(
        InputError, match=r"strange\.onnx: needed a network that ONNX Runtime can run.*Teleport"
    ):
        bench([Candidate("strange", strange)], QUICK)
    with pytest.raises(UsageError, match=r"found no file .*nowhere\.onnx"):
        bench([Candidate("nowhere", tmp_path / "nowhere.onnx")], QUICK)
