"""``ganprune figures``: several runs beside each other."""

import shutil
import tomllib
from pathlib import Path
from xml.etree import ElementTree

import pytest
import tomli_w
from PIL import Image

from tests.cli.conftest import Place
from tests.cli.kit import ganprune, stopped_before_export

NAMES = {"sizes", "methods", "pareto", "filters-G_A", "filters-G_B", "layers-G_A", "layers-G_B"}


def _texts(path: Path) -> list[str]:
    return [element.text or "" for element in ElementTree.parse(path).iter() if element.tag.endswith("text")]


def test_every_figure_is_drawn_twice(run: Path, here: Path) -> None:
    shutil.copytree(run, here / "other")
    done = ganprune("figures", run, "other", "--label", "ours", "--label", "ThiNet", "-o", "drawn")
    assert done.code == 0, done.err
    files = {path.name for path in (here / "drawn").glob("[!.]*")}
    assert files == {f"{name}.{kind}" for name in NAMES for kind in ("svg", "png")}
    assert sorted(done.out.split()) == sorted(f"drawn/{name}" for name in files)
    for name in NAMES:
        with Image.open(here / "drawn" / f"{name}.png") as picture:
            assert picture.width > 400
    assert {"input", "original", "(a) ours", "(b) ThiNet"} <= set(_texts(here / "drawn" / "methods.svg"))
    assert "G_A: what ThiNet keeps" in _texts(here / "drawn" / "filters-G_A.svg")


def test_runs_that_differ_in_gamma_are_called_by_it(run: Path, here: Path) -> None:
    shutil.copytree(run, here / "other")
    config = tomllib.loads((run / "config.toml").read_text())
    config["settings"]["gamma"] = 2.5
    (here / "other" / "config.toml").write_text(tomli_w.dumps(config))
    assert ganprune("figures", run, "other").code == 0
    assert {"γ = 10", "γ = 2.5"} <= set(_texts(here / "figures" / "sizes.svg"))


def test_runs_of_other_pictures_are_refused(run: Path, place: Place, here: Path) -> None:
    with stopped_before_export():
        assert place.compress("-o", "other", "--seed", "5", "--set", "generations=1").code == 130
    done = ganprune("figures", run, "other")
    assert done.code == 2
    assert "other shows other pictures than" in done.err


@pytest.mark.parametrize("labels", [("a",), ("a", "a"), ("a", "b", "c")])
def test_labels_must_fit_the_runs(run: Path, labels: tuple[str, ...]) -> None:
    words = [word for label in labels for word in ("--label", label)]
    done = ganprune("figures", run, run, *words)
    assert done.code == 2
    assert "needed one --label for each of the 2 runs" in done.err
