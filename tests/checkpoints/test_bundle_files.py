"""Files with several networks: in folders, damaged, ambiguous, made to do harm; and read once."""

import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from ganprune.checkpoints import NET_NAMES, inspect, load_generator, load_quartet
from ganprune.checkpoints.layouts import bundle
from ganprune.checkpoints.layouts.conventions import CONVENTIONS, plain
from ganprune.errors import CheckpointError, UnsafeCheckpoint
from tests.checkpoints.builders import (
    A2B_NAMES,
    CYCLEGAN_NAMES,
    assert_same,
    make_generator,
    make_networks,
    write_networks,
)
from tests.checkpoints.test_bundles import SPELLINGS, assert_whole, named, states, trained


def test_of_two_generators_in_a_file_none_is_picked_silently(tmp_path: Path) -> None:
    torch.save(named(SPELLINGS["aitorzip"]), tmp_path / "all.pth")
    with pytest.raises(
        CheckpointError, match=r"all\.pth: holds netG_A2B and netG_B2A, one generator was needed"
    ):
        load_generator(tmp_path / "all.pth")


def test_two_entries_that_could_be_one_network_are_refused(tmp_path: Path) -> None:
    torch.save(states() | {"netG_A": make_generator(9).state_dict()}, tmp_path / "all.pth")
    with pytest.raises(CheckpointError, match=r"all\.pth: both 'G_A' and 'netG_A' could be G_A; keep one"):
        load_quartet(tmp_path / "all.pth")


def test_names_of_other_schools_beside_a_whole_training_are_left_aside(tmp_path: Path) -> None:
    averaged = {"G_A_ema": make_generator(9).state_dict(), "disA": make_networks()["D_A"].state_dict()}
    torch.save(states() | averaged, tmp_path / "all.pth")
    assert_whole(tmp_path / "all.pth", "bundle")
    assert load_quartet(tmp_path / "all.pth").notes[0].endswith("'G_A_ema', 'disA'")


def test_an_error_names_the_file_and_the_network_in_it(tmp_path: Path) -> None:
    held = named(SPELLINGS["aitorzip"])
    del held["netG_B2A"]["model.4.weight"]
    torch.save(held, tmp_path / "all.pth")
    with pytest.raises(
        CheckpointError, match=r"all\.pth: netG_B2A: lacks model\.4\.weight; the file is incom"
    ):
        load_quartet(tmp_path / "all.pth")
    torch.save(states() | {"G_A": {**states()["G_A"], "step": "3"}}, tmp_path / "all.pth")
    with pytest.raises(CheckpointError, match=r"all\.pth: G_A: holds a str as 'step'"):
        load_quartet(tmp_path / "all.pth")


def test_a_discriminator_under_a_generators_name_is_said_to_be_one(tmp_path: Path) -> None:
    torch.save(states() | {"G_B": states()["D_B"]}, tmp_path / "all.pth")
    with pytest.raises(
        CheckpointError, match=r"all\.pth: G_B: holds a discriminator, a generator was needed"
    ):
        load_quartet(tmp_path / "all.pth")


def test_a_folder_with_one_bundle_is_that_bundle(tmp_path: Path) -> None:
    torch.save(states() | trained(), tmp_path / "epoch=199.ckpt")
    torch.save(torch.zeros(3), tmp_path / "mean.pt")
    (tmp_path / "notes.pth").write_text("no checkpoint")
    (tmp_path / "train_opt.txt").write_text("ngf: 2\n")
    assert_whole(tmp_path, "bundle")
    assert load_quartet(tmp_path).options == {"ngf": "2"}


def test_a_folder_with_several_bundles_names_them(tmp_path: Path) -> None:
    for epoch in (1, 2):
        torch.save(states(), tmp_path / f"epoch={epoch}.ckpt")
    with pytest.raises(
        CheckpointError, match=r"whole trainings: epoch=1\.ckpt, epoch=2\.ckpt; give one of them"
    ):
        load_quartet(tmp_path)
    assert_whole(tmp_path / "epoch=2.ckpt")


@pytest.mark.parametrize("names", [CYCLEGAN_NAMES, A2B_NAMES])
def test_a_layout_of_files_comes_before_a_bundle_in_its_folder(tmp_path: Path, names: dict[str, str]) -> None:
    torch.save({"G_A": make_generator(9).state_dict()}, tmp_path / "all.pth")
    write_networks(tmp_path, names)
    assert load_quartet(tmp_path).files["G_A"].name == names["G_A"]
    assert_same(load_quartet(tmp_path / "all.pth").G_A, make_generator(9))


