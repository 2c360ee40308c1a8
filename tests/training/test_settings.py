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
        ({"lr": 0.0}, "--set lr must be finite and above 0, found 0"),
        ({"lr": math.nan}, "--set lr must be finite and above 0, found nan"),
        ({"init_gain": -1.0}, "--set init-gain must be finite and above 0, found -1"),
        ({"decay": 1.0}, "--set decay must be 0 to 0.9, found 1"),
        ({"beta1": 1.0}, "--set beta1 must be 0 or more and below 1, found 1"),
        ({"beta2": -0.1}, "--set beta2 must be 0 or more and below 1, found -0.1"),
        ({"lambda_identity": -1.0}, "--set lambda-identity must be finite and 0 or more, found -1"),
        ({"lambda_A": -2.0}, "--set lambda-A must be finite and 0 or more, found -2"),
        ({"lambda_B": math.inf}, "--set lambda-B must be finite and 0 or more, found inf"),
        ({"pool_size": -1}, "--set pool-size must be 0 or more, found -1"),
        ({"batch": 0}, "--set batch must be 1 to 4096, found 0"),
        ({"ngf": 0}, "--set ngf must be 1 to 1024, found 0"),
        ({"blocks": 100_000}, "--set blocks must be 1 to 128, found 100000"),
        ({"size": 40_000}, "--size must be a multiple of 4 from 16 to 8192, found 40000"),
        ({"blocks": 0}, "--set blocks must be 1 to 128, found 0"),
        ({"gan_mode": "wgan"}, "--set gan-mode must be one of lsgan, vanilla, found 'wgan'"),
        ({"precision": "half"}, "--set precision must be one of float32, bfloat16, found 'half'"),
        ({"size": 30}, "--size must be a multiple of 4 from 16 to 8192, found 30"),
        ({"load_size": 100}, "--set load-size must be at least --size for .*, found 100 and 256"),
        ({"preprocess": "none", "batch": 2}, "--set batch must be 1 for --set preprocess=none, .* found 2"),
        ({"preprocess": "scale_width", "load_size": 254}, "--set load-size must be a multiple of 4"),
    ],
)
def test_settings_out_of_range_are_refused_in_the_command_lines_spelling(settings, message):
    with pytest.raises(UsageError, match=message):
        TrainSettings(**settings)
