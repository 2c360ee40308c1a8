"""Which files are read and written, in which order, and what happens when something goes wrong."""

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from ganprune.errors import DataError, InputError, UsageError
from ganprune.images.reading import shown_picture
from ganprune.images.rgb import ALPHA, UPRIGHT, Shown
from ganprune.reporting import Silent, Task
from ganprune.translation import TranslateSettings, open_source, run, translate_pictures
from ganprune.translation.preparation import Preparation
from ganprune.translation.source import Source
from ganprune.translation.targets import find_pictures
from tests.images.pictures import cut_short, draw, no_picture, write
from tests.translation.kit import negative, pixels, source_of, write_run

SMALL = Preparation(height=16, width=16)
FAST = TranslateSettings(prepare=SMALL)


class Listener(Silent):
    def __init__(self) -> None:
        self.warnings: list[str] = []

        self.lines: list[str] = []

    def warn(self, message: str) -> None:
        self.warnings.append(message)

    def info(self, message: str) -> None:
        self.lines.append(message)


def below(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def write_some(folder: Path, *names: str) -> Path:
    for seed, name in enumerate(names):
        write(folder / name, seed, 20, 20)
    return folder


def test_folders_are_mirrored_and_everything_else_is_left_alone(tmp_path: Path) -> None:
    pictures = write_some(tmp_path / "in", "a.png", "b/a.jpg", "b/c/x.y.PNG", ".hidden.png")
    (pictures / "notes.txt").write_text("no picture")
    done = translate_pictures(source_of(), pictures, tmp_path / "out", FAST)
    assert below(tmp_path / "out") == ["a_fake_B.png", "b/a_fake_B.png", "b/c/x.y_fake_B.png"]
    assert (done.pictures, done.files) == (3, 3)


def test_pictures_are_sorted_by_their_paths_below_the_folder(tmp_path: Path) -> None:
    folder = write_some(tmp_path, "b.png", "a/z.png", "a.png", "C.png")
    found = [path.relative_to(folder).as_posix() for path in find_pictures(folder, tmp_path / "out")]
    assert found == sorted(found) == ["C.png", "a.png", "a/z.png", "b.png"]


def test_one_picture_may_be_given(tmp_path: Path) -> None:
    write_some(tmp_path, "a.png", "b.png")
    translate_pictures(source_of(), tmp_path / "b.png", tmp_path, FAST)
    assert below(tmp_path) == ["a.png", "b.png", "b_fake_B.png"]


def test_results_below_the_pictures_are_not_translated_again(tmp_path: Path) -> None:
    write_some(tmp_path, "a.png", "b/c.png")
    for _ in range(2):
        settings = TranslateSettings(prepare=SMALL, existing="overwrite")
        translate_pictures(source_of(), tmp_path, tmp_path / "b/out", settings)
    assert below(tmp_path / "b/out") == ["a_fake_B.png", "b/c_fake_B.png"]


def test_results_do_not_go_among_the_pictures(tmp_path: Path) -> None:
    write_some(tmp_path, "a.png")
    with pytest.raises(UsageError, match="is the folder of the pictures themselves; give -o another"):
        translate_pictures(source_of(), tmp_path, tmp_path / "b/..", FAST)


def test_two_pictures_of_one_name_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    write_some(tmp_path / "in", "0.png", "b/a.jpg", "b/a.png")
    with pytest.raises(DataError, match=r"in/b/a.jpg and a.png would both become a_fake_B.png; rename"):
        translate_pictures(source_of(), tmp_path / "in", tmp_path / "out", FAST)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("direction", "named"), [("AtoB", "testA"), ("BtoA", "testB")])
@pytest.mark.parametrize("nested", [False, True])
def test_data_folder_is_told_which_part_to_give(tmp_path: Path, direction, named, nested) -> None:
    parts = ("trainA", "trainB", "testA", "testB")
    names = [f"{part[:-1]}/{part[-1]}" if nested else part for part in parts]
    write_some(tmp_path, *(f"{name}/1.png" for name in names))
    wanted = f"{named[:-1]}/{named[-1]}" if nested else named
    with pytest.raises(DataError, match=f"holds folders of both domains.*give one of them: .*/{wanted}$"):
        translate_pictures(Source(Path("net"), direction, negative), tmp_path, tmp_path / "out", FAST)


