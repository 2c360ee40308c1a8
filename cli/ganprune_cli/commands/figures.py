"""``ganprune figures``: figures over one or several runs, for print."""

from pathlib import Path
from typing import Annotated

import typer

from ganprune_cli import options
from ganprune_cli.guard import guarded


@guarded
def figures(
    sources: Annotated[
        list[Path] | None,
        typer.Argument(metavar="RUN…", help="Run folders of the same CycleGAN; default: the last run."),
    ] = None,
    output: Annotated[Path | None, options.output_to("Where figures go; default: figures.")] = None,
    label: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TEXT",
            help="What figures call a run, once for each in order; default: its γ, or its folder's name.",
        ),
    ] = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Draw runs beside each other, as SVG and PNG.

    Pictures by size (Figure 2 of the paper) and by method (3), filters of the first run and what the others
    keep (4), its layers, and size, milliseconds and quality against each other.
    """
    from ganprune.figures.of_runs import draw_figures, labelled, write_figures
    from ganprune.runs import find_run
    from ganprune.storage.plain import as_written
    from ganprune.system.shell import command_line
    from ganprune_cli.console import print_result, say

    runs = [find_run(source) for source in sources or [None]]
    with as_written(" or ".join(str(run.folder) for run in runs)):
        drawings = draw_figures(labelled(runs, label or ()))
    written = write_figures(drawings, output or Path("figures"))
    following, files = command_line("report", runs[0].folder), [str(path) for path in written]
    found = {"runs": [str(run.folder) for run in runs], "files": files}
    print_result(found, following, lambda: say("\n".join(files)), json=json, quiet=quiet)
