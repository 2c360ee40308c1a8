"""The whole job: a checkpoint and pictures in, slim generators as verified and timed ONNX files out."""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from torch import nn

from ganprune.bench import BenchSettings
from ganprune.bench.report import Timed
from ganprune.checkpoints import NetName, Own, Quartet
from ganprune.checkpoints.direction import facing
from ganprune.checkpoints.own import READERS_ALONE, Given
from ganprune.errors import UsageError
from ganprune.exporter import Exporter, default_exporter
from ganprune.images import DataSource
from ganprune.images.folders import split
from ganprune.metrics.telling import Quality
from ganprune.models.traits import channels_of
from ganprune.plan import STAGES, Plan, better_threads, plan
from ganprune.presets import compress_settings
from ganprune.reporting import SILENT, Reporter, Staged
from ganprune.runs import Run, check_run_folder, default_folder, mark_latest
from ganprune.settings import CompressSettings
from ganprune.settings.words import DOMAINS, Domain
from ganprune.stages import (
    Resolved,
    fine_tune,
    rebuild_both,
    recover,
    refit_both,
    search,
    search_pictures,
    write_both,
)
from ganprune.stages.benching import bench_once
from ganprune.stages.job import recovered
from ganprune.stages.predicting import foreseen, keep_tables, known_tables, tables_for
from ganprune.stages.preparing import Prepared, prepare
from ganprune.stages.quality import measure_quality, show
from ganprune.stages.racing import raced
from ganprune.stages.reporting import finish_with_report
from ganprune.stages.sizing import sized
from ganprune.storage.plain import fits
from ganprune.storage.tables import Table
from ganprune.system.hub import local

PYTHON = "ganprune.compress(…)"  # what provenance.json tells of a run that no command line began


@dataclass(frozen=True, slots=True)
class Compressed:
    """What a compression made."""

    folder: Path  # the run folder, with all files
    settings: CompressSettings  # what the run goes by: what was asked for, and the rest as it was adapted
    resolved: Resolved
    originals: Mapping[Domain, nn.Module]  # those that became slim: A translates A to B
    slim: Mapping[Domain, nn.Module]  # the slim generators, fine-tuned: float32, on the CPU
    files: Mapping[str, Path]  # ONNX files: G_A, original_G_A, original_G_A.rewritten, and the same of G_B
    quality: Quality
    """What quality.json holds: how far the slim networks' pictures are from the originals', with controls."""
    bench: Timed | None
    """What bench.json holds: figures of every file, and the tables; None where nothing was timed."""

    @property
    def tables(self) -> tuple[Table, ...]:
        """Speed, size and arithmetic of the slim networks beside the originals."""
        return tuple(Table(**table) for table in (self.bench["tables"] if self.bench else ()))

    def missed(self) -> str | None:
        """What the networks fall short of; None: nothing."""
        search, short = self.settings.search, list[str]()
        for name, network in self.quality["networks"].items():
            slim = network["slim"]
            if search.min_psnr and slim["psnr"] and slim["psnr"] < search.min_psnr:
                short.append(f"{name} {slim['psnr']:.1f} dB")
            if search.max_lost and (lost := slim.get("lost", 0.0)) > search.max_lost:
                short.append(f"{name} lost {lost:.3f}")
        where = f"on {self.quality['pictures']} pictures"
        return f"{search.quality} was missed {where}: {', '.join(short)}" if short else None

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"run": str(self.folder), "settings": self.settings.to_flat(), "quality": self.quality,
                "bench": self.bench or {}}  # fmt: skip


