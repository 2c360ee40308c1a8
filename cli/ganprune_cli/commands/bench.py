"""``ganprune bench``: the runtime speed-up table."""

from pathlib import Path
from typing import Annotated, Any

import typer

from ganprune.settings.bench import CPU, BenchSettings
from ganprune.settings.fields import read_fields, settings_of
from ganprune_cli import options
from ganprune_cli.guard import guarded
from ganprune_cli.settings import takes


@guarded
@takes(settings_of(BenchSettings))
def bench(
    sources: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="RUN | FILE…",
            help="A run (default: the last one), a checkpoint (hf://OWNER/NAME, too), or ONNX files, all "
            "compared with the first.",
        ),
    ] = None,
    generator: options.OwnGenerator = None,
    cpu: Annotated[bool, typer.Option("--cpu", help="On the CPU; the default.")] = False,
    spread: Annotated[
        bool, typer.Option("--spread", help="Show how the times are spread, and load times, too.")
    ] = False,
    output: Annotated[
        Path | None, options.output_to("Where bench.json and profile.svg go; default: the run, or nowhere.")
    ] = None,
    json: options.Json = False,
    csv: options.Csv = False,
    markdown: options.Markdown = False,
    quiet: options.Quiet = False,
    *,
    given: dict[str, Any],
) -> None:
    """Time slim generators against the originals.

    In ONNX Runtime, each network in a process of its own, one run of each in turn, again and again.
    """
    from ganprune.checkpoints import Own
    from ganprune.errors import TargetError, UsageError
    from ganprune_cli.console import ConsoleReporter, print_json, print_next, say
    from ganprune_cli.tables import print_bench, print_quality
    from ganprune_exporters.benching import bench_sources

    settings = BenchSettings(**read_fields(BenchSettings, given))
    if cpu and settings.provider not in (CPU, "OpenVINOExecutionProvider"):
        raise UsageError(f"--cpu and --provider {settings.provider} contradict each other; give one of them")
    if json + csv + markdown > 1:
        raise UsageError("give one of --json, --csv and --markdown")
    (report, timed), following = bench_sources(
        sources or [], settings, output, ConsoleReporter(quiet), Own.of(generator)
    )
    if spread and following.endswith(" --spread"):  # this is what was run
        following = ""
    if json:
        print_json(timed, following)
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
