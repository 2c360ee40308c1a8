"""ganprune bench: what it prints and writes, and how it ends."""

import csv
import json
import re
import shutil
from io import StringIO
from pathlib import Path

import pytest

from ganprune.bench import machine
from ganprune.runs import Run
from tests import onnx_graphs
from tests.cli.conftest import Mission, Place
from tests.cli.kit import Outcome, ganprune, listing

SHORT = ("--set", "runs=2,2", "--threads", "1")


def bench(*words: object) -> Outcome:
    return ganprune("bench", "--cpu", *words)


@pytest.fixture
def pair(here: Path) -> tuple[Path, Path]:
    """Two files that are not ours, the first with three times the filters."""
    return onnx_graphs.conv(here / "theirs.onnx", 12, layers=2), onnx_graphs.uint8_last(here / "mine.onnx")


def settings_of(run: Path) -> dict[str, object]:
    return json.loads((run / "bench.json").read_text())["settings"]


def test_a_hasty_measurement_does_not_replace_a_careful_one(run: Path) -> None:
    before = (run / "bench.json").read_bytes(), (run / "provenance.json").read_bytes()
    found = bench(run, *SHORT)
    assert found.code == 0
    assert "G_A ran" in found.out
    assert "Pictures against the original's, on " in found.out
    assert "input, untouched" in found.out
    assert bench(run, *SHORT, "--json").json["quality"] == json.loads((run / "quality.json").read_text())
    assert "bench.json stays what a longer or another measurement found (2 runs or more, " in found.err
    assert f"`-o {run}` replaces it" in found.err
    assert ((run / "bench.json").read_bytes(), (run / "provenance.json").read_bytes()) == before


def test_a_longer_measurement_replaces_the_last_one_and_counts_as_the_runs(run: Path) -> None:
    assert bench(run, "--set", "runs=4,4").code == 0
    assert settings_of(run)["minimum"] == 4
    assert Run(run).finished("bench", run.glob("*.onnx"))


def test_any_measurement_replaces_one_of_other_files(run: Path) -> None:
    (run / "G_A.onnx").write_bytes((run / "G_B.onnx").read_bytes())
    found = bench(run, *SHORT)
    assert "bench.json stays" not in found.err
    assert settings_of(run)["threads"] == [1]


def test_output_names_where_to_write_the_run_itself_included(run: Path, here: Path) -> None:
    before = listing(run)
    assert bench(run, *SHORT, "-o", "there", "--profile").code == 0
    assert listing(run) == before
    assert sorted(path.name for path in (here / "there").glob("[!.]*")) == ["bench.json", "profile.svg"]
    assert bench(run, *SHORT, "-o", run).code == 0
    assert settings_of(run)["threads"] == [1]
    assert Run(run).finished("bench", run.glob("*.onnx"))


def test_profile_shows_operators_and_draws_them_into_the_run(run: Path) -> None:
    found = bench(run, *SHORT, "--profile")
    assert found.out.count("Time by operator, ms a run, 1 thread") == 2
    assert "InstanceNormalization" in found.out
    assert "<svg" in (run / "profile.svg").read_text()


def test_both_originals_stand_beside_the_slim_network(run: Path) -> None:
    shutil.copy(run / "original_G_A.onnx", run / "original_G_A.rewritten.onnx")
    found = bench(run, *SHORT)
    assert "over rewritten" in found.out
    lines = [line for line in found.out.splitlines() if line.startswith("G_A ran")]
    assert len(lines) == 1
    assert re.search(r" original_G_A( \([^)]+\))? and ", lines[0])  # with the ratio where it is about 1
    assert "original_G_A.rewritten" in lines[0]


def test_files_of_others_are_timed_on_pictures(pair: tuple[Path, Path], place: Place, here: Path) -> None:
    before = listing(here)
    found = bench(*pair, *SHORT, "--size", "16", "--input", place.data / "testA", "--json")
    assert found.code == 0, found.err
    assert found.json["settings"]["input"] == str(place.data / "testA")
    assert [network["against"] for network in found.json["networks"]] == [None, "theirs"]
    assert listing(here) == before