def compress(
    checkpoint: Path | str | nn.Module,
    data: DataSource | Path | str | None = None,
    *,
    generator: Given | None = None,
    discriminator: Given | None = None,
    output: Path | str | None = None,
    preset: str | None = None,
    config: Path | str | None = None,
    settings: CompressSettings | None = None,
    reporter: Reporter = SILENT,
    bench: BenchSettings | bool = True,
    report: bool = True,
    exporter: Exporter | None = None,
    command: str = PYTHON,
    **wishes: object,
) -> Compressed:
    """Search, rebuild, refit, fine-tune, export and time: `ganprune compress` as a function.

    checkpoint: a CycleGAN folder, any one of its files, a bundle or a lone generator, or where one is at
    Hugging Face (`ganprune.system.hub`); or a trained generator itself, any module that maps pictures
    [n, c, h, w] in [-1, 1] to pictures, which stays as it is; then
    ``discriminator`` may be the module that judges its pictures. data: a folder with
    trainA and trainB; None: where the training's options say. generator, discriminator: what the networks
    are, where no reader knows their architecture: a module, whose weights do not count, or
    ``FILE.py:FACTORY``. output: the run folder; called again with the same arguments, the job goes on there,
    and what is finished is only read. preset, config: named settings and a TOML file, as on the command line;
    wishes: settings by their names, such as ``target_macs=0.1`` and ``budget="5m"``, over those; or, in place
    of all three, ``settings``. bench: for how long files are timed, False: not at all; report: whether
    report.html is written. exporter: what writes ONNX files; None:
    the installed one. command: what provenance.json keeps as the run's beginning.

    Raises `UsageError` for settings out of range and targets out of reach, `CheckpointError`, `DataError` and
    `RunError` for what cannot be used, `VerificationError` where a file computes something else.
    """
    if settings is not None and (preset or config or wishes):
        raise UsageError(
            "`settings` holds all settings: leave out the others, or give them without `settings`"
        )
    chosen = settings or compress_settings(preset, None if config is None else Path(config), wishes)
    _check_searcher(chosen)
    if output is not None:
        check_run_folder(Path(output))
    own = Own.of(generator, discriminator)
    if isinstance(checkpoint, Path | str):
        given = local(Path(checkpoint), reporter)
    else:
        given = _modules(checkpoint, own, chosen)
    if isinstance(checkpoint, nn.Module):
        own = Own.of(checkpoint, discriminator)
    prepared = prepare(given, _source(data), chosen, reporter, own=own)
    folder = default_folder(prepared.config) if output is None else Path(output)
    exporter = exporter or default_exporter()
    whole = prepared.completed().generators
    tables = tables_for(whole, prepared.settings, folder, exporter, reporter)
    prepared, timing = prepared.at_speed(tables, reporter), _timing(bench, prepared.settings)
    seconds = _planned(Run(folder))
    if seconds is None:
        prepared, sketch = _sketch(prepared, timing, report, reporter)
        seconds = dict(sketch.stages)
    stages = Staged(reporter, seconds)
    with prepared.opened(folder, command, stages, tables) as job:
        job.reporter.info(f"run folder: {folder}")
        job.run.keep("plan", seconds)
        keep_tables(job.run, tables)
        mark_latest(job.run, job.reporter)

        def begin(stage: str) -> None:
            stages.begin(stage, STAGES[stage][0])

        if job.settings.recovery.recover_discriminators:
            begin("recover")
            job = recover(job)
        begin("size")
        job = sized(job)
        begin("search")
        state = search(job)
        begin("race")
        pruned = rebuild_both(job, raced(job, state))
        begin("refit")
        refitted = refit_both(job, pruned)
        begin("fine-tune")
        slim = fine_tune(job, refitted)
        write_both(job, slim)
        begin("pictures")
        show(job, refitted, slim)
        quality = measure_quality(job, slim)
        begin("export")
        files = exporter.export_run(job, slim)
        begin("timing")
        timed = bench_once(job.run, timing, job.reporter) if timing else None
        begin("report")
        if report:
            finish_with_report(job.run, job.reporter)
    originals: dict[Domain, nn.Module] = {side: job.originals[side] for side in slim}
    return Compressed(folder, job.settings, job.resolved, originals, slim, files, quality, timed)


def _timing(bench: BenchSettings | bool, settings: CompressSettings) -> BenchSettings | None:
    """How a job times its files: for half a minute, in as many threads as it may use."""
    if isinstance(bench, bool):
        return BenchSettings.brief(settings.compute.threads) if bench else None
    return bench


