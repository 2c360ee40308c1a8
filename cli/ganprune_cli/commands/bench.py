"""``ganprune bench``: the runtime speed-up table."""

from pathlib import Path
from typing import Annotated

import typer

from ganprune_cli import options
from ganprune_cli.guard import guarded


@guarded
def bench(
    sources: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[RUN | FILE…]",
            help="A run (default: the last one), a checkpoint, or ONNX files, all compared with the first.",
        ),
    ] = None,
    cpu: Annotated[bool, typer.Option("--cpu", help="On the CPU; the default.")] = False,
    provider: Annotated[
        str | None, typer.Option(metavar="NAME", help="Another execution provider of ONNX Runtime.")
    ] = None,
    threads: Annotated[
        str | None,
        typer.Option(metavar="N[,N]", help="Threads, one measurement each; default 1 and all cores."),
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(metavar="N", help="Height and width of pictures, for files that leave it free."),
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(metavar="S", help="Time limit for each number of threads; default 60.")
    ] = None,
    runs: Annotated[
        str | None, typer.Option(metavar="MIN[,MAX]", help="Timed runs of each file; default 20,1000.")
    ] = None,
    spread: Annotated[bool, typer.Option("--spread", help="Show how the times are spread, too.")] = False,
    json: options.Json = False,
    markdown: options.Markdown = False,
    quiet: options.Quiet = False,
) -> None:
    """Time slim generators against the originals.

    In ONNX Runtime, each network in turn, again and again.
    """
    from ganprune.errors import UsageError
    from ganprune_cli.benching import bench_settings, bench_sources
    from ganprune_cli.console import ConsoleReporter, print_json, print_next
    from ganprune_cli.tables import print_bench

    if cpu and provider not in (None, "CPUExecutionProvider"):
        raise UsageError(f"--cpu and --provider {provider} contradict each other; give one of them")
    settings = bench_settings(threads=threads, size=size, seconds=seconds, runs=runs, provider=provider)
    timed, following = bench_sources(sources or [], settings, ConsoleReporter(quiet))
    if json:
        print_json(timed)
    else:
        print_bench(timed, markdown, every=spread)
    print_next(following, quiet)
