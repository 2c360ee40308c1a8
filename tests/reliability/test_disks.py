"""Disks that are full or read-only: one line, nothing lost, and the same command goes on afterwards."""

from functools import partial
from pathlib import Path

import pytest
import torch

from ganprune.checkpoints import save_cyclegan_pth, save_generator
from ganprune.models.cyclegan import resnet_widths
from ganprune.storage.files import write_atomically
from ganprune.training import Budget, train
from tests.cli.conftest import Place
from tests.cli.kit import ganprune, listing, stopped_before_export
from tests.reliability.kit import enlarge, file_limit, one_line, read_only, same_files, small_disk
from tests.tiny import random_generator
from tests.training.kit import TINY, networks, pictures, same_bits

RESULTS = ("state.safetensors", "G_A.safetensors", "G_B.safetensors", "latest_net_G_A.pth")


def test_a_write_that_fails_keeps_the_old_file_and_names_it(tmp_path: Path) -> None:
    write_atomically(tmp_path / "a.json", b"old")
    with file_limit(1000), pytest.raises(OSError, match=r"a\.json"):
        write_atomically(tmp_path / "a.json", bytes(5000))
    assert (tmp_path / "a.json").read_bytes() == b"old"
    assert {path.name for path in tmp_path.iterdir()} == {"a.json", ".ganprune"}


@pytest.mark.parametrize("write", [save_cyclegan_pth, partial(save_generator, metadata={})])
def test_networks_that_do_not_fit_are_not_written_in_part(tmp_path: Path, write: object) -> None:
    net = random_generator(resnet_widths(4, 2), 0, torch.float32)
    with file_limit(1000), pytest.raises(OSError, match=r"G\.pth"):
        write(tmp_path / "G.pth", net)  # type: ignore[operator]
    assert [path.name for path in tmp_path.iterdir()] == [".ganprune"]


def test_a_training_whose_state_does_not_fit_goes_on_with_the_same_bits(tmp_path: Path) -> None:
    data, budget = pictures(tmp_path / "data"), Budget(4, "steps")
    wanted = train(networks(), data, TINY, budget, tmp_path / "whole")
    with file_limit(8000), pytest.raises(OSError, match=r"train_state\.pt"):
        train(networks(), data, TINY, budget, tmp_path / "out", save_seconds=0)
    got = train(networks(), data, TINY, budget, tmp_path / "out")
    assert same_bits(got.networks, wanted.networks)


@pytest.mark.parametrize("kibibytes", [8, 16, 60, 110])
def test_a_full_disk_is_one_line_and_the_same_command_goes_on(
    place: Place, here: Path, calm: Path, kibibytes: int
) -> None:
    with small_disk(here / "disk", kibibytes), stopped_before_export():
        full = place.compress("-o", "disk/run")
        assert full.code == 1, full.err
        line = one_line(full.err)
        assert "disk/run/" in line
        assert "the disk is full; free some space and run again: ganprune compress" in line
        assert not [path for path in (here / "disk").rglob("*") if "partial" in path.name]
        enlarge(here / "disk", 4096)
        assert place.compress("-o", "disk/run").code == 130
        assert same_files(here / "disk" / "run", calm, RESULTS)


def test_commands_that_only_read_take_a_run_that_cannot_be_written(place: Place, run: Path) -> None:
    before = listing(run)
    with read_only(run):
        for words in (
            ("inspect", run), ("report", run, "-o", "page.html"),
            ("translate", run, place.data / "testA", "-o", "out"),
        ):  # fmt: skip
            assert ganprune(*words).code == 0, words
        refused = place.compress("-o", run)
        assert refused.code == 1
        line = one_line(refused.err)
        assert "; ganprune must be able to read and write here, or use `-o` another folder" in line
    assert listing(run) == before


def test_checkpoint_pictures_and_working_folder_may_be_read_only(place: Place, here: Path) -> None:
    (here / "mine").mkdir()
    out = here.parent / "out"
    with (
        read_only(place.checkpoint), read_only(place.data), read_only(here / "mine"), stopped_before_export(),
        pytest.MonkeyPatch.context() as patch,
    ):  # fmt: skip
        patch.chdir(here / "mine")
        found = place.compress("-o", out)
    assert found.code == 130, found.err
    assert "warning: runs/latest was not written (Read-only file system)" in found.err
    assert (out / "G_A.safetensors").is_file()
