"""``ganprune report``: one page on a run, and a page that translates in the browser."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from ganprune_cli import options
from ganprune_cli.guard import guarded

SERVE = "In the browser"


@guarded
def report(
    source: Annotated[
        Path | None, typer.Argument(metavar="RUN", help="A run folder; default: the last one.")
    ] = None,
    output: Annotated[
        Path | None, options.output_to("Where the page goes; default: RUN/report.html.", "FILE")
    ] = None,
    serve: Annotated[
        bool,
        typer.Option(
            "--serve",
            help="Serve it on 127.0.0.1, with a page that translates pictures, until Ctrl-C.",
            rich_help_panel=SERVE,
        ),
    ] = False,
    port: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Where to serve; default 8000, 0: any free port.", rich_help_panel=SERVE
        ),
    ] = None,
    runtime: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="onnxruntime-web as `npm pack` wrote it, where the page cannot fetch it; then it is kept.",
            rich_help_panel=SERVE,
        ),
    ] = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Write one HTML page on a run, which needs no network.

    Pictures before and after, tables, charts, layers, filters, search, provenance, commands.
    """
    from ganprune.errors import UsageError
    from ganprune.runs import find_run
    from ganprune.stages.job import own_of
    from ganprune.stages.reporting import make_report
    from ganprune.system.shell import command_line
    from ganprune_cli.console import ConsoleReporter, print_result, say
    from ganprune_cli.serving import serve as serve_run

    for name, given in (("--port", port), ("--runtime", runtime)):
        if given is not None and not serve:
            raise UsageError(f"{name} is for --serve; add it, or leave {name} out")
    if serve and json:
        raise UsageError("--json and --serve contradict each other; give one of them")
    if serve and output is not None:
        raise UsageError("-o and --serve contradict each other; write first, then serve")
    run, reporter = find_run(source), ConsoleReporter(quiet)
    if serve:
        serve_run(run, 8000 if port is None else port, runtime, reporter)
        return
    path = make_report(run, output, reporter)
    size = path.stat().st_size
    following = command_line("translate", run.folder, "PICTURES", "-o", "translated", *own_of(run).words())
    told = {"run": str(run.folder), "report": str(path), "file_bytes": size}
    show = partial(say, f"report: {path}, {size / 2**20:.1f} MiB")
    print_result(told, following, show, json=json, quiet=quiet)
