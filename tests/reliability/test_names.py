"""Names that steer terminals, are no UTF-8 or too long; errors of the system; what a kill leaves behind."""

import errno
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from unittest.mock import patch

import pytest
from filelock import FileLock

from ganprune.storage.files import write_atomically
from ganprune.storage.locking import locked
from ganprune.storage.scratch import scratch_folder
from ganprune_cli import guard
from tests.cli.conftest import Place
from tests.cli.kit import ganprune, stopped_before_export

EVIL = "net\x1b[31m\u202egpj\x9b\x07'\\"


def _calm(text: str) -> bool:
    return all(letter.isprintable() or letter == "\n" for letter in text)


def test_names_that_steer_a_terminal_are_shown_without(place: Place, here: Path) -> None:
    shutil.copytree(place.checkpoint, here / EVIL)
    for words in (("inspect", EVIL), ("inspect", EVIL, "--json"), ("inspect", EVIL, "--markdown")):
        found = ganprune(*words)
        assert found.code == 0, found.err
        assert _calm(found.out)
        assert _calm(found.err)
    assert any(EVIL in str(value) for value in ganprune("inspect", EVIL, "--json").json.values())
    (line,) = [line for line in ganprune("inspect", EVIL).err.splitlines() if line.startswith("next: ")]
    typed = subprocess.run(
        ["bash", "-c", f"printf '%s\\n' {line.removeprefix('next: ')}"], capture_output=True, text=True,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )  # fmt: skip
    assert EVIL in typed.stdout.splitlines()


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (errno.EMFILE, "allow more (`ulimit -n`), or use fewer --workers, and run again: ganprune"),
        (errno.ENAMETOOLONG, "use a shorter path"),
        (errno.EIO, "look at the disk, or use `-o` a folder on another one"),
        (errno.ENOLCK, "look at the disk, or use `-o` a folder on another one"),
        (errno.ENOSPC, "the disk is full; free some space and run again: ganprune"),
        (errno.EACCES, "use `-o` another folder"),
    ],
)
def test_errors_of_the_system_say_what_to_do(number: int, told: str, tmp_path: Path) -> None:
    def failing(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    with patch("os.fsync", failing), pytest.raises(OSError, match=r"a\.json") as flushed:
        write_atomically(tmp_path / "a.json", b"")
    with patch.object(FileLock, "acquire", failing), pytest.raises(OSError, match=r"\.lock") as unlocked:  # noqa: SIM117
        with locked(tmp_path / "new"):
            pass
    for error in (flushed.value, unlocked.value):
        line, code = guard._explain(error)
        assert code == 1
        assert str(tmp_path) in line
        assert told in line


def test_a_file_system_without_locks_is_one_line(tmp_path: Path) -> None:
    without = NotImplementedError("FileSystem does not appear to support flock")
    with patch.object(FileLock, "acquire", side_effect=without), pytest.raises(OSError) as raised:  # noqa: PT011, SIM117
        with locked(tmp_path):
            pass
    line, _ = guard._explain(raised.value)
    assert line.startswith(f"error: {tmp_path}/.lock: no locks on this file system")


LONG = ("inspect", "export", "train", "translate", "bench", "compress")


@pytest.mark.parametrize("kind", ["bytes", "long"])
@pytest.mark.parametrize("command", LONG)
def test_paths_that_are_no_utf_8_or_too_long_are_one_line_or_work(
    place: Place, here: Path, command: str, kind: str
) -> None:
    odd = here / os.fsdecode(b"net\xff") if kind == "bytes" else here
    while kind == "long" and len(str(odd)) < 3_900:
        odd /= "n" * min(200, 3_900 - len(str(odd)))
    net = shutil.copytree(place.checkpoint, odd / "net") if command == "inspect" else place.checkpoint
    words = {
        "inspect": (net,),
        "export": ("--onnx", net / "latest_net_G_A.pth", "-o", odd, "--size", 16),
        "train": ("--data", place.data, "-o", odd, "--budget", "1steps", "--size", 32, "--set", "ngf=2"),
        "translate": (net, place.data / "testA" / "00.png", "-o", odd),
        "bench": (net / "latest_net_G_A.pth", "-o", odd, "--size", 16, "--set", "runs=2,2", "--threads", 1),
        "compress": (
            net,
            "--data",
            place.data,
            "--config",
            place.config,
            "-o",
            odd,
            "--set",
            "generations=1",
        ),
    }[command]
    with stopped_before_export():
        found = ganprune(command, *words)
    assert found.code in (0, 1, 2, 3, 130), found.err
    assert "internal error" not in found.err
    assert "Traceback" not in found.err
    if 0 < found.code < 130:
        assert sum(line.startswith("error: ") for line in found.err.splitlines()) == 1
    assert _calm(found.out)


HOLDS = (
    "import sys, time\nfrom ganprune.storage.scratch import scratch_folder\n"
    "with scratch_folder() as f:\n (f / 'big').touch(); print(f, flush=True); time.sleep(60)"
)


def test_scratch_folders_of_killed_processes_are_removed_and_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    mine = tmp_path / "ganprune-scratch-thesis"
    (mine / "files").mkdir(parents=True)
    (mine / ".lock").touch()
    env = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    killed = subprocess.Popen([sys.executable, "-c", HOLDS], stdout=subprocess.PIPE, text=True, env=env)
    assert killed.stdout is not None
    left = Path(killed.stdout.readline().strip())
    with scratch_folder() as first:
        assert (left / "big").exists()  # of a process that lives
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        killed.stdout.close()
        with scratch_folder() as second:
            assert first.is_dir()
            assert second.is_dir()
            assert not left.parent.exists()
    assert list(tmp_path.iterdir()) == [mine]
