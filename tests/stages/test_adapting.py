"""Settings that nobody asked for fit any checkpoint and pictures; what was asked for stays."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import nn

from ganprune.checkpoints import Quartet
from ganprune.images import PictureFolders, find_domains
from ganprune.images.sources import Domain
from ganprune.models.cyclegan import Discriminator, DiscriminatorWidths, Generator, resnet_widths
from ganprune.presets import PRESETS
from ganprune.pruning.repair import Repairer
from ganprune.settings import KEYS, CompressSettings
from ganprune.stages.adapting import Adapted, adapted, too_small
from tests.tiny import layout_of

NONE = PictureFolders((), ())


@cache
def generator(ngf: int, blocks: int) -> Generator:
    with torch.device("meta"):
        return Generator(resnet_widths(ngf, blocks))


JUDGE = Discriminator(DiscriminatorWidths.of(4))


def quartet(ngf: int = 64, blocks: int = 9, names: str = "G_A G_B D_A D_B", **rest: object) -> Quartet:
    made = {name: generator(ngf, blocks) if name[0] == "G" else JUDGE for name in names.split()}
    return Quartet(*(made.get(name) for name in ("G_A", "G_B", "D_A", "D_B")), **rest)  # type: ignore[arg-type]


def fitted(found: Quartet, preset: str = "fast", folders: PictureFolders = NONE, **given: object) -> Adapted:
    asked = {key.replace("_", "-"): value for key, value in given.items()}
    settings = CompressSettings.from_flat({**PRESETS[preset].settings, **asked}, given=asked)
    any_G = found.G_A or found.G_B
    assert any_G is not None
    generators: Mapping[Domain, nn.Module] = {"A": found.G_A or any_G, "B": found.G_B or any_G}
    return adapted(settings, found, generators, lambda domains: folders)


@pytest.mark.parametrize("preset", ["fast", "tiny"])
@pytest.mark.parametrize("ngf", [8, 16, 32, 64])
def test_default_targets_can_be_reached_by_generators_of_any_size(ngf: int, preset: str) -> None:
    for blocks in range(10):
        search = fitted(quartet(ngf, blocks), preset).settings.search
        layout = layout_of(resnet_widths(ngf, blocks), search.layout)
        Repairer(layout, search.constraints("A"))  # raises where it cannot be reached
        if preset == "fast":
            assert search.speed_up == (4.2, 4.2)


def test_a_standard_generator_needs_no_other_defaults() -> None:
    found = fitted(quartet())
    assert (found.note, found.before) == ("", {})


def test_an_alignment_or_a_target_that_was_asked_for_stays_and_the_other_one_adapts() -> None:
    narrow = quartet(16, 2)
    coarse = fitted(narrow, align=16).settings.search
    assert coarse.align == 16
    assert coarse.speed_up is not None
    assert coarse.speed_up[0] < 4
    small = fitted(narrow, speed_up=4).settings.search
    assert small.speed_up == (4, 4)
    assert small.align < 16
    macs = fitted(narrow, "smoke", target_macs=0.2).settings.search
    assert (macs.target_macs, macs.align) == ((0.2, 0.2), 8)
    both = fitted(narrow, align=16, target_macs=0.25)
    assert (both.note, both.settings.search.align) == ("", 16)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("G_A", {"direction": "AtoB", "loss": "gena", "distil-features": 0.0, "lambda-cycle": 0.0}),
        ("G_B", {"direction": "BtoA", "loss": "gena", "distil-features": 0.0, "lambda-cycle": 0.0}),
        ("G_A D_A", {"direction": "AtoB", "lambda-cycle": 0.0}),
        ("G_A G_B", {"loss": "gena", "distil-features": 0.0}),
        ("G_A G_B D_A", {"loss": "gena", "distil-features": 0.0}),
        ("G_A G_B D_A D_B", {}),
    ],
)
@pytest.mark.parametrize("preset", ["fast", "paper"])
def test_what_a_checkpoint_lacks_decides_the_defaults(
    names: str, expected: dict[str, object], preset: str
) -> None:
    found = fitted(quartet(names=names), preset)
    flat = found.settings.to_flat()
    assert {key: flat[key] for key in expected} == expected
    if preset == "paper" and expected:  # CycleGAN's recipe needs all four
        expected = expected | {"recipe": "distil", "tune-steps": 0}
    if preset == "fast":  # which weighs none of what may be missing
        expected = {key: value for key, value in expected.items() if key not in ("loss", "lambda-cycle")}
    assert found.before.keys() == expected.keys()
    for key, value in expected.items():
        assert flat[key] == value
        assert KEYS[key][1].option in found.note
    lone = "direction" in expected and "G_B" not in names
    assert ("there is no G_B" in found.note) == lone


def test_a_target_is_given_up_with_what_is_kept_whole() -> None:
    """As in AnimeGANv2."""
    module = nn.Sequential(nn.Conv2d(3, 8, 3, 1, 1), nn.GroupNorm(1, 8), nn.ReLU(), nn.Conv2d(8, 3, 3, 1, 1))
    found = fitted(Quartet.of_modules(module), "smoke")
    assert found.settings.search.target_macs == (1, 1)
    assert "can come to: 1: group_norm goes over all channels; its channels are kept whole" in found.note


def test_what_was_asked_for_is_binding() -> None:
    found = fitted(quartet(names="G_A"), loss="disa", lambda_cycle=3, direction="both")
    flat = found.settings.to_flat()
    assert (flat["loss"], flat["lambda-cycle"], flat["direction"]) == ("disa", 3.0, "both")
    recovered = fitted(quartet(names="G_A"), recover_discriminators=True)
    assert recovered.note == ""


def drawn(folder: Path, *sides: tuple[int, int]) -> None:
    folder.mkdir(parents=True)
    for number, size in enumerate(sides):
        Image.new("RGB", size, (number, 0, 0)).save(folder / f"{number}.png")


def test_pictures_of_one_domain_decide_the_direction(tmp_path: Path) -> None:
    drawn(tmp_path / "trainB", (300, 300))
    found = fitted(quartet(), folders=find_domains(tmp_path, ()))
    assert found.settings.search.direction == "BtoA"
    assert found.note == (
        "chosen to fit, as nothing else was asked for: --direction BtoA (there are no pictures of A)"
    )


def test_the_size_is_no_larger_than_the_pictures_or_the_crops_of_the_training(tmp_path: Path) -> None:
    drawn(tmp_path / "small/trainA", (70, 90), (67, 20))
    drawn(tmp_path / "small/trainB", (50, 50))
    drawn(tmp_path / "mixed/trainA", (70, 90), (300, 260))
    drawn(tmp_path / "mixed/trainB", (50, 50))
    small, mixed = (find_domains(tmp_path / name, ()) for name in ("small", "mixed"))
    assert fitted(quartet(), folders=small).settings.pictures.size == 68
    assert fitted(quartet(), folders=small, size=128).settings.pictures.size == 128
    assert fitted(quartet(), folders=mixed).note == ""
    trained = quartet(options={"crop_size": "128"})
    assert "--size 128 (trained with crop_size 128)" in fitted(trained, folders=mixed).note
    assert fitted(quartet(options={"crop_size": "512"})).note == ""


def test_a_size_far_below_the_training_or_the_pictures_is_told(tmp_path: Path) -> None:
    drawn(tmp_path / "trainA", (300, 270))
    drawn(tmp_path / "trainB", (50, 50))
    folders = find_domains(tmp_path, ())
    for crops, size, told in (
        ("256", 128, "--size 128, but the networks were trained with crop_size 256: what is found and"),
        ("256", 256, None),
        ("", 128, "--size 128, but pictures have 270 pixels: what is found and measured at 128 need not"),
        ("", 136, None),
    ):
        settings = CompressSettings.from_flat({"size": size})
        found = too_small(settings, quartet(options={"crop_size": crops}), folders)
        assert found == told if told is None else str(found).startswith(told)
    assert too_small(CompressSettings.from_flat({"size": 64}), quartet(), NONE) is None


def test_the_size_is_large_enough_for_the_discriminators(tmp_path: Path) -> None:
    drawn(tmp_path / "trainA", (20, 20))
    drawn(tmp_path / "trainB", (20, 20))
    folders = find_domains(tmp_path, ())
    assert fitted(quartet(), folders=folders).settings.pictures.size == 24
    assert fitted(quartet(names="G_A G_B"), folders=folders).settings.pictures.size == 20
