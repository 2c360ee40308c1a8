import csv
import json
import math
from dataclasses import replace
from io import StringIO
from typing import Any

import pytest

from ganprune.bench import BenchReport
from ganprune.bench.machine import physical_cores
from ganprune.bench.statistics import Ratio

FASTER, SAME, SLOWER = Ratio(3.41, 3.3, 3.5), Ratio(1.01, 0.98, 1.04), Ratio(0.5, 0.4, 0.625)


def with_ratios(report: BenchReport, speedup: Ratio, over_rewritten: Ratio = SAME) -> BenchReport:
    """The same with other ratios, all in one thread, 4× in theory."""
    timings = tuple(
        replace(
            timing,
            speedup=speedup if timing.speedup else None,
            over_rewritten=over_rewritten if timing.over_rewritten else None,
            theoretical_speedup=4.0,
        )
        for timing in report.timings
        if timing.threads == 1
    )
    return replace(report, timings=timings, settings=replace(report.settings, threads=(1,)))


def test_report_survives_json_and_says_what_it_ran_on(report: BenchReport) -> None:
    told = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert told["schema"] == 1
    assert told["machine"]["cores"] == physical_cores()
    assert told["engine"] == {"provider": "CPUExecutionProvider", "arithmetic": "float32", "plugin": None}
    assert told["networks"][3]["name"] == "G_A"
    assert told["networks"][3]["mebibytes"] == pytest.approx(28 * 9 * 4 / 2**20)
    times = told["timings"][3]
    assert (times["network"], times["threads"]) == ("G_A", 1)
    assert times["p10_ms"] <= times["median_ms"] <= times["p90_ms"]
    assert times["speedup"]["low"] <= times["speedup"]["value"] <= times["speedup"]["high"]
    assert told["sentences"] == list(report.sentences())
    assert told["missed"] == []


def test_header_tells_machine_versions_and_protocol(report: BenchReport) -> None:
    machine = report.machine
    for part in (
        machine.cpu, f"ganprune {machine.ganprune}", f"onnxruntime {machine.onnxruntime}",
        "CPUExecutionProvider", "threads 1 and 2", "interleaved", "a process a network",
    ):  # fmt: skip
        assert part in report.header()
    assert report.markdown().startswith(report.header())


def test_tables_say_the_same_as_the_figures(report: BenchReport) -> None:
    (speeds,) = with_ratios(report, FASTER, Ratio(3.0, 2.9, 3.1)).speeds()
    row = dict(zip(speeds.headings, speeds.rows[3], strict=True))
    assert speeds.title == "Speed, 1 thread"
    assert (row["network"], row["speed-up"], row["over rewritten"]) == ("G_A", "3.4 ± 0.1×", "3.0 ± 0.1×")
    assert (row["in theory"], row["of theory"]) == ("4.00×", "0.85")
    for table in report.tables():
        assert {len(cells) for cells in table.rows} == {len(table.headings)}
    lines = report.markdown().splitlines()
    assert sum(line.startswith("| G_B |") for line in lines) == 1 + 2 * 2  # costs; speed and spread twice
    assert [table.detail for table in report.tables()] == [False] * 5 + [True] * 2


def test_columns_that_say_nothing_are_left_out(report: BenchReport) -> None:
    lone = replace(report, networks=report.networks[:1], timings=report.timings[:1])
    one_thread = replace(lone, settings=replace(lone.settings, threads=(1,)))
    assert one_thread.speeds()[0].headings == ("network", "median ms", "fps", "peak MiB")
    pairs = replace(report, timings=tuple(t for t in report.timings if t.over_rewritten is None))
    assert "over rewritten" not in pairs.speeds()[0].headings


@pytest.mark.parametrize(
    ("ratio", "said"),
    [
        (FASTER, "3.4 ± 0.1 times as fast as original_G_B"),
        (SLOWER, "0.5 ± 0.1 times as fast as original_G_B"),
        (SAME, "1.01 ± 0.03 times as fast as original_G_B"),
    ],
)
def test_sentence_admits_what_is_slower_or_no_faster(report: BenchReport, ratio: Ratio, said: str) -> None:
    assert with_ratios(report, ratio).sentences()[-1] == f"G_B ran {said} (1 thread)"


def test_sentence_tells_both_baselines(report: BenchReport) -> None:
    of_rewritten, of_slim, _ = with_ratios(report, FASTER, Ratio(3.0, 2.9, 3.1)).sentences()
    assert of_rewritten == "original_G_A.rewritten ran 3.4 ± 0.1 times as fast as original_G_A (1 thread)"
    assert of_slim == (
        "G_A ran 3.4 ± 0.1 times as fast as original_G_A "
        "and 3.0 ± 0.1 times as fast as original_G_A.rewritten (1 thread)"
    )


def test_csv_has_a_line_a_timing_with_the_figures_of_the_json(report: BenchReport) -> None:
    lines = list(csv.DictReader(StringIO(report.csv())))
    told: Any = report.to_json()
    networks = {network["name"]: network for network in told["networks"]}
    assert [(line["network"], int(line["threads"])) for line in lines] == [
        (timing["network"], timing["threads"]) for timing in told["timings"]
    ]
    for line, timing in zip(lines, told["timings"], strict=True):
        assert float(line["median_ms"]) == timing["median_ms"]
        assert int(line["macs_true"]) == networks[line["network"]]["macs_true"]
        assert line["cpu"] == report.machine.cpu
        for key in ("speedup", "over_rewritten"):
            ratio = timing[key] or {"value": None, "low": None, "high": None}
            found = [line[key], line[f"{key}_low"], line[f"{key}_high"]]
            wanted = [ratio["value"], ratio["low"], ratio["high"]]
            assert found == ["" if value is None else str(value) for value in wanted]


def test_targets_are_missed_by_slim_networks_and_never_by_originals(report: BenchReport) -> None:
    def missed(speedup: float | None, ms: float | None) -> tuple[str, ...]:
        changed = with_ratios(report, FASTER)
        return replace(
            changed, settings=replace(changed.settings, least_speedup=speedup, most_ms=ms)
        ).missed()

    assert missed(3.41, 1e9) == ()
    assert missed(3.42, None) == (
        "--assert-speedup 3.42 was missed: G_A 3.4 ± 0.1× (1 thread), G_B 3.4 ± 0.1× (1 thread)",
    )
    (line,) = missed(None, 1e-9)
    assert line.startswith("--assert-max-ms 1e-09 was missed: G_A ")
    assert "original" not in line
    assert len(missed(3.42, 1e-9)) == 2


def test_a_lone_network_is_held_to_its_milliseconds(report: BenchReport) -> None:
    settings = replace(report.settings, most_ms=math.nextafter(report.timings[0].times.median, 0))
    lone = replace(report, networks=report.networks[:1], timings=report.timings[:1], settings=settings)
    assert lone.missed()[0].startswith(f"--assert-max-ms {settings.most_ms:g} was missed: original_G_A ")
    enough = replace(settings, most_ms=report.timings[0].times.median)
    assert replace(lone, settings=enough).missed() == ()
