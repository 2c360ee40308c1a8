"""Pictures that change or vanish while they are worked with, or between two calls."""

import shutil
from pathlib import Path

import pytest

from ganprune.errors import DataError, RunError
from ganprune.scoring import LocalScorer
from ganprune.training import Budget, loop, train
from ganprune.training.pictures import TrainingPictures
from tests.cli.conftest import Place
from tests.cli.kit import ganprune, stopped_before_export
from tests.reliability.kit import one_line, same_files
from tests.training.kit import TINY, networks, pictures, same_bits


def test_pictures_that_vanish_during_a_search_are_not_missed_by_it_and_named_by_the_refit(
    place: Place, here: Path, calm: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = Path(shutil.copytree(place.data, here / "data"))
    score = LocalScorer.score

    def vanishing(self: LocalScorer, *given: object, **more: object) -> object:
        shutil.rmtree(data / "trainA", ignore_errors=True)
        return score(self, *given, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(LocalScorer, "score", vanishing)
    command = ("compress", place.checkpoint, "--data", data, "--config", place.config, "-o", "run")
    with stopped_before_export():
        found = ganprune(*command)
        assert found.code == 3
        assert f"{data / 'trainA'}" in found.err.splitlines()[-1]
        assert (here / "run" / "search.svg").exists()
        shutil.copytree(place.data / "trainA", data / "trainA")
        assert ganprune(*command).code == 130
    assert same_files(here / "run", calm, ("G_A.safetensors", "G_B.safetensors"))


def test_pictures_that_changed_since_a_search_began_are_refused(place: Place, here: Path) -> None:
    data = Path(shutil.copytree(place.data, here / "data"))
    command = ("compress", place.checkpoint, "--data", data, "--config", place.config, "-o", "run")
    with stopped_before_export():
        assert ganprune(*command).code == 130
        for picture in (data / "trainA").iterdir():
            shutil.copy(place.data / "testB" / picture.name, picture)
        shutil.rmtree(data / "testB")
        refused = ganprune(*command)
    assert refused.code == 3
    assert "made with other pictures than are in the data folder now; put them back" in one_line(refused.err)


def test_a_picture_that_vanishes_while_it_is_trained_on_is_named_and_may_come_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, budget = pictures(tmp_path / "data"), Budget(8, "steps")
    wanted = train(networks(), data, TINY, budget, tmp_path / "whole")
    init, step, steps = TrainingPictures.__init__, loop.Training.step, iter(range(99))

    def forgetful(self: TrainingPictures, *given: object, **more: object) -> None:
        init(self, *given, **more | {"memory": 0})  # type: ignore[arg-type]

    def hiding(self: loop.Training, in_all: int | None) -> None:
        if next(steps) == 3:
            for path in data["A"]:
                path.rename(path.with_suffix(".hidden"))
        step(self, in_all)

    with monkeypatch.context() as patch:
        patch.setattr(TrainingPictures, "__init__", forgetful)
        patch.setattr(loop.Training, "step", hiding)
        with pytest.raises(DataError, match=r"trainA/\d\.png"):
            train(networks(), data, TINY, budget, tmp_path / "out", save_seconds=0)
    for path in data["A"]:
        path.with_suffix(".hidden").rename(path)
    got = train(networks(), data, TINY, budget, tmp_path / "out")
    assert same_bits(got.networks, wanted.networks)


def test_a_training_that_is_gone_on_with_other_pictures_is_refused(tmp_path: Path) -> None:
    data, budget = pictures(tmp_path / "data"), Budget(2, "steps")
    train(networks(), data, TINY, budget, tmp_path / "out")
    data["A"][0].write_bytes(data["A"][0].read_bytes() + b"more")
    with pytest.raises(RunError, match="other pictures"):
        train(networks(), data, TINY, budget, tmp_path / "out")
