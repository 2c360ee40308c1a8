"""What ``bench`` times: a run, ONNX files, or a checkpoint that is exported for the purpose."""

from pathlib import Path

from ganprune.bench import BenchReport, BenchSettings, candidates_in, candidates_of, enough_cores
from ganprune.bench.engine import engine_for
from ganprune.bench.pictures import pictures_at
from ganprune.bench.report import Timed
from ganprune.checkpoints import Own
from ganprune.checkpoints.own import READERS_ALONE
from ganprune.errors import UsageError
from ganprune.reporting import Reporter
from ganprune.runs import find_run, is_run
from ganprune.stages.benching import bench_files, bench_run
from ganprune.storage.scratch import scratch_folder
from ganprune.system.shell import command_line
from ganprune_exporters.files import export_all
from ganprune_exporters.settings import ExportSettings
from ganprune_exporters.sources import generators_of


def bench_sources(
    sources: list[Path],
    settings: BenchSettings,
    output: Path | None,
    reporter: Reporter,
    own: Own = READERS_ALONE,
) -> tuple[tuple[BenchReport, Timed], str]:
    """Time what is given. Returns the report, the same as plain values, and the command to run next."""
    for path in sources:
        if not path.exists():
            raise UsageError(f"{path} does not exist; give a run folder, ONNX files or a checkpoint")
    enough_cores(settings.threads)  # a checkpoint is exported first, which takes a while
    engine_for(settings.provider, settings.arithmetic)
    pictures_at(settings.input)
    if output is not None and output.is_file():
        raise UsageError(f"-o needs a folder, found the file {output}; give `-o` a folder")
    if not sources or (len(sources) == 1 and is_run(sources[0])):
        run = find_run(sources[0] if sources else None)
        with run.locked():
            return bench_run(run, settings, reporter, output), command_line("report", run.folder)
    if settings.profile and output is None:
        reporter.info("a chart of the profile is written to the folder that `-o` gives")
    if len(sources) == 1 and sources[0].is_dir() and any(sources[0].glob("*.onnx")):
        timed = bench_files(candidates_in(sources[0]), settings, reporter, output)
        return timed, command_line("bench", "--cpu", sources[0], "--spread")
    with scratch_folder() as scratch:
        files: list[Path] = []
        for path in sources:
            if path.suffix == ".onnx":
                files.append(path)
                continue
            networks = generators_of(path, own)
            folder = scratch / path.stem
            export = ExportSettings(size=settings.size or ExportSettings().size)
            reports = export_all(folder, networks, dict.fromkeys(networks), export, reporter)
            files += [report.path for report in reports]
        timed = bench_files(candidates_of(tuple(files)), settings, reporter, output)
    return timed, "ganprune compress CKPT --data DIR"
