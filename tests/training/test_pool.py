import pytest
import torch
from torch import Tensor

from ganprune.training import ImagePool
from tests.tiny import seeded


def fakes(n: int, first: int) -> Tensor:
    """Pictures that say which they are: [n, 1, 1, 1]."""
    return torch.arange(first, first + n, dtype=torch.float32).reshape(n, 1, 1, 1)


@pytest.mark.parametrize(("size", "batch"), [(1, 1), (3, 1), (3, 2), (5, 4)])
def test_a_pool_answers_as_cyclegans_does(size: int, batch: int):
    pool, generator = ImagePool(size), seeded(1)
    stored: list[float] = []
    other = seeded(1)
    for first in range(0, 60 * batch, batch):
        wanted: list[float] = []
        for picture in range(first, first + batch):
            if len(stored) < size:
                stored.append(picture)
                wanted.append(picture)
            elif torch.rand(1, generator=other).item() > 0.5:
                place = int(torch.randint(size, (1,), generator=other))
                wanted.append(stored[place])
                stored[place] = picture
            else:
                wanted.append(picture)
        assert pool.query(fakes(batch, first), generator).flatten().tolist() == wanted
    assert [float(picture) for picture in pool.pictures] == stored


def test_half_of_the_answers_are_older_pictures_and_all_places_are_used():
    pool, generator = ImagePool(50), seeded(2)
    for i in range(50):
        pool.query(fakes(1, i), generator)
    first = {float(picture) for picture in pool.pictures}
    answers = [float(pool.query(fakes(1, i), generator)) for i in range(50, 1050)]
    old = sum(answer != i for i, answer in enumerate(answers, 50))
    assert 450 < old < 550
    assert len(first & set(answers)) == 50


def test_a_pool_of_none_gives_back_what_it_gets():
    pool, generator = ImagePool(0), seeded(0)
    assert all(float(pool.query(fakes(1, i), generator)) == i for i in range(20))
    assert pool.pictures == []


def test_stored_pictures_do_not_change_with_what_was_handed_in():
    pool, generator = ImagePool(2), seeded(0)
    for first in range(1, 41, 2):
        handed = fakes(2, first)
        pool.query(handed, generator)
        handed.zero_()
    assert all(float(picture) > 2 for picture in pool.pictures)
