"""What is stored in a picture file, and what networks are shown: by one rule, and never silently."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganprune.errors import DataError
from ganprune.images import load_pictures
from ganprune.images.reading import open_picture, shown_picture
from ganprune.images.rgb import ALPHA, DARK, FIRST, FLOATS, UPRIGHT, Remarks
from ganprune.reporting import Silent
from tests.images.pictures import draw, last, write

GREY = np.arange(256, dtype=np.uint8).reshape(16, 16)


class Listener(Silent):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def info(self, message: str) -> None:
        self.lines.append(message)


def saved(path: Path, numbers: np.ndarray) -> Path:
    Image.fromarray(numbers).save(path)
    return path


def grey_of(path: Path) -> np.ndarray:
    return open_picture(path)[1].numpy()


# Numbers of other kinds than bytes


def test_floats_from_0_to_1_are_read_as_black_to_white_and_told(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.tif", GREY.astype(np.float32) / 255)
    assert np.array_equal(grey_of(path), GREY)
    assert shown_picture(path).remarks == (FLOATS,)


def test_whole_numbers_of_32_bits_are_read_as_they_are_where_bytes_hold_them(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.tif", GREY.astype(np.int32))
    assert np.array_equal(grey_of(path), GREY)
    assert shown_picture(path).remarks == ()


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        (np.linspace(-1000, 3000, 256).astype(np.int32), "whole numbers of 32 bits from -1000 to 3000"),
        (
            np.linspace(0, 256, 256).astype(np.int32),
            "whole numbers of 32 bits from 0 to 256; needed them from 0 to 255",
        ),
        (
            np.linspace(0, 255, 256).astype(np.float32),
            "floats from 0 to 255; needed them from 0 to 1, or 8 or 16 bits",
        ),
        (np.linspace(-1, 1, 256).astype(np.float32), "floats from -1 to 1"),
        (np.full(256, np.nan, np.float32), "floats from nan to nan"),
    ],
)
def test_numbers_out_of_range_are_refused_by_name(tmp_path: Path, numbers: np.ndarray, words: str) -> None:
    path = saved(tmp_path / "a.tif", numbers.reshape(16, 16))
    with pytest.raises(DataError, match=rf"a.tif cannot be read as a picture \({words}"):
        open_picture(path)
    with pytest.raises(DataError, match=rf"2 of 2 pictures .* cannot be read: a.tif \({words}"):
        load_pictures([path, path], 16)


def test_lab_colours_are_refused_by_name(tmp_path: Path) -> None:
    Image.new("LAB", (16, 16)).save(tmp_path / "a.tif")
    with pytest.raises(
        DataError, match=r"a.tif cannot be read as a picture \(Lab colours; needed RGB or grey\)"
    ):
        open_picture(tmp_path / "a.tif")


@pytest.mark.parametrize("ending", ["png", "tif", "ppm"])
def test_16_bits_are_read_by_their_high_bytes(tmp_path: Path, ending: str) -> None:
    path = saved(tmp_path / f"a.{ending}", GREY.astype(np.uint16) * 257)
    assert np.array_equal(grey_of(path), GREY)
    assert shown_picture(path).remarks == ()


def test_16_bits_that_hold_12_or_fewer_are_nearly_black_and_told(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.png", GREY.astype(np.uint16) * 16)
    assert grey_of(path).max() == 15
    assert shown_picture(path).remarks == (DARK,)
    assert shown_picture(saved(tmp_path / "black.png", GREY.astype(np.uint16) * 0)).remarks == ()


# Orientation


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("ending", ["jpg", "png", "webp"])
def test_pictures_are_upright_whatever_a_camera_wrote(tmp_path: Path, orientation: int, ending: str) -> None:
    turns = {
        1: lambda x: x, 2: np.fliplr, 3: lambda x: np.rot90(x, 2), 4: np.flipud,
        5: lambda x: x.swapaxes(0, 1), 6: lambda x: np.rot90(x, -1),
        7: lambda x: np.rot90(x, 2).swapaxes(0, 1), 8: np.rot90,
    }  # fmt: skip
    path, exif = tmp_path / f"a.{ending}", Image.Exif()
    exif[0x0112] = orientation
    draw(6, 60, 25).save(path, exif=exif)
    stored = np.asarray(Image.open(path).convert("RGB"))
    assert np.array_equal(last(open_picture(path)), turns[orientation](stored))
    assert shown_picture(path).remarks == ((UPRIGHT,) if orientation > 1 else ())
    assert np.array_equal(last(shown_picture(path, upright=False).pixels), stored)
    assert shown_picture(path, upright=False).remarks == ()


def test_damaged_exif_harms_no_picture(tmp_path: Path) -> None:
    draw(6, 60, 25).save(tmp_path / "a.jpg", exif=b"Exif\x00\x00MM\x00*\x00\x00\xff\xff no directory")
    assert open_picture(tmp_path / "a.jpg").shape == (3, 25, 60)


# Transparency and frames


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_alpha_is_left_out_kept_beside_and_told(tmp_path: Path, mode: str) -> None:
    alpha = Image.fromarray(np.arange(1280, dtype=np.uint16).reshape(32, 40).astype(np.uint8))
    picture = draw(1).convert("LA" if mode == "LA" else "RGBA")
    picture.putalpha(alpha)
    picture.convert(mode).save(tmp_path / "a.png") if mode != "P" else picture.quantize(16).save(
        tmp_path / "a.png"
    )
    got = shown_picture(tmp_path / "a.png")
    assert got.remarks == (ALPHA,)
    with Image.open(tmp_path / "a.png") as stored:
        whole = np.asarray(stored.convert("RGBA"))
    assert np.array_equal(last(got.pixels), whole[..., :3])
    assert got.alpha is not None
    assert np.array_equal(got.alpha[0].numpy(), whole[..., 3])


def test_a_transparent_colour_is_alpha_and_an_opaque_channel_none(tmp_path: Path) -> None:
    Image.fromarray(GREY).convert("RGB").save(tmp_path / "colour.png", transparency=(7, 7, 7))
    alpha = shown_picture(tmp_path / "colour.png").alpha
    assert alpha is not None
    assert np.array_equal(alpha[0].numpy() == 0, GREY == 7)
    draw(1).convert("RGBA").save(tmp_path / "opaque.png")
    assert shown_picture(tmp_path / "opaque.png").alpha is None
    assert shown_picture(tmp_path / "opaque.png").remarks == ()


@pytest.mark.parametrize("ending", ["webp", "png", "tif"])
def test_the_first_of_many_frames_is_shown_and_told(tmp_path: Path, ending: str) -> None:
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / f"a.{ending}", save_all=True, append_images=frames[1:])
    got = shown_picture(tmp_path / f"a.{ending}")
    assert got.remarks == (FIRST,)
    assert got.pixels[0, 8, 8] > 200


# What is told


def test_remarks_are_told_once_for_all_pictures(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 3
    for i in range(5):
        draw(i, 20, 20).save(tmp_path / f"{i}.jpg", exif=exif)
    draw(1).convert("RGBA").save(tmp_path / "opaque.png")
    write(tmp_path / "plain.png", 2)
    listener = Listener()
    load_pictures(sorted(tmp_path.iterdir()), 16, listener)
    assert listener.lines == [f"pictures {UPRIGHT}: 0.jpg, 1.jpg, 2.jpg and 2 more"]


def test_a_way_out_is_told_with_the_remark() -> None:
    remarks, listener = Remarks(), Listener()
    remarks.add(Path("b/a.png"), (ALPHA,))
    remarks.tell(listener, {ALPHA: "--keep-alpha keeps it"})
    assert listener.lines == [f"pictures {ALPHA}; --keep-alpha keeps it: a.png"]


def test_photographs_of_108_million_pixels_are_read_and_the_limit_is_named(tmp_path: Path) -> None:
    Image.new("1", (12000, 9000)).save(tmp_path / "photo.png")
    assert load_pictures([tmp_path / "photo.png"], 16).shape == (1, 3, 16, 16)
    Image.new("1", (20000, 9000)).save(tmp_path / "bomb.png")
    with pytest.raises(DataError, match=r"bomb.png cannot be read .*far too large: over 178 million pixels"):
        open_picture(tmp_path / "bomb.png")
