"""Runs that were damaged, or whose inputs have gone."""

import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import Place
from tests.cli.kit import ganprune, listing, stopped_before_export
from tests.cli.test_bad_input import refusal


@pytest.fixture
def own(place: Place, here: Path) -> Place:
    """Inputs of one's own, whose slim generators lie in ``run``."""
    copy = Place(
        Path(shutil.copytree(place.checkpoint, here / "net")),
        Path(shutil.copytree(place.data, here / "data")),
        Path(shutil.copy(place.config, here)),
    )
    with stopped_before_export():
        assert copy.compress("-o", "run").code == 130
    return copy


@pytest.mark.parametrize("damage", ["junk", "", "truncated"])
def test_damaged_state_is_refused_by_name(place: Place, run: Path, damage: str) -> None:
    state = run / "state.safetensors"
    state.write_bytes(state.read_bytes()[:-9] if damage == "truncated" else damage.encode())
    before = state.read_bytes()
    line = refusal(place.compress("-o", run, "--quiet"), 3)
    assert f"{state} is damaged" in line
    assert "delete it to search again" in line
    assert state.read_bytes() == before


def test_deleted_state_is_searched_for_again(place: Place, run: Path) -> None:
    good = (run / "state.safetensors").read_bytes()
    (run / "state.safetensors").unlink()
    with stopped_before_export():
        assert place.compress("-o", run).code == 130
    assert (run / "state.safetensors").read_bytes() == good


def test_damaged_history_is_refused_by_name(place: Place, run: Path) -> None:
    history = run / "search.jsonl"
    for damage in ("{", '"words"\n', "[1, 2]\n", '{"generation": "last"}\n'):
        history.write_text(damage)
        assert f"{history} is damaged" in refusal(place.compress("-o", run, "--quiet"), 3)
    history.unlink()
    with stopped_before_export():
        assert place.compress("-o", run).code == 130


CONFIGS = {
    "empty": "",
    "no TOML": "== 3",
    "no settings": 'checkpoint = "x"',
    "settings of another kind": "settings = 3\ncheckpoint = 4",
}


@pytest.mark.parametrize("kind", CONFIGS)
@pytest.mark.parametrize("command", ["compress", "export"])
def test_damaged_config_is_refused_by_name(place: Place, run: Path, kind: str, command: str) -> None:
    (run / "config.toml").write_text(CONFIGS[kind])
    found = place.compress("-o", run) if command == "compress" else ganprune("export", "--onnx", run)
    line = refusal(found, 3)
    assert f"{run / 'config.toml'} is damaged" in line
    assert kind != "empty" or "is damaged (checkpoint is missing); start a new run with `-o`" in line


def test_impossible_setting_in_a_config_is_damage(run: Path) -> None:
    config = run / "config.toml"
    config.write_text(config.read_text().replace("population = 4", 'population = "many"'))
    line = refusal(ganprune("export", "--onnx", run), 3)
    assert f"{config} is damaged" in line
    assert "--set population must be a whole number" in line


def test_export_needs_the_original_networks(own: Place) -> None:
    own.checkpoint.rename("elsewhere")
    line = refusal(ganprune("export", "--onnx", "run"), 3)
    assert f"original networks are needed and were not found at {own.checkpoint}" in line


def test_export_refuses_other_original_networks(own: Place) -> None:
    shutil.copy(own.checkpoint / "latest_net_G_B.pth", own.checkpoint / "latest_net_G_A.pth")
    assert "have changed since the run was made" in refusal(ganprune("export", "--onnx", "run"), 3)


def test_export_of_an_unfinished_run_says_how_to_finish_it(own: Place) -> None:
    for lost, command in (
        ("G_A.safetensors", f"ganprune compress {own.checkpoint} --data {own.data} --config"),
        ("provenance.json", "ganprune compress CKPT --data DIR -o run"),
    ):
        (Path("run") / lost).unlink()
        before = listing(Path("run"))
        line = refusal(ganprune("export", "--onnx", "run"), 3)
        assert f"no slim generators yet; finish it first: {command}" in line
        assert listing(Path("run")) == before


def test_bench_without_exported_files_says_how_to_get_them(own: Place) -> None:
    assert "run ganprune export --onnx run first" in refusal(ganprune("bench", "--cpu", "run"), 3)


def test_damaged_onnx_file_is_refused_by_name(run: Path) -> None:
    (run / "G_A.onnx").write_bytes(b"\x00 no network")
    for command in (("bench", "--cpu", run), ("inspect", run / "G_A.onnx")):
        assert "G_A.onnx: needed an ONNX file" in refusal(ganprune(*command), 3)


def test_folder_that_is_no_run_is_told_apart(own: Place) -> None:
    assert "no networks here" in refusal(ganprune("export", "--onnx", "data"), 3)
    assert "no networks here" in refusal(ganprune("inspect", "data"), 3)


def test_latest_that_points_nowhere_is_a_missing_run(own: Place) -> None:
    shutil.rmtree("run")
    for command in (("export", "--onnx"), ("bench", "--cpu"), ("inspect",)):
        assert "run does not exist" in refusal(ganprune(*command), 2)
