from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganprune.errors import DataError, UsageError
from ganprune.example import draw, scene_index, write_dataset
from ganprune.reporting import Silent

FOLDERS = {"trainA": 4, "trainB": 4, "testA": 2, "testB": 2}


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_dataset(tmp_path / "animals", seed=11, train=4, test=2, size=32)
    return tmp_path / "animals"


def test_a_data_set_has_cyclegans_folders_with_pictures_of_the_size_asked_for(folder: Path):
    for name, count in FOLDERS.items():
        paths = sorted((folder / name).iterdir())
        assert len(paths) == count
        for path in paths:
            with Image.open(path) as picture:
                assert (picture.format, picture.mode, picture.size) == ("PNG", "RGB", (32, 32))


def test_a_files_name_is_the_index_that_draws_it_again(folder: Path):
    for name in FOLDERS:
        for path in (folder / name).iterdir():
            domain = "A" if name.endswith("A") else "B"
            with Image.open(path) as picture:
                assert np.array_equal(np.asarray(picture), draw(11, int(path.stem), domain, 32).picture)


def test_no_two_pictures_share_a_scene(folder: Path):
    stems = [path.stem for name in FOLDERS for path in (folder / name).iterdir()]
    assert len(set(stems)) == len(stems) == 12
    assert scene_index("test", "B", 1) == 1_000_003


def test_writing_again_leaves_whole_files_alone_and_draws_missing_ones(folder: Path):
    before = files(folder)
    times = {name: (folder / name).stat().st_mtime_ns for name in before}
    lost = "trainB/0000003.png"
    (folder / lost).unlink()
    write_dataset(folder, seed=11, train=4, test=2, size=32)
    assert files(folder) == before
    assert {n for n, t in times.items() if (folder / n).stat().st_mtime_ns != t} <= {lost}


def test_an_interrupted_data_set_is_completed_to_the_same_files(folder: Path, tmp_path: Path):
    class Interrupted(Silent):
        left = 5

        def task(self, title: str, total: int, done: int = 0):
            return nullcontext(self)

        def advance(self, steps: int = 1, **figures: float | str) -> None:
            self.left -= steps
            if not self.left:
                raise KeyboardInterrupt

    second = tmp_path / "second"
    with pytest.raises(KeyboardInterrupt):
        write_dataset(second, seed=11, train=4, test=2, size=32, reporter=Interrupted())
    assert len(list(second.rglob("*.png"))) == 5
    write_dataset(second, seed=11, train=4, test=2, size=32)
    assert files(second) == files(folder)


@pytest.mark.parametrize("other", [{"seed": 12}, {"train": 5}, {"test": 1}, {"size": 48}])
def test_a_folder_drawn_with_other_settings_is_refused(folder: Path, other):
    before = files(folder)
    with pytest.raises(DataError, match=r"but was drawn with .* choose another folder"):
        write_dataset(folder, **({"seed": 11, "train": 4, "test": 2, "size": 32} | other))
    assert files(folder) == before


def test_a_folder_of_other_files_is_refused_and_stays_as_it_was(tmp_path: Path):
    (tmp_path / "holiday.png").write_bytes(b"mine")
    with pytest.raises(DataError, match=r"found other files in .*; choose another folder"):
        write_dataset(tmp_path, seed=0, train=1, test=0, size=32)
    assert files(tmp_path) == {"holiday.png": b"mine"}


def test_a_damaged_note_of_the_settings_is_named(folder: Path):
    (folder / "drawn.json").write_text("{")
    with pytest.raises(DataError, match=r"drawn\.json is damaged; delete"):
        write_dataset(folder, seed=11, train=4, test=2, size=32)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"train": 0}, "found 0 and 1; change the counts"),
        ({"test": -1}, "found 2 and -1; change the counts"),
        ({"train": 500_000}, "fewer than 500000 training pictures"),
        ({"size": 8}, "at least 32 pixels a side, found 8"),
    ],
)
def test_settings_out_of_range_are_refused_before_a_file_is_written(tmp_path: Path, settings, message):
    with pytest.raises(UsageError, match=message):
        write_dataset(tmp_path / "new", **({"seed": 0, "train": 2, "test": 1, "size": 32} | settings))
    assert not (tmp_path / "new").exists()
