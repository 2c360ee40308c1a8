from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from ganprune.bench import BenchReport, BenchSettings, Candidate, bench, candidates_in, candidates_of
from ganprune.bench.process import NetworkProcess
from ganprune.errors import InputError, UsageError
from tests import onnx_graphs
from tests.bench.kit import QUICK, Listener


def test_costs_are_those_counted_by_hand(report: BenchReport, run_folder: Path) -> None:
    networks = {network.name: network for network in report.networks}
    assert networks["original_G_A"].macs_true == (3 * 8 + 8 * 8) * 9 * 16 * 16
    assert networks["G_B"].macs_true == networks["G_A"].macs_paper == (3 * 4 + 4 * 4) * 9 * 16 * 16
    assert networks["G_A"].theoretical_speedup == pytest.approx(88 / 28)
    assert networks["G_B"].theoretical_speedup == pytest.approx((3 * 16 + 16 * 16) / 28)
    assert networks["original_G_A.rewritten"].theoretical_speedup == 1
    assert networks["G_A"].file_bytes == (run_folder / "G_A.onnx").stat().st_size


def test_every_network_is_timed_with_every_number_of_threads(report: BenchReport) -> None:
    names = [network.name for network in report.networks]
    assert [(t.threads, t.network) for t in report.timings] == [(n, name) for n in (1, 2) for name in names]
    for timing in report.timings:
        times = timing.times
        ordered = (times.minimum, times.p10, times.median, times.p90, times.p95, times.p99, times.maximum)
        assert times.runs == 5
        assert times.minimum > 0
        assert all(low <= high for low, high in pairwise(ordered))
        assert timing.pictures_per_second == pytest.approx(1000 / times.median)
        assert timing.load_ms > 0


def test_ratios_are_of_medians_and_two_baselines_multiply(report: BenchReport) -> None:
    timings = {(timing.network, timing.threads): timing for timing in report.timings}
    for threads in (1, 2):
        plain, rewritten, slim, lone, other = (
            timings[name, threads]
            for name in ("original_G_A", "original_G_A.rewritten", "G_A", "original_G_B", "G_B")
        )
        assert plain.speedup is plain.over_rewritten is plain.quotient is lone.speedup is None
        assert slim.speedup is not None
        assert slim.over_rewritten is not None
        assert rewritten.speedup is not None
        assert slim.speedup.value == pytest.approx(plain.times.median / slim.times.median)
        by_pruning_and_graph = slim.over_rewritten.value * rewritten.speedup.value
        assert slim.speedup.value == pytest.approx(by_pruning_and_graph)
        assert slim.quotient == pytest.approx(slim.speedup.value / (88 / 28))
        assert other.speedup is not None
        assert other.over_rewritten is None


def test_memory_grows_with_what_a_network_holds(tmp_path: Path) -> None:
    small = onnx_graphs.conv(tmp_path / "small.onnx", 4)
    # The second layer of 1024 filters has 1024² · 9 weights of 4 bytes.
    large = onnx_graphs.conv(tmp_path / "large.onnx", 1024, (1, 3, 8, 8), layers=2)
    reports = (bench(candidates_of((path,)), replace(QUICK, runs=(2, 2))) for path in (small, large))
    (of_small,), (of_large,) = (report.timings for report in reports)
    assert of_small.memory_bytes is not None
    assert of_large.memory_bytes is not None
    assert of_large.memory_bytes - of_small.memory_bytes > 1024**2 * 9 * 4
    assert of_small.process_memory_bytes is not None
    beside = of_small.process_memory_bytes - of_small.memory_bytes
    assert 0 < beside < 200 * 2**20  # no PyTorch in there


def test_networks_take_turns_and_the_first_one_changes(
    run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    run = NetworkProcess.run

    def listened(process: NetworkProcess, picture: int = 0) -> float:
        order.append(process._path.stem)
        return run(process, picture)

    monkeypatch.setattr(NetworkProcess, "run", listened)
    pair = tuple(run_folder / f"{name}.onnx" for name in ("original_G_B", "G_B", "G_A"))
    bench(candidates_of(pair), replace(QUICK, warmup=0, runs=(3, 3)))
    a, b, c = (path.stem for path in pair)
    assert order == [a, b, c, b, c, a, c, a, b]


def test_runs_go_on_until_the_ratio_is_known_or_the_limit_is_reached(run_folder: Path) -> None:
    pair = candidates_of((run_folder / "original_G_A.onnx", run_folder / "G_A.onnx"))

    def runs(settings: BenchSettings) -> int:
        return bench(pair, settings).timings[0].times.runs

    assert runs(replace(QUICK, runs=(5, 50))) == 5  # any interval will do
    assert runs(replace(QUICK, runs=(5, 50), precision=1e-9)) == 50
    assert runs(replace(QUICK, runs=(5, 10**6), precision=1e-9, seconds=1e-9)) == 5


def test_noise_and_vague_ratios_are_warned_of_and_progress_adds_up(run_folder: Path) -> None:
    pair = candidates_of((run_folder / "original_G_A.onnx", run_folder / "G_A.onnx"))
    listener = Listener()
    bench(pair, replace(QUICK, noisy=1e-9, precision=1e-9), listener)
    noise, vague = listener.warnings
    assert "this machine is noisy: with 1 thread the middle 80 % of" in noise
    assert "speed-ups are wanted within ±0%, found G_A within ±" in vague
    assert vague.endswith("; allow more time: `ganprune bench --set seconds=240`")
    assert sum(listener.steps) == 100
    quiet = Listener()
    bench(pair, QUICK, quiet)
    assert quiet.warnings == []


def test_files_of_others_run_whatever_picture_they_take(tmp_path: Path) -> None:
    files = (
        onnx_graphs.uint8_last(tmp_path / "a.onnx"),
        onnx_graphs.conv(tmp_path / "b.onnx"),
        onnx_graphs.conv(tmp_path / "c.onnx", dims=("n", 3, "h", "w")),
    )
    report = bench(candidates_of(files), replace(QUICK, size=16))
    assert [(n.batch, n.height, n.width, n.params) for n in report.networks] == [(1, 16, 16, 108)] * 3


def test_networks_for_pictures_of_different_sizes_are_not_compared(tmp_path: Path) -> None:
    files = (
        onnx_graphs.conv(tmp_path / "a.onnx"),
        onnx_graphs.conv(tmp_path / "b.onnx", dims=(1, 3, 32, 16)),
    )
    with pytest.raises(
        InputError, match="b takes 1×32×16 pixels and a 1×16×16; export both with the same --size"
    ):
        bench(candidates_of(files), QUICK)


def test_names_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    path = onnx_graphs.conv(tmp_path / "a.onnx")
    for odd in (Candidate("a", path, "b"), Candidate("a", path, None, "b")):
        with pytest.raises(UsageError, match="a is to be compared with b, found only a"):
            bench([odd], QUICK)
    with pytest.raises(UsageError, match="needed files of different names to time, found a, a"):
        bench([Candidate("a", path), Candidate("a", path)], QUICK)


def test_a_speedup_cannot_be_asserted_of_a_lone_file(run_folder: Path) -> None:
    originals = candidates_in(run_folder)[:2]
    for lone in (originals, originals[:1]):
        with pytest.raises(UsageError, match="--assert-speedup needs a network and its original, found only"):
            bench(lone, replace(QUICK, least_speedup=2))
