"""The run folder."""

import json
import subprocess
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ganprune import runs
from ganprune.errors import RunError, UsageError
from ganprune.reporting import Silent
from ganprune.runs import MOST_WARNINGS, Noting, Run, default_folder, find_run, mark_latest, open_run
from ganprune.storage.files import Over, write_atomically
from ganprune.storage.made import note

CONFIG: dict[str, Any] = {
    "checkpoint": "/nets/horse2zebra",
    "data": "/data/horse2zebra",
    "settings": {"population": 4, "target-macs": [0.25, 0.25], "budget": "20m"},
    "resolved": {"device": "cpu", "precision": "float32", "threads": 2, "batch": 1},
    "sha256": {"G_A": "12", "G_B": "34"},
}


def _with(**changes: Any) -> dict[str, Any]:
    return CONFIG | changes


def _with_settings(**changes: Any) -> dict[str, Any]:
    return _with(settings=CONFIG["settings"] | {key.replace("_", "-"): v for key, v in changes.items()})


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return open_run(tmp_path / "run", CONFIG, "ganprune compress horse2zebra")


def _lines(run: Run, name: str, text: str) -> Path:
    (run / name).write_text(text)
    return run / name


def test_new_run_records_what_was_asked_for(run: Run) -> None:
    assert run.config == CONFIG
    assert run.provenance["command"] == "ganprune compress horse2zebra"
    assert run.provenance["versions"].keys() >= {"python", "ganprune", "torch", "onnxruntime"}


def test_opening_again_keeps_what_auto_came_to(run: Run) -> None:
    before = (run / "provenance.json").read_bytes()
    elsewhere = _with(resolved=CONFIG["resolved"] | {"threads": 64, "device": "cuda"})
    assert open_run(run.folder, elsewhere, "ganprune compress again").config == CONFIG
    assert (run / "provenance.json").read_bytes() == before


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        (_with_settings(population=8), r"made with --set population=4 \(now 8\); run the same command again"),
        (_with_settings(target_macs="none"), r"--target-macs 0\.25,0\.25 \(now none\)"),
        (_with_settings(population=8, seed=1), r"--set population=4 \(now 8\), --seed 0 \(now 1\)"),
        (_with(data="/data/other"), "made from --data /data/horse2zebra; use `-o`"),
        (_with(sha256={"G_A": "13", "G_B": "34"}), "made from another checkpoint"),
    ],
)
def test_other_settings_or_inputs_are_refused_by_name(run: Run, changed: dict[str, Any], told: str) -> None:
    with pytest.raises(RunError, match=told):
        open_run(run.folder, changed, "")
    assert run.config == CONFIG


def test_moved_checkpoint_with_the_same_networks_goes_on(run: Run) -> None:
    assert open_run(run.folder, _with(checkpoint="/elsewhere"), "").folder == run.folder


def test_budget_may_change_until_fine_tuning_has_begun(run: Run) -> None:
    longer = _with_settings(budget="2h")
    assert open_run(run.folder, longer, "").config == longer
    (run / "fine-tune").mkdir()
    with pytest.raises(RunError, match=r"--budget 2h \(now 20m\)"):
        open_run(run.folder, CONFIG, "")


def test_budget_of_a_run_in_use_is_left_alone(run: Run) -> None:
    with run.locked(), pytest.raises(RunError, match="another ganprune is working in"):
        open_run(run.folder, _with_settings(budget="2h"), "")
    assert run.config == CONFIG


def test_start_that_was_killed_at_any_moment_can_be_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for written in range(3):
        folder, left = tmp_path / str(written), [None] * written
        with monkeypatch.context() as patch:
            patch.setattr(runs, "write_atomically", partial(_kill, left))
            with suppress(KeyboardInterrupt):
                open_run(folder, CONFIG, "")
        run = open_run(folder, CONFIG, "ganprune compress horse2zebra")
        assert run.config == CONFIG
        assert run.provenance["schema"] == 1


def _kill(left: list[None], path: Path, data: bytes, over: Over = "unchanged") -> None:
    """Write as many files as ``left`` is long, then half of one."""
    if left:
        left.pop()
        write_atomically(path, data, over)
        return
    note(path, "begun")
    path.with_name(f".{path.stem}.1.partial{path.suffix}").write_bytes(data[:9])
    raise KeyboardInterrupt


