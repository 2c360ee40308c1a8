import json
import math
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ganprune.bench import (
    BenchSettings,
    Candidate,
    Ratio,
    bench,
    candidates_in,
    candidates_of,
    physical_cores,
    plus_minus,
    ratio_of_medians,
    summary,
)
from ganprune.errors import InputError, UsageError
from ganprune.reporting import Silent, Task
from tests import onnx_graphs

QUICK = BenchSettings(threads=(1,), warmup=1, minimum=5, maximum=5, noisy=math.inf, precision=math.inf)


class Listener(Silent):
    """Keeps warnings, and what tasks were told."""

    def __init__(self) -> None:
        self.warnings: list[str] = []
        self.steps: list[int] = []

    def warn(self, message: str) -> None:
        self.warnings.append(message)

    def task(self, title: str, total: int, done: int = 0) -> AbstractContextManager[Task]:
        return nullcontext(self)

    def advance(self, steps: int = 1, **figures: float | str) -> None:
        self.steps.append(steps)


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    """Two originals and two slim networks: 8 filters against 4, and 16 against 4."""
    for name, filters in (("original_G_A", 8), ("G_A", 4), ("original_G_B", 16), ("G_B", 4)):
        onnx_graphs.conv(tmp_path / f"{name}.onnx", filters, layers=2)
    return tmp_path


# Statistics, against numbers worked out by hand


def test_summary_of_times_is_that_worked_out_by_hand() -> None:
    times = summary(np.array([5.0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11]))
    assert (times.runs, times.median, times.mean, times.minimum, times.maximum) == (11, 6, 6, 1, 11)
    assert (times.p10, times.p90) == (2, 10)
    assert (times.p95, times.p99) == pytest.approx((10.5, 10.9))
    assert times.spread == pytest.approx(8 / 6)


def test_ratio_is_of_medians_and_not_of_means() -> None:
    baseline, candidate = np.array([6.0, 8, 1000]), np.array([2.0, 1, 5])
    assert ratio_of_medians(baseline, candidate, np.random.default_rng(0)).value == 4


def test_noise_that_hits_both_alike_leaves_the_ratio_exact() -> None:
    noise = np.random.default_rng(1).uniform(1, 3, 41)
    ratio = ratio_of_medians(12 * noise, 4 * noise, np.random.default_rng(0))
    assert (ratio.low, ratio.value, ratio.high) == pytest.approx((3, 3, 3))


def test_bootstrap_interval_agrees_with_the_exact_one_of_three_rounds() -> None:
    # Of 27 draws of 3 rounds, 7 have the median 1, 13 have 2, and 7 have 3: each more than 2.5 %.
    ratio = ratio_of_medians(np.array([1.0, 2, 3]), np.ones(3), np.random.default_rng(0), resamples=5000)
    assert (ratio.low, ratio.value, ratio.high) == (1, 2, 3)
    assert ratio.margin == 1
    assert ratio.relative_margin == 0.5


def test_bootstrap_interval_covers_the_truth_about_19_times_in_20() -> None:
    generator = np.random.default_rng(0)
    covered = 0
    for _ in range(200):
        baseline, candidate = generator.normal(30, 2, 60), generator.normal(10, 1, 60)
        ratio = ratio_of_medians(baseline, candidate, generator, resamples=300)
        covered += ratio.low <= 3 <= ratio.high
    assert 180 <= covered <= 199


def test_same_seed_gives_the_same_interval() -> None:
    times = np.random.default_rng(3).uniform(1, 2, (2, 30))
    first, again = (ratio_of_medians(times[0], times[1], np.random.default_rng(7)) for _ in range(2))
    assert first == again


def test_margins_are_never_rounded_to_nothing() -> None:
    assert plus_minus(3.412, 0.12) == "3.4 ± 0.1"
    assert plus_minus(3.412, 0.034) == "3.41 ± 0.03"
    assert plus_minus(3.412, 0.0001) == "3.41 ± 0.01"
    assert plus_minus(10.96, 0.06) == "11.0 ± 0.1"


# What is compared with what


def test_files_of_a_run_are_compared_with_their_own_originals(run_folder: Path) -> None:
    onnx_graphs.conv(run_folder / "G_A.int8.onnx")
    onnx_graphs.conv(run_folder / "G_C.onnx")
    (run_folder / ".G_A.123.partial.onnx").write_bytes(b"half a file")
    pairs = {candidate.name: candidate.against for candidate in candidates_in(run_folder)}
    assert pairs == {
        "original_G_A": None,
        "original_G_B": None,
        "G_A": "original_G_A",
        "G_A.int8": "original_G_A",
        "G_B": "original_G_B",
        "G_C": None,
    }


