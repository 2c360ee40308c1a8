import numpy as np
import pytest
import torch
from PIL import Image

from ganprune.errors import UsageError
from ganprune.images import TrainTransform, to_tensor
from ganprune.images.transforms import PREPROCESS_MODES
from tests.images.pictures import draw, last
from tests.tiny import seeded

BICUBIC = Image.Resampling.BICUBIC


def windows(picture: np.ndarray, size: int) -> list[np.ndarray]:
    """All crops of [h, w, 3], each as it is and mirrored, in order."""
    h, w, _ = picture.shape
    crops = [picture[y : y + size, x : x + size] for y in range(h - size + 1) for x in range(w - size + 1)]
    return [version for crop in crops for version in (crop, crop[:, ::-1])]


@pytest.mark.parametrize(
    ("mode", "given", "wanted"),
    [
        ("resize_and_crop", (50, 30), (22, 22)),
        ("crop", (50, 30), (50, 30)),
        ("scale_width_and_crop", (50, 100), (22, 44)),
        ("scale_width_and_crop", (50, 30), (22, 16)),  # 13 would not hold a crop of 16
        ("scale_width_and_crop", (50, 49), (22, 21)),  # 21.56, cut off
        ("none", (50, 30), (48, 32)),  # 12.5 and 7.5 fours, rounded as Python does
        ("none", (49, 51), (48, 52)),
    ],
)
def test_the_fixed_half_resizes_as_cyclegan_does(mode, given, wanted):
    picture = draw(1, *given)
    got = TrainTransform(size=16, load_size=22, mode=mode).resize(to_tensor(picture))
    assert np.array_equal(last(got), np.asarray(picture.resize(wanted, BICUBIC)))


@pytest.mark.parametrize(
    ("given", "wanted"), [((50, 100), (24, 48)), ((50, 30), (24, 16)), ((24, 21), (24, 20))]
)
def test_scale_width_keeps_the_shape_up_to_a_multiple_of_4(given, wanted):
    assert TrainTransform(16, 24, "scale_width").resize(to_tensor(draw(1, *given))).shape[:0:-1] == wanted


def test_the_random_half_gives_every_crop_and_mirror_image_about_equally_often():
    picture = draw(2, 18, 17)
    known = {window.tobytes(): i for i, window in enumerate(windows(np.asarray(picture), 16))}
    assert len(known) == 12
    transform, generator = TrainTransform(16, 18, "crop"), seeded(0)
    counts = [0] * 12
    for _ in range(1200):
        drawn = transform.draw(to_tensor(picture), generator)
        counts[known[drawn.permute(1, 2, 0).contiguous().numpy().tobytes()]] += 1
    assert sum((count - 100) ** 2 / 100 for count in counts) < 31.3  # chi-squared, 11 degrees, p = 0.001


def test_no_flip_never_mirrors():
    picture = to_tensor(draw(2, 16, 16))
    generator = seeded(1)
    still = TrainTransform(16, 16, "resize_and_crop", flip=False)
    assert all(torch.equal(still.draw(picture, generator), picture) for _ in range(20))


def test_the_same_generator_gives_the_same_crops_and_no_other_randomness_counts():
    transform, picture = TrainTransform(16, 20), to_tensor(draw(3, 20, 20))
    first = [transform.draw(picture, generator) for generator in [seeded(4)] for _ in range(8)]
    torch.manual_seed(99)
    again = [transform.draw(picture, generator) for generator in [seeded(4)] for _ in range(8)]
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert len({a.numpy().tobytes() for a in first}) > 4


def test_uncropped_modes_keep_the_whole_picture():
    picture = to_tensor(draw(3, 24, 32))
    assert TrainTransform(16, 24, "scale_width", flip=False).draw(picture, seeded(0)).shape == (3, 32, 24)
    assert torch.equal(TrainTransform(16, 24, "none").still(picture), picture)


def test_a_still_picture_is_the_middle():
    picture = to_tensor(draw(3, 20, 22))
    assert torch.equal(TrainTransform(16, 20).still(picture), picture[:, 3:19, 2:18])


def test_a_picture_too_small_to_crop_is_refused():
    with pytest.raises(UsageError, match="crop needs pictures of at least 16×16, found 15×40; use --prep"):
        TrainTransform(16, 16, "crop").resize(to_tensor(draw(0, 15, 40)))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"mode": "zoom"}, f"--preprocess must be one of {', '.join(PREPROCESS_MODES)}, found 'zoom'"),
        ({"size": 30}, "--size must be a multiple of 4 from 16 to 8192, found 30"),
        ({"size": 8}, "--size must be a multiple of 4 from 16 to 8192, found 8"),
        (
            {"size": 64, "load_size": 60},
            "--set load-size must be at least --size for --set preprocess=resize_and_crop",
        ),
        ({"mode": "scale_width", "load_size": 286}, "--set load-size must be a multiple of 4 .* found 286"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(UsageError, match=message):
        TrainTransform(**settings)
