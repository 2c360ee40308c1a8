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
        str | None,
        typer.Option(
            metavar="NAME",
            help="Another execution provider of ONNX Runtime, e.g. OpenVINOExecutionProvider.",
        ),
    ] = None,
    precision: Annotated[
        str | None,
        typer.Option(
            metavar="P",
            help="float32, bfloat16 (OpenVINO) or auto, the default: what the CPU has.",
            hidden=True,
        ),
    ] = None,
    threads: Annotated[
        str | None,
        typer.Option(
            metavar="N[,N]",
            help="Threads, one measurement each; default 1 and all physical cores.",
        ),
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Height and width of pictures, for files that leave it free.",
        ),
    ] = None,
    pictures: Annotated[
        Path | None,
        typer.Option(
            "--input",
            metavar="FILE|DIR",
            help="Run on these pictures instead of noise, resized to what each file takes.",
        ),
    ] = None,
    seconds: Annotated[
        float | None,
        typer.Option(metavar="S", help="Time limit for each number of threads; default 60.", hidden=True),
    ] = None,
    runs: Annotated[
        str | None,
        typer.Option(
            metavar="MIN[,MAX]",
            help="Timed runs of each file; default 20,1000: until speed-ups are known within 2 %.",
            hidden=True,
        ),
    ] = None,
    spread: Annotated[
        bool,
        typer.Option("--spread", help="Show how the times are spread, and load times, too."),
    ] = False,
    profile: Annotated[
        bool,
        typer.Option("--profile", help="Show time by operator, too; the chart is profile.svg."),
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="DIR",
            help="Where bench.json and profile.svg go; default: the run, or nowhere.",
        ),
    ] = None,
    least_speedup: Annotated[
        float | None,
        typer.Option(
            "--assert-speedup",
            metavar="F",
            help="Exit code 4 if a slim network is not F times as fast as its original.",
        ),
    ] = None,
    most_ms: Annotated[
        float | None,
        typer.Option(
            "--assert-max-ms",
            metavar="MS",
            help="Exit code 4 if the median time of a slim network is longer.",
        ),
    ] = None,
    json: options.Json = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print all figures as CSV.")] = False,
    markdown: options.Markdown = False,
    quiet: options.Quiet = False,
) -> None:
    """Time slim generators against the originals.

    In ONNX Runtime, each network in a process of its own, one run of each in turn, again and again.
    """
    from ganprune.errors import TargetError, UsageError
    from ganprune_cli.benching import bench_settings
    from ganprune_cli.console import ConsoleReporter, print_json, print_next, say
    from ganprune_cli.tables import print_bench, print_quality
    from ganprune_exporters.benching import bench_sources

    if cpu and provider not in (None, "CPUExecutionProvider", "OpenVINOExecutionProvider"):
        raise UsageError(f"--cpu and --provider {provider} contradict each other; give one of them")
    if json + csv + markdown > 1:
        raise UsageError("give one of --json, --csv and --markdown")
    settings = bench_settings(
        threads=threads, runs=runs, size=size, seconds=seconds, provider=provider, arithmetic=precision,
        input=pictures, profile=profile, least_speedup=least_speedup, most_ms=most_ms,
    )  # fmt: skip
    (report, timed), following = bench_sources(sources or [], settings, output, ConsoleReporter(quiet))
    if json:
        print_json(timed)
    elif csv:
        say(report.csv(), end="")
    else:
        print_bench(timed, markdown, every=spread)
        if "quality" in timed:
            say()
            print_quality(timed["quality"], markdown)
    if missed := report.missed():
        raise TargetError("; ".join(missed))
    print_next(following, quiet)
