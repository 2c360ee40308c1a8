"""The last stage: the page of a run. It is written again when what it shows has changed."""

import time
from pathlib import Path

from ganprune.figures.of_run import EVALUATION, QUALITY, sides_of
from ganprune.report import write_report
from ganprune.report.page import REPORT
from ganprune.reporting import Reporter
from ganprune.runs import Run
from ganprune.system.shell import command_line


def make_report(run: Run, output: Path | None, reporter: Reporter) -> Path:
    """Write a run's report. Raises `RunError` for a folder that is no finished run."""
    _ = run.config
    sides_of(run)
    started = time.monotonic()
    path = write_report(run, output, reporter)
    if path.resolve() == (run / REPORT).resolve():
        run.finish("report", [run / REPORT], time.monotonic() - started, _inputs(run))
    return path


def finish_with_report(run: Run, reporter: Reporter) -> None:
    """The last stage of ``compress``. Whatever goes wrong here is a warning: the results are written."""
    if run.finished("report", _inputs(run)):
        return
    try:
        make_report(run, None, reporter)
    except Exception as error:
        reporter.warn(
            f"{run / REPORT} was not written ({type(error).__name__}: {error}); everything else was; "
            f"try again with `{command_line('report', run.folder)}`"
        )


def refresh_report(run: Run, reporter: Reporter) -> None:
    """Write a run's report again if it has one and what it shows has changed."""
    if (run / REPORT).is_file():
        finish_with_report(run, reporter)


def _inputs(run: Run) -> list[Path]:
    """Files that a later command may write, and the page shows."""
    return [run / name for name in ("bench.json", "pictures.png", "search.jsonl", EVALUATION, QUALITY)]
