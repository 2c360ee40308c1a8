"""Where pictures may lie: in the folders of a dataset, in two folders of any names, in one plain folder."""

import shlex
from pathlib import Path

import pytest

from ganprune.errors import DataError, UsageError
from ganprune.images import DataSource, PictureFolders, find_domains
from tests.images.pictures import domains


def counts(folders: PictureFolders) -> tuple[int, ...]:
    return tuple(len(getattr(folders, f"{part}_{domain}")) for part in ("train", "test") for domain in "AB")


@pytest.mark.parametrize(
    "names",
    [
        ("trainA", "trainB", "testA", "testB"),
        ("train/A", "train/B", "test/A", "test/B"),
        ("A/trainA", "B/trainB", "A/testA", "B/testB"),
        ("A/train", "B/train", "A/test", "B/test"),
        ("TrainA", "TrainB", "TestA", "TestB"),
        ("train_a", "train_b", "test-a", "test-b"),
        ("Train/A", "Train/B", "Test/A", "Test/B"),
    ],
)
def test_every_layout_of_a_dataset_gives_the_same_pictures(tmp_path: Path, names: tuple[str, ...]) -> None:
    domains(tmp_path, dict(zip(names, (3, 2, 1, 4), strict=True)))
    assert counts(find_domains(tmp_path, ("train", "test"))) == (3, 2, 1, 4)


def test_a_dataset_may_have_a_plain_folder_of_each_domain(tmp_path: Path) -> None:
    domains(tmp_path, {"A": 3, "B": 2})
    assert counts(find_domains(tmp_path)) == (3, 2, 0, 0)


def test_two_folders_of_any_names_are_the_pictures_of_both_domains(tmp_path: Path) -> None:
    domains(tmp_path, {"horses": 3, "zebras/some": 2})
    source = DataSource(None, tmp_path / "horses", tmp_path / "zebras")
    assert counts(find_domains(source)) == (3, 2, 0, 0)
    assert counts(find_domains(source, ("test",), bare="test")) == (0, 0, 3, 2)
    assert counts(find_domains(source.swapped())) == (2, 3, 0, 0)
    with pytest.raises(
        DataError, match=r"horses needs a folder testA \(or test\), found .*; make trainA and te"
    ):
        find_domains(source, ("train", "test"))
    one = DataSource(None, tmp_path / "horses")
    assert counts(find_domains(one, domains=("A",))) == (3, 0, 0, 0)
    with pytest.raises(DataError, match="needed pictures of domain B, found none; give --data-b DIR"):
        find_domains(one)


def test_a_folder_of_one_domain_may_have_its_own_parts(tmp_path: Path) -> None:
    domains(tmp_path, {"horses/train": 3, "horses/test": 1, "zebras/trainB": 2, "zebras/testB": 4})
    source = DataSource(None, tmp_path / "horses", tmp_path / "zebras")
    assert counts(find_domains(source, ("train", "test"))) == (3, 2, 1, 4)


def test_a_plain_folder_is_what_is_translated_where_one_domain_is_needed(tmp_path: Path) -> None:
    domains(tmp_path, {"photos/2019": 2, "photos": 1})
    found = find_domains(tmp_path / "photos", domains=("B",))
    assert counts(found) == (0, 3, 0, 0)
    assert found.note.endswith("all its pictures are taken as what is translated")
    with pytest.raises(DataError, match="needs a folder trainA"):
        find_domains(tmp_path / "photos")
    domains(tmp_path / "data", {"trainA": 2})
    with pytest.raises(DataError, match="needs a folder trainB"):
        find_domains(tmp_path / "data", domains=("B",))


