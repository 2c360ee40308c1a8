"""``ganprune front``: networks of all sizes from one search."""

from functools import partial
from typing import Annotated, Any

import typer

from ganprune.presets import DEFAULT_PRESET, PRESETS
from ganprune.settings.search import TARGETS
from ganprune_cli import options
from ganprune_cli.guard import guarded, invocation
from ganprune_cli.settings import takes, usual

USUAL: dict[str, Any] = {"budget": "0", "population": 16, "generations": 6}
"""What holds without a --config, beside the usual preset."""
SETTINGS = {
    key: one
    for key, one in usual({**PRESETS[DEFAULT_PRESET].settings, **USUAL}).items()
    if key not in (*TARGETS, "searcher")
}


@guarded
@takes(SETTINGS)
def front(
    ckpt: options.Checkpoint,
    data: options.Data = None,
    data_a: options.DataA = None,
    data_b: options.DataB = None,
    generator: options.OwnGenerator = None,
    discriminator: options.OwnDiscriminator = None,
    output: options.Output = None,
    points: Annotated[
        str,
        typer.Option(
            metavar="F,…",
            help="Shares of the true MACs to write slim generators for, 0.5,0.25; none: only the front.",
        ),
    ] = "none",
    config: options.Config = None,
    json: options.Json = False,
    markdown: options.Markdown = False,
    quiet: options.Quiet = False,
    *,
    given: dict[str, Any],
) -> None:
    """Find small generators of all sizes in one search.

    NSGA-II over size and quality. Only --points are refitted and trained, each for --budget, 0 by default.
    """
    from ganprune.checkpoints import Own
    from ganprune.errors import UsageError
    from ganprune.images import DataSource
    from ganprune.presets import compress_settings
    from ganprune.stages.family import find_front, shares_of
    from ganprune.stages.preparing import prepare
    from ganprune.system.shell import command_line
    from ganprune_cli.console import ConsoleReporter, print_result
    from ganprune_cli.fronts import print_front

    try:
        shares = () if points == "none" else shares_of(points)
    except ValueError:
        raise UsageError(f"--points must be shares above 0 and at most 1, found {points}") from None
    usual = USUAL if config is None else {}
    no_target = dict.fromkeys(TARGETS, "none")
    settings = compress_settings(None, config, usual | given | {"searcher": "front"} | no_target)
    source, reporter = DataSource.given(data, data_a, data_b), ConsoleReporter(quiet)
    own = Own.of(generator, discriminator)
    prepared = prepare(ckpt, source, settings, reporter, recovers=False, own=own)
    found = find_front(prepared, shares, output, invocation(), reporter)
    following = f"{invocation()} --points 0.25"  # of an option that is given twice the last one counts
    if found["points"]:
        words = () if generator is None else ("--generator", generator)
        following = command_line("export", "--onnx", found["points"][-1]["folder"], *words)
    print_result(found, following, partial(print_front, found, markdown), json=json, quiet=quiet)
