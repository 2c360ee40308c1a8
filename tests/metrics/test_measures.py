"""KID, FID and the controls against plain formulas, and against the tool that they follow."""

import math
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from ganprune.errors import DataError
from ganprune.images import to_float
from ganprune.metrics import features_of, fid, kid, load_features
from ganprune.metrics.controls import lost, probe, psnr
from tests.metrics.kit import keras_file, random_uint8
from tests.metrics.reference import fid_by_formula, kid_by_loops
from tests.tiny import seeded


def cloud(n: int, d: int, seed: int, shift: float = 0.0) -> Tensor:
    """Correlated features of unequal spread."""
    generator = seeded(seed)
    mix = torch.randn(d, d, generator=seeded(99), dtype=torch.float64)
    return torch.randn(n, d, generator=generator, dtype=torch.float64) @ mix + shift


@given(m=st.integers(2, 9), n=st.integers(2, 9), d=st.integers(1, 6), seed=st.integers(0, 1000))
def test_kid_is_the_papers_unbiased_estimator(m: int, n: int, d: int, seed: int) -> None:
    x, y = cloud(m, d, seed), cloud(n, d, seed + 1, 0.5)
    assert kid(x, y) == pytest.approx(kid_by_loops(x, y), rel=1e-9, abs=1e-9)


def test_kid_of_pictures_of_one_kind_is_zero_on_average() -> None:
    same = torch.tensor([kid(cloud(20, 3, 2 * i), cloud(30, 3, 2 * i + 1)) for i in range(200)])
    assert abs(float(same.mean())) < 3 * float(same.std()) / math.sqrt(200)
    assert kid(cloud(20, 3, 0), cloud(30, 3, 1, shift=2.0)) > 3 * float(same.std())


@pytest.mark.parametrize(("m", "n", "d"), [(50, 40, 6), (6, 40, 9), (5, 4, 12), (400, 300, 3)])
def test_fid_is_the_frechet_distance_of_two_normal_distributions(m: int, n: int, d: int) -> None:
    x, y = cloud(m, d, 0), cloud(n, d, 1, 0.3)
    assert fid(x, y) == pytest.approx(fid_by_formula(x, y), rel=1e-6)
    assert fid(x, y) == pytest.approx(fid(y, x), rel=1e-9)
    assert fid(x, x) == pytest.approx(0, abs=1e-8)


def test_fid_of_one_feature_is_known_by_hand() -> None:
    x, y = torch.tensor([[-1.0], [0.0], [1.0]]), torch.tensor([[3.0], [5.0], [7.0]])
    assert fid(x, y) == pytest.approx(25 + (2 - 1) ** 2)  # (5 − 0)² + (σ₂ − σ₁)²


def test_fid_and_kid_are_those_of_torch_fidelity() -> None:
    their_fid, their_kid = (
        pytest.importorskip(f"torch_fidelity.metric_{name}", exc_type=ImportError) for name in ("fid", "kid")
    )
    x, y = cloud(40, 6, 0), cloud(40, 6, 1, 0.4)  # as many of both: theirs has no other
    parts = [{"mu": f.numpy().mean(0), "sigma": np.cov(f.numpy(), rowvar=False)} for f in (x, y)]
    (expected,) = their_fid.fid_statistics_to_metric(*parts, verbose=False).values()
    assert fid(x, y) == pytest.approx(expected, rel=1e-9)
    xx, xy, yy = (their_kid.kernel_poly(a.numpy(), b.numpy()) for a, b in ((x, x), (x, y), (y, y)))
    assert kid(x, y) == pytest.approx(float(their_kid.mmd2(xx, xy, yy)), rel=1e-9)


def test_probe_tells_on_which_side_pictures_are() -> None:
    a, b = cloud(30, 4, 0, -3.0), cloud(30, 4, 1, 3.0)
    assert probe(a, b, cloud(10, 4, 2, 3.0)) > 0.8
    assert probe(a, b, cloud(10, 4, 3, -3.0)) < 0.2
    assert probe(a, b, torch.cat([a[:1] - 10, b[:3] + 10])) == 0.75