@pytest.mark.parametrize(
    ("made", "given"),
    [
        ({"horse2zebra/trainA": 1, "horse2zebra/trainB": 1}, "."),
        ({"A/trainA": 1, "B/trainB": 1}, "A"),
        ({"horses": 2, "zebras": 1}, "."),
        ({"train/horses": 2, "train/zebras": 1}, "."),
        ({"all/A/trainA": 1, "all/B/trainB": 1}, "."),
        ({"my data/horse2zebra/horse2zebra/trainA": 1, "my data/horse2zebra/horse2zebra/trainB": 1}, "."),
        ({"testA": 2, "testB": 1}, "."),
        ({"horse_train": 2, "zebra_train": 1}, "."),
        ({"trainHorse": 2, "trainZebra": 1}, "."),
    ],
)
def test_what_the_message_says_to_give_works(tmp_path: Path, made: dict[str, int], given: str) -> None:
    domains(tmp_path, made)
    with pytest.raises(DataError) as caught:
        find_domains(tmp_path / given)
    words = shlex.split(str(caught.value).rpartition("; give ")[2].partition(",")[0])
    places = dict(zip(words[::2], map(Path, words[1::2]), strict=True))
    source = DataSource.given(places.get("--data"), places.get("--data-a"), places.get("--data-b"))
    assert source is not None
    found = find_domains(source)
    assert len(found.train_A) + len(found.train_B) == sum(made.values())
    assert shlex.split(shlex.join(map(str, source.words()))) == words


def test_of_four_folders_those_for_training_are_advised(tmp_path: Path) -> None:
    domains(tmp_path / "named", {"horse_test": 1, "horse_train": 1, "zebra_test": 1, "zebra_train": 1})
    with pytest.raises(DataError, match=r"give --data-a \S+horse_train --data-b \S+zebra_train, or the ot"):
        find_domains(tmp_path / "named")
    domains(tmp_path / "plain", {"horse": 1, "horse_test": 1, "zebra": 1, "zebra_test": 1})
    with pytest.raises(DataError, match=r"give --data-a \S+horse --data-b \S+zebra, or the other"):
        find_domains(tmp_path / "plain")


def test_a_folder_around_a_dataset_is_never_taken_as_what_is_translated(tmp_path: Path) -> None:
    domains(tmp_path, {"horse2zebra/trainA": 1, "horse2zebra/trainB": 1, "horse2zebra/testA": 1})
    with pytest.raises(DataError, match=f"give --data {tmp_path / 'horse2zebra'}$"):
        find_domains(tmp_path, domains=("A",))


def test_a_dataset_that_is_still_packed_is_to_be_unpacked(tmp_path: Path) -> None:
    (tmp_path / "horse2zebra.zip").write_bytes(b"PK\x03\x04")
    with pytest.raises(DataError, match=r"found horse2zebra\.zip; unpack horse2zebra\.zip"):
        find_domains(tmp_path)


def test_folders_of_parts_are_never_taken_for_domains(tmp_path: Path) -> None:
    domains(tmp_path, {"train/horses": 2, "train/zebras": 1, "test/horses": 1, "test/zebras": 1})
    with pytest.raises(
        DataError, match=r"give --data-a \S+train/horses --data-b \S+train/zebras, or the other"
    ):
        find_domains(tmp_path)


def test_options_that_contradict_each_other_or_lead_nowhere_are_refused(tmp_path: Path) -> None:
    assert DataSource.given(None, None, None) is None
    with pytest.raises(UsageError, match="--data and --data-b contradict each other; give --data, or"):
        DataSource.given(tmp_path, None, tmp_path)
    with pytest.raises(UsageError, match="--data-a and --data-b need a folder of each domain, found"):
        DataSource.given(None, tmp_path, tmp_path / "." / "")
    with pytest.raises(UsageError, match=r"--data-b .*nowhere does not exist; give a folder of pictures"):
        find_domains(DataSource(None, tmp_path, tmp_path / "nowhere"))


def test_a_source_comes_back_from_a_runs_config(tmp_path: Path) -> None:
    for source in (DataSource(tmp_path), DataSource(None, tmp_path, tmp_path / "b"), DataSource(B=tmp_path)):
        assert DataSource.of_config(source.resolved().config()) == source