def test_the_only_checkpoint_of_a_folder_says_what_is_wrong_with_it(tmp_path: Path) -> None:
    torch.save(states(), tmp_path / "whole")
    (tmp_path / "all.pth").write_bytes((tmp_path / "whole").read_bytes()[:5000])
    with pytest.raises(CheckpointError, match=r"all\.pth: truncated or damaged"):
        load_quartet(tmp_path)


@pytest.mark.parametrize(
    "name", ["horse2zebra.pth", "pytorch_model.bin", "model.safetensors", "best.pth.tar"]
)
def test_the_only_generator_of_a_folder_is_read_whatever_its_file_is_called(
    tmp_path: Path, name: str
) -> None:
    state = make_generator(1).state_dict()
    if name.endswith(".safetensors"):
        save_file(state, tmp_path / name)
    else:
        torch.save(state, tmp_path / name)
    torch.save({"state": {}, "param_groups": []}, tmp_path / "optimizer.bin")
    (tmp_path / "config.json").write_text("{}")
    quartet = load_quartet(tmp_path)
    assert_same(quartet.G_A, make_generator(1))
    assert quartet.notes == (f"{name} is one generator alone, taken as G_A",)
    assert inspect(tmp_path).networks[0].file == tmp_path / name


def test_several_generators_of_a_folder_under_names_that_say_nothing_are_told(tmp_path: Path) -> None:
    for seed, name in enumerate(("monet.pth", "photo.pth")):
        torch.save(make_generator(seed).state_dict(), tmp_path / name)
    with pytest.raises(
        CheckpointError, match=r"hold one generator each: monet\.pth, photo\.pth; give one of them"
    ):
        load_quartet(tmp_path)


def test_averages_over_the_training_are_read_where_every_generator_has_one(tmp_path: Path) -> None:
    averages = {f"{name}_ema": make_generator(seed).state_dict() for seed, name in ((8, "G_A"), (9, "G_B"))}
    torch.save(states() | averages, tmp_path / "all.pth")
    quartet = load_quartet(tmp_path / "all.pth")
    assert_same(quartet.G_A, make_generator(8))
    assert_same(quartet.G_B, make_generator(9))
    assert quartet.notes == ("all.pth: averages over the training are read: G_A_ema, G_B_ema",)
    alone = {"params": make_generator(1).state_dict(), "params_ema": make_generator(2).state_dict()}
    torch.save(alone, tmp_path / "net_g_5000.pth")
    assert_same(load_quartet(tmp_path / "net_g_5000.pth").G_A, make_generator(2))
    deeper = {"model": alone["params"], "ema": {"shadow": alone["params_ema"], "decay": 0.9}}
    torch.save(deeper, tmp_path / "net_g_6000.pth")
    assert_same(load_quartet(tmp_path / "net_g_6000.pth").G_A, make_generator(2))


@pytest.mark.parametrize(
    "around",
    [
        lambda state: {"checkpoint": {"model": {"netG": state}}, "epoch": 3},
        lambda state: {"a": {"b": {"c": state}}, "optimizer": {"state": {0: {"exp_avg": torch.ones(2)}}}},
        lambda state: [3, state],
        lambda state: {"n_averaged": torch.tensor(3)} | {f"module.{name}": t for name, t in state.items()},
    ],
)  # fmt: skip
def test_a_generator_is_found_however_deep_it_lies(tmp_path: Path, around: Callable[[Any], Any]) -> None:
    torch.save(around(make_generator(1).state_dict()), tmp_path / "all.pth")
    assert_same(load_quartet(tmp_path / "all.pth").G_A, make_generator(1))


def test_a_file_of_four_networks_is_read_once_and_not_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.save(states() | trained(), tmp_path / "all.pth")
    reads: list[Path] = []
    read = bundle.read_held

    def counted(path: Path) -> object:
        reads.append(path)
        return read(path)

    monkeypatch.setattr(bundle, "read_held", counted)
    (located,) = bundle.BUNDLE.find(tmp_path, ["all.pth"])
    assert reads == []
    for name in located.files:
        located.read(tmp_path / "all.pth", name)
    assert len(reads) == 1
    reader = located.read
    assert isinstance(reader, bundle._BundleReader)  # pyright: ignore[reportPrivateUsage]
    assert reader.held == {}
    assert located.read(tmp_path / "all.pth", "G_B").keys() == states()["G_B"].keys()
    assert len(reads) == 2


