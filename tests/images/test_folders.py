import shutil
from pathlib import Path

import pytest

from ganprune.errors import DataError, UsageError
from ganprune.images import PictureFolders, find_domains, split
from ganprune.storage.files import sha256
from tests.images.pictures import domains, no_picture, write

FOUR = {"trainA": 3, "trainB": 2, "testA": 1, "testB": 1}


def names(root: Path, paths: tuple[Path, ...]) -> list[str]:
    return [path.relative_to(root).as_posix() for path in paths]


def contents(paths: tuple[Path, ...]) -> set[str]:
    return {sha256(path) for path in paths}


def test_flat_and_nested_folders_give_the_same_pictures(tmp_path: Path):
    flat = domains(tmp_path / "flat", {**FOUR, "valA": 2})
    nested = domains(tmp_path / "nested", {"train/A": 3, "train/B": 2, "test/A": 1, "test/B": 1, "val/A": 2})
    one, other = find_domains(flat), find_domains(nested)
    names = ("train_A", "train_B", "val_A", "val_B", "test_A", "test_B")
    for name in names:
        assert contents(getattr(one, name)) == contents(getattr(other, name))
    assert [len(getattr(one, name)) for name in names] == [3, 2, 2, 0, 1, 1]


def test_pictures_are_found_below_subfolders_in_any_spelling_sorted_by_relative_path(tmp_path: Path):
    found = ["B.JPG", "a/z.jpeg", "a.png", "c.PPM", "d.bmp", "e.tif", "f.TIFF", "g.webp", "g/a.jpg", "h.jfif"]
    for name in [*found, "notes.txt", ".hidden.jpg", "jpg"]:
        (path := tmp_path / "trainA" / name).parent.mkdir(parents=True, exist_ok=True)
        no_picture(path)
    domains(tmp_path, {"trainB": 1})
    assert names(tmp_path / "trainA", find_domains(tmp_path).train_A) == sorted(found)


def test_a_linked_subfolder_is_followed(tmp_path: Path):
    domains(tmp_path / "elsewhere", {"horses": 2})
    domains(tmp_path / "data", {"trainA": 1, "trainB": 1})
    (tmp_path / "data/trainA/more").symlink_to(tmp_path / "elsewhere/horses")
    assert len(find_domains(tmp_path / "data").train_A) == 3


def test_a_root_that_does_not_exist_is_a_usage_error(tmp_path: Path):
    with pytest.raises(UsageError, match=r"--data .*nowhere does not exist; give a folder with trainA and"):
        find_domains(tmp_path / "nowhere")


def test_a_missing_folder_is_named_with_what_the_root_holds(tmp_path: Path):
    domains(tmp_path, {"trainA": 1, "horses": 1})
    with pytest.raises(
        DataError, match=r"needs a folder trainB \(or train/B\), found horses/, trainA/; make"
    ):
        find_domains(tmp_path)


@pytest.mark.parametrize("given", ["data/trainA", "."])
def test_a_folder_beside_the_right_one_leads_to_it(tmp_path: Path, given: str):
    domains(tmp_path / "data", FOUR)
    with pytest.raises(DataError, match=f"give --data {tmp_path / 'data'}$"):
        find_domains(tmp_path / given)


def test_an_empty_folder_is_named_with_what_it_holds(tmp_path: Path):
    domains(tmp_path, {"trainA": 1})
    (tmp_path / "trainB").mkdir()
    with pytest.raises(DataError, match=r"trainB needs pictures \(bmp jfif .*\), found nothing; put"):
        find_domains(tmp_path)
    no_picture(tmp_path / "trainB/readme.txt")
    with pytest.raises(DataError, match=r"trainB needs pictures .* found readme.txt; put pictures there"):
        find_domains(tmp_path)


def test_only_what_is_needed_must_be_there(tmp_path: Path):
    domains(tmp_path, {"testA": 1, "testB": 2})
    assert len(find_domains(tmp_path, needs=("test",)).test_B) == 2
    with pytest.raises(DataError, match="needs a folder trainA"):
        find_domains(tmp_path)


def test_a_hold_out_and_the_rest_share_no_picture_and_are_the_whole(tmp_path: Path):
    folders = find_domains(domains(tmp_path, {"trainA": 12, "trainB": 3}))
    tuning, validation = split(folders, "A", seed=0, holdout=4)
    assert len(validation) == 4
    assert sorted((*tuning, *validation)) == list(folders.train_A)


