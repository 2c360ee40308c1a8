"""Pictures of 1, 3, 4 and any other number of channels: files to tensors, and back."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ganprune.errors import DamagedPicture, DataError
from ganprune.images import (
    PictureFolders,
    as_rgb,
    find_domains,
    grid,
    in_channels,
    load_pictures,
    open_picture,
    readable,
    resized,
    save_picture,
    to_float,
)
from ganprune.images.folders import channels_stored
from ganprune.images.reading import shown_picture
from ganprune.images.rgb import ALPHA, GREY, OPAQUE
from tests.images.pictures import draw, last
from tests.images.test_rgb import Listener

BICUBIC = Image.Resampling.BICUBIC
BANDS = np.random.default_rng(0).uniform(-1, 1, (20, 24, 5)).astype(np.float32)


def stored(path: Path, numbers: np.ndarray) -> Path:
    np.save(path, numbers)
    return path


# Picture files


def test_networks_of_one_channel_are_shown_grey_and_colours_are_told(tmp_path: Path) -> None:
    colour, grey = draw(1), draw(2).convert("L")
    colour.save(tmp_path / "colour.png")
    grey.save(tmp_path / "grey.png")
    grey.convert("RGB").save(tmp_path / "equal.png")
    for name, wanted in (("colour", colour.convert("L")), ("grey", grey), ("equal", grey)):
        got = shown_picture(tmp_path / f"{name}.png", 1)
        assert np.array_equal(got.pixels[0].numpy(), np.asarray(wanted))
        assert got.remarks == ((GREY,) if name == "colour" else ())
    assert open_picture(tmp_path / "grey.png", None).shape == (1, 32, 40)
    assert open_picture(tmp_path / "colour.png", None).shape == (3, 32, 40)


def test_networks_of_four_channels_are_shown_alpha_and_opaque_pictures_are_told(tmp_path: Path) -> None:
    picture = draw(1).convert("RGBA")
    picture.putalpha(draw(2).convert("L"))
    picture.save(tmp_path / "alpha.png")
    draw(1).save(tmp_path / "opaque.png")
    got, opaque = (shown_picture(tmp_path / f"{name}.png", 4) for name in ("alpha", "opaque"))
    assert np.array_equal(last(got.pixels), np.asarray(picture))
    assert (got.remarks, opaque.remarks) == ((), (OPAQUE,))
    assert opaque.pixels[3].eq(255).all()
    assert shown_picture(tmp_path / "alpha.png", 1).remarks == (ALPHA, GREY)


def test_picture_files_hold_no_other_number_of_channels(tmp_path: Path) -> None:
    draw(1).save(tmp_path / "a.png")
    with pytest.raises(DamagedPicture, match=r"an RGB picture; networks of 5 channels take \.npy files"):
        open_picture(tmp_path / "a.png", 5)


# Arrays


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.uint16, np.uint8, ">f4"])
def test_arrays_of_any_number_of_channels_are_read_by_one_rule(tmp_path: Path, dtype: str) -> None:
    kind = np.dtype(dtype)
    most = np.iinfo(kind).max if kind.kind == "u" else 1
    numbers = np.round((BANDS + 1) / 2 * most).astype(kind) if kind.kind == "u" else BANDS.astype(kind)
    got = open_picture(stored(tmp_path / "a.npy", numbers), 5)
    assert got.dtype == (torch.uint8 if kind == np.uint8 else torch.float32)
    wanted = numbers.astype(np.float64) / most * 2 - 1 if kind.kind == "u" else numbers.astype(np.float64)
    assert np.abs(last(to_float(got)) - wanted).max() < 1e-6


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        (BANDS.astype(np.int64), "numbers of type int64; needed uint8, uint16, or floats from -1 to 1"),
        (BANDS * 3, r"floats from -2.99886 to 2.99734; needed them from -1 to 1"),
        (BANDS * np.nan, "floats from nan to nan"),
        (BANDS[..., :4], "an array of 20×24×4; needed height×width×5"),
        (BANDS.transpose(2, 0, 1), "an array of 5×20×24; needed height×width×5, channels last"),
        (BANDS[..., 0], "an array of 20×24; needed height×width×5"),
        (BANDS[None], "an array of 1×20×24×5; needed height×width×channels"),
        (np.array([{}], dtype=object), "Object arrays cannot be loaded"),
    ],
)
def test_other_arrays_are_refused_by_name(tmp_path: Path, numbers: np.ndarray, words: str) -> None:
    np.save(tmp_path / "a.npy", numbers, allow_pickle=True)
    with pytest.raises(DamagedPicture, match=rf"a\.npy cannot be read as a picture .*{words}"):
        open_picture(tmp_path / "a.npy", 5)


def test_several_arrays_and_text_are_no_picture(tmp_path: Path) -> None:
    np.savez(tmp_path / "a", one=BANDS, other=BANDS)
    (tmp_path / "a.npz").rename(tmp_path / "a.npy")
    (tmp_path / "b.npy").write_text("no array")
    for name, words in (("a", "several arrays; needed one"), ("b", "damaged")):
        with pytest.raises(DamagedPicture, match=words):
            open_picture(tmp_path / f"{name}.npy", None)


def test_a_folder_of_bytes_and_floats_is_loaded_as_floats(tmp_path: Path) -> None:
    paths = [stored(tmp_path / "a.npy", BANDS), stored(tmp_path / "b.npy", (BANDS > 0).astype(np.uint8))]
    got = load_pictures(paths, 16, channels=5)
    assert (got.dtype, got.shape) == (torch.float32, (2, 5, 16, 16))
    assert got.abs().max() <= 1


# Tensors


@pytest.mark.parametrize("channels", [1, 3, 4, 5])
def test_every_channel_is_resized_as_pillow_resizes_a_grey_picture(channels: int) -> None:
    bytes_ = torch.randint(256, (channels, 20, 24), dtype=torch.uint8)
    for picture in (bytes_, torch.rand(channels, 20, 24) * 2 - 1):
        got = resized(picture, 30, 17)
        for plane, found in zip(picture, got, strict=True):
            wanted = np.asarray(Image.fromarray(plane.numpy()).resize((17, 30), BICUBIC))
            assert np.array_equal(found.numpy(), wanted.clip(-1, 1) if wanted.dtype == np.float32 else wanted)


def test_people_are_shown_one_channel_in_grey_and_the_first_three_of_more() -> None:
    picture = torch.rand(2, 5, 3, 3)
    for channels, shown in ((1, [0, 0, 0]), (2, [0, 0, 0]), (3, [0, 1, 2]), (5, [0, 1, 2])):
        assert torch.equal(as_rgb(picture[:, :channels]), picture[:, shown])
    sheet = grid([[picture[0, :1], picture[0], picture[0, :2]]])
    assert sheet.shape == (3, 3, 3 * 3 + 2 * 4)


def test_an_unchanged_picture_gets_the_channels_that_a_network_gives() -> None:
    picture = torch.rand(1, 3, 2, 2)
    assert torch.equal(in_channels(picture, 3), picture)
    assert torch.allclose(in_channels(picture, 1), picture.mean(1, keepdim=True))
    assert torch.equal(in_channels(picture, 5), picture[:, [0, 1, 2, 0, 1]])


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_what_is_written_as_a_picture_is_read_again(tmp_path: Path, channels: int) -> None:
    picture = torch.randint(256, (channels, 6, 7), dtype=torch.uint8)
    save_picture(tmp_path / "a.png", picture)
    assert torch.equal(open_picture(tmp_path / "a.png", channels), picture)


def test_arrays_are_written_as_floats_from_minus_1_to_1_and_read_again(tmp_path: Path) -> None:
    picture = torch.randn(5, 6, 7)
    save_picture(tmp_path / "a.npy", picture)
    assert torch.equal(open_picture(tmp_path / "a.npy", 5), picture.clamp(-1, 1))


# Folders


def test_the_channels_of_a_folder_are_those_that_its_pictures_need(tmp_path: Path) -> None:
    for name, modes in (("trainA", "LL"), ("trainB", ["L", "RGB"])):
        (tmp_path / name).mkdir()
        for i, mode in enumerate(modes):
            draw(i).convert(mode).save(tmp_path / name / f"{i}.png")
    assert channels_stored(find_domains(tmp_path)) == {"A": 1, "B": 3}
    (tmp_path / "trainA" / "damaged.png").write_text("no picture")
    assert channels_stored(find_domains(tmp_path)) == {"A": 1, "B": 3}
    for path in (tmp_path / "trainA").iterdir():
        path.unlink()
    stored(tmp_path / "trainA" / "a.npy", BANDS)
    assert channels_stored(find_domains(tmp_path)) == {"A": 5, "B": 3}


def test_pictures_of_other_channels_than_the_networks_take_are_refused_at_once(tmp_path: Path) -> None:
    paths = tuple(stored(tmp_path / f"{i}.npy", BANDS) for i in range(3))
    folders = PictureFolders(paths, (), channels={"A": 4, "B": 3})
    with pytest.raises(
        DataError, match=r"3 of 3 pictures in .* cannot be read: 0\.npy \(an array of 20×24×5"
    ):
        readable(folders)


def test_grey_networks_told_once_of_all_coloured_pictures(tmp_path: Path) -> None:
    for i in range(3):
        draw(i).save(tmp_path / f"{i}.png")
    paths, listener = tuple(sorted(tmp_path.iterdir())), Listener()
    readable(PictureFolders(paths, (), channels={"A": 1, "B": 3}), listener)
    assert listener.lines == ["pictures of colours, shown in grey: 0.png, 1.png, 2.png"]