def test_probe_is_a_ridge_classifier_on_standardised_features() -> None:
    a, b, x = cloud(20, 3, 0, -0.3), cloud(15, 3, 1, 0.3), cloud(200, 3, 2)
    mean, sd = torch.cat([a, b]).mean(0), torch.cat([a, b]).std(0)
    z = ((torch.cat([a, b]) - mean) / sd).numpy()
    y = np.r_[-np.ones(20), np.ones(15)]
    stacked, zeros = np.r_[z, 10 * np.eye(3)], np.r_[y, np.zeros(3)]  # ridge of 100 as three more pictures
    w = np.linalg.lstsq(stacked, zeros, rcond=None)[0]
    expected = float(((((x - mean) / sd).numpy() @ w) > 0).mean())
    assert 0.2 < expected < 0.8
    assert probe(a, b, x) == expected


def test_lost_is_0_for_the_originals_pictures_and_1_for_the_inputs() -> None:
    original, inputs = cloud(6, 3, 0), cloud(6, 3, 1)
    assert lost(original, original, inputs) == 0
    assert lost(inputs, original, inputs) == 1
    assert lost((original + inputs) / 2, original, inputs) == pytest.approx(0.25)
    assert math.isnan(lost(original, original, original))


def test_psnr_is_of_the_mean_squared_error_of_all_pictures() -> None:
    black, white = (
        torch.zeros(1, 3, 4, 4, dtype=torch.uint8),
        torch.full((1, 3, 4, 4), 255, dtype=torch.uint8),
    )
    one = black.clone()
    one[0, 2, 1, 3] = 48  # one of 48 values is wrong by 48: the mean of squares is 48
    same = [black, white]
    assert psnr(one, black) == pytest.approx(10 * math.log10(255**2 / 48))
    assert (psnr(white, black), psnr(torch.cat(same), torch.cat(same))) == (0.0, math.inf)
    # Of several pictures it is that of their mean error, here of 48 and 0.
    assert psnr(torch.cat([one, white]), torch.cat(same)) == pytest.approx(10 * math.log10(255**2 / 24))
    x, y = to_float(one), to_float(black)  # in [-1, 1]
    assert 10 * math.log10(4 / float((x - y).square().mean())) == pytest.approx(psnr(one, black), rel=1e-5)


def test_what_cannot_be_measured_is_refused() -> None:
    few, many, nan = cloud(1, 3, 0), cloud(9, 3, 1), torch.full((9, 3), math.nan)
    for measure in (kid, fid):
        with pytest.raises(DataError, match="needed at least 2 pictures on either side, found 1"):
            measure(few, many)
        with pytest.raises(DataError, match="needed features that are numbers, found NaN"):
            measure(many, nan)
        with pytest.raises(DataError, match="needed features of one network, found 3 and 4 numbers"):
            measure(many, cloud(9, 4, 2))
    with pytest.raises(DataError, match="in pairs, found 9 fakes, 8 by the original and 9 inputs"):
        lost(many, many[:8], many)


@pytest.fixture(scope="module")
def features(tmp_path_factory: pytest.TempPathFactory) -> list[Tensor]:
    file = keras_file(tmp_path_factory.mktemp("features") / "m.safetensors")
    network = load_features(file, threads=1)
    return [features_of(network, random_uint8(n, seed=seed)) for seed, n in enumerate((12, 9, 12, 12))]


def test_formulas_agree_with_the_tool(features: list[Tensor], real_data: Path) -> None:
    path = real_data.parent / "tools/kid.py"
    with pytest.MonkeyPatch.context() as patch:  # its formulas need no torchvision, its networks do
        for name in ("torchvision", "torchvision.models"):
            stand_in = type(sys)(name)
            stand_in.__dict__["mobilenet_v2"] = None
            patch.setitem(sys.modules, name, stand_in)
        tool = runpy.run_path(str(path))
    fakes, real, original, inputs = features
    assert kid(fakes, real) == pytest.approx(tool["kid"](fakes, real), abs=1e-5)
    assert probe(inputs, real, fakes) == tool["probe"](inputs, real, fakes)
    expected = (fakes - original).square().mean() / (inputs - original).square().mean()
    assert lost(fakes, original, inputs) == pytest.approx(float(expected), abs=1e-5)
