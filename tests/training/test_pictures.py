from collections import Counter
from pathlib import Path

import pytest
import torch
from torch import Tensor

from ganprune.errors import DataError, UsageError
from ganprune.images import TrainTransform, load_pictures, to_float
from ganprune.training import TrainingPictures
from tests.images.pictures import cut_short
from tests.tiny import seeded
from tests.training.kit import pictures

WHOLE = TrainTransform(16, 16, flip=False)


def number(picture: Tensor, known: Tensor) -> int:
    return next(i for i, other in enumerate(to_float(known)) if torch.equal(other, picture))


@pytest.mark.parametrize(("A", "B", "batch"), [(5, 3, 1), (3, 5, 1), (6, 4, 2)])
def test_an_epoch_shows_each_picture_of_A_in_a_new_order_and_B_by_chance(tmp_path, A, B, batch):
    paths = pictures(tmp_path, A, B)
    data = TrainingPictures(paths, WHOLE)
    known = {domain: load_pictures(part, 16) for domain, part in paths.items()}
    assert data.epoch == max(A, B)
    shown: dict[str, list[int]] = {"A": [], "B": []}
    epochs = 40
    for step in range(epochs * data.epoch // batch):
        for domain, part in data.batch(7, step, batch, seeded(step)).items():
            assert part.shape == (batch, 3, 16, 16)
            shown[domain] += [number(picture, known[domain]) for picture in part]
    orders = [tuple(shown["A"][i : i + data.epoch]) for i in range(0, len(shown["A"]), data.epoch)]
    counts = Counter(i % A for i in range(data.epoch))
    assert all(Counter(order) == counts for order in orders)
    assert len(set(orders)) > 20
    share = len(shown["B"]) / B
    assert sum((shown["B"].count(i) - share) ** 2 / share for i in range(B)) < 18.5  # p = 0.001 at 4 degrees


@pytest.mark.parametrize("domain", ["A", "B"])
def test_pictures_of_one_domain_alone_come_in_a_new_order_every_epoch(tmp_path: Path, domain) -> None:
    data = TrainingPictures({domain: pictures(tmp_path, 5, 5)[domain]}, WHOLE)
    orders = [
        tuple(data.drawn(7, 5 * epoch + place, 1, seeded(place))[domain][0].index for place in range(5))
        for epoch in range(8)
    ]
    assert all(sorted(order) == list(range(5)) for order in orders)
    assert len(set(orders)) > 4
    assert data.drawn(7, 0, 1, seeded(0)).keys() == {domain}


def test_a_step_can_be_drawn_again_without_those_before(tmp_path: Path):
    data = TrainingPictures(pictures(tmp_path), TrainTransform(16, 22))
    wanted = [data.batch(1, step, 2, seeded(step)) for step in range(6)]
    again = TrainingPictures(pictures(tmp_path), TrainTransform(16, 22)).batch(1, 4, 2, seeded(4))
    assert all(torch.equal(again[side], wanted[4][side]) for side in again)
    assert not torch.equal(wanted[4]["A"], wanted[5]["A"])


@pytest.mark.parametrize("memory", [0, 3 * 3 * 22 * 22])
def test_pictures_that_do_not_fit_into_memory_are_read_when_needed(tmp_path: Path, memory: int):
    paths, transform = pictures(tmp_path), TrainTransform(16, 22)
    kept, read = TrainingPictures(paths, transform), TrainingPictures(paths, transform, memory=memory)
    for step in range(8):
        one, other = (data.batch(1, step, 1, seeded(step)) for data in (kept, read))
        assert all(torch.equal(one[side], other[side]) for side in one)


def test_broken_pictures_are_left_out_or_refused(tmp_path: Path):
    paths = pictures(tmp_path, A=10, B=10)
    cut_short(paths["A"][2])
    data = TrainingPictures(paths, WHOLE)
    assert data.epoch == 10
    assert len(data.stills(99)["A"]) == 9
    cut_short(paths["A"][3])
    with pytest.raises(DataError, match=r"2 of 10 pictures in .*trainA cannot be read"):
        TrainingPictures(paths, WHOLE)


def test_pictures_too_small_to_crop_are_refused(tmp_path: Path):
    with pytest.raises(UsageError, match=r"0\.png: --preprocess crop needs pictures of at least 32×32"):
        TrainingPictures(pictures(tmp_path), TrainTransform(32, 32, "crop"))


def test_stills_are_the_first_of_both_domains(tmp_path: Path):
    paths = pictures(tmp_path, A=5, B=3)
    stills = TrainingPictures(paths, WHOLE).stills(4)
    for domain, part in stills.items():
        assert torch.equal(torch.stack(part), load_pictures(paths[domain][:3], 16))
