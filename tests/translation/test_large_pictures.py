"""Pictures too large for the memory: told before they are begun, and translated in tiles."""

from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor

from ganprune.errors import InputError, UsageError
from ganprune.models.cyclegan import Generator, resnet_widths
from ganprune.onnx_files.cost import PictureInput
from ganprune.translation import (
    TranslateSettings,
    memory,
    open_source,
    preparation_for,
    run,
    translate_pictures,
)
from ganprune.translation.memory import bytes_a_pixel, free_memory
from ganprune.translation.preparation import Preparation
from ganprune.translation.source import Source
from ganprune.translation.tiles import Tiled
from tests.images.pictures import write
from tests.tiny import random_pictures
from tests.translation.kit import negative, pixels, source_of, write_run

OWN = Preparation("none")


# Memory


def test_a_picture_that_needs_more_memory_than_there_is_is_told_before_it_is_translated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unwanted(pictures: Tensor) -> Tensor:
        raise AssertionError("translated")

    monkeypatch.setattr(run, "free_memory", lambda device: 50_000_000)
    path = write(tmp_path / "in/a.png", 1, 400, 300)
    source = Source(Path("net.pth"), "AtoB", unwanted, bytes_a_pixel=1124)
    told = (
        r"a.png: its 400×300 pixels need about 0.1 GB of memory, found 0.1 GB free; use --tile 512, or --pre"
    )
    with pytest.raises(UsageError, match=told):
        translate_pictures(source, path, tmp_path / "out", TranslateSettings(prepare=OWN))
    with pytest.raises(UsageError, match="use --set batch=1, or --tile 512"):
        translate_pictures(source, path, tmp_path / "out", TranslateSettings(prepare=OWN, batch=4))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("settings", [TranslateSettings(), TranslateSettings(prepare=OWN, tile=64)])
def test_smaller_pictures_and_tiles_need_less(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: TranslateSettings
) -> None:
    monkeypatch.setattr(run, "free_memory", lambda device: 100_000_000)
    path = write(tmp_path / "in/a.png", 1, 400, 300)
    source = Source(Path("net.pth"), "AtoB", negative, bytes_a_pixel=1124)
    assert translate_pictures(source, path, tmp_path / "out", settings).files == 1


def test_a_photograph_of_108_million_pixels_is_translated_scaled_down(tmp_path: Path) -> None:
    Image.new("1", (12000, 9000)).save(tmp_path / "photo.png")
    settings = TranslateSettings(prepare=Preparation("scale_width", 32, 32))
    translate_pictures(source_of(), tmp_path / "photo.png", tmp_path / "out", settings)
    assert pixels(tmp_path / "out/photo_fake_B.png").shape == (24, 32, 3)


def test_memory_follows_from_the_widths_of_a_generator(tmp_path: Path) -> None:
    assert bytes_a_pixel(Generator(resnet_widths(64, 1))) == bytes_a_pixel(None) == 4 * 4 * 64 + 100
    assert bytes_a_pixel(Generator(resnet_widths(16, 1)), 2) == 4 * 2 * 16 + 100
    write_run(tmp_path)
    assert open_source(tmp_path).bytes_a_pixel == bytes_a_pixel(Generator(resnet_widths(4, 1)))


def test_free_memory_is_the_least_that_system_and_container_leave(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "meminfo").write_text("MemTotal: 9 kB\nMemAvailable:   4096 kB\n")
    (tmp_path / "limit").write_text("3000000\n")
    (tmp_path / "used").write_text("1000000\n")
    monkeypatch.setattr(memory, "_MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(memory, "_GROUPS", ((str(tmp_path / "limit"), str(tmp_path / "used")),))
    assert free_memory() == 2_000_000
    (tmp_path / "limit").write_text("max\n")
    assert free_memory() == 4096 << 10
    (tmp_path / "meminfo").unlink()
    assert free_memory() is None


# Tiles


@pytest.mark.parametrize(("height", "width"), [(100, 164), (64, 64), (32, 200), (68, 64)])
def test_tiles_of_a_network_that_looks_at_single_pixels_give_the_whole(height: int, width: int) -> None:
    pictures = random_pictures(2, 3, height, width, dtype=torch.float32)
    torch.testing.assert_close(Tiled(negative, 64)(pictures), -pictures, atol=1e-6, rtol=0)


def test_tiles_overlap_by_a_quarter_and_are_blended_there() -> None:
    seen: list[int] = []

    def numbered(tile: Tensor) -> Tensor:
        seen.append(tile.shape[-1])
        return torch.full_like(tile, len(seen) - 1)

    row = Tiled(numbered, 64)(torch.zeros(1, 3, 64, 112))[0, 0, 0]
    assert seen == [64, 64]
    assert torch.equal(row[:48], torch.zeros(48))
    torch.testing.assert_close(row[48:64], torch.arange(1, 17) / 17)
    assert torch.equal(row[64:], torch.ones(48))


def test_no_tile_is_larger_than_asked_for_and_all_of_the_picture_is_seen() -> None:
    shapes: list[tuple[int, ...]] = []

    def watched(tile: Tensor) -> Tensor:
        shapes.append(tuple(tile.shape))
        return torch.ones_like(tile)

    assert Tiled(watched, 64)(torch.zeros(1, 3, 132, 40)).eq(1).all()
    assert shapes == [(1, 3, 64, 40)] * 3


@pytest.mark.parametrize("side", [30, 28, 0])
def test_tiles_of_other_sides_are_refused(side: int) -> None:
    with pytest.raises(UsageError, match=f"--tile must be a multiple of 4 and at least 32, found {side}"):
        Tiled(negative, side)


def test_a_network_that_changes_sizes_is_refused() -> None:
    with pytest.raises(InputError, match="--tile needs a network whose pictures stay as large as they are"):
        Tiled(lambda tile: tile[..., ::2, ::2], 64)(torch.zeros(1, 3, 64, 64))


def test_a_file_of_fixed_size_translates_larger_pictures_in_tiles_of_that_size() -> None:
    fixed = PictureInput("G.onnx", "input", "float32", (1, 3, 64, 64))
    prepare = preparation_for("none", None, fixed, tile=64)
    assert (prepare.mode, prepare.least) == ("none", 64)
    assert prepare.padded(torch.zeros(3, 30, 70, dtype=torch.uint8)).shape == (3, 64, 72)
    with pytest.raises(UsageError, match=r"--tile 32: needed the size that G.onnx takes, 64×64"):
        preparation_for("none", None, fixed, tile=32)
    with pytest.raises(
        UsageError, match="use --preprocess resize or --tile, or export it again with --dynamic"
    ):
        preparation_for("none", None, fixed)


def test_tiles_of_a_network_that_gives_other_channels_give_the_whole() -> None:
    pictures = random_pictures(2, 3, 100, 164, dtype=torch.float32)
    one = Tiled(lambda tile: tile.mean(1, keepdim=True), 64)(pictures)
    torch.testing.assert_close(one, pictures.mean(1, keepdim=True), atol=1e-6, rtol=0)
