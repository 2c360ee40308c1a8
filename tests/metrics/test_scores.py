"""Intervals, all figures together, features by content, and pictures in pairs."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from ganprune.errors import DataError, UsageError
from ganprune.metrics import ScoreSettings, cached_features, fid, kid, paired, pictures_in, score
from ganprune.metrics.bootstrap import fid_interval, kid_interval, ratio_interval
from ganprune.metrics.controls import lost, probe
from ganprune.metrics.telling import figure
from tests.metrics.kit import drawn, ends, random_uint8, save_all
from tests.metrics.reference import fid_by_formula
from tests.metrics.test_measures import cloud
from tests.tiny import seeded


def test_kid_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    held = 0
    for i in range(60):  # pictures of one kind: the truth is 0
        found = kid_interval(cloud(40, 2, 2 * i), cloud(40, 2, 2 * i + 1), 100, seeded(i))
        held += found.low <= 0 <= found.high
    assert held >= 50


def test_intervals_lie_around_the_figure_and_narrow_with_more_pictures() -> None:
    x, y = cloud(300, 3, 0), cloud(300, 3, 1, 0.5)
    widths = list[float]()
    for n in (30, 300):
        for measure, interval in ((kid, kid_interval), (fid, fid_interval)):
            found = interval(x[:n], y[:n], 60, seeded(0))
            assert found.low < measure(x[:n], y[:n]) < found.high
            widths.append(found.high - found.low)
    assert widths[2] < 0.6 * widths[0]
    assert widths[3] < 0.6 * widths[1]


def test_kid_intervals_are_of_redrawn_pictures_without_pairs_of_one_picture() -> None:
    x, y, generator = cloud(12, 3, 0).numpy(), cloud(9, 3, 1, 0.5).numpy(), seeded(0)

    def once(i: np.ndarray, j: np.ndarray) -> float:
        def k(u: np.ndarray, v: np.ndarray) -> np.ndarray:
            return (u @ v.T / 3 + 1) ** 3

        within = k(x[i], x[i])[i[:, None] != i].mean() + k(y[j], y[j])[j[:, None] != j].mean()
        return float(within - 2 * k(x[i], y[j]).mean())

    again = np.array([once(drawn(12, generator), drawn(9, generator)) for _ in range(40)])
    low, high = ends(again - again.mean() + once(np.arange(12), np.arange(9)))
    found = kid_interval(torch.from_numpy(x), torch.from_numpy(y), 40, seeded(0))
    assert (found.low, found.high) == pytest.approx((low, high), rel=1e-9)


@pytest.mark.parametrize(("shift", "clipped"), [(3.0, False), (0.0, True)])
def test_fid_intervals_are_of_redrawn_pictures_and_end_at_0(shift: float, clipped: bool) -> None:
    x, y, generator = cloud(12, 3, 0), cloud(9, 3, 1, shift), seeded(0)
    again = np.array(
        [fid_by_formula(x[drawn(12, generator)], y[drawn(9, generator)]) for _ in range(40)]
    )  # fmt: skip
    low, high = ends(again - again.mean() + fid_by_formula(x, y))
    assert (low < 0) == clipped
    found = fid_interval(x, y, 40, seeded(0))
    assert (found.low, found.high) == pytest.approx((max(0, low), high), rel=1e-6)


def test_intervals_of_ratios_redraw_both_parts_of_a_picture_together() -> None:
    above, below = (torch.rand(10, generator=seeded(i)).double() + i for i in (0, 1))
    generator = seeded(0)
    picked = [drawn(10, generator) for _ in range(40)]
    again = [above.numpy()[chosen].sum() / below.numpy()[chosen].sum() for chosen in picked]
    found = ratio_interval(above, below, 40, seeded(0))
    assert (found.low, found.high) == pytest.approx(ends(np.array(again)), rel=1e-9)


def test_a_share_of_pictures_is_as_sure_as_a_binomial() -> None:
    seen = torch.tensor([1.0] * 60 + [0.0] * 40)
    found = ratio_interval(seen, torch.ones(100), 2000, seeded(0))
    assert found.high - found.low == pytest.approx(2 * 1.96 * (0.6 * 0.4 / 100) ** 0.5, rel=0.15)


def test_intervals_of_shares_stay_shares() -> None:
    found = ratio_interval(torch.tensor([1.0, 0, 0, 0, 0, 0]), torch.ones(6), 200, seeded(0))
    assert found.low == 0
    assert 1 / 6 < found.high < 1


def test_scores_are_the_measures_and_the_same_again() -> None:
    fakes, real, train, other = cloud(12, 3, 0), cloud(9, 3, 1), cloud(20, 3, 2), cloud(12, 3, 3)
    settings = ScoreSettings(fid=True, resamples=20)

    def found() -> dict[str, object]:
        return score(
            fakes, real, settings, train=train, domains=(other, real), originals_and_inputs=(other, other + 1)
        ).to_json()

    once = found()
    assert once == found()
    assert once["kid"] == kid(fakes, real)
    assert once["fid_test"] == fid(fakes, real)
    assert once["fid_train_test"] == fid(fakes, torch.cat([train, real]))
    assert once["as_b"] == probe(other, real, fakes)
    assert once["lost"] == pytest.approx(lost(fakes, other, other + 1), rel=1e-12)
    assert (once["n_fakes"], once["n_real"]) == (12, 9)
    assert {"as_b", "as_b_interval", "lost", "lost_interval", "fid_test_interval"} < once.keys()
    plain = score(fakes, real, ScoreSettings(resamples=0)).to_json()
    assert plain.keys() == {"kid", "n_fakes", "n_real"}


def test_kid_differences_redraw_the_same_inputs_for_both() -> None:
    one, two, real = (cloud(n, 3, i, 0.2 * i).numpy() for i, n in enumerate((12, 12, 9)))
    generator = seeded(0)

    def once(i: np.ndarray, j: np.ndarray) -> float:
        def k(u: np.ndarray, v: np.ndarray) -> np.ndarray:
            return (u @ v.T / 3 + 1) ** 3

        def part(x: np.ndarray) -> float:  # what real pictures have among themselves is in both
            return float(k(x[i], x[i])[i[:, None] != i].mean() - 2 * k(x[i], real[j]).mean())

        return part(one) - part(two)

    again = np.array([once(drawn(12, generator), drawn(9, generator)) for _ in range(40)])
    low, high = ends(again - again.mean() + once(np.arange(12), np.arange(9)))
    features = [torch.from_numpy(x) for x in (one, two, real)]
    found = kid_interval(features[0], features[2], 40, seeded(0), less=features[1])
    assert (found.low, found.high) == pytest.approx((low, high), rel=1e-9)


def test_networks_that_share_pictures_are_told_apart_where_their_intervals_overlap() -> None:
    inputs, original, real = cloud(60, 4, 0), cloud(60, 4, 1), cloud(50, 4, 2)
    slim = original + 0.1 * cloud(60, 4, 3)
    coarse = slim + 0.2  # a little worse at every picture
    found = score(
        coarse, real, ScoreSettings(), originals_and_inputs=(original, inputs),
        others={"original": original, "slim": slim},
    ).to_json()  # fmt: skip
    alone = score(slim, real, ScoreSettings(), originals_and_inputs=(original, inputs)).to_json()
    assert found["kid_interval"][0] < alone["kid_interval"][1]
    less = found["less"]["slim"]
    assert less["kid"] == pytest.approx(found["kid"] - alone["kid"])
    assert less["lost"] == pytest.approx(found["lost"] - alone["lost"])
    assert found["less"]["original"]["lost"] == pytest.approx(found["lost"])
    low, high = less["lost_interval"]
    assert 0 < low < less["lost"] < high
    alone_low, alone_high = alone["kid_interval"]
    low, high = less["kid_interval"]
    assert high - low < (alone_high - alone_low) / 2
    same = score(slim, real, ScoreSettings(), others={"itself": slim}).to_json()["less"]["itself"]
    assert same == {"kid": 0.0, "kid_interval": [0.0, 0.0]}
    with pytest.raises(DataError, match="in pairs, found 60 and 9"):
        score(slim, real, ScoreSettings(), others={"another": slim[:9]})


def test_psnr_of_the_same_pictures_is_told_as_infinite() -> None:
    x, y = cloud(5, 2, 0), cloud(5, 2, 1)
    found = score(x, y, ScoreSettings(resamples=5), errors=torch.zeros(5)).to_json()
    assert found["psnr"] is None
    assert figure(found, "psnr") == "∞"
    assert figure(found, "lost") == "–"
    errors = torch.tensor([10.0, 30, 20, 15, 25], dtype=torch.float64)
    found = score(x, y, ScoreSettings(resamples=50), errors=errors).to_json()
    high, wanted, low = (10 * math.log10(255**2 / error) for error in (10, 20, 30))
    assert found["psnr"] == pytest.approx(wanted)
    assert low <= found["psnr_interval"][0] < wanted < found["psnr_interval"][1] <= high


def test_lost_of_an_original_that_changes_nothing_is_none() -> None:
    x, y = cloud(5, 2, 0), cloud(5, 2, 1)
    found = score(x, y, ScoreSettings(resamples=5), originals_and_inputs=(x, x)).to_json()
    assert found["lost"] is None
    assert found["lost_interval"] == [None, None]


@pytest.mark.parametrize("resamples", [-1, 1])
def test_resamples_that_give_no_interval_are_refused(resamples: int) -> None:
    with pytest.raises(UsageError, match=f"--set bootstrap must be 0, or 2 or more, found {resamples}"):
        ScoreSettings(resamples=resamples)


class Means:
    """A feature network that counts the pictures that it sees."""

    def __init__(self, name: str) -> None:
        self.name, self.seen = name, 0

    def __call__(self, pictures: Tensor) -> Tensor:
        self.seen += len(pictures)
        return pictures.double().mean((2, 3))


def test_features_are_kept_by_content_and_network(tmp_path: Path) -> None:
    folder, cache, network = save_all(tmp_path / "in", random_uint8(3)), tmp_path / "cache", Means("one")
    first = cached_features(network, pictures_in(folder), folder=cache)
    assert torch.equal(first, network(random_uint8(3)))
    network.seen = 0
    (folder / "01.png").rename(folder / "01x.png")
    assert torch.equal(cached_features(network, pictures_in(folder), folder=cache), first)
    assert network.seen == 0

    save_all(folder, random_uint8(1, seed=5), "02.png")  # one picture is another
    changed = cached_features(network, pictures_in(folder), folder=cache)
    assert torch.equal(changed[:2], first[:2])
    assert not torch.equal(changed[2], first[2])
    other = Means("two")
    cached_features(other, pictures_in(folder), folder=cache)
    assert other.seen == 3


def test_damaged_cache_is_made_anew(tmp_path: Path) -> None:
    network, pictures = Means("one"), random_uint8(3)
    first = cached_features(network, pictures, folder=tmp_path)
    (file,) = tmp_path.iterdir()
    file.write_bytes(b"damaged")
    network.seen = 0
    assert torch.equal(cached_features(network, pictures, folder=tmp_path), first)
    assert network.seen == 3
    assert torch.equal(cached_features(network, pictures, folder=tmp_path), first)
    assert network.seen == 3


def test_no_folder_keeps_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    cached_features(Means("one"), random_uint8(2))
    assert not list(tmp_path.iterdir())


def files(folder: Path, *names: str) -> tuple[Path, ...]:
    return tuple(folder / name for name in names)


def test_pictures_are_paired_by_name_less_cyclegans_endings() -> None:
    fakes = files(Path("f"), "a_1_fake_B.png", "a_fake_B.png")  # in the order of their names
    inputs = files(Path("i"), "a.jpg", "a_1.jpg")
    assert paired(fakes, inputs) == (fakes, files(Path("i"), "a_1.jpg", "a.jpg"))


def test_pictures_without_a_name_in_common_are_paired_by_order() -> None:
    groups = files(Path("f"), "0.png", "1.png"), files(Path("i"), "x.jpg", "y.jpg")
    assert paired(*groups) == groups


def test_pictures_that_are_no_pairs_are_refused() -> None:
    with pytest.raises(DataError, match="in pairs, found 2 in f and 1 in i"):
        paired(files(Path("f"), "a.png", "b.png"), files(Path("i"), "a.png"))
    with pytest.raises(DataError, match=r"found no picture beside f/c_fake.png in every folder"):
        paired(files(Path("f"), "a.png", "c_fake.png"), files(Path("i"), "a.png", "b.png"))


def test_folders_without_enough_pictures_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="gone does not exist; give a folder of pictures"):
        pictures_in(tmp_path / "gone")
    save_all(tmp_path / "in/deep", random_uint8(1))
    (tmp_path / "in/notes.txt").write_text("no picture")
    with pytest.raises(DataError, match="in: needed at least 2 pictures, found 1"):
        pictures_in(tmp_path / "in")
    with pytest.raises(DataError, match=r"00.png is a file; give a folder"):
        pictures_in(tmp_path / "in/deep/00.png")


def test_folders_of_several_kinds_of_results_are_refused(tmp_path: Path) -> None:
    save_all(tmp_path / "images", random_uint8(2), "{}_fake_B.png")
    save_all(tmp_path / "images", random_uint8(2), "{}.png")
    assert len(pictures_in(tmp_path / "images")) == 4
    for ending in ("real_A", "rec_A"):
        save_all(tmp_path / "images/deep", random_uint8(2), f"{{}}_{ending}.png")
    with pytest.raises(
        UsageError,
        match=r"images: needed pictures of one kind, found \*_fake_B, \*_real_A and \*_rec_A; put the kind",
    ):
        pictures_in(tmp_path / "images")