def test_data_folder_without_tests_is_told_trainA(tmp_path: Path) -> None:
    write_some(tmp_path, "trainA/1.png", "trainB/1.png")
    with pytest.raises(DataError, match=r"give one of them: .*/trainA$"):
        find_pictures(tmp_path, tmp_path / "out")


def test_folder_without_pictures_and_no_folder_are_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no picture")
    with pytest.raises(DataError, match=r"needs pictures \(bmp jfif jpe jpeg jpg .*\), found notes\.txt;"):
        find_pictures(tmp_path, tmp_path / "out")
    with pytest.raises(UsageError, match="gone does not exist; give a folder of pictures"):
        find_pictures(tmp_path / "gone", tmp_path / "out")
    with pytest.raises(UsageError, match=r"notes.txt is a file; give a folder to write"):
        translate_pictures(source_of(), write_some(tmp_path / "in", "a.png"), tmp_path / "notes.txt", FAST)


def test_nothing_is_overwritten_without_being_told(tmp_path: Path) -> None:
    pictures = write_some(tmp_path / "in", "a.png", "b.png", "c.png")
    (tmp_path / "out").mkdir()
    for name in ("b", "c"):
        (tmp_path / f"out/{name}_fake_B.png").write_bytes(b"mine")
    with pytest.raises(UsageError, match=r"2 of 3 files .* first is .*out/b_fake_B.png; add --resume"):
        translate_pictures(source_of(), pictures, tmp_path / "out", FAST)
    assert below(tmp_path / "out") == ["b_fake_B.png", "c_fake_B.png"]

    resume = TranslateSettings(prepare=SMALL, existing="resume")
    done = translate_pictures(source_of(), pictures, tmp_path / "out", resume)
    assert (done.pictures, done.translated, done.files, done.skipped) == (3, 1, 1, 2)
    assert (tmp_path / "out/b_fake_B.png").read_bytes() == b"mine"
    assert pixels(tmp_path / "out/a_fake_B.png").shape == (16, 16, 3)

    overwrite = TranslateSettings(prepare=SMALL, existing="overwrite")
    done = translate_pictures(source_of(), pictures, tmp_path / "out", overwrite)
    assert (done.translated, done.skipped) == (3, 0)
    assert pixels(tmp_path / "out/b_fake_B.png").shape == (16, 16, 3)


def test_resume_writes_what_is_missing_of_a_picture(tmp_path: Path) -> None:
    pictures = write_some(tmp_path / "in", "a.png")
    translate_pictures(source_of(), pictures, tmp_path / "out", FAST)
    before = (tmp_path / "out/a_fake_B.png").stat().st_mtime_ns
    settings = TranslateSettings(("fake", "real", "rec"), SMALL, existing="resume")
    done = translate_pictures(source_of(), pictures, tmp_path / "out", settings)
    assert (done.files, done.translated, done.skipped) == (2, 1, 0)
    assert (tmp_path / "out/a_fake_B.png").stat().st_mtime_ns == before
    real, rec = (pixels(tmp_path / f"out/a_{kind}_A.png") for kind in ("real", "rec"))
    assert np.array_equal(real, rec)


def test_rec_without_a_partner_is_refused(tmp_path: Path) -> None:
    settings = TranslateSettings(("rec",), SMALL)
    with pytest.raises(UsageError, match=r"--save rec needs both generators, found net.pth alone"):
        translate_pictures(source_of(back=None), write_some(tmp_path, "a.png"), tmp_path / "out", settings)


@pytest.mark.parametrize("save", [(), ("",), ("fakes",), ("fake", "fake")])
def test_what_to_save_is_checked(save) -> None:
    with pytest.raises(UsageError, match="--save must be some of fake,real,rec, each once, found"):
        TranslateSettings(save)


