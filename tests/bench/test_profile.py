from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

from ganprune.bench import BenchReport, bench, candidates_of
from ganprune.bench.profile import Profile
from ganprune.bench.worker import operators_of
from ganprune.stages.benching import profile_svg
from tests import onnx_graphs
from tests.bench.kit import QUICK

SVG = "{http://www.w3.org/2000/svg}"
WHOLE = Profile("original_G", 1, {"Conv": 80.0, "Pad": 19.0, "Cast": 0.6, "Relu": 0.4})
SLIM = Profile("G", 1, {"Conv": 20.0, "Pad": 5.0, "Relu": 0.1})


def test_every_operator_of_every_network_is_timed(tmp_path: Path) -> None:
    files = (onnx_graphs.uint8_last(tmp_path / "a.onnx"), onnx_graphs.conv(tmp_path / "b.onnx", layers=2))
    report = bench(candidates_of(files), replace(QUICK, size=16, profile=True, threads=(1, 2)))
    first, second = report.profiles
    assert (first.network, second.network) == ("a", "b")
    assert {"Cast", "Conv"} <= first.operators.keys()
    assert "Conv" in second.operators
    assert first.threads == second.threads == 1
    assert all(ms >= 0 for profile in report.profiles for ms in profile.operators.values())


def test_a_profile_is_the_median_of_what_each_kind_of_operator_took_in_a_run() -> None:
    def event(name: str, at: int, took: int, kind: str = "") -> dict[str, object]:
        return {
            "cat": "Node" if kind else "Session",
            "name": name,
            "ts": at,
            "dur": took,
            "args": {"op_name": kind},
        }

    log = list[dict[str, object]]()
    for start, slow in ((0, 9), (10_000, 1), (20_000, 2), (30_000, 6)):  # the first run warms up
        log.append(event("model_run", start, 9_000))
        log.append(event("a_fence_before", start + 5, 700, "Conv"))
        log.append(event("a_kernel_time", start + 10, slow * 1000, "Conv"))
        log.append(event("b_kernel_time", start + 20, 500, "Conv"))
        log.append(event("c_kernel_time", start + 30, 250, "Pad"))
    assert operators_of(log) == {"Conv": 2.5, "Pad": 0.25}


def test_a_measurement_without_profile_has_none(run_folder: Path) -> None:
    report = bench(candidates_of((run_folder / "G_A.onnx",)), QUICK)
    assert report.profiles == report.operators() == ()


def test_there_is_a_table_for_each_original(report: BenchReport) -> None:
    assert [table.headings for table in report.operators()] == [
        ("operator", "original_G_A", "original_G_A.rewritten", "G_A"),
        ("operator", "original_G_B", "G_B"),
    ]


def test_table_tells_milliseconds_and_shares_and_adds_small_operators_up(report: BenchReport) -> None:
    networks = tuple(replace(n, name=p.network, against=None if p is WHOLE else WHOLE.network)
                     for n, p in zip(report.networks, (WHOLE, SLIM), strict=False))  # fmt: skip
    (table,) = replace(report, networks=networks, profiles=(WHOLE, SLIM)).operators()
    assert table.rows == (
        ("Conv", "80.00 (80%)", "20.00 (80%)"),
        ("Pad", "19.00 (19%)", "5.00 (20%)"),
        ("others", "1.00 (1%)", "0.10 (0%)"),
        ("all", "100.00", "25.10"),
    )


def test_the_profile_is_drawn_with_every_network_and_its_time(report: BenchReport) -> None:
    texts = [text.text for text in ElementTree.fromstring(profile_svg(report)).iter(f"{SVG}text")]
    for profile in report.profiles:
        assert profile.network in texts
        assert f"{profile.total:.1f} ms" in texts