def test_no_claim_is_made_with_more_threads_than_cores(pair: tuple[Path, Path], monkeypatch) -> None:
    monkeypatch.setattr(machine, "usable_cores", lambda: 2)
    found = bench(*pair, "--set", "runs=2,2", "--threads", "8", "--size", "16", "--assert-speedup", "0.001")
    assert found.code == 2
    assert "as many threads as this process may use cores, 2, found 8" in found.err
    assert not found.out


def test_csv_is_one_table_and_nothing_else(pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "usable_cores", lambda: 2)
    found = bench(*pair, "--set", "runs=2,2", "--threads", "2,1", "--size", "16", "--csv")
    lines = list(csv.DictReader(StringIO(found.out)))
    assert [(line["network"], line["threads"]) for line in lines] == [
        ("theirs", "2"), ("mine", "2"), ("theirs", "1"), ("mine", "1"),
    ]  # fmt: skip


def test_spread_shows_more_tables(pair: tuple[Path, Path]) -> None:
    words = (*pair, *SHORT, "--size", "16")
    assert "p99" not in bench(*words).out
    assert "p99" in bench(*words, "--spread").out


@pytest.mark.parametrize("form", ["--json", "--csv", "--markdown"])
def test_missed_targets_end_in_4_after_all_is_shown_and_written(run: Path, here: Path, form: str) -> None:
    targets = ("--assert-speedup", "1000", "--assert-max-ms", "0.0001")
    found = bench(run, *SHORT, *targets, form, "-o", here / "out")
    assert found.code == 4
    assert "original_G_A" in found.out
    assert (here / "out" / "bench.json").is_file()
    line = found.err.splitlines()[-1]
    assert line.startswith('{"schema": 1, "error": "' if form == "--json" else "error: ")
    assert "--assert-speedup 1000 was missed: G_A " in line
    assert "; --assert-max-ms 0.0001 was missed: G_A " in line


def test_targets_that_are_reached_say_nothing(run: Path) -> None:
    found = bench(run, *SHORT, "--assert-speedup", "0.001", "--assert-max-ms", "100000")
    assert found.code == 0
    assert "missed" not in found.err
    assert found.err.splitlines()[-1].startswith("next: ")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--json", "--csv"), "give one of --json, --csv and --markdown"),
        (("--assert-speedup", "-1"), "--assert-speedup must be finite and above 0"),
        (("--input", "nowhere"), "--input nowhere does not exist"),
        (
            ("--set", "precision=bfloat16"),
            "--set precision=bfloat16 needs --provider OpenVINOExecutionProvider",
        ),
    ],
)
def test_misuse_is_refused_before_anything_runs(
    mission: Mission, here: Path, words: tuple[str, ...], told: str
) -> None:
    found = bench(mission.run, *SHORT, *words)
    assert found.code == 2
    assert told in found.err
    assert found.err.count("\n") == 1
    assert found.out == ""


def test_tables_are_no_wider_than_a_hundred_columns(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(run / "original_G_A.onnx", run / "original_G_A.rewritten.onnx")
    shutil.copy(run / "original_G_B.onnx", run / "original_G_B.rewritten.onnx")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr("rich.console.Console.is_terminal", True)
    monkeypatch.setenv("NO_COLOR", "1")
    found = bench(run, *SHORT, "--profile", "--spread", "--quiet")
    plain = re.sub(r"\x1b\[[0-9;]*m", "", found.out)
    tables = plain.partition("\n\n")[2].partition("original_G_A.rewritten ran")[0].splitlines()
    assert sum(line.startswith(" original_G_A.rewritten ") for line in tables) == 3
    assert max(len(line.rstrip()) for line in tables) <= 100
    assert sum("theory" in line for line in tables) == 1