def test_loose_files_are_compared_with_the_first_of_them(tmp_path: Path) -> None:
    files = (tmp_path / "x" / "G.onnx", tmp_path / "y" / "G.onnx", tmp_path / "H.onnx")
    named = [(candidate.name, candidate.against) for candidate in candidates_of(files)]
    assert named == [("x/G", None), ("y/G", "x/G"), ("H", "x/G")]


def test_a_folder_without_onnx_files_is_told_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"needed \.onnx files, found none; run ganprune export --onnx"):
        candidates_in(tmp_path)


# Measuring


def test_report_holds_costs_times_and_the_ratio_of_each_pair(run_folder: Path) -> None:
    report = bench(candidates_in(run_folder), replace(QUICK, threads=(1, 2)))
    networks = {network.name: network for network in report.networks}
    assert networks["original_G_A"].macs_true == (3 * 8 + 8 * 8) * 9 * 16 * 16
    assert networks["G_B"].macs_true == networks["G_A"].macs_paper == (3 * 4 + 4 * 4) * 9 * 16 * 16
    assert networks["G_A"].theoretical_speedup == pytest.approx(88 / 28)
    assert networks["G_B"].theoretical_speedup == pytest.approx((3 * 16 + 16 * 16) / 28)
    assert networks["G_A"].file_bytes == (run_folder / "G_A.onnx").stat().st_size

    timings = {(timing.network, timing.threads): timing for timing in report.timings}
    assert list(timings) == [(name, threads) for threads in (1, 2) for name in networks]
    for (name, threads), timing in timings.items():
        assert timing.times.runs == 5
        assert 0 < timing.times.minimum <= timing.times.p10 <= timing.times.median
        assert timing.times.median <= timing.times.p90 <= timing.times.p99 <= timing.times.maximum
        assert timing.images_per_second == pytest.approx(1000 / timing.times.median)
        assert timing.load_ms > 0
        if networks[name].against is None:
            assert timing.speedup is None
            assert timing.quotient is None
        else:
            assert timing.speedup is not None
            assert timing.theoretical_speedup is not None
            baseline = timings[f"original_{name}", threads]
            assert timing.speedup.value == pytest.approx(baseline.times.median / timing.times.median)
            assert timing.quotient == pytest.approx(timing.speedup.value / timing.theoretical_speedup)


def test_report_survives_json_and_says_what_it_ran_on(run_folder: Path) -> None:
    report = bench(candidates_in(run_folder), replace(QUICK, noisy=9, precision=9, size=16))
    told = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert told["schema"] == 1
    assert told["machine"]["cores"] == physical_cores()
    assert told["settings"]["provider"] == "CPUExecutionProvider"
    assert told["networks"][2]["mebibytes"] == pytest.approx(28 * 9 * 4 / 2**20)
    times = told["timings"][2]
    assert times["network"] == "G_A"
    assert times["p10_ms"] <= times["median_ms"] <= times["p90_ms"]
    assert times["speedup"]["low"] <= times["speedup"]["value"] <= times["speedup"]["high"]
    assert told["sentences"] == list(report.sentences())


def test_tables_and_sentences_say_the_same_as_the_figures(run_folder: Path) -> None:
    report = bench(candidates_in(run_folder), QUICK)
    speedup = Ratio(3.41, 3.3, 3.5)
    timings = tuple(
        replace(timing, speedup=speedup if timing.speedup else None, theoretical_speedup=4.0)
        for timing in report.timings
    )
    report = replace(report, timings=timings)
    assert report.sentences() == (
        "G_A ran 3.4 ± 0.1 times faster than original_G_A (1 thread)",
        "G_B ran 3.4 ± 0.1 times faster than original_G_B (1 thread)",
    )
    row = dict(zip(report.speeds().headings, report.speeds().rows[2], strict=True))
    assert (row["network"], row["speed-up"], row["in theory"]) == ("G_A", "3.4 ± 0.1×", "4.00×")
    assert row["measured / theory"] == "0.85"
    for table in report.tables():
        assert {len(cells) for cells in table.rows} == {len(table.headings)}
    lines = report.markdown().splitlines()
    assert lines[0].startswith(str(report.machine))
    assert report.machine.onnxruntime in lines[0]
    assert sum(line.startswith("| G_A |") for line in lines) == len(report.tables())