def test_a_file_that_changes_while_it_is_read_says_so(tmp_path: Path) -> None:
    torch.save(states(), tmp_path / "all.pth")
    (located,) = bundle.BUNDLE.find(tmp_path, ["all.pth"])
    torch.save({"G_A": states()["G_A"]}, tmp_path / "all.pth")
    with pytest.raises(CheckpointError, match=r"all\.pth: does not hold D_A any more; it has changed"):
        located.read(tmp_path / "all.pth", "D_A")


def test_inspection_tells_which_entry_is_which_network(tmp_path: Path) -> None:
    torch.save(named(SPELLINGS["aitorzip"]), tmp_path / "all.pth")
    found = inspect(tmp_path / "all.pth", size=64)
    assert (found.naming, found.found, found.problems) == ("bundle, A2B names", NET_NAMES, ())
    assert [network.entry for network in found.networks] == ["netG_A2B", "netG_B2A", "netD_B", "netD_A"]
    assert {network.file for network in found.networks} == {tmp_path / "all.pth"}
    assert found.next_command == f"ganprune compress {tmp_path / 'all.pth'} --data DIR"


@pytest.mark.parametrize(
    "held",
    [
        {"D_A": {"model.0.weight": torch.zeros(1)}, "D_B": {"model.0.weight": torch.zeros(1)}},
        {"G_A": [0.5, 0.25], "G_B": [1.0]},
        {"losses": {"G_A": 0.5}, "state_dict": {}},
        {"G_A": {}, "G_B": {}},
        {1: {"w": torch.zeros(1)}},
    ],
)
def test_what_only_resembles_a_bundle_is_none(tmp_path: Path, held: object) -> None:
    torch.save(held, tmp_path / "all.pth")
    assert bundle.BUNDLE.find(tmp_path, ["all.pth"]) == []
    with pytest.raises(CheckpointError, match=r"all\.pth: (holds|a generator of no family)"):
        load_quartet(tmp_path / "all.pth")


class _Options:
    epochs = 200


def test_options_objects_beside_the_networks_are_refused_by_name(tmp_path: Path) -> None:
    torch.save(states() | {"opt": _Options()}, tmp_path / "all.pth")
    with pytest.raises(
        UnsafeCheckpoint, match=r"asks for tests\.checkpoints\.test_bundle_files\._Options.*state_dict"
    ):
        load_quartet(tmp_path / "all.pth")


def test_a_run_of_losses_as_long_as_a_training_is_no_obstacle(tmp_path: Path) -> None:
    torch.save(states() | {"losses": [i / 7 for i in range(200_000)]}, tmp_path / "all.pth")
    assert_whole(tmp_path / "all.pth")


@pytest.mark.parametrize(
    "call", [b"ccollections\nOrderedDict\nh\x00R", b"ccollections\nCounter\nh\x00R", b"h\x01b"]
)
def test_a_short_pickle_that_copies_a_dict_again_and_again_is_refused(tmp_path: Path, call: bytes) -> None:
    items = b"".join(b"M" + i.to_bytes(2, "little") + b"N" for i in range(5000))
    program = b"\x80\x02}(" + items + b"uq\x01\x85q\x00ccollections\nOrderedDict\n)R" + call * 2000 + b"."
    (tmp_path / "all.pth").write_bytes(program)
    assert (tmp_path / "all.pth").stat().st_size < 100_000
    with pytest.raises(CheckpointError, match="its pickle copies more than 300000 entries"):
        load_quartet(tmp_path / "all.pth")


def test_the_table_of_conventions_gives_every_name_to_one_network() -> None:
    for convention in CONVENTIONS:
        told: dict[str, str] = {}
        for school in convention.schools:
            for ours, name in school.items():
                assert told.setdefault(plain(name), ours) == ours
        assert told == convention.words


def test_a_bundle_survives_being_copied_under_any_name(tmp_path: Path) -> None:
    torch.save(states(), tmp_path / "all.pth")
    shutil.copy(tmp_path / "all.pth", tmp_path / "model")
    assert_whole(tmp_path / "model")


def test_a_plain_pickle_of_networks_is_not_taken_for_one_of_torch(tmp_path: Path) -> None:
    (tmp_path / "all.pkl").write_bytes(pickle.dumps({"G_A": {"epoch": 3}}, protocol=2))
    with pytest.raises(CheckpointError, match=r"all\.pkl: a pickle, but not one of torch\.save"):
        load_quartet(tmp_path / "all.pkl")