@pytest.mark.parametrize("batch", [3, 4])
def test_batches_change_results_by_rounding_alone(tmp_path: Path, batch: int) -> None:
    write_run(tmp_path)
    for i, size in enumerate([(20, 24), (24, 20), (20, 24), (20, 24), (24, 20), (20, 24), (28, 28)]):
        write(tmp_path / f"in/{i}.png", i, *size)
    source = open_source(tmp_path, both=True)
    sizes: list[int] = []

    def counted(pictures: Tensor) -> Tensor:
        sizes.append(len(pictures))
        return source.translate(pictures)

    for folder, most in (("one", 1), ("many", batch)):
        settings = TranslateSettings(("fake", "real", "rec"), Preparation("none"), most)
        watched = Source(source.network, source.direction, counted, source.back)
        translate_pictures(watched, tmp_path / "in", tmp_path / folder, settings)
    assert sizes == [1] * 7 + {3: [3, 2, 1, 1], 4: [4, 2, 1]}[batch]
    assert below(tmp_path / "one") == below(tmp_path / "many")
    for name in below(tmp_path / "one"):
        difference = np.abs(pixels(tmp_path / "one" / name) - pixels(tmp_path / "many" / name))
        assert difference.max() <= 1
        assert (difference > 0).mean() < 0.01


def test_few_pictures_are_in_memory_whatever_their_shapes(tmp_path: Path, monkeypatch) -> None:
    for i in range(40):
        write(tmp_path / f"in/{i:02}.png", i, 16 + 4 * (i % 20), 16)
    read: list[Path] = []
    translated: list[int] = []
    waiting: list[int] = []

    def counted(path: Path, channels: int, upright: bool) -> Shown:
        read.append(path)
        return shown_picture(path, channels, upright=upright)

    def watching(pictures: Tensor) -> Tensor:
        waiting.append(len(read) - sum(translated))
        translated.append(len(pictures))
        return -pictures

    monkeypatch.setattr(run, "shown_picture", counted)
    settings = TranslateSettings(prepare=Preparation("none"), batch=2)
    translate_pictures(source_of(watching), tmp_path / "in", tmp_path / "out", settings)
    assert sum(translated) == len(read) == 40
    assert max(waiting) == 8


def test_few_unreadable_pictures_are_skipped_and_named(tmp_path: Path) -> None:
    pictures = write_some(tmp_path / "in", *(f"{i}.png" for i in range(10)))
    cut_short(pictures / "6.png")
    listener = Listener()
    done = translate_pictures(source_of(), pictures, tmp_path / "out", FAST, listener)
    assert (done.pictures, done.translated, done.unreadable) == (10, 9, (pictures / "6.png",))
    assert len(below(tmp_path / "out")) == 9
    (warning,) = listener.warnings
    assert "skipped 1 of 10 pictures in" in warning
    assert "6.png (damaged" in warning

    settings = TranslateSettings(prepare=SMALL, existing="resume")
    again = translate_pictures(source_of(), pictures, tmp_path / "out", settings, listener)
    assert (again.translated, again.skipped, again.unreadable) == (0, 9, done.unreadable)
    assert again.pictures_per_second == 0
    assert listener.warnings == [warning] * 2


def test_many_unreadable_pictures_are_an_error_once_the_others_are_written(tmp_path: Path) -> None:
    pictures = write_some(tmp_path / "in", *(f"{i}.png" for i in range(10)))
    for name in ("0.png", "4.png"):
        no_picture(pictures / name)
    told = (
        r"2 of 10 .* cannot be read: 0.png \(no picture\), 4.png .*; the other 8 are translated all the same"
    )
    with pytest.raises(DataError, match=told):
        translate_pictures(source_of(), pictures, tmp_path / "out", FAST)
    assert below(tmp_path / "out") == [f"{i}_fake_B.png" for i in range(10) if i not in (0, 4)]


