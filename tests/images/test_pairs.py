"""Pictures of A and B that belong together: told apart, put together, kept together."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganprune.errors import DataError
from ganprune.images import DataSource, find_domains, load_pictures, open_picture, readable, split
from ganprune.images.folders import channels_stored
from ganprune.images.pairs import LeftHalf, RightHalf
from ganprune.images.reading import shown_picture
from ganprune.images.rgb import GREY
from tests.images.pictures import domains, draw, no_picture, write


def joined(root: Path, parts: dict[str, int], width: int = 64, height: int = 32) -> Path:
    """A data folder of pix2pix: two pictures in every file."""
    for i, (part, count) in enumerate(parts.items()):
        for number in range(count):
            write(root / part / f"{number:03d}.png", 100 * i + number, width, height)
    return root


def test_halves_of_a_file_are_two_pictures_that_equal_no_other(tmp_path: Path) -> None:
    path = write(tmp_path / "a.png", 1, 64, 32)
    whole, left, right = np.asarray(open_picture(path)), LeftHalf(path), RightHalf(path)
    assert np.array_equal(np.asarray(open_picture(left)), whole[..., :32])
    assert np.array_equal(np.asarray(open_picture(right)), whole[..., 32:])
    assert len({path, left, right, LeftHalf(path)}) == 3
    assert path != left != right
    assert pickle.loads(pickle.dumps(right)) == right
    assert left.resolve() == LeftHalf(path.resolve())
    assert (left.name, str(right)) == ("a.png", str(path))


def test_halves_have_the_channels_of_their_domains(tmp_path: Path) -> None:
    colours = np.asarray(draw(1, 32, 32))
    grey = np.asarray(draw(2, 32, 32).convert("L"))[..., None].repeat(3, 2)
    Image.fromarray(np.concatenate([grey, colours], 1)).save(tmp_path / "a.png")
    left, right = (half(tmp_path / "a.png") for half in (LeftHalf, RightHalf))
    seen = shown_picture(left, 1)
    assert np.array_equal(seen.pixels[0].numpy(), grey[..., 0])
    assert seen.remarks == ()
    assert shown_picture(right, 1).remarks == (GREY,)
    assert np.array_equal(open_picture(right).permute(1, 2, 0).numpy(), colours)

    bands = np.random.default_rng(0).uniform(-1, 1, (20, 40, 5)).astype(np.float32)
    (tmp_path / "train").mkdir()
    np.save(tmp_path / "train/a.npy", bands)
    found = find_domains(tmp_path)
    assert found.paired
    assert channels_stored(found) == {"A": 5, "B": 5}
    halves = (open_picture(path, 5).permute(1, 2, 0).numpy() for path in (*found.train_A, *found.train_B))
    assert np.array_equal(np.concatenate([*halves], 1), bands)


@pytest.mark.parametrize("parts", [{"train": 4, "val": 1, "test": 2}, {"train": 4}, {".": 3}], ids=str)
def test_files_twice_as_wide_as_high_are_both_domains(tmp_path: Path, parts: dict[str, int]) -> None:
    found = find_domains(joined(tmp_path / "data", parts))
    assert found.paired
    assert "holds pairs: the left halves of its pictures are A, the right ones B" in found.note
    assert [type(path) for path in found.train_A[:1] + found.train_B[:1]] == [LeftHalf, RightHalf]
    assert len(found.train_A) == len(found.train_B) == parts.get("train", 3)
    assert len(found.test_A) == len(found.test_B) == parts.get("test", 0)
    shown = load_pictures([*found.train_A[:1], *found.train_B[:1]], 32).numpy().transpose(0, 2, 3, 1)
    assert np.array_equal(np.concatenate(shown, 1), np.asarray(Image.open(found.train_A[0])))


def test_plain_pictures_and_panoramas_are_no_pairs_where_that_is_said(tmp_path: Path) -> None:
    plain = joined(tmp_path / "plain", {"train": 3}, 40, 32)
    assert not find_domains(plain, domains=("A",)).paired
    wide = joined(tmp_path / "wide", {"train": 3})
    assert not find_domains(wide, domains=("A",), paired=False).paired
    portraits = joined(tmp_path / "portraits", {"train": 3}, 48, 32)
    assert not find_domains(portraits, domains=("A",)).paired
    assert find_domains(portraits, paired=True).paired


def test_odd_widths_are_refused_by_name(tmp_path: Path) -> None:
    found = find_domains(joined(tmp_path, {"train": 3}, 63, 32))
    with pytest.raises(DataError, match=r"000\.png \(63 pixels wide; two pictures side by side need an even"):
        readable(found)


def test_two_folders_are_paired_by_name_else_by_order(tmp_path: Path) -> None:
    domains(tmp_path, {"labels": 3, "photos": 3, "more": 4})
    by_order = DataSource(None, tmp_path / "labels", tmp_path / "photos")
    (tmp_path / "photos" / "001.png").rename(tmp_path / "photos" / "001.jpg")
    found = find_domains(by_order, paired=True)
    assert [path.name for path in found.train_B] == ["000.png", "001.jpg", "002.png"]
    for i, path in enumerate(sorted((tmp_path / "photos").iterdir())):
        path.rename(path.with_name(f"x{i}.png"))
    assert [path.name for path in find_domains(by_order, paired=True).train_B] == [
        "x0.png",
        "x1.png",
        "x2.png",
    ]
    assert not find_domains(by_order).paired
    uneven = DataSource(None, tmp_path / "labels", tmp_path / "more")
    with pytest.raises(
        DataError, match=r"found 3 in .*labels and 4 in .*more, of which 003\.png has no partner"
    ):
        find_domains(uneven, paired=True)


def test_what_is_held_out_of_pairs_is_pairs(tmp_path: Path) -> None:
    domains(tmp_path, {"trainA": 9, "trainB": 9})
    for name in ("trainA/002.png", "trainB/005.png"):
        no_picture(tmp_path / name)
    domains(tmp_path, {"trainA/more": 30, "trainB/more": 30}, 8)
    found = find_domains(tmp_path, paired=True)
    few = readable(found)
    assert len(few.train_A) == len(few.train_B) == 37
    parts = [split(few, domain, seed=3, holdout=4) for domain in ("A", "B")]
    for of_A, of_B in zip(*parts, strict=True):
        assert [path.name for path in of_A] == [path.name for path in of_B]
    assert len(parts[0][1]) == 4
