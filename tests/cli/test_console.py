"""What a terminal shows, and what a pipe gets."""

import io
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ganprune.reporting import duration
from ganprune.system.shell import command_line
from ganprune_cli import console
from ganprune_cli.console import ConsoleReporter, flowed, print_json, print_next, print_table, say
from ganprune_cli.tables import print_export
from ganprune_exporters.report import ExportedFile


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.04, "0.0 s"), (9.94, "9.9 s"), (10, "10 s"), (99, "99 s"), (100, "1 min 40 s"), (3599, "59 min 59 s"),
     (3600, "1 h 00 min"), (7501, "2 h 05 min"), (360000, "100 h 00 min")],
)  # fmt: skip
def test_durations_are_told_in_two_units_at_most(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_progress_in_a_pipe_is_a_line_every_few_seconds_and_a_last_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 100.0
    monkeypatch.setattr(console.time, "monotonic", lambda: now)
    with ConsoleReporter().task("search", total=12, done=2) as task:
        for _ in range(10):
            task.advance(1, F_A=0.123456, stage="warm", all_left=90.0)
            now += 4
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert lines[0] == "search 5/12, F_A 0.1235, stage warm, 28 s left, all 90 s left"
    assert lines[-1] == "search 12/12, F_A 0.1235, stage warm, 40 s"
    assert len(lines) == 5


def test_a_step_that_takes_long_is_no_silence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(console, "_EVERY", 0.05)
    with ConsoleReporter().task("search", total=2) as task:
        task.advance(all_left=30.0)
        time.sleep(0.5)
        task.advance()
    lines = capsys.readouterr().err.splitlines()
    assert re.fullmatch(r"search 1/2, 0\.\d s so far, all 30 s left", lines[0])
    assert lines[-1].startswith("search 2/2, 0.")


def test_preparation_before_the_first_step_does_not_count_as_pace(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 0.0
    monkeypatch.setattr(console.time, "monotonic", lambda: now)
    with ConsoleReporter().task("search", total=500) as task:
        now = 60
        task.advance()
        now = 62
        task.advance()
    assert capsys.readouterr().err.splitlines()[0] == "search 2/500, 16 min 36 s left"


@pytest.mark.parametrize("width", [80, 200])
def test_progress_on_a_terminal_is_a_bar_with_the_time_left_and_nothing_is_cut(
    monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    terminal = _Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "xterm")
    with ConsoleReporter().task("stage 1 of 7: looking at the original's maps", total=800) as task:
        task.advance(800, generation="5 of 6", fitness="0.25 (G_A), higher is better", all_left=370.0)
    *_, line, figures = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", terminal.getvalue()).splitlines()
    told = "all 6 min 10 s left, generation 5 of 6, fitness 0.25 (G_A), higher is better"
    assert figures.strip() == told
    whole = r"\s*stage 1 of 7: looking at the original's maps ━+ 800/800 0:00:00 left\s*"
    assert re.fullmatch(whole, line)
    assert len(line.strip()) <= width


def test_words_and_commands_stay_whole_where_a_terminal_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    told = "problem: G_B, D_A and D_B missing: `ganprune compress` does without, `ganprune train` trains them"
    terminal, pipe = _Terminal(), io.StringIO()
    monkeypatch.setenv("COLUMNS", "50")
    assert flowed(told, terminal).splitlines() == [
        "problem: G_B, D_A and D_B missing:", "  `ganprune compress` does without,",
        "  `ganprune train` trains them",
    ]  # fmt: skip
    assert flowed(told, pipe) == told
    again = "interrupted; to go on, run again: ganprune compress net --data 'my pictures' --budget 20m"
    assert flowed(again, terminal).splitlines() == [
        "interrupted; to go on, run again:", f"  {again.partition(': ')[2]}"
    ]  # fmt: skip
    monkeypatch.setattr(sys, "stdout", terminal)
    say("a,b c," * 20, end="")  # for another program, such as CSV
    assert terminal.getvalue() == "a,b c," * 20


def _on_80_columns(monkeypatch: pytest.MonkeyPatch, show: Callable[[], None]) -> list[str]:
    terminal = _Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    show()
    lines = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", terminal.getvalue()).splitlines()
    assert max(map(len, lines)) <= 80
    return lines


def test_a_table_of_long_headings_and_many_numbers_fits_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    headings = ("network", "median ms", "fps", "peak MiB", "speed-up", "over rewritten", "in theory",
                "of theory")  # fmt: skip
    row = (
        "original_G_A.rewritten",
        "1340.27",
        "0.7",
        "1445",
        "4.03 ± 0.04×",
        "4.03 ± 0.04×",
        "15.00×",
        "0.81",
    )
    lines = _on_80_columns(monkeypatch, lambda: print_table("Speed, 1 thread", headings, [row]))
    assert any(all(cell in line for cell in row) for line in lines)


def test_the_table_of_exported_files_fits_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    file: ExportedFile = {
        "path": "runs/horse2zebra-4.2x-1/original_G_A.rewritten.onnx", "nodes_before": 117,
        "nodes_after": 216, "file_bytes": 46_000_000, "max_abs": 3.2e-6, "tolerance": 1e-4,
        "pictures": 5, "passes": [],
        "rewrites": ["dead-biases", "last-convolution=4", "transposed-convolutions"],
    }  # fmt: skip
    told = " ".join(_on_80_columns(monkeypatch, lambda: print_export([file], markdown=False)))
    assert "runs/horse2zebra-4.2x-1: verified against PyTorch on 5 pictures" in told
    assert "original_G_A.rewritten.onnx 43.87" in told


def test_next_command_can_be_pasted_into_a_shell() -> None:
    assert command_line("bench", "--cpu", Path("runs/my net-1")) == "ganprune bench --cpu 'runs/my net-1'"


def test_quiet_keeps_warnings_only(capsys: pytest.CaptureFixture[str]) -> None:
    reporter = ConsoleReporter(quiet=True)
    reporter.info("news")
    reporter.warn("trouble")
    with reporter.task("search", total=1) as task:
        task.advance()
    print_next("ganprune bench", quiet=True)
    assert capsys.readouterr() == ("", "warning: trouble\n")


def test_json_starts_with_its_schema_and_keeps_that_of_the_value(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"γ": [1, None]})
    assert capsys.readouterr().out == '{\n  "schema": 1,\n  "γ": [\n    1,\n    null\n  ]\n}\n'
    print_json({"schema": 2})
    assert capsys.readouterr().out == '{\n  "schema": 2\n}\n'


def test_table_in_a_pipe_is_never_cut(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    cells = [f"cell {i} of the row" for i in range(6)]
    print_table("[bold]title[/bold]", [f"column {i}" for i in range(6)], [cells], better=[0])
    out = capsys.readouterr().out
    assert "[bold]title[/bold]" in out
    assert all(cell in out for cell in cells)
    assert "\x1b" not in out


@pytest.mark.parametrize("no_color", [False, True])
def test_better_rows_are_green_on_a_terminal_unless_no_color_is_set(
    monkeypatch: pytest.MonkeyPatch, no_color: bool
) -> None:
    terminal = _Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.delenv("NO_COLOR", raising=False)
    if no_color:
        monkeypatch.setenv("NO_COLOR", "1")
    print_table("title", ["network"], [["original"], ["slim"]], better=[1])
    green = "\x1b[32m"
    lines = terminal.getvalue().splitlines()
    assert not any(green in line for line in lines if "original" in line)
    assert any(green in line for line in lines if "slim" in line) is not no_color
