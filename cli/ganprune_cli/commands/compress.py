"""``ganprune compress``: the whole job."""

from functools import partial
from typing import Any

from ganprune.presets import DEFAULT_PRESET, PRESETS
from ganprune_cli import options
from ganprune_cli.guard import guarded, invocation
from ganprune_cli.settings import takes, usual


@guarded
@takes(usual(PRESETS[DEFAULT_PRESET].settings))
def compress(
    ckpt: options.Checkpoint,
    data: options.Data = None,
    data_a: options.DataA = None,
    data_b: options.DataB = None,
    generator: options.OwnNetworks = None,
    discriminator: options.HiddenDiscriminator = None,
    output: options.Output = None,
    preset: options.PresetName = None,
    config: options.Config = None,
    no_bench: options.NoBench = False,
    no_report: options.NoReport = False,
    dry_run: options.DryRun = False,
    json: options.Json = False,
    markdown: options.HiddenMarkdown = False,
    quiet: options.Quiet = False,
    *,
    given: dict[str, Any],
) -> None:
    """Make slim generators: search, fine-tune, export, bench.

    Running the same command again goes on where the last one stopped.
    """
    from ganprune.presets import compress_settings
    from ganprune_cli.console import ConsoleReporter, print_json, print_next, print_result, say

    settings, reporter = compress_settings(preset, config, given), ConsoleReporter(quiet)
    reporter.info(f"reading {ckpt}")  # before PyTorch, which takes seconds to import
    from ganprune.checkpoints import Own
    from ganprune.compression import compress as run_compress
    from ganprune.compression import foresee
    from ganprune.errors import TargetError
    from ganprune.images import DataSource
    from ganprune.system.shell import command_line
    from ganprune_cli.tables import print_bench, print_plan, print_quality

    source = DataSource.given(data, data_a, data_b)
    if dry_run:
        foreseen = foresee(
            ckpt, source, settings, reporter, own=Own.of(generator, discriminator),
            bench=not no_bench, report=not no_report,
        )  # fmt: skip
        following = invocation().replace(" --dry-run", "")
        show = partial(print_plan, foreseen, markdown)
        return print_result(foreseen.to_json(), following, show, json=json, quiet=quiet)
    found = run_compress(
        ckpt, source, generator=generator, discriminator=discriminator, output=output, settings=settings,
        reporter=reporter, bench=not no_bench, report=not no_report, command=invocation(),
    )  # fmt: skip
    run, page = found.folder, found.folder / "report.html"
    own = () if generator is None else ("--generator", generator)
    shown = ("translate", run, "PICTURES", "-o", "translated", *own)
    following = command_line(*(shown if page.is_file() else ("report", run)))
    if json:
        print_json(found.to_json(), following)
    else:
        print_quality(found.quality, markdown)
        if found.bench:
            print_bench(found.bench, markdown)
        slim = ", ".join(f"{run}/G_{side}.onnx" for side in found.slim)
        say(f"\nslim generators: {slim}")
        say(f"before and after: {run}/pictures.png")
        if page.is_file():
            say(f"pictures, speed and quality on one page: {page}")
    if missed := found.missed():
        raise TargetError(f"{missed}; everything was written")
    print_next(following, quiet)
