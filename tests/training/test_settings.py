import math
from dataclasses import asdict

import pytest

from ganprune.errors import UsageError
from ganprune.training import TrainSettings


def test_the_defaults_are_cyclegans_recipe():
    recipe = {
        "lr": 2e-4, "decay": 0.5, "beta1": 0.5, "beta2": 0.999, "batch": 1, "gan_mode": "lsgan",
        "lambda_A": 10.0, "lambda_B": 10.0, "lambda_identity": 0.5, "pool_size": 50, "size": 256,
        "flip": True, "preprocess": "resize_and_crop", "ngf": 64, "ndf": 64, "blocks": 9, "init_gain": 0.02,
    }  # fmt: skip
    assert {name: value for name, value in asdict(TrainSettings()).items() if name in recipe} == recipe
    assert TrainSettings().transform.load_size == 286


@pytest.mark.parametrize(
    ("settings", "load_size"),
    [
        ({"size": 128}, 143),
        ({"size": 128, "load_size": 128}, 128),
        ({"size": 128, "preprocess": "scale_width"}, 128),
        ({"size": 128, "preprocess": "scale_width_and_crop"}, 143),
    ],
)
def test_the_size_pictures_are_loaded_at_follows_the_crops(settings, load_size):
    assert TrainSettings(**settings).transform.load_size == load_size


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"lr": 0.0}, "--lr must be > 0, found 0"),
        ({"lr": math.nan}, "--lr must be > 0, found nan"),
        ({"init_gain": -1.0}, "--init-gain must be > 0, found -1"),
        ({"decay": 1.0}, "--decay must lie in 0 … 0.9, found 1"),
        ({"beta1": 1.0}, "--beta1 must be at least 0 and below 1, found 1"),
        ({"beta2": -0.1}, "--beta2 must be at least 0 and below 1, found -0.1"),
        ({"lambda_identity": -1.0}, "--lambda-identity must be ≥ 0, found -1"),
        ({"lambda_A": -2.0}, "--lambda-A must be ≥ 0, found -2"),
        ({"lambda_B": math.inf}, "--lambda-B must be ≥ 0, found inf"),
        ({"pool_size": -1}, "--pool-size must be ≥ 0, found -1"),
        ({"batch": 0}, "--batch must be 1 to 4096, found 0"),
        ({"ngf": 0}, "--ngf must be 1 to 1024, found 0"),
        ({"blocks": 100_000}, "--blocks must be 1 to 128, found 100000"),
        ({"size": 40_000}, "--size must be at most 8192 pixels, found 40000"),
        ({"blocks": 0}, "--blocks must be 1 to 128, found 0"),
        ({"gan_mode": "wgan"}, "--gan-mode must be lsgan or vanilla, found 'wgan'"),
        ({"precision": "half"}, "--precision must be float32 or bfloat16, found 'half'"),
        ({"size": 30}, "--size must be a multiple of 4 and at least 16, found 30"),
        ({"load_size": 100}, "--load-size must be at least --size for .*, found 100 and 256"),
        ({"preprocess": "none", "batch": 2}, "--batch must be 1 for --preprocess none, .* found 2"),
        ({"preprocess": "scale_width", "load_size": 254}, "--load-size must be a multiple of 4"),
    ],
)
def test_settings_out_of_range_are_refused_in_the_command_lines_spelling(settings, message):
    with pytest.raises(UsageError, match=message):
        TrainSettings(**settings)