def _planned(run: Run) -> dict[str, float] | None:
    """Seconds of the stages that are left, as they were planned when the run began; None: it has not."""
    planned = run.provenance.get("plan", {})
    if not planned and not (run / "config.toml").exists():
        return None
    if not fits(planned, dict[str, float]):
        return {}
    done = run.provenance.get("stages", {})
    ends = {"pictures": "quality", "timing": "bench"}
    return {stage: value for stage, value in planned.items()
            if stage in STAGES and ends.get(stage, stage) not in done}  # fmt: skip


def _sketch(
    prepared: Prepared, timing: BenchSettings | None, report: bool, reporter: Reporter
) -> tuple[Prepared, Plan]:
    """The plan of a job, and the job with as many threads as are fastest here."""
    whole, settings, folders = prepared.completed(), prepared.settings, prepared.folders
    seed, asked = settings.search.seed, settings.pictures.pictures
    scored = (len(split(folders, side, seed=seed, holdout=asked)[1]) for side in settings.search.sides)
    there = replace(settings, pictures=replace(settings.pictures, pictures=min(asked, *scored)))
    started = time.monotonic()
    with reporter.task("timing this machine, for the plan", 2) as task:
        resolved, busy = better_threads(whole.generators, settings, prepared.resolved)
        task.advance()
        sketch = plan(
            whole.generators, whole.discriminators, there, resolved,
            trained=max(len(folders.pictures("train", side)) for side in DOMAINS),
            lacking=bool(recovered(settings, prepared.quartet)), bench=timing, report=report,
        )  # fmt: skip
        task.advance()
    if busy:
        reporter.info(
            f"this machine is busy ({busy}): planned times are guesses, and shorter when it is idle"
        )
    config = {**prepared.config, "resolved": asdict(resolved)}
    sketch = replace(sketch, busy=busy, timing_seconds=time.monotonic() - started)
    return replace(prepared, resolved=resolved, config=config), sketch


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What a compression would do."""

    plan: Plan
    milliseconds: Mapping[str, Mapping[str, float | None]]  # see `ganprune.stages.predicting.foreseen`
    settings: CompressSettings  # as they were adapted
    recovered: tuple[NetName, ...]  # networks that the checkpoint lacks, and that are trained first

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "plan": self.plan.to_json(), "milliseconds": dict(self.milliseconds),
            "settings": self.settings.to_flat(),
        }  # fmt: skip


def foresee(
    checkpoint: Path,
    data: DataSource | None,
    settings: CompressSettings,
    reporter: Reporter = SILENT,
    exporter: Exporter | None = None,
    own: Own = READERS_ALONE,
    bench: BenchSettings | bool = True,
    report: bool = True,
) -> Foreseen:
    """Look at everything that `compress` would, time one picture, and write nothing. Raises as `compress`."""
    _check_searcher(settings)
    prepared = prepare(checkpoint, data, settings, reporter, own=own)
    search_pictures(prepared.folders, prepared.settings, reporter)  # says now what would fail later
    whole = prepared.completed()
    exporter = exporter or default_exporter()
    tables = known_tables(whole.generators, prepared.settings, exporter, reporter)
    prepared = prepared.at_speed(tables, reporter)
    milliseconds = foreseen(whole.generators, prepared.settings, tables)
    prepared, sketch = _sketch(prepared, _timing(bench, prepared.settings), report, reporter)
    return Foreseen(sketch, milliseconds, prepared.settings, recovered(prepared.settings, prepared.quartet))


def _check_searcher(settings: CompressSettings) -> None:
    if settings.search.searcher == "front":
        raise UsageError("--set searcher=front finds networks of all sizes; run `ganprune front` instead")


def _modules(generator: nn.Module, own: Own, settings: CompressSettings) -> Quartet:
    """Raises `UsageError` where it maps no pictures to pictures."""
    if own.generator is not None:
        raise UsageError("`generator` says what a checkpoint's networks are: leave it out beside a module")
    try:
        channels_of(generator)
    except Exception as error:
        raise UsageError(
            f"needed a module that maps pictures [n, c, h, w] to pictures, {type(generator).__name__} raised "
            f"{type(error).__name__}: {error}"
        ) from error
    return facing(Quartet.of_modules(generator, own.discriminator), settings.search.direction)


def _source(data: DataSource | Path | str | None) -> DataSource | None:
    return data if data is None or isinstance(data, DataSource) else DataSource(Path(data))