def test_network_that_gives_no_numbers_is_refused(tmp_path: Path) -> None:
    def damaged(pictures: Tensor) -> Tensor:
        return torch.where(pictures > 0.5, torch.nan, pictures)

    pictures = write_some(tmp_path / "in", "a.png")
    with pytest.raises(InputError, match=r"net.pth: needed finite numbers, .* translation of .*a.png"):
        translate_pictures(source_of(damaged), pictures, tmp_path / "out", FAST)
    assert not (tmp_path / "out").exists()


def test_batch_of_no_pictures_is_refused() -> None:
    with pytest.raises(UsageError, match="--set batch must be 1 or more, found 0"):
        TranslateSettings(batch=0)


class Counter(Silent):
    """A reporter that counts: [total, done] of each task."""

    def __init__(self) -> None:
        self.tasks: list[list[int]] = []

    def task(self, title: str, total: int, done: int = 0) -> AbstractContextManager[Task]:
        self.tasks.append([total, done])
        return nullcontext(self)

    def advance(self, steps: int = 1, **figures: float | str) -> None:
        self.tasks[-1][1] += steps


def test_progress_counts_every_picture_once(tmp_path: Path) -> None:
    pictures = write_some(tmp_path / "in", *(f"{i}.png" for i in range(10)))
    no_picture(pictures / "3.png")
    counter = Counter()
    for existing in ("refuse", "resume"):
        settings = TranslateSettings(prepare=SMALL, batch=4, existing=existing)
        translate_pictures(source_of(), pictures, tmp_path / "out", settings, counter)
    assert counter.tasks == [[10, 10], [10, 10]]


# Orientation and transparency


def test_pictures_are_translated_upright_or_as_stored(tmp_path: Path) -> None:
    exif, listener = Image.Exif(), Listener()
    exif[0x0112] = 6
    (tmp_path / "in").mkdir()
    draw(6, 60, 25).save(tmp_path / "in/a.jpg", exif=exif)
    for folder, upright, shape in (("up", True, (60, 25, 3)), ("stored", False, (25, 60, 3))):
        settings = TranslateSettings(prepare=Preparation("none"), upright=upright)
        translate_pictures(source_of(), tmp_path / "in", tmp_path / folder, settings, listener)
        assert pixels(tmp_path / folder / "a_fake_B.png").shape == shape
    assert listener.lines == [f"pictures {UPRIGHT}; --as-stored takes them as they lie: a.jpg"]


def test_alpha_is_told_and_kept_on_request_resized_as_the_picture_is(tmp_path: Path) -> None:
    listener, alpha = Listener(), draw(3, 37, 53).convert("L")
    picture = draw(1, 37, 53)
    picture.putalpha(alpha)
    (tmp_path / "in").mkdir()
    picture.save(tmp_path / "in/a.png")
    draw(2, 37, 53).save(tmp_path / "in/b.png")
    for folder, prepare in (("small", SMALL), ("own", Preparation("none"))):
        settings = TranslateSettings(("fake", "real"), prepare, batch=2, keep_alpha=True)
        translate_pictures(source_of(), tmp_path / "in", tmp_path / folder, settings, listener)
        size = (16, 16) if folder == "small" else (37, 53)
        for name in ("a_fake_B.png", "a_real_A.png"):
            with Image.open(tmp_path / folder / name) as written:
                assert (written.mode, written.size) == ("RGBA", size)
                wanted = np.asarray(alpha.resize(size, Image.Resampling.BICUBIC))
                assert np.array_equal(np.asarray(written.getchannel("A")), wanted)
        assert pixels(tmp_path / folder / "b_fake_B.png").shape == (size[1], size[0], 3)
    assert listener.lines == []
    translate_pictures(source_of(), tmp_path / "in", tmp_path / "left out", FAST, listener)
    assert pixels(tmp_path / "left out/a_fake_B.png").shape == (16, 16, 3)
    assert listener.lines == [f"pictures {ALPHA}; --keep-alpha keeps it: a.png"]
