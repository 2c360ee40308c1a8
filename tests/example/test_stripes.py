import numpy as np
import pytest

from ganprune.errors import UsageError
from ganprune.example import background_change, stripe_energy
from scripts.painter import draw


@pytest.mark.parametrize(("size", "scenes"), [(64, 40), (96, 60)])
def test_drawn_striped_animals_have_far_more_stripe_energy_than_drawn_plain_ones(size: int, scenes: int):
    plain = [draw(8, index, "A", size) for index in range(0, 2 * scenes, 2)]
    striped = [draw(8, index, "B", size) for index in range(1, 2 * scenes, 2)]
    low = np.array([stripe_energy(s.picture, s.animal) for s in plain])
    high = np.array([stripe_energy(s.picture, s.animal) for s in striped])
    auc = (high[:, None] > low[None, :]).mean()
    assert auc > 0.98
    assert np.median(high) > 3 * np.median(low)
    assert np.quantile(low, 0.99) < 0.11 < 0.16 < np.quantile(high, 0.01)


def test_stripe_energy_grows_as_stripes_fade_in():
    for index in range(5):
        plain, striped = draw(9, index, "A", 96), draw(9, index, "B", 96)
        blends = [(1 - t) * (plain.picture / 255) + t * (striped.picture / 255) for t in np.linspace(0, 1, 6)]
        energies = [stripe_energy(blend, plain.animal) for blend in blends]
        assert energies == sorted(energies)


def test_stripe_energy_equals_a_plain_loop_over_pixels():
    rng = np.random.default_rng(0)
    picture = rng.random((32, 48, 3))
    mask = np.zeros((32, 48), dtype=bool)
    mask[6:29, 4:30] = True
    mask[12:20, 26:48] = True
    height, width = mask.shape

    def near(y: int, x: int, reach: int):
        return [
            (v, u)
            for v in range(max(0, y - reach), min(height, y + reach + 1))
            for u in range(max(0, x - reach), min(width, x + reach + 1))
        ]

    light = picture @ np.array([0.299, 0.587, 0.114])
    inner = {p for p in np.ndindex(*mask.shape) if all(mask[q] for q in near(p[0], p[1], 1))}
    smoothed: dict[tuple[int, ...], float] = {}
    for y, x in inner:
        weights = {q: (2 - abs(q[0] - y)) * (2 - abs(q[1] - x)) for q in near(y, x, 1) if q in inner}
        smoothed[y, x] = sum(w * light[q] for q, w in weights.items()) / sum(weights.values())
    squares = [
        (smoothed[p] - np.mean([smoothed[q] for q in near(p[0], p[1], 3) if q in inner])) ** 2 for p in inner
    ]
    expected = np.sqrt(np.mean(squares)) / (np.mean(list(smoothed.values())) + 0.1)
    assert stripe_energy(picture, mask) == pytest.approx(expected, rel=1e-9)


def test_stripes_of_the_background_and_the_animals_outline_do_not_count():
    picture = np.zeros((96, 96, 3))
    picture[:, ::4] = picture[:, 1::4] = 1.0
    mask = np.zeros((96, 96), dtype=bool)
    mask[30:70, 20:80] = True
    picture[mask] = 0.5
    assert stripe_energy(picture, mask) == pytest.approx(0, abs=1e-9)
    assert stripe_energy(picture, ~mask) > 0.4


def test_background_change_is_the_mean_difference_outside_the_animals():
    scene, other = draw(1, 0, "A", 64), draw(1, 0, "B", 64)
    assert background_change(scene.picture, other.picture, scene.animal) == 0
    before = np.full((64, 64, 3), 100, dtype=np.uint8)
    assert background_change(before, before + 51, scene.animal) == pytest.approx(0.2)
    assert background_change(before / 255, before + 51, scene.animal) == pytest.approx(0.2)


def test_a_rim_around_the_animals_belongs_to_them():
    mask = np.zeros((48, 48), dtype=bool)
    mask[20:30, 20:30] = True
    before = np.zeros((48, 48, 3))
    after = before.copy()
    after[19:31, 19:31] = 1.0
    assert background_change(before, after, mask) == 0
    after[18, 18] = 1.0
    assert background_change(before, after, mask) > 0


@pytest.mark.parametrize(
    "measure", [lambda p, m: stripe_energy(p, m), lambda p, m: background_change(p, p, m)]
)
def test_a_mask_of_another_size_is_refused(measure):
    with pytest.raises(
        UsageError, match=r"mask of shape \(8, 8\) needs a picture of shape \(8, 8, 3\), found"
    ):
        measure(np.zeros((9, 9, 3)), np.ones((8, 8), dtype=bool))


def test_masks_with_nothing_to_measure_are_refused():
    picture, none = np.zeros((48, 48, 3)), np.zeros((48, 48), dtype=bool)
    with pytest.raises(UsageError, match="needs an animal wider than its outline"):
        stripe_energy(picture, none)
    with pytest.raises(UsageError, match="needs pixels outside the mask"):
        background_change(picture, picture, ~none)
