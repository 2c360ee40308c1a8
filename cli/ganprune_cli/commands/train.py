"""``ganprune train``: a CycleGAN from nothing, or the networks that one lacks."""

from pathlib import Path
from typing import Annotated, Any

import typer

from ganprune.settings.fields import read_fields, settings_of
from ganprune.settings.search import WHAT
from ganprune.settings.train import TrainOptions
from ganprune.settings.training import TrainSettings
from ganprune_cli import options
from ganprune_cli.guard import guarded
from ganprune_cli.settings import takes

RECIPE = {
    key: one
    for key, one in settings_of(TrainSettings).items()
    if key not in ("average", "validations", "patience", "precision")  # of fine-tuning; an option
}


@guarded
@takes(RECIPE | settings_of(TrainOptions))
def train(
    data: options.Data = None,
    data_a: options.DataA = None,
    data_b: options.DataB = None,
    output: options.Output = None,
    discriminators_for: Annotated[
        Path | None,
        typer.Option(
            metavar="CKPT",
            help="Keep the networks of this checkpoint and train those it lacks: discriminators, "
            "and the other generator if there is one alone.",
            rich_help_panel=WHAT,
        ),
    ] = None,
    start: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="CKPT",
            help="Go on with the networks of this checkpoint, in another folder. For both: --generator and "
            "--discriminator FILE.py:FACTORY, as of compress, or hf://OWNER/NAME.",
            rich_help_panel=WHAT,
        ),
    ] = None,
    generator: options.HiddenGenerator = None,
    discriminator: options.HiddenDiscriminator = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    *,
    given: dict[str, Any],
) -> None:
    """Train a CycleGAN, or the networks that one lacks.

    Writes a folder that `ganprune compress` takes.

    Running the same command again goes on where the last one stopped.
    """
    from ganprune.checkpoints import Own
    from ganprune.errors import UsageError
    from ganprune.images import DataSource
    from ganprune.system.shell import command_line
    from ganprune.training import ProcessGroup
    from ganprune_cli.console import ConsoleReporter, print_result, say
    from ganprune_cli.training import train_from_nothing, train_further

    if discriminators_for is not None:
        given = {"budget": "5m"} | given
    own = Own.of(generator, discriminator)
    recipe = {one.name: one.read(given[key]) for key, one in RECIPE.items() if key in given}
    wishes = TrainOptions(recipe, own, **read_fields(TrainOptions, given))
    source = DataSource.given(data, data_a, data_b)
    follows = ProcessGroup.of_torchrun().rank > 0
    reporter = ConsoleReporter(quiet or follows)
    checkpoint, missing = discriminators_for or start, discriminators_for is not None
    if missing and start is not None:
        raise UsageError("--from trains all networks, --discriminators-for those that are missing; give one")
    if checkpoint is not None:
        found = train_further(checkpoint, source, output, wishes, reporter, missing=missing)
    elif own.names:
        raise UsageError(
            "--set generator and --set discriminator say what a checkpoint's networks are; give it with "
            "--discriminators-for or --from"
        )
    elif source is None:
        raise UsageError(
            "train needs pictures: give --data DIR, a folder with trainA and trainB, or --data-a DIR and "
            "--data-b DIR"
        )
    elif wishes.direction is not None:
        raise UsageError(
            "--set direction is for a lone generator; give it with --discriminators-for or --from"
        )
    else:
        folder = output or Path("checkpoints") / source.name
        found = train_from_nothing(source, folder, wishes, reporter)
    if follows:
        return
    following = command_line(
        "compress", found["folder"], *own.words(), *DataSource.of_config(found["data"]).words()
    )
    files = (f"{name}  {path}{'' if name in found['trained'] else '  (as it was)'}"
             for name, path in found["files"].items())  # fmt: skip
    print_result(found, following, lambda: say("\n".join(files)), json=json, quiet=quiet)
