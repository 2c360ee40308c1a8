"""A loss of power at any moment: what was not flushed to the disk may be gone, and nothing else."""

import os
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch

from ganprune.runs import Run
from ganprune.search.coevolution import State
from ganprune.stages.saved import save
from ganprune.storage import files
from ganprune.storage.files import make_folder, write_atomically

flush = os.fsync


@dataclass
class Disk:
    """Remembers what is flushed and renamed, in order."""

    events: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])

    def fsync(self, descriptor: int) -> None:
        self.events.append(("flush", Path(f"/proc/self/fd/{descriptor}").readlink().name))
        flush(descriptor)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    if not Path("/proc/self/fd").exists():
        pytest.skip("the names of open files are told by Linux only")
    made, rename = Disk(), Path.replace

    def replace(self: Path, target: Path) -> Path:
        made.events.append(("rename", target.name))
        return rename(self, target)

    monkeypatch.setattr(files.os, "fsync", made.fsync)
    monkeypatch.setattr(Path, "replace", replace)
    return made


def test_content_is_on_the_disk_before_its_name_and_the_name_before_the_call_ends(
    tmp_path: Path, disk: Disk
) -> None:
    write_atomically(tmp_path / "state.bin", b"new")
    partial = f".state.{os.getpid()}.partial.bin"
    assert disk.events == [
        ("flush", partial), ("flush", ".ganprune"), ("rename", "state.bin"), ("flush", tmp_path.name)
    ]  # fmt: skip


def test_every_moment_of_a_write_leaves_the_old_file_or_the_new_one(tmp_path: Path, disk: Disk) -> None:
    write_atomically(tmp_path / "a", b"new")
    for moment in range(len(disk.events) + 1):
        flushed = any(kind == "flush" and "partial" in name for kind, name in disk.events[:moment])
        renamed = ("rename", "a") in disk.events[:moment]
        assert flushed or not renamed  # a name never leads to content that is not on the disk


def test_new_folders_outlast_a_loss_of_power(tmp_path: Path, disk: Disk) -> None:
    make_folder(tmp_path / "one" / "two")
    assert sorted(disk.events) == sorted([("flush", tmp_path.name), ("flush", "one")])
    disk.events.clear()
    make_folder(tmp_path / "one" / "two")
    assert disk.events == []


def test_history_is_on_the_disk_before_the_state_that_follows_it(tmp_path: Path, disk: Disk) -> None:
    save(Run(tmp_path), State(0, {}, {"x": torch.zeros(1)}), [{"generation": 0}], "00" * 32)
    names = [name for kind, name in disk.events if kind == "rename"]
    assert names == ["search.jsonl", "state.safetensors"]
    assert disk.events.index(("flush", tmp_path.name)) < disk.events.index(("rename", "state.safetensors"))
