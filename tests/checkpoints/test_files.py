"""Files appear whole or not at all."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ganprune.storage.files import atomic_path, sha256, write_atomically


def test_a_written_file_is_alone_in_its_folder(tmp_path: Path) -> None:
    write_atomically(tmp_path / "new" / "deep" / "bench.json", b"one")
    write_atomically(tmp_path / "new" / "deep" / "bench.json", b"two")
    names = {path.name for path in (tmp_path / "new" / "deep").iterdir()}
    assert names == {"bench.json", ".ganprune"}  # the record of what was made
    assert (tmp_path / "new" / "deep" / "bench.json").read_bytes() == b"two"


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "G.onnx"
    write_atomically(target, b"old")
    with pytest.raises(KeyboardInterrupt), atomic_path(target) as partial:  # noqa: PT012
        partial.write_bytes(b"half of the n")
        assert target.read_bytes() == b"old"
        raise KeyboardInterrupt
    assert {path.name for path in tmp_path.iterdir()} == {"G.onnx", ".ganprune"}
    assert target.read_bytes() == b"old"


def test_the_temporary_name_keeps_the_suffix_and_the_folder(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "G_A.int8.onnx") as partial:
        assert (partial.parent, partial.suffix) == (tmp_path, ".onnx")
        assert partial.name.startswith(".")
        partial.write_bytes(b"")


def test_a_block_that_writes_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), atomic_path(tmp_path / "G.onnx"):
        pass


def test_data_are_on_the_disk_before_the_name_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    flush, rename = os.fsync, Path.replace

    def seen_flush(descriptor: int) -> None:
        events.append("flush")
        flush(descriptor)

    def seen_rename(self: Path, target: Path) -> Path:
        events.append("rename")
        return rename(self, target)

    monkeypatch.setattr(os, "fsync", seen_flush)
    monkeypatch.setattr(Path, "replace", seen_rename)
    write_atomically(tmp_path / "file", b"data")
    assert events[:3] == ["flush", "flush", "rename"]  # the content, the record, the name


def test_a_reader_sees_whole_files_alone_while_the_writer_is_killed(tmp_path: Path) -> None:
    target, size = tmp_path / "state", 1 << 20
    code = (
        "import pathlib, sys\n"
        "from ganprune.storage.files import write_atomically\n"
        "for i in range(10**6):\n"
        f"    write_atomically(pathlib.Path(sys.argv[1]), bytes([i % 256]) * {size})\n"
    )
    root = Path(__file__).parents[2]
    writer = subprocess.Popen([sys.executable, "-c", code, str(target)], cwd=root)
    try:
        end = time.monotonic() + 20
        while not target.exists() and time.monotonic() < end:
            time.sleep(0.01)
        for _ in range(30):
            content = target.read_bytes()
            assert len(content) == size
            assert content.count(content[:1]) == size
    finally:
        writer.send_signal(signal.SIGKILL)
        writer.wait()
    content = target.read_bytes()
    assert len(content) == size
    assert content.count(content[:1]) == size


def test_sha256_is_that_of_the_whole_file(tmp_path: Path) -> None:
    data = bytes(range(256)) * 10_000  # longer than a chunk, and no multiple of one
    (tmp_path / "file").write_bytes(data)
    assert sha256(tmp_path / "file") == hashlib.sha256(data).hexdigest()