@pytest.mark.parametrize(
    ("ratio", "sentence"),
    [
        (Ratio(0.5, 0.4, 0.625), "G_A ran 2.0 ± 0.4 times slower than original_G_A (1 thread)"),
        (Ratio(1.01, 0.98, 1.04), "G_A ran as fast as original_G_A (1.01 ± 0.03; 1 thread)"),
    ],
)
def test_sentence_admits_what_is_slower_or_no_faster(run_folder: Path, ratio: Ratio, sentence: str) -> None:
    report = bench(candidates_in(run_folder)[::2], QUICK)
    timings = (report.timings[0], replace(report.timings[1], speedup=ratio))
    assert replace(report, timings=timings).sentences() == (sentence,)


def test_runs_go_on_until_the_ratio_is_known_or_the_limit_is_reached(run_folder: Path) -> None:
    pair = candidates_in(run_folder)[::2]

    def runs(settings: BenchSettings) -> int:
        return bench(pair, settings).timings[0].times.runs

    assert runs(replace(QUICK, maximum=50)) == 5  # any interval will do
    assert runs(replace(QUICK, maximum=50, precision=1e-9)) == 50
    assert runs(replace(QUICK, maximum=10**6, precision=1e-9, seconds=1e-9)) == 5


def test_noise_and_vague_ratios_are_warned_of_and_progress_adds_up(run_folder: Path) -> None:
    pair, listener = candidates_in(run_folder)[::2], Listener()
    bench(pair, replace(QUICK, noisy=1e-9, precision=1e-9), listener)
    noise, vague = listener.warnings
    assert "this machine is noisy: with 1 thread the middle 80 % of" in noise
    assert "speed-ups are wanted within ±0%, found G_A within ±" in vague
    assert sum(listener.steps) == 100
    quiet = Listener()
    bench(pair, QUICK, quiet)
    assert quiet.warnings == []


def test_files_of_others_run_whatever_picture_they_take(tmp_path: Path) -> None:
    files = (onnx_graphs.uint8_last(tmp_path / "a.onnx"), onnx_graphs.conv(tmp_path / "b.onnx"))
    report = bench(candidates_of(files), replace(QUICK, size=16))
    assert [(n.height, n.width, n.params) for n in report.networks] == [(16, 16, 108), (16, 16, 108)]


def test_networks_for_pictures_of_different_sizes_are_not_compared(tmp_path: Path) -> None:
    files = (
        onnx_graphs.conv(tmp_path / "a.onnx"),
        onnx_graphs.conv(tmp_path / "b.onnx", dims=(1, 3, 32, 16)),
    )
    with pytest.raises(
        InputError, match="b takes 1×32×16 pixels and a 1×16×16; export both with the same --size"
    ):
        bench(candidates_of(files), QUICK)


# Bad input


def test_files_that_cannot_run_are_named(tmp_path: Path) -> None:
    (tmp_path / "corrupt.onnx").write_bytes(b"\x08\x07\x12corrupt" * 9)
    with pytest.raises(InputError, match=r"corrupt\.onnx: needed an ONNX file, found none inside"):
        bench([Candidate("corrupt", tmp_path / "corrupt.onnx")], QUICK)
    strange = onnx_graphs.unknown_operator(tmp_path / "strange.onnx")
    with pytest.raises(
        InputError, match=r"strange\.onnx: needed a network that ONNX Runtime can run.*Teleport"
    ):
        bench([Candidate("strange", strange)], QUICK)
    with pytest.raises(UsageError, match=r"found no file .*nowhere\.onnx"):
        bench([Candidate("nowhere", tmp_path / "nowhere.onnx")], QUICK)


def test_names_and_providers_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    path = onnx_graphs.conv(tmp_path / "a.onnx")
    with pytest.raises(UsageError, match="a is to be compared with b, found only a"):
        bench([Candidate("a", path, "b")], QUICK)
    with pytest.raises(UsageError, match="needed files of different names to time, found a, a"):
        bench([Candidate("a", path), Candidate("a", path)], QUICK)
    with pytest.raises(UsageError, match=r"--provider must be one of .*CPUExecutionProvider.*, found cpu"):
        bench([Candidate("a", path)], replace(QUICK, provider="cpu"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"threads": ()}, "--threads must be one number or more, found none"),
        ({"threads": (1, 0)}, "--threads must be 1 to 1024, found 0"),
        ({"threads": (100000,)}, "--threads must be 1 to 1024, found 100000"),
        ({"warmup": -1}, "--warmup must be 0 or more, found -1"),
        ({"minimum": 1}, "runs must be 2 or more"),
        ({"minimum": 30, "maximum": 20}, "found 30 and 20"),
        ({"seconds": 0.0}, "seconds must be more than 0"),
        ({"size": 30}, "--size must be a multiple of 4"),
    ],
)
def test_settings_out_of_range_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        replace(BenchSettings(), **change)


def test_all_and_one_threads_are_measured_by_default() -> None:
    assert set(BenchSettings().threads) == {1, physical_cores()}
