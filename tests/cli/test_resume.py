"""Going on: the same command again, another command in the same folder, the last run by default."""

import json
import shutil
from contextlib import chdir
from pathlib import Path

import pytest

from ganprune.runs import Run
from tests.cli.conftest import Mission, Place
from tests.cli.kit import LEAN, ganprune, listing, stopped_before_export, write_config


def _stages(run: Path) -> dict[str, object]:
    return json.loads((run / "provenance.json").read_text())["stages"]


def test_same_command_again_does_nothing_twice(mission: Mission, place: Place) -> None:
    before = listing(mission.run)
    with chdir(mission.folder):
        again = place.compress_whole()
    assert again.code == 0
    assert listing(mission.run) == before
    assert "search" not in again.err
    bench = json.loads((mission.run / "bench.json").read_text())
    assert all(sentence in again.out for sentence in bench["sentences"])


def test_interrupted_run_goes_on_where_it_stopped(place: Place, here: Path) -> None:
    with stopped_before_export():
        first = place.compress("-o", "run")
        done, before = _stages(here / "run"), listing(here / "run")
        second = place.compress("-o", "run")
    assert first.code == second.code == 130
    assert f"run again: ganprune compress {place.checkpoint} " in second.err
    assert {"search", "rebuild", "write"} <= done.keys()
    assert "export" not in done
    assert _stages(here / "run") == done
    assert listing(here / "run") == before


@pytest.mark.parametrize("name", ["G_A.safetensors", "latest_net_G_B.pth", "pruned_G_A.safetensors"])
def test_output_that_was_lost_is_made_again_and_one_that_was_changed_is_kept(
    place: Place, run: Path, name: str
) -> None:
    good = (run / name).read_bytes()
    (run / name).write_bytes(b"edited")
    with stopped_before_export():
        refused = place.compress("-o", run)
    assert refused.code == 2
    assert f"{name} has changed since ganprune made it; nothing is overwritten: move it away" in refused.err
    assert (run / name).read_bytes() == b"edited"
    (run / name).unlink()
    with stopped_before_export():
        assert place.compress("-o", run).code == 130
    assert (run / name).read_bytes() == good


def test_lost_provenance_costs_time_and_nothing_else(place: Place, run: Path) -> None:
    good = (run / "G_A.safetensors").read_bytes()
    for damage in ("", "[]", '{"stages": 3}', '{"stages": {"search": {}}}'):
        (run / "provenance.json").write_text(damage)
        with stopped_before_export():
            assert place.compress("-o", run).code == 130, damage
        assert (run / "G_A.safetensors").read_bytes() == good
        assert {"search", "write"} <= _stages(run).keys()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--set", "generations=5"), "--set generations=3 (now 5)"),
        (("--seed", "1"), "--seed 0 (now 1)"),
        (("--target-macs", "0.5,0.4"), "--target-macs none (now 0.5,0.4)"),
        (("--set", "layout=shared"), "--set layout=filters (now shared)"),
    ],
)
def test_changed_setting_is_refused_and_named(
    place: Place, run: Path, options: tuple[str, ...], told: str
) -> None:
    before = listing(run)
    refused = place.compress("-o", run, *options)
    assert refused.code == 3
    assert told in refused.err
    assert "-o" in refused.err
    assert listing(run) == before


def test_other_checkpoint_in_the_same_folder_is_refused(place: Place, run: Path, here: Path) -> None:
    shutil.copytree(place.checkpoint, here / "other")
    shutil.copy(here / "other" / "latest_net_G_A.pth", here / "other" / "latest_net_G_B.pth")
    refused = ganprune("compress", *LEAN, "other", "--data", place.data, "--config", place.config, "-o", run)
    assert refused.code == 3
    assert "another checkpoint" in refused.err


def test_other_data_in_the_same_folder_is_refused(place: Place, run: Path, here: Path) -> None:
    shutil.copytree(place.data, here / "data")
    refused = ganprune(
        "compress", *LEAN, place.checkpoint, "--data", "data", "--config", place.config, "-o", run
    )
    assert refused.code == 3
    assert f"--data {place.data}" in refused.err


def test_changed_pictures_are_refused(place: Place, here: Path) -> None:
    data = Path(shutil.copytree(place.data, here / "data"))
    command = ("compress", place.checkpoint, "--data", data, "--config", place.config)
    with stopped_before_export():
        assert ganprune(*command).code == 130
        for picture in (data / "trainA").iterdir():
            shutil.copy(data / "testB" / picture.name, picture)
        shutil.rmtree(data / "testB")
        refused = ganprune(*command)
    assert refused.code == 3
    assert "other pictures" in refused.err


def test_settings_decide_the_default_folder(place: Place, here: Path) -> None:
    with stopped_before_export():
        for options in ((), ("--seed", "1"), ("--size", "36"), ()):
            assert place.compress(*options).code == 130
    assert len([path for path in Path("runs").iterdir() if path.is_dir()]) == 3


def test_equal_settings_from_another_layer_find_the_same_run(place: Place, here: Path) -> None:
    with stopped_before_export():
        place.compress("--seed", "1", "--target-macs", "0.6")
        write_config(Path("same.toml"), seed=1, target_macs=[0.6, 0.6])
        ganprune("compress", *LEAN, place.checkpoint, "--data", place.data, "--config", "same.toml")
    assert len([path for path in Path("runs").iterdir() if path.is_dir()]) == 1


def test_latest_is_the_run_of_the_last_compress(place: Place, run: Path) -> None:
    with stopped_before_export():
        place.compress("--seed", "1")
        first = Path("runs/latest").read_text().strip()
        place.compress("--seed", "2")
    assert (Path("runs") / first).is_dir()
    assert Path("runs/latest").read_text().strip() != first
    assert place.compress("-o", run).code == 0
    assert Path("runs/latest").read_text().strip() == str(run)
    found = ganprune("bench", "--cpu", "--set", "runs=2,2", "--threads", "1")
    assert found.code == 0
    assert str(run) in found.err


@pytest.mark.parametrize("words", [("export", "--onnx"), ("bench", "--cpu"), ("inspect",)])
def test_without_a_run_commands_say_how_to_make_one(here: Path, words: tuple[str, ...]) -> None:
    found = ganprune(*words)
    assert found.code == 2
    assert "ganprune compress CKPT --data DIR" in found.err


def test_second_process_in_a_run_is_refused(place: Place, run: Path) -> None:
    with Run(run).locked():
        for refused in (place.compress("-o", run), ganprune("bench", "--cpu", run)):
            assert refused.code == 3
            assert f"another ganprune is working in {run}" in refused.err
    assert place.compress("-o", run).code == 0


def test_foreign_folder_is_not_written_to(place: Place, here: Path) -> None:
    (here / "mine").mkdir()
    (here / "mine" / "thesis.txt").write_text("all of it")
    refused = place.compress("-o", "mine")
    assert refused.code == 3
    assert "is not empty and holds no run" in refused.err
    assert [path.name for path in (here / "mine").iterdir()] == ["thesis.txt"]


def test_empty_folder_is_taken(place: Place, here: Path) -> None:
    (here / "mine").mkdir()
    with stopped_before_export():
        assert place.compress("-o", "mine").code == 130
    assert (here / "mine" / "state.safetensors").is_file()
