"""The stage that times a run's ONNX files against their originals, and the timing of any others."""

import time
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

from ganprune.bench import BenchReport, BenchSettings, Candidate, bench, candidates_in
from ganprune.bench.profile import with_others
from ganprune.bench.report import Timed
from ganprune.figures import operator_chart, to_svg
from ganprune.reporting import Reporter
from ganprune.runs import Run, write_json
from ganprune.stages.predicting import compare_predictions
from ganprune.stages.quality import read_quality
from ganprune.stages.reporting import refresh_report
from ganprune.storage.files import write_atomically
from ganprune.storage.locking import writing_to
from ganprune.storage.plain import known_json
from ganprune.storage.tables import in_threads
from ganprune.system.shell import pasted


def bench_once(run: Run, settings: BenchSettings, reporter: Reporter) -> Timed:
    """The stage of a job: what bench.json says of the files as they are, measured now if it says nothing."""
    known = read_bench(run) if run.finished("bench", run.folder.glob("*.onnx")) else None
    return known or bench_run(run, settings, reporter)[1]


def bench_run(
    run: Run, settings: BenchSettings, reporter: Reporter, output: Path | None = None
) -> tuple[BenchReport, Timed]:
    """Time a run's ONNX files against their originals; write bench.json, and profile.svg if asked to.

    The run keeps its bench.json where that is of the same files and was measured for longer. ``output``: a
    folder to write to in place of the run. Returns the report, and what was found as plain values.
    """
    started, folder = time.monotonic(), output or run.folder
    with writing_to(folder, bench_names(settings), run.folder):
        report, timed = bench_files(candidates_in(run.folder), settings, reporter)
        timed["predictions"] = compare_predictions(run.folder, timed, reporter)
        timed["quality"] = read_quality(run)
        write_profile(folder, report)
        if folder.resolve() != run.folder.resolve():
            write_json(folder / "bench.json", timed)
            return report, timed
    if output is None and (kept := longer_bench(run, settings)):
        reporter.info(
            f"{run / 'bench.json'} stays what a longer or another measurement found ({kept}); "
            f"`-o {pasted(run.folder)}` replaces it, `-o` another folder keeps both"
        )
        return report, timed
    write_json(run / "bench.json", timed)
    run.finish("bench", [run / "bench.json"], time.monotonic() - started, run.folder.glob("*.onnx"))
    refresh_report(run, reporter)
    return report, timed


def longer_bench(run: Run, settings: BenchSettings) -> str | None:
    """How a run's files, as they are now, were timed, if it was for longer than now or in another way."""
    known = read_bench(run)
    if known is None or not run.finished("bench", run.folder.glob("*.onnx")):
        return None
    before = known["settings"]
    if settings.at_least_as_long(before):
        return None
    threads = " and ".join(map(str, before["threads"]))
    return f"{before['minimum']} runs or more, threads {threads}, {before['provider']}"


def bench_files(
    candidates: Sequence[Candidate], settings: BenchSettings, reporter: Reporter, output: Path | None = None
) -> tuple[BenchReport, Timed]:
    """Time any ONNX files, as `bench_run`; without ``output`` nothing is written."""
    with nullcontext() if output is None else writing_to(output, bench_names(settings)):
        report = bench(candidates, settings, reporter)
        timed = report.to_json()
        if output is not None:
            write_json(output / "bench.json", timed)
            write_profile(output, report)
    return report, timed


def bench_names(settings: BenchSettings) -> list[str]:
    """Files that `bench_files` writes."""
    return ["bench.json", *(["profile.svg"] if settings.profile else [])]


def write_profile(folder: Path, report: BenchReport) -> None:
    """Write profile.svg, if there is one to draw."""
    if report.profiles:
        write_atomically(folder / "profile.svg", profile_svg(report).encode())


def profile_svg(report: BenchReport) -> str:
    """Time by operator, a bar a network, an original above its slim ones."""
    groups = [{p.network: p.operators for p in with_others(group)} for group in report.profile_groups()]
    title = f"Milliseconds a run, {in_threads(report.profiles[0].threads)}"
    return to_svg(operator_chart(title, groups))


def read_bench(run: Run) -> Timed | None:
    """What `bench_run` wrote; None where bench.json is not as it writes it."""
    return known_json(run / "bench.json", Timed)