def test_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(RunError, match="is not empty and holds no run; give `-o` a new or an empty folder"):
        open_run(tmp_path, CONFIG, "")
    with pytest.raises(RunError, match=r"notes\.txt is a file; give `-o` a folder"):
        open_run(tmp_path / "notes.txt", CONFIG, "")
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_stage_is_finished_while_its_outputs_are_what_it_wrote(run: Run) -> None:
    one, two = _lines(run, "one", "1"), _lines(run, "two", "2")
    assert run.finished("search") is None
    run.finish("search", [one, two], 1.26, generations=7)
    record = run.finished("search")
    assert record is not None
    assert record["seconds"] == 1.3
    assert record["generations"] == 7
    two.write_text("changed")
    assert run.finished("search") is None
    two.write_text("2")
    assert run.finished("search") == record
    one.unlink()
    assert run.finished("search") is None


def test_stage_is_finished_for_the_inputs_that_it_read(run: Run) -> None:
    source, made = _lines(run, "source", "1"), _lines(run, "made", "2")
    run.finish("cut", [made], 0, [source])
    assert run.finished("cut", [source])
    source.write_text("3")
    assert run.finished("cut", [source]) is None
    source.unlink()
    assert run.finished("cut", [source]) is None


def test_what_was_warned_of_is_kept_once_and_goes_on_to_the_reporter(run: Run) -> None:
    told: list[str] = []

    class Told(Silent):
        def warn(self, message: str) -> None:
            told.append(message)

    reporter = Noting(Told(), run)
    for message in ("4 pictures a forward pass from now on", "another", "another"):
        reporter.warn(message)
    run.finish("search", [], 1.0)
    assert told == ["4 pictures a forward pass from now on", "another", "another"]
    assert run.provenance["warnings"] == told[:2]
    for i in range(200):
        run.note(str(i))
    assert len(run.provenance["warnings"]) == MOST_WARNINGS


def test_a_warning_that_cannot_be_kept_stops_nothing(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(runs, "write_json", full)
    run.note("out of memory")
    assert "warnings" not in run.provenance


def test_finishing_a_stage_keeps_the_others(run: Run) -> None:
    first, second = _lines(run, "first", "1"), _lines(run, "second", "2")
    run.finish("search", [first], 0)
    run.finish("bench", [second], 0)
    run.finish("search", [first], 5)
    assert run.provenance["stages"].keys() == {"search", "bench"}
    assert run.provenance["command"] == "ganprune compress horse2zebra"


@pytest.mark.parametrize(
    "text",
    [None, "", "{", "[]", "3", '{"stages": []}', '{"stages": {"search": 1}}', '{"stages": {"search": {}}}'],
)
def test_damaged_provenance_is_no_provenance(run: Run, text: str | None) -> None:
    if text is None:
        (run / "provenance.json").unlink()
    else:
        _lines(run, "provenance.json", text)
    assert run.provenance == {}
    assert run.finished("search") is None
    run.finish("search", [_lines(run, "one", "1")], 0)
    assert run.finished("search")


@pytest.mark.parametrize("text", ["", "== ", "settings = 3", 'checkpoint = "x"\n[settings]', "\x00"])
def test_damaged_config_is_refused(run: Run, text: str) -> None:
    _lines(run, "config.toml", text)
    with pytest.raises(RunError, match=r"config\.toml is damaged"):
        open_run(run.folder, CONFIG, "")


def test_folder_without_config_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"is no run folder: it has no config\.toml"):
        _ = Run(tmp_path).config


def test_run_is_locked_against_this_and_other_processes(run: Run) -> None:
    program = (
        f"import sys; sys.path[:0] = {[p for p in sys.path if p]}\n"
        "from pathlib import Path\nfrom ganprune.runs import Run\n"
        f"with Run(Path({str(run.folder)!r})).locked(): print('in')"
    )
    with run.locked():
        with pytest.raises(RunError, match="another ganprune is working in"), run.locked():
            pass
        other = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
        assert "another ganprune is working in" in other.stderr
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout == "in\n"


def test_lock_is_given_back_when_the_work_fails(run: Run) -> None:
    with pytest.raises(ZeroDivisionError), run.locked():
        raise ZeroDivisionError
    with run.locked():
        pass