def test_the_seed_decides_the_hold_out(tmp_path: Path):
    folders = find_domains(domains(tmp_path, {"trainA": 30, "trainB": 1}))
    drawn = {seed: split(folders, "A", seed=seed, holdout=5)[1] for seed in range(4)}
    assert split(folders, "A", seed=2, holdout=5)[1] == drawn[2]
    assert len({frozenset(paths) for paths in drawn.values()}) == 4


def test_val_folders_come_before_a_hold_out_and_leave_training_whole(tmp_path: Path):
    folders = find_domains(domains(tmp_path, {"trainA": 5, "trainB": 5, "valA": 2}))
    assert split(folders, "A", seed=0, holdout=3) == (folders.train_A, folders.val_A)
    assert len(split(folders, "B", seed=0, holdout=2)[1]) == 2


def test_pictures_that_are_also_test_pictures_are_used_for_nothing(tmp_path: Path):
    domains(tmp_path, {"trainA": 6, "trainB": 1, "testA": 2})
    for number in (1, 4):
        shutil.copy(tmp_path / f"trainA/00{number}.png", tmp_path / f"testA/copy{number}.png")
    folders = find_domains(tmp_path)
    for seed in range(10):
        tuning, validation = split(folders, "A", seed=seed, holdout=2)
        assert len((*tuning, *validation)) == 4
        assert not contents((*tuning, *validation)) & contents(folders.test_A)


def test_copies_of_a_held_out_picture_are_not_trained_on(tmp_path: Path):
    domains(tmp_path, {"trainA": 5, "trainB": 1})
    for number in range(5):
        shutil.copy(tmp_path / f"trainA/00{number}.png", tmp_path / f"trainA/z{number}.png")
    folders = find_domains(tmp_path)
    for seed in range(10):
        tuning, validation = split(folders, "A", seed=seed, holdout=2)
        assert len(contents(validation)) == 2
        assert len(tuning) == 6
        assert not contents(tuning) & contents(validation)


def test_files_of_equal_size_and_different_content_are_different_pictures(tmp_path: Path):
    for number in range(4):
        write(tmp_path / f"trainA/{number}.ppm", number)
    write(tmp_path / "testA/9.ppm", 9)
    assert len({path.stat().st_size for path in tmp_path.rglob("*.ppm")}) == 1
    folders = PictureFolders(tuple(sorted((tmp_path / "trainA").iterdir())), ())
    assert [len(part) for part in split(folders, "A", seed=0, holdout=1)] == [3, 1]


def test_a_hold_out_takes_at_most_half(tmp_path: Path):
    folders = find_domains(domains(tmp_path, {"trainA": 5, "trainB": 1}))
    assert [len(part) for part in split(folders, "A", seed=0, holdout=8)] == [3, 2]


def test_a_single_training_picture_is_trained_and_judged_on(tmp_path: Path):
    folders = find_domains(domains(tmp_path, {"trainA": 1, "trainB": 1}))
    assert split(folders, "A", seed=0, holdout=8) == (folders.train_A, folders.train_A)
    shutil.copy(tmp_path / "trainB/000.png", tmp_path / "trainB/again.png")
    tuning, validation = split(find_domains(tmp_path), "B", seed=0, holdout=8)
    assert (len(tuning), len(validation)) == (2, 1)
    shutil.copytree(tmp_path / "trainA", tmp_path / "testA")
    with pytest.raises(DataError, match="all training pictures of domain A are also in valA or testA; add"):
        split(find_domains(tmp_path), "A", seed=0, holdout=8)


def test_training_pictures_that_are_all_validation_pictures_are_refused(tmp_path: Path):
    domains(tmp_path, {"trainA": 2, "trainB": 1})
    shutil.copytree(tmp_path / "trainA", tmp_path / "valA")
    with pytest.raises(DataError, match="all training pictures of domain A are also in valA or testA; add"):
        split(find_domains(tmp_path), "A", seed=0, holdout=1)


def test_pictures_of_kinds_that_are_not_read_are_told_and_never_left_out_silently(tmp_path: Path):
    domains(tmp_path, {"trainA": 2, "trainB": 1})
    for name in ("IMG_1.HEIC", "IMG_2.heic", ".IMG_3.heic"):
        (tmp_path / "trainB" / name).write_bytes(b"")
    assert find_domains(tmp_path).note == (
        f"2 of HEIC in {tmp_path / 'trainB'} left out: convert to PNG or JPEG"
    )
    for path in find_domains(tmp_path).train_B:
        path.unlink()
    with pytest.raises(DataError, match=r"found .*IMG_1\.HEIC, IMG_2\.heic; convert them to PNG or JPEG"):
        find_domains(tmp_path)
