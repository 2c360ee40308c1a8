"""Whether the pictures are still good, and how fast a network may be that draws well."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from ganprune.errors import TargetError, UsageError
from ganprune.images import find_domains, load_pictures, to_float, to_uint8
from ganprune.models.cyclegan import Generator
from ganprune.pruning.rebuild import rebuilt
from ganprune.pruning.repair import Constraints
from ganprune.pruning.resources import Convolutions, Share
from ganprune.runs import Run
from ganprune.settings import CompressSettings
from ganprune.settings.search import SearchSettings
from ganprune.settings.words import Domain
from ganprune.stages.quality import QUALITY, measure_quality, read_quality, verdict
from ganprune.stages.sizing import FASTEST, fastest_within, feature_network, sized
from tests.tiny import TinyGan, layout_of, random_genomes, resnet_widths, tiny_gan, tiny_job

SETTINGS = CompressSettings.from_flat(
    {
        "population": 2,
        "generations": 1,
        "pictures": 2,
        "size": 32,
        "budget": "0",
        "device": "cpu",
        "threads": 1,
    }
)


@pytest.fixture(scope="module")
def gan() -> TinyGan:
    return tiny_gan()


@pytest.fixture
def run(tmp_path: Path) -> Run:
    (tmp_path / "run").mkdir()
    return Run(tmp_path / "run")


def _folders(folder: Path, parts: tuple[str, ...]) -> Any:
    pixels = np.random.default_rng(0)
    for part in parts:
        (folder / part).mkdir(parents=True)
        for i in range(3):
            Image.fromarray(pixels.integers(0, 256, (32, 32, 3), np.uint8)).save(folder / part / f"{i}.png")
    return find_domains(folder)


@pytest.mark.parametrize("tested", [True, False])
def test_quality_is_distance_to_the_original_on_test_pictures(
    run: Run, gan: TinyGan, tmp_path: Path, tested: bool
) -> None:
    parts = ("trainA", "trainB", *(("testA", "testB") if tested else ()))
    job = replace(tiny_job(run, gan, SETTINGS), folders=_folders(tmp_path / "data", parts))
    slim: dict[Domain, Generator] = {
        side: rebuilt(gan.generators[side], layout, random_genomes(layout, 1)[0])
        for side, layout in gan.layouts.items()
    }
    for side, network in slim.items():
        (run / f"G_{side}.safetensors").write_bytes(side.encode())
        assert network.training is False
    found = measure_quality(job, slim)
    assert found["pictures"] == ("test" if tested else "validation")
    for side, network in slim.items():
        files = job.folders.pictures("test", side)
        pictures = load_pictures(files, 32) if tested else gan.pictures[side]
        assert found["networks"][f"G_{side}"]["number"] == len(pictures)
        x = to_float(pictures)
        error = (network(x) - gan.generators[side](x)).double().square().mean()
        row = found["networks"][f"G_{side}"]["slim"]
        assert row["L_GenA"] == pytest.approx(float(error), rel=1e-4)
        assert row["psnr"] == pytest.approx(10 * math.log10(4 / float(error)), abs=1e-3)
        nothing = (x - gan.generators[side](x)).double().square().mean()
        assert found["networks"][f"G_{side}"]["inputs"]["L_GenA"] == pytest.approx(float(nothing), rel=1e-4)
    assert read_quality(run) == found
    before = (run / QUALITY).stat().st_mtime_ns
    assert measure_quality(job, slim) == found
    assert (run / QUALITY).stat().st_mtime_ns == before  # a finished stage is not done again


def test_an_original_beside_itself_is_close(run: Run, gan: TinyGan, tmp_path: Path) -> None:
    job = replace(tiny_job(run, gan, SETTINGS), folders=_folders(tmp_path / "data", ("trainA", "trainB")))
    for side in gan.generators:
        (run / f"G_{side}.safetensors").touch()
    found = measure_quality(job, gan.generators)["networks"]["G_A"]
    assert (found["slim"]["psnr"], found["slim"]["L_GenA"], found["verdict"]) == (
        None,
        0.0,
        "close to the original",
    )


@pytest.mark.parametrize(
    ("slim", "mirrored", "nothing", "words"),
    [
        (0.01, 0.02, 0.05, "close to the original"),
        (0.03, 0.02, 0.05, "visibly different"),
        (0.05, 0.02, 0.05, "worse than no translation"),
        (0.06, 0.07, 0.05, "close to the original"),  # the input is nearer still, but so the original is, too
    ],
)
def test_the_verdict_is_by_controls_alone(slim: float, mirrored: float, nothing: float, words: str) -> None:
    rows = {"slim": slim, "original, mirrored": mirrored, "inputs": nothing}
    assert verdict({name: {"psnr": None, "L_GenA": value} for name, value in rows.items()}) == words


def test_a_damaged_quality_file_counts_as_none(run: Run) -> None:
    for text in ("", "[]", '{"pictures": "test", "networks": {"G_A": {"slim": {"psnr": "x"}}}}'):
        (run / QUALITY).write_text(text)
        assert read_quality(run) is None


def test_the_fastest_network_that_is_good_enough_is_found() -> None:
    layout = layout_of(resnet_widths(16, 2))
    work = Share(Convolutions.of_layout(layout, "work"), layout)
    costs = [np.linspace(1, 0, size + 1) for size in layout.sizes]
    scores = torch.arange(layout.length, dtype=torch.float64)

    def share(genome: Tensor) -> float:
        return float(work.of(layout.gene_counts(genome[None]).numpy())[0])

    for least in (0.9, 0.5, 0.1):
        found = fastest_within(
            layout, Constraints(), costs, scores, lambda genome, n=least: share(genome) >= n
        )
        assert found is not None
        assert 1 / found == pytest.approx(least, rel=0.05)
    assert fastest_within(layout, Constraints(), costs, scores, lambda genome: False) is None
    # as fast as there are networks: with one filter a layer, of whatever is asked for
    found = fastest_within(layout, Constraints(), costs, scores, lambda genome: True)
    assert found is not None
    smallest = work.of(np.ones(len(layout.sizes)))
    assert 0.8 * min(FASTEST, 1 / smallest) <= found <= FASTEST


def test_quality_that_is_asked_for_becomes_a_speed_up_that_is_kept(run: Run, gan: TinyGan) -> None:
    settings = CompressSettings.from_flat(SETTINGS.to_flat() | {"min-psnr": 18.0})
    job = sized(tiny_job(run, gan, settings))
    speeds = job.settings.search.speed_up
    assert speeds is not None
    assert all(1 < speed < FASTEST for speed in speeds)
    assert run.provenance["stages"]["size"]["speed_up"] == list(speeds)
    again = sized(tiny_job(run, gan, CompressSettings.from_flat(SETTINGS.to_flat() | {"min-psnr": 99.0})))
    assert again.settings.search.speed_up == speeds  # as it was found first
    assert sized(tiny_job(run, gan, SETTINGS)).settings.search.speed_up is None


def test_quality_that_no_network_reaches_is_told(run: Run, gan: TinyGan) -> None:
    settings = CompressSettings.from_flat(SETTINGS.to_flat() | {"min-psnr": 200.0})
    with pytest.raises(
        TargetError, match="--min-psnr 200 is reached by no network smaller than the original"
    ):
        sized(tiny_job(run, gan, settings))
    for name, option in (("min_psnr", "--min-psnr"), ("max_lost", "--max-lost")):
        for wrong in ({name: -1.0}, {name: math.inf}, {name: 0.3, "target_macs": (0.5, 0.5)}):
            with pytest.raises(UsageError, match=option):
                SearchSettings(**wrong)  # type: ignore[arg-type]


class Pixels:
    """A network of features that sees every pixel."""

    name = "pixels"

    def __call__(self, pictures: Tensor) -> Tensor:
        return pictures.double().flatten(1)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Pixels:
    network = Pixels()
    monkeypatch.setattr("ganprune.stages.sizing.load_features", lambda *_: network)
    return network


def test_less_may_be_lost_of_a_network_that_is_less_fast(run: Run, gan: TinyGan, seen: Pixels) -> None:
    speeds = list[float]()
    for most in (0.3, 0.2, 0.1):
        (folder := run / f"{most}").mkdir()
        flat = {"max-lost": most, "lost-by": "f.pth", "direction": "AtoB"}
        job = tiny_job(Run(folder), gan, CompressSettings.from_flat(SETTINGS.to_flat() | flat))
        found = sized(job).settings.search.speed_up
        assert found is not None
        speeds.append(found[0])
    assert speeds == sorted(speeds, reverse=True)
    assert len(set(speeds)) == 3
    both = {"max-lost": 0.1, "min-psnr": 25.0, "lost-by": "f.pth", "direction": "AtoB"}
    job = tiny_job(run, gan, CompressSettings.from_flat(SETTINGS.to_flat() | both))
    speed = sized(job).settings.search.speed_up
    assert speed is not None
    assert speed[0] < speeds[1]  # the stricter of the two says


def test_lost_is_told_of_the_finished_networks(run: Run, gan: TinyGan, seen: Pixels, tmp_path: Path) -> None:
    settings = CompressSettings.from_flat(SETTINGS.to_flat() | {"max-lost": 0.5, "lost-by": "f.pth"})
    folders = _folders(tmp_path / "data", ("trainA", "trainB"))
    slim: dict[Domain, Generator] = {
        side: rebuilt(gan.generators[side], layout, random_genomes(layout, 1)[0])
        for side, layout in gan.layouts.items()
    }
    for side in slim:
        (run / f"G_{side}.safetensors").write_bytes(side.encode())
    job = tiny_job(run, gan, settings, folders=folders)
    rows: Any = measure_quality(job, slim)["networks"]["G_A"]
    x = to_float(gan.pictures["A"])
    fake, original = slim["A"](x), gan.generators["A"](x)
    f, y, z = (seen(to_uint8(p)) for p in (fake, original, gan.pictures["A"]))
    assert rows["slim"]["lost"] == pytest.approx(
        float((f - y).square().mean() / (z - y).square().mean()), rel=1e-3
    )
    assert rows["inputs"]["lost"] == 1


def test_max_lost_without_a_network_of_features_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = CompressSettings.from_flat({"max-lost": 0.5})
    monkeypatch.delenv("GANPRUNE_FEATURES", raising=False)
    with pytest.raises(
        UsageError, match=r"--max-lost needs a .*, found none: give --set lost-by=FILE or .* download --from"
    ):
        feature_network(settings)
    monkeypatch.setenv("GANPRUNE_FEATURES", str(tmp_path / "none.pth"))
    with pytest.raises(
        UsageError, match=r"^needed a network of features .*found no file .*none\.pth; .ganprune download"
    ):
        feature_network(settings)
