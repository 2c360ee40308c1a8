"""``compress``: one library call a stage, composed here and nowhere else."""

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from ganprune.bench import BenchSettings, Candidate, bench, candidates_in
from ganprune.checkpoints import Quartet, load_quartet
from ganprune.errors import UsageError, VerificationError
from ganprune.evaluation import SIDES, Side
from ganprune.files import sha256
from ganprune.images import PictureFolders, find_domains, to_float
from ganprune.networks import Discriminator, Generator
from ganprune.reporting import Reporter
from ganprune.runs import Run, default_folder, mark_latest, open_run, write_json
from ganprune.settings import CompressSettings
from ganprune.showcase import save_comparison
from ganprune.stages import (
    Resolved,
    check_target,
    fine_tune,
    rebuild_both,
    search,
    search_pictures,
    write_both,
)
from ganprune_exporters import ExportReport, ExportSettings, export_onnx

VERIFIED_PICTURES = 2
"""Real pictures of each domain that every exported file is compared with PyTorch on."""


@dataclass(frozen=True, slots=True)
class Job:
    """A checkpoint and data that were read and fit together, and what to do with them."""

    quartet: Quartet
    folders: PictureFolders
    settings: CompressSettings
    resolved: Resolved
    config: Mapping[str, Any]
    """What the run folder's config.toml records."""

    @property
    def generators(self) -> dict[Side, Generator]:
        """G_A and G_B."""
        assert self.quartet.G_A is not None
        assert self.quartet.G_B is not None
        return {"A": self.quartet.G_A, "B": self.quartet.G_B}

    @property
    def judges(self) -> dict[Side, Discriminator]:
        """D_A, which judges the output of G_A, and D_B."""
        assert self.quartet.D_A is not None
        assert self.quartet.D_B is not None
        return {"A": self.quartet.D_A, "B": self.quartet.D_B}


def prepare(checkpoint: Path, data: Path | None, settings: CompressSettings, reporter: Reporter) -> Job:
    """Read the checkpoint and find the pictures.

    Raises `UsageError` for paths that do not exist, a missing --data and a target out of reach,
    `CheckpointError` and its kind for networks that are missing or cannot be used, `DataError` for the
    folders.
    """
    quartet = load_quartet(checkpoint)
    quartet.require("G_A", "G_B", "D_A", "D_B")
    for note in quartet.notes:
        reporter.info(note)
    if data is None:
        if "dataroot" not in quartet.options:
            raise UsageError(
                "compress needs pictures: give --data DIR, a folder with trainA and trainB "
                f"(no train_opt.txt with a dataroot beside {checkpoint})"
            )
        data = Path(quartet.options["dataroot"])
        reporter.info(f"--data {data}, from the checkpoint's options")
    folders = find_domains(data)
    resolved = Resolved.of(settings.compute)
    config = {
        "checkpoint": str(checkpoint.resolve()),
        "data": str(data.resolve()),
        "settings": settings.to_flat(),
        "resolved": asdict(resolved),
        "sha256": {name: sha256(path) for name, path in quartet.files.items()},
    }
    job = Job(quartet, folders, settings, resolved, config)
    check_target(job.generators, settings)
    return job


def compress(
    job: Job, output: Path | None, command: str, reporter: Reporter, timing: BenchSettings | None = None
) -> dict[str, Any]:
    """Search, rebuild, fine-tune, export, bench. Returns what was found, as plain values."""
    run = open_run(output or default_folder(job.config), job.config, command)
    with run.locked():
        reporter.info(f"run folder: {run.folder}")
        resolved = Resolved(**run.config["resolved"])
        pictures = search_pictures(job.folders, job.settings, reporter)
        mark_latest(run)
        state = search(run, job.generators, job.judges, pictures, job.settings, resolved, reporter)
        pruned = rebuild_both(run, job.generators, state, job.settings)
        slim = fine_tune(run, pruned, job.judges, job.folders, job.settings, resolved, reporter)
        write_both(run, slim, {side: job.config["sha256"][f"G_{side}"] for side in SIDES})
        show(run, job.generators, pruned, slim, pictures)
        export_run(run, job.generators, slim, pictures, ExportSettings(job.settings.pictures.size), reporter)
        done = run.finished("bench", run.folder.glob("*.onnx"))
        timed = read_bench(run) if done else bench_run(run, timing or BenchSettings(), reporter)
    return {"run": str(run.folder), "settings": job.settings.to_flat(), "bench": timed}


def show(
    run: Run,
    originals: Mapping[Side, Generator],
    pruned: Mapping[Side, Generator],
    slim: Mapping[Side, Generator],
    pictures: Mapping[Side, Tensor],
) -> None:
    """Write pictures.png: validation pictures through the originals and the slim generators."""
    inputs = [run / f"G_{side}.safetensors" for side in SIDES]
    if run.finished("show", inputs):
        return
    started = time.monotonic()
    kinds = {"original": originals, "slim": pruned}
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
    """Write and verify G_A.onnx, G_B.onnx, original_G_A.onnx and original_G_B.onnx of a run.

    pictures: uint8, of both domains, to verify on; None: noise. Files that an earlier call wrote with the
    same settings stay. All four are written before a `VerificationError` of one of them is raised.
    """
    inputs = [run / f"G_{side}.safetensors" for side in SIDES]
    record = run.finished("export", inputs)
    if record is not None and record["settings"] == asdict(settings):
        return record["files"]
    networks = {f"original_G_{side}": originals[side] for side in SIDES}
    networks |= {f"G_{side}": slim[side] for side in SIDES}
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
