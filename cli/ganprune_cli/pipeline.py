"""``compress``: one library call a stage, composed here and nowhere else."""

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from ganprune.bench import BenchSettings, Candidate, bench, candidates_in
from ganprune.errors import VerificationError
from ganprune.evaluation import Side
from ganprune.files import sha256
from ganprune.images import to_float
from ganprune.networks import Generator
from ganprune.reporting import Reporter
from ganprune.runs import Run, default_folder, mark_latest, open_run, write_json
from ganprune.showcase import save_comparison
from ganprune.stages import (
    RECOVERED,
    Resolved,
    fine_tune,
    rebuild_both,
    recover,
    search,
    search_pictures,
    tuner_for,
    write_both,
)
from ganprune_cli.job import Job
from ganprune_cli.predicting import compare, keep_tables, tables_for
from ganprune_exporters import ExportReport, ExportSettings, export_onnx

VERIFIED_PICTURES = 2
"""Real pictures of each domain that every exported file is compared with PyTorch on."""


def compress(
    job: Job, output: Path | None, command: str, reporter: Reporter, timing: BenchSettings | None = None
) -> dict[str, Any]:
    """Search, rebuild, fine-tune, export, bench. Returns what was found, as plain values."""
    folder = output or default_folder(job.config)
    tables = tables_for(job, folder, reporter)
    run = open_run(folder, job.config, command)
    with run.locked():
        keep_tables(run, tables)
        reporter.info(f"run folder: {run.folder}")
        resolved = Resolved(**run.config["resolved"])
        pictures = search_pictures(job.folders, job.settings, reporter)
        mark_latest(run)
        if job.settings.recovery.recover_discriminators:
            whole = recover(run, job.quartet, job.folders, job.settings, resolved, reporter)
            job = replace(job, quartet=whole)
        originals, judges, settings = job.generators, job.judges, job.settings
        tuner = tuner_for(judges, job.folders, settings, resolved)
        state = search(run, originals, judges, pictures, settings, resolved, reporter, tuner, tables)
        pruned = rebuild_both(run, originals, state, pictures, settings)
        slim = fine_tune(run, pruned, originals, judges, job.folders, settings, resolved, reporter)
        write_both(run, slim, {side: _source(run, f"G_{side}") for side in slim})
        show(run, originals, pruned, slim, pictures)
        export_run(run, originals, slim, pictures, ExportSettings(settings.pictures.size), reporter)
        done = run.finished("bench", run.folder.glob("*.onnx"))
        timed = read_bench(run) if done else bench_run(run, timing or BenchSettings(), reporter)
    return {"run": str(run.folder), "settings": job.settings.to_flat(), "bench": timed}


def _source(run: Run, name: str) -> str:
    """SHA-256 of the file of an original: the checkpoint's, or the one that recovery wrote."""
    known = run.config["sha256"].get(name)
    return known or sha256(run / RECOVERED / f"latest_net_{name}.pth")


def show(
    run: Run,
    originals: Mapping[Side, Generator],
    pruned: Mapping[Side, Generator],
    slim: Mapping[Side, Generator],
    pictures: Mapping[Side, Tensor],
) -> None:
    """Write pictures.png: validation pictures through the originals and the slim generators."""
    inputs = [run / f"G_{side}.safetensors" for side in slim]
    if run.finished("show", inputs):
        return
    started = time.monotonic()
    whole: dict[Side, Generator] = {side: originals[side] for side in slim}
    kinds: dict[str, Mapping[Side, Generator]] = {"original": whole, "slim": pruned}
    if run.finished("fine-tune"):
        kinds |= {"slim, fine-tuned": slim}
    save_comparison(run / "pictures.png", pictures, kinds)
    run.finish("show", [run / "pictures.png"], time.monotonic() - started, inputs)


def export_run(
    run: Run,
    originals: Mapping[Side, Generator],
    slim: Mapping[Side, Generator],
    pictures: Mapping[Side, Tensor] | None,
    settings: ExportSettings,
    reporter: Reporter,
) -> list[dict[str, Any]]:
    """Write and verify G_A.onnx, G_B.onnx, original_G_A.onnx and original_G_B.onnx, where they are slim.

    pictures: uint8, of both domains, to verify on; None: noise. Files that an earlier call wrote with the
    same settings stay. All four are written before a `VerificationError` of one of them is raised.
    """
    inputs = [run / f"G_{side}.safetensors" for side in slim]
    record = run.finished("export", inputs)
    if record is not None and record["settings"] == asdict(settings):
        return record["files"]
    networks = {f"original_G_{side}": originals[side] for side in slim}
    networks |= {f"G_{side}": net for side, net in slim.items()}
    started = time.monotonic()
    reports = export_all(run.folder, networks, few_of(pictures, networks), settings, reporter)
    run.finish(
        "export", [report.path for report in reports], time.monotonic() - started, inputs,
        settings=asdict(settings), files=[report.to_json() for report in reports],
    )  # fmt: skip
    return [report.to_json() for report in reports]


def export_all(
    folder: Path,
    networks: Mapping[str, Generator],
    pictures: Mapping[str, Tensor | None],
    settings: ExportSettings,
    reporter: Reporter,
) -> list[ExportReport]:
    """Write ``folder/NAME.onnx`` for every network; all of them before a `VerificationError` is raised."""
    folder.mkdir(parents=True, exist_ok=True)
    reports, missed = list[ExportReport](), list[VerificationError]()
    with reporter.task("export", len(networks)) as task:
        for name, network in networks.items():
            try:
                path = folder / f"{name}.onnx"
                reports.append(export_onnx(network, path, settings, pictures=pictures[name]))
            except VerificationError as error:
                missed.append(error)
            task.advance(1, file=f"{name}.onnx")
    if missed:
        raise VerificationError("; ".join(str(error) for error in missed))
    return reports


def few_of(pictures: Mapping[Side, Tensor] | None, names: Iterable[str]) -> dict[str, Tensor | None]:
    """The pictures to verify each network on: float32 [n, 3, h, w] of the domain that it translates."""
    sides: dict[str, Side] = {name: "B" if name.endswith("G_B") else "A" for name in names}
    return {
        name: None if pictures is None else to_float(pictures[side][:VERIFIED_PICTURES])
        for name, side in sides.items()
    }


def bench_run(run: Run, settings: BenchSettings, reporter: Reporter) -> dict[str, Any]:
    """Time a run's ONNX files against their originals and write bench.json."""
    started = time.monotonic()
    timed = bench_files(candidates_in(run.folder), settings, reporter)
    timed["predictions"] = compare(run.folder, timed, reporter)
    write_json(run / "bench.json", timed)
    run.finish("bench", [run / "bench.json"], time.monotonic() - started, run.folder.glob("*.onnx"))
    return timed


def bench_files(
    candidates: Sequence[Candidate], settings: BenchSettings, reporter: Reporter
) -> dict[str, Any]:
    """Time any ONNX files; the tables go with the figures, so that a reader can print them again."""
    report = bench(candidates, settings, reporter)
    return report.to_json() | {"header": report.header(), "tables": [asdict(t) for t in report.tables()]}


def read_bench(run: Run) -> dict[str, Any]:
    """What `bench_run` wrote."""
    return json.loads((run / "bench.json").read_text(encoding="utf-8"))
