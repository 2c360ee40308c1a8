"""``compress``: one library call a stage, composed here and nowhere else."""

import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from ganprune.bench import BenchReport, BenchSettings, Candidate, bench, candidates_in, profile_svg
from ganprune.device import keep_freed_memory
from ganprune.evaluation import Side
from ganprune.files import sha256, write_atomically
from ganprune.locking import writing_to
from ganprune.networks import Generator
from ganprune.plain import NUMBER, fits, read_json
from ganprune.reporting import Reporter
from ganprune.runs import Noting, Run, default_folder, mark_latest, open_run, write_json
from ganprune.showcase import SHOWN, save_comparison
from ganprune.stages import (
    RECOVERED,
    fine_tune,
    rebuild_both,
    recover,
    refit_both,
    search,
    search_pictures,
    tuner_for,
    write_both,
)
from ganprune_cli.job import Job
from ganprune_cli.onnx_files import export_run
from ganprune_cli.predicting import compare, keep_tables, tables_for
from ganprune_cli.reporting_page import finish_with_report, refresh_report
from ganprune_exporters import ExportSettings

_BENCH: dict[str, Any] = {
    "header": str, "sentences": [str],
    "tables": [{"title": str, "headings": [str], "rows": [[str]]}],
    "networks": [{"name": str, "against": (str, type(None))}],
    "settings": {"threads": [int], "minimum": int, "maximum": int, "seconds": NUMBER, "precision": NUMBER,
                 "provider": str},
}  # fmt: skip
"""What bench.json holds, as far as it is read again; see `fits`."""


def compress(
    job: Job, output: Path | None, command: str, reporter: Reporter, timing: BenchSettings | None = None
) -> dict[str, Any]:
    """Search, rebuild, fine-tune, export, bench. Returns what was found, as plain values."""
    folder = output or default_folder(job.config)
    job, tables = tables_for(job, folder, reporter)
    run = open_run(folder, job.config, command, job.settings.given)
    with run.locked():
        reporter = Noting(reporter, run)
        keep_tables(run, tables)
        reporter.info(f"run folder: {run.folder}")
        job = job.in_run(run)
        resolved = job.resolved
        keep_freed_memory()
        pictures = search_pictures(job.folders, job.settings, reporter)
        mark_latest(run, reporter)
        if job.settings.recovery.recover_discriminators:
            whole = recover(run, job.quartet, job.folders, job.settings, resolved, reporter)
            job = replace(job, quartet=whole)
        originals, judges, settings = job.generators, job.judges, job.settings
        tuner = tuner_for(judges, job.folders, settings, resolved)
        state = search(run, originals, judges, pictures, settings, resolved, reporter, tuner, tables)
        pruned = rebuild_both(run, originals, state, pictures, settings)
        refitted = refit_both(run, pruned, originals, job.folders, settings, resolved, reporter)
        slim = fine_tune(run, refitted, originals, judges, job.folders, settings, resolved, reporter)
        write_both(run, slim, {side: _source(run, f"G_{side}") for side in slim})
        show(run, originals, refitted, slim, pictures)
        export_run(run, originals, slim, pictures, ExportSettings(settings.pictures.size), reporter)
        done = run.finished("bench", run.folder.glob("*.onnx"))
        known = read_bench(run) if done else None
        timed = known or bench_run(run, timing or BenchSettings(), reporter)[1]
        finish_with_report(run, reporter)
    return {"run": str(run.folder), "settings": job.settings.to_flat(), "bench": timed}


def _source(run: Run, name: str) -> str:
    """SHA-256 of the file of an original: the checkpoint's, or the one that recovery wrote."""
    known = run.config["sha256"].get(name)
    return known or sha256(run / RECOVERED / f"latest_net_{name}.pth")


def show(
    run: Run,
    originals: Mapping[Side, Generator],
    refitted: Mapping[Side, Generator],
    slim: Mapping[Side, Generator],
    pictures: Mapping[Side, Tensor],
) -> None:
    """Write pictures.png: validation pictures through the originals and the slim generators."""
    inputs = [run / f"G_{side}.safetensors" for side in slim]
    if run.finished("show", inputs):
        return
    started = time.monotonic()
    whole: dict[Side, Generator] = {side: originals[side] for side in slim}
    kinds: dict[str, Mapping[Side, Generator]] = {"original": whole, "slim": refitted}
    if run.finished("fine-tune"):
        kinds |= {"slim, fine-tuned": slim}
    save_comparison(run / "pictures.png", pictures, kinds)
    rows = {side: min(len(pictures[side]), SHOWN) for side in slim}
    run.finish("show", [run / "pictures.png"], time.monotonic() - started, inputs, rows=rows)


def bench_run(
    run: Run, settings: BenchSettings, reporter: Reporter, output: Path | None = None
) -> tuple[BenchReport, dict[str, Any]]:
    """Time a run's ONNX files against their originals; write bench.json, and profile.svg if asked to.

    The run keeps its bench.json where that is of the same files and was measured for longer. ``output``: a
    folder to write to in place of the run. Returns the report, and what was found as plain values.
    """
    started, folder = time.monotonic(), output or run.folder
    with writing_to(folder, bench_names(settings), run.folder):
        report, timed = bench_files(candidates_in(run.folder), settings, reporter)
        timed["predictions"] = compare(run.folder, timed, reporter)
        write_profile(folder, report)
        if folder.resolve() != run.folder.resolve():
            write_json(folder / "bench.json", timed)
            return report, timed
    if output is None and (kept := longer_bench(run, settings)):
        reporter.info(
            f"{run / 'bench.json'} stays what a longer or another measurement found ({kept}); "
            f"`-o {run.folder}` replaces it, `-o` another folder keeps both"
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
) -> tuple[BenchReport, dict[str, Any]]:
    """Time any ONNX files, as `bench_run`; without ``output`` nothing is written.

    The tables go with the figures, so that a reader can print them again.
    """
    with nullcontext() if output is None else writing_to(output, bench_names(settings)):
        report = bench(candidates, settings, reporter)
        tables = [asdict(table) for table in report.tables()]
        timed = report.to_json() | {"header": report.header(), "tables": tables}
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
        write_atomically(folder / "profile.svg", profile_svg(report.profile_groups()).encode())


def read_bench(run: Run) -> dict[str, Any] | None:
    """What `bench_run` wrote; None where bench.json is not as it writes it."""
    try:
        timed = read_json(run / "bench.json")
    except (OSError, ValueError):
        return None
    return timed if fits(timed, _BENCH) else None