def test_half_written_files_of_a_killed_process_are_cleared_away(run: Run) -> None:
    for name in ("G_A.onnx", "fine-tune/state"):
        write_atomically(run / name, b"whole")
    (run / "mine").mkdir()
    ours = [_lines(run, name, "half") for name in (".G_A.123.partial.onnx", "fine-tune/.state.9.partial")]
    foreign = (".notes.123.partial.txt", ".G_A.partial.onnx", "mine/.G_A.123.partial.onnx")
    others = [_lines(run, name, "somebody's") for name in foreign]
    with run.locked():
        assert not any(path.exists() for path in ours)
    assert all(path.exists() for path in (*others, run / "G_A.onnx", run / "fine-tune" / "state"))


def test_default_folder_says_what_becomes_of_what_and_the_same_command_finds_it_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "horse2zebra").mkdir()
    base = _with(checkpoint=str(tmp_path / "horse2zebra"))
    first = default_folder(base)
    assert first.parent == Path("runs")
    open_run(first, base, "")
    assert default_folder(base) == default_folder(base | {"resolved": {"device": "cuda"}}) == first
    one_file = base | {"checkpoint": str(tmp_path / "horse2zebra" / "latest_net_G_A.pth")}
    assert default_folder(one_file) == first
    second = first.with_name(first.name.replace("-1", "-2"))
    for changed in (
        {"settings": CONFIG["settings"] | {"population": 5}}, {"data": "/data/b"}, {"sha256": {"G_A": "99"}}
    ):  # fmt: skip
        assert default_folder(base | changed) == second
    (first / "config.toml").write_text("damaged")
    assert default_folder(base) == second


@pytest.mark.parametrize(
    ("asked", "word"),
    [({"target-macs": [0.25, 0.25]}, "quarter"), ({"target-macs": [0.3, 0.3]}, "30pc"), ({}, "slim"),
     ({"speed-up": [4.2, 4.2]}, "4.2x"), ({"min-psnr": 32.0}, "32db"), ({"target-ms": [20.0, 20.0]}, "20ms")],
)  # fmt: skip
def test_default_folder_names_the_target(asked: dict[str, object], word: str, tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    named = _with(checkpoint=str(tmp_path / "net"), settings={"budget": "20m"} | asked)
    assert default_folder(named).name == f"net-{word}-1"


def test_latest_run_is_found_by_default(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    mark_latest(run)
    assert find_run(None).folder.samefile(run.folder)
    inside = open_run(Path("runs") / "horse2zebra-1", CONFIG, "")
    mark_latest(inside)
    assert Path("runs/latest").read_text() == "horse2zebra-1\n"
    assert find_run(None) == find_run(Path("runs/latest")) == inside
    assert find_run(run.folder) == run


def test_missing_run_says_how_to_make_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="no runs/latest here; give a run folder, or make one with"):
        find_run(None)
    with pytest.raises(UsageError, match="the run folder nowhere does not exist"):
        find_run(Path("nowhere"))


def test_json_files_are_whole_and_readable(run: Run) -> None:
    text = (run / "provenance.json").read_text(encoding="utf-8")
    assert text.endswith("}\n")
    assert json.loads(text)["schema"] == 1


def test_a_run_keeps_what_it_adapted_and_takes_what_is_asked_for(tmp_path: Path) -> None:
    asked = CONFIG["settings"] | {"align": 16, "size": 256}
    first = CONFIG | {"settings": asked | {"align": 4, "size": 64}, "adapted": {"align": 16, "size": 256}}
    run = open_run(tmp_path / "run", first, "")
    assert default_folder(first) == default_folder(CONFIG | {"settings": asked})
    for later in (CONFIG | {"settings": asked}, first, first | {"settings": asked | {"align": 2}}):
        later = later if "adapted" not in later else later | {"adapted": first["adapted"]}
        assert open_run(run.folder, later, "", given=()).config == first
    with pytest.raises(RunError, match=r"was made with --size 64 \(now 256\)"):
        open_run(run.folder, CONFIG | {"settings": asked}, "", given=("size",))
    with pytest.raises(RunError, match=r"was made with --set align=4 \(now 1\)"):
        open_run(run.folder, CONFIG | {"settings": asked | {"align": 1}}, "", given=())
