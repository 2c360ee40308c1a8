"""train_opt.txt and opt.txt: both generations of spellings, and files that are neither."""

from pathlib import Path

import pytest
from torch import nn

from ganprune.checkpoints import Own, load_generator, load_quartet
from ganprune.checkpoints.options import read_options
from ganprune.errors import UnsupportedArchitecture

# As print_options of CycleGAN's options/base_options.py writes it.
TRAIN_OPT = "".join(
    ["----------------- Options ---------------\n"]
    + [
        f"{name:>25}: {value:<30}{default}\n"
        for name, value, default in [
            ("batch_size", "1", ""),
            ("beta1", "0.5", ""),
            ("dataroot", "./datasets/horse2zebra", "\t[default: None]"),
            ("direction", "AtoB", ""),
            ("gan_mode", "lsgan", ""),
            ("name", "a: b", "\t[default: experiment_name]"),
            ("norm", "instance", ""),
            ("preprocess", "resize_and_crop", ""),
        ]
    ]
    + ["----------------- End -------------------\n"]
)

OPT = """------------ Options -------------
batchSize: 1
fineSize: 256
loadSize: 286
no_lsgan: False
resize_or_crop: resize_and_crop
which_direction: AtoB
which_model_netG: resnet_9blocks
-------------- End ----------------
"""


def test_todays_options_are_read(tmp_path: Path) -> None:
    (tmp_path / "train_opt.txt").write_text(TRAIN_OPT)
    assert read_options(tmp_path) == {
        "batch_size": "1",
        "beta1": "0.5",
        "dataroot": "./datasets/horse2zebra",
        "direction": "AtoB",
        "gan_mode": "lsgan",
        "name": "a: b",
        "norm": "instance",
        "preprocess": "resize_and_crop",
    }


def test_old_spellings_get_their_newer_names(tmp_path: Path) -> None:
    (tmp_path / "opt.txt").write_text(OPT)
    assert read_options(tmp_path) == {
        "batch_size": "1",
        "crop_size": "256",
        "load_size": "286",
        "gan_mode": "lsgan",
        "preprocess": "resize_and_crop",
        "direction": "AtoB",
        "netG": "resnet_9blocks",
    }


def test_no_lsgan_is_the_vanilla_loss(tmp_path: Path) -> None:
    (tmp_path / "opt.txt").write_text("no_lsgan: True\n")
    assert read_options(tmp_path) == {"gan_mode": "vanilla"}


def test_the_newer_file_is_preferred(tmp_path: Path) -> None:
    (tmp_path / "opt.txt").write_text("ngf: 1\n")
    (tmp_path / "train_opt.txt").write_text("ngf: 2\n")
    assert read_options(tmp_path) == {"ngf": "2"}


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00:\x80", b" " * 2_000_000, b"no colon here\n" * 10])
def test_a_file_that_is_no_list_of_options_has_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "train_opt.txt").write_bytes(content)
    assert read_options(tmp_path) == {}


def test_a_folder_in_the_place_of_the_file_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "train_opt.txt").mkdir()
    (tmp_path / "opt.txt").write_text("ngf: 1\n")
    assert read_options(tmp_path) == {"ngf": "1"}


def test_a_quartet_brings_its_options_and_says_when_its_domains_are_swapped(
    cyclegan: tuple[Path, dict[str, nn.Module]],
) -> None:
    (cyclegan[0] / "opt.txt").write_text("which_direction: BtoA\n")
    quartet = load_quartet(cyclegan[0] / "latest_net_D_A.pth")
    assert quartet.options == {"direction": "BtoA"}
    assert quartet.notes == (
        "trained with direction BtoA: what is called A here was the folder of B pictures",
    )


@pytest.mark.parametrize("option", ["learn_residual", "no_tanh"])
def test_options_that_make_another_network_of_the_same_tensors_are_refused_by_name(
    cyclegan: tuple[Path, dict[str, nn.Module]], option: str
) -> None:
    """DeblurGAN's, which adds the input to what it draws, and a fork's of CUT."""
    folder, networks = cyclegan
    (folder / "opt.txt").write_text(f"{option}: True\n")
    for read in (load_quartet, load_generator):
        with pytest.raises(UnsupportedArchitecture, match=f"say {option}: .*--generator FILE.py:FACTORY"):
            read(folder / "latest_net_G_A.pth")
    assert load_quartet(folder, own=Own.of(networks["G_A"])).G_A is not None
    (folder / "opt.txt").write_text(f"{option}: False\n")
    assert load_quartet(folder).G_A is not None
