"""What slim generators learn from: what the original makes of exactly what they are shown, kept for later."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ganprune.training import Distillation, TeacherCache, TrainingPictures, train
from ganprune.training.distillation import with_maps
from ganprune.training.pictures import lesson_of, lessons_in
from tests.tiny import seeded
from tests.training.gan import DISTIL, SETTINGS, STEPS, Gan
from tests.training.kit import Interrupter, pictures, same_bits


@pytest.mark.parametrize("memory", [0, 3000, 1 << 30])
@pytest.mark.parametrize("load_size", [16, 23])
def test_a_teacher_gives_its_translation_of_exactly_what_is_shown(
    tmp_path: Path, gan: Gan, memory: int, load_size: int
):
    """Mirrored or cut as it is: random networks do not commute with mirroring, nor norms with cuts."""
    settings = replace(SETTINGS, load_size=load_size)
    data, mirrored = TrainingPictures(pictures(tmp_path), settings.transform), 0
    teachers = gan.teachers.items()
    caches = {s: TeacherCache(data, s, t, settings, memory) for s, t in teachers}
    for step in range(6):
        for side, drawn in data.drawn(0, step, 2, seeded(step)).items():
            kept = caches[side](drawn)
            for i, one in enumerate(drawn):
                shown = data.pictures(side, [one])
                picture, maps = with_maps(gan.whole[side].eval(), shown, caches[side].taps)
                torch.testing.assert_close(kept.picture[i], picture[0], rtol=0, atol=1e-3)
                for found, whole in zip(kept.maps, maps, strict=True):
                    original = whole[0, gan.teachers[side].taps(1)[0].kept]
                    half_a_level = (original.amax((1, 2)) - original.amin((1, 2)))[:, None, None] / 510
                    assert ((found[i] - original).abs() <= 1.01 * half_a_level).all()
                if one.cut.mirrored:
                    back = gan.whole[side](shown.flip(-1))[0].flip(-1)
                    assert (kept.picture[i] - back).abs().max() > 0.05
                    mirrored += 1
    assert mirrored


def test_a_cache_foresees_what_is_left_to_compute(tmp_path: Path, gan: Gan):
    data = TrainingPictures(pictures(tmp_path, A=5, B=3), SETTINGS.transform)
    one = data.drawn(0, 0, 1, seeded(0))
    kept = len(gan.teachers["A"].taps(1)[0].kept)
    size = 2 * 3 * 16 * 16 + 2 * 2 * kept * 4 * 4  # bytes: a picture in float16, two maps in bfloat16
    for memory, wanted in ((1 << 30, 9), (3 * size, 2), (0, 0)):  # five pictures, mirrored or not
        cache = TeacherCache(data, "A", gan.teachers["A"], SETTINGS, memory)
        cache(one["A"])
        seconds, left = cache.ahead()
        assert seconds > 0
        assert left == wanted


@pytest.mark.parametrize(
    ("seconds", "once", "repeats", "made", "steps"),
    [
        (2.0, 10, 1, 0, 4),  # over before all is in the caches
        (3.0, 10, 1, 0, 10),  # five steps of 0.5 s compute them, five more take 0.1 s each
        (30.0, 10, 1, 0, 280),
        (29.5, 10, 1, 1, 275),
        (3.0, 0, 1, 0, 6),  # no room to keep any
        (3.0, 0, 8, 0, 6),
        (45.0 + 20.0, 800, 4, 10, 90 + 200),  # a hundred lessons of 0.5 s, then the same again in 0.1 s
        (45.0 + 30.0 + 40.0, 800, 4, 10, 90 + 300 + 200),  # beyond, every fourth step has a new one for 0.4 s
        (45.0 + 30.0 + 248.0 + 10.0, 800, 4, 10, 90 + 300 + 1240 + 100),  # until all are known
        (20.0, 800, 4, 200, 200),  # the first steps were more than a hundred
        (10.0, 800, 4, 450, 50),  # and more than each of a hundred four times: every fourth is new
    ],
)
def test_a_time_counts_what_teachers_make_once(
    tmp_path: Path,
    gan: Gan,
    monkeypatch: pytest.MonkeyPatch,
    seconds: float,
    once: int,
    repeats: int,
    made: int,
    steps: float,
):
    data = TrainingPictures(pictures(tmp_path), SETTINGS.transform)
    monkeypatch.setattr(TeacherCache, "ahead", lambda _: (0.2, once // 2))
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    settings = replace(SETTINGS, distil=replace(DISTIL, repeats=repeats))
    distillation = Distillation(data, gan.teachers, settings)
    assert distillation.steps_in(seconds, 0.5, made) == pytest.approx(steps)


def test_crops_are_kept_as_long_as_there_is_room(tmp_path: Path, gan: Gan):
    """Two fit. The third takes no other's place, as all come again as often, and is computed each time."""
    settings = replace(SETTINGS, load_size=23)
    data = TrainingPictures(pictures(tmp_path), settings.transform)
    parts = [data.drawn(0, step, 1, seeded(step))["A"] for step in range(3)]
    cache = TeacherCache(data, "A", gan.teachers["A"], settings, 1 << 30)
    whole = [cache(one).picture for one in parts]
    size = next(iter(cache._kept.values())).bytes
    cache = TeacherCache(data, "A", gan.teachers["A"], settings, 2 * size)
    for computed in (3, 4, 5):
        assert all(torch.equal(cache(one).picture, made) for one, made in zip(parts, whole, strict=True))
        assert cache._computed == computed


@pytest.mark.parametrize(
    ("steps", "repeats", "lessons"), [(60, 4, 60), (150, 4, 100), (500, 4, 125), (90, 1, 90)]
)
def test_each_lesson_comes_again_as_often_as_the_others(steps: int, repeats: int, lessons: int):
    assert lessons_in(steps, repeats) == lessons
    given = [lesson_of(5, step, lessons) for step in range(steps)]
    assert given[:lessons] == list(range(lessons))
    often = Counter(given)
    assert max(often.values()) - min(often.values()) <= 1
    assert given == [lesson_of(5, step, lessons) for step in range(steps)]
    if steps > lessons:
        assert given[lessons:] != sorted(given[lessons:])
        assert given != [lesson_of(6, step, lessons) for step in range(steps)]


def test_steps_on_new_pictures_are_counted_apart(tmp_path: Path, gan: Gan, monkeypatch: pytest.MonkeyPatch):
    """Their pace tells nothing about the steps after them. One that was stopped ends with the same bits."""
    monkeypatch.setattr("ganprune.training.pictures.FEW", 3)
    settings = replace(SETTINGS, distil=replace(DISTIL, repeats=3))
    given = gan.networks, pictures(tmp_path, A=5, B=5), settings, STEPS
    watcher = Interrupter(100)
    whole = train(*given, tmp_path / "whole", watcher, teachers=gan.teachers)
    assert [one for one in watcher.opened if "training" in one[0]] == [
        ("training on new pictures", 4, 0), ("training", 12, 4),
    ]  # fmt: skip
    train(*given, tmp_path / "parts", teachers=gan.teachers, until=7)
    assert same_bits(train(*given, tmp_path / "parts", teachers=gan.teachers).networks, whole.networks)
