import subprocess
import sys
from hashlib import sha256

import numpy as np
import pytest
from PIL import Image

from ganprune.errors import UsageError
from ganprune.example import EXAMPLE_SIZE, PICTURES
from scripts.painter import draw

SIZE = 64


def test_the_same_seed_and_index_give_the_same_bytes_in_another_process():
    script = (
        "from hashlib import sha256; from scripts.painter import draw; "
        f"print(sha256(b''.join(draw(5, i, 'B', {SIZE}).picture.tobytes() for i in range(8))).hexdigest())"
    )
    elsewhere = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    here = sha256(b"".join(draw(5, i, "B", SIZE).picture.tobytes() for i in range(8))).hexdigest()
    assert elsewhere.stdout.strip() == here


def test_every_seed_and_every_index_give_another_scene():
    pictures = {draw(seed, index, "A", SIZE).picture.tobytes() for seed in (0, 1) for index in range(20)}
    masks = {draw(seed, index, "A", SIZE).animal.tobytes() for seed in (0, 1) for index in range(20)}
    assert len(pictures) == len(masks) == 40


def test_both_domains_share_the_scene_and_differ_on_the_animals_only():
    for index in range(30):
        plain, striped = draw(2, index, "A", SIZE), draw(2, index, "B", SIZE)
        assert np.array_equal(plain.animal, striped.animal)
        change = np.abs(plain.picture.astype(int) - striped.picture.astype(int)).mean(axis=2)
        assert change[~plain.animal].max() == 0
        assert change[plain.animal].mean() > 20


def test_animals_fill_a_fair_part_of_every_picture_and_leave_the_most_of_it():
    for index in range(60):
        scene = draw(3, index, "B", SIZE)
        rows, columns = np.nonzero(scene.animal)
        assert 0.08 < scene.animal.mean() < 0.25
        assert np.ptp(columns) + 1 >= 0.4 * SIZE
        assert rows.max() > 0.6 * SIZE  # hooves stand on the ground, in the lower half
        assert rows.min() > 0.1 * SIZE


@pytest.mark.parametrize("index", range(6))
def test_a_scene_looks_the_same_at_every_size(index: int):
    small, large = draw(6, index, "B", SIZE), draw(6, index, "B", 2 * SIZE)
    halved = large.picture.astype(float).reshape(SIZE, 2, SIZE, 2, 3).mean(axis=(1, 3))
    assert np.abs(halved - small.picture).mean() < 6
    touched = large.animal.reshape(SIZE, 2, SIZE, 2).any(axis=(1, 3))
    assert (touched & small.animal).sum() > 0.9 * (touched | small.animal).sum()


@pytest.mark.parametrize(
    ("seed", "index", "domain", "size", "message"),
    [
        (-1, 0, "A", 64, "at least 0, found -1 and 0"),
        (0, -7, "A", 64, "at least 0, found 0 and -7"),
        (0, 0, "C", 64, "must be A or B, found 'C'"),
        (0, 0, "B", 16, "at least 32 pixels a side, found 16"),
    ],
)
def test_settings_that_nothing_can_be_drawn_with_are_refused(seed, index, domain, size, message):
    with pytest.raises(UsageError, match=message):
        draw(seed, index, domain, size)


def test_shipped_pictures_are_those_that_the_painter_draws():
    for folder in PICTURES.iterdir():
        paths = sorted(folder.iterdir())
        for path in (paths[0], paths[-1]):
            scene = draw(1, int(path.stem), "A" if folder.name.endswith("A") else "B", EXAMPLE_SIZE)
            assert np.array_equal(np.asarray(Image.open(path)), scene.picture)
            mask = PICTURES.with_name("masks") / folder.name / f"{path.stem}.png"
            if folder.name.startswith("test"):
                assert np.array_equal(np.asarray(Image.open(mask)), scene.animal)


def test_no_two_pictures_share_a_scene():
    stems = [path.stem for path in PICTURES.rglob("*.webp")]
    assert len(set(stems)) == len(stems)
