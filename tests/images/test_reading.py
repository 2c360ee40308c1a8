from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ganprune.errors import DataError
from ganprune.images import find_domains, load_pictures, readable
from ganprune.images.reading import open_picture
from ganprune.reporting import Silent
from tests.images.pictures import BROKEN, cut_short, domains, draw, empty, no_picture, write


def mode_of(path: Path) -> str:
    with Image.open(path) as picture:
        return picture.mode


class Listener(Silent):
    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, message: str) -> None:
        self.warnings.append(message)


def test_pictures_are_read_as_cyclegan_tests_read_them(tmp_path: Path):
    paths = [write(tmp_path / f"{i}.png", i, 40 + i, 32) for i in range(3)]
    got = load_pictures(paths, 24)
    assert (got.shape, got.dtype) == ((3, 3, 24, 24), torch.uint8)
    for picture, path in zip(got, paths, strict=True):
        wanted = Image.open(path).convert("RGB").resize((24, 24), Image.Resampling.BICUBIC)
        assert np.array_equal(picture.permute(1, 2, 0).numpy(), np.asarray(wanted))


def test_a_picture_of_the_right_size_keeps_its_bytes(tmp_path: Path):
    path = write(tmp_path / "a.png", 3, 32, 32)
    assert np.array_equal(load_pictures([path], 32)[0].permute(1, 2, 0).numpy(), np.asarray(draw(3, 32, 32)))


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "P", "1", "CMYK"])
def test_any_kind_of_picture_becomes_rgb(tmp_path: Path, mode: str):
    path = tmp_path / ("a.tif" if mode == "CMYK" else "a.png")
    draw(0).convert(mode).save(path)
    got = load_pictures([path], 32)
    assert got.shape == (1, 3, 32, 32)
    assert len(got.unique()) > 1
    if mode in ("L", "LA", "1"):
        assert torch.equal(got[:, 0], got[:, 1])
        assert torch.equal(got[:, 0], got[:, 2])


def test_16_bits_a_pixel_keep_their_high_bytes(tmp_path: Path):
    levels = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    Image.fromarray(levels).save(tmp_path / "a.png")
    got = load_pictures([tmp_path / "a.png"], 256)
    assert np.array_equal(got[0, 1].numpy(), levels >> 8)


def test_a_palette_with_transparency_is_read_without_a_warning(tmp_path: Path):
    draw(0).convert("P").save(tmp_path / "a.png", transparency=bytes(range(200)))
    assert load_pictures([tmp_path / "a.png"], 16).shape == (1, 3, 16, 16)


@pytest.mark.parametrize("words", BROKEN)
def test_one_broken_file_in_ten_is_skipped_and_named(tmp_path: Path, words: str):
    paths = [write(tmp_path / f"{i}.png", i) for i in range(10)]
    BROKEN[words](paths[6])
    listener = Listener()
    got = load_pictures(paths, 16, listener)
    assert torch.equal(got, load_pictures(paths[:6] + paths[7:], 16))
    assert len(listener.warnings) == 1
    assert (
        f"skipped 1 of 10 pictures in {tmp_path} that cannot be read: 6.png ({words}" in listener.warnings[0]
    )


@pytest.mark.parametrize("spoil", [*BROKEN.values(), empty])
def test_two_broken_files_in_ten_are_refused(tmp_path: Path, spoil: Callable[[Path], None]):
    paths = [write(tmp_path / f"{i}.png", i) for i in range(10)]
    for path in paths[3:5]:
        spoil(path)
    with pytest.raises(
        DataError, match=r"2 of 10 pictures in .* cannot be read: 3.png \(.*\), 4.png \(.*tenth"
    ):
        load_pictures(paths, 16)


@pytest.mark.parametrize("suffix", ["jpg", "png", "ppm", "bmp", "tif", "webp"])
def test_a_file_cut_short_anywhere_is_never_a_traceback(tmp_path: Path, suffix: str):
    whole = write(tmp_path / f"whole.{suffix}", 1).read_bytes()
    cut = tmp_path / f"cut.{suffix}"
    for length in range(0, len(whole) // 2, max(1, len(whole) // 60)):
        cut.write_bytes(whole[:length])
        with pytest.raises(DataError, match=f"cut.{suffix} cannot be read as a picture"):
            open_picture(cut)


def test_many_broken_files_are_counted_after_ten(tmp_path: Path):
    paths = [tmp_path / f"{i:02d}.png" for i in range(12)]
    for path in paths:
        no_picture(path)
    with pytest.raises(DataError, match=r"12 of 12 .*09.png \(no picture\) and 2 more; at most a tenth"):
        load_pictures(paths, 16)


def test_no_paths_at_all_are_refused():
    with pytest.raises(DataError, match="no pictures were given to read"):
        load_pictures([], 16)


def test_readable_leaves_out_broken_training_and_validation_pictures(tmp_path: Path):
    domains(tmp_path, {"trainA": 10, "trainB": 12, "valA": 10, "testA": 2, "testB": 2})
    cut_short(tmp_path / "trainA/004.png")
    no_picture(tmp_path / "valA/001.png")
    no_picture(tmp_path / "testA/000.png")
    before, listener = find_domains(tmp_path), Listener()
    after = readable(before, listener)
    assert set(before.train_A) - set(after.train_A) == {tmp_path / "trainA/004.png"}
    assert set(before.val_A) - set(after.val_A) == {tmp_path / "valA/001.png"}
    assert (after.train_B, after.val_B, after.test_A) == (before.train_B, (), before.test_A)
    assert [("004.png" in w, "001.png" in w) for w in listener.warnings] == [(True, False), (False, True)]


def test_readable_refuses_a_folder_with_more_than_a_tenth_broken(tmp_path: Path):
    domains(tmp_path, {"trainA": 10, "trainB": 19})
    for number in (3, 7):
        cut_short(tmp_path / f"trainB/{number:03d}.png")
    with pytest.raises(DataError, match=r"2 of 19 pictures in .*trainB"):
        readable(find_domains(tmp_path))


def test_real_pictures_are_all_read_greyscale_ones_too(real_data: Path):
    folders = find_domains(real_data / "horse2zebra")
    listener = Listener()
    grey = [path for path in folders.test_B if mode_of(path) == "L"]
    assert len(grey) == 5
    got = load_pictures(grey, 256, listener)
    assert got.shape == (5, 3, 256, 256)
    assert torch.equal(got[:, 0], got[:, 2])
    assert not listener.warnings
