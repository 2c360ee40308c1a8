"""``ganprune train``: a CycleGAN from nothing, or the networks that one lacks."""

from pathlib import Path
from typing import Annotated, Any

import typer

from ganprune.settings import KEYS
from ganprune.settings.fields import settings_of
from ganprune.settings.search import TRAINING, WHAT
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
@takes(RECIPE)
def train(
    data: options.Data = None,
    data_a: options.DataA = None,
    data_b: options.DataB = None,
    output: options.Output = None,
    discriminators_for: Annotated[
        Path | None,
        typer.Option(
            "--discriminators-for",
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
            help="Go on with the networks of this checkpoint, in another folder.",
            rich_help_panel=WHAT,
        ),
    ] = None,
    direction: Annotated[
        str | None,
        typer.Option(
            metavar="AtoB|BtoA", help="Which way a lone generator translates; default AtoB.", hidden=True
        ),
    ] = None,
    generator: Annotated[
        str | None,
        typer.Option(
            metavar="FILE.py:FACTORY",
            help="Makes a generator of an architecture of your own; this runs FILE.py.",
            hidden=True,
        ),
    ] = None,
    discriminator: options.OwnDiscriminator = None,
    budget: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="500steps, 200epochs, or 90s, 20m, 1h30m. Default 200epochs; 5m with CKPT.",
            rich_help_panel=TRAINING,
        ),
    ] = None,
    input_nc: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Channels of A's pictures; default 1 where all are grey.", hidden=True
        ),
    ] = None,
    output_nc: Annotated[
        int | None, typer.Option(metavar="N", help="Channels of B's pictures, likewise.", hidden=True)
    ] = None,
    device: Annotated[
        str | None, typer.Option(metavar="DEV", help=KEYS["device"][1].help, hidden=True)
    ] = None,
    precision: Annotated[
        str | None,
        typer.Option(metavar="P", help="float32, bfloat16 or auto, of convolutions.", hidden=True),
    ] = None,
    threads: Annotated[
        int | None, typer.Option(metavar="N", help="CPU threads; default all.", hidden=True)
    ] = None,
    processes: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Train in N processes, one a GPU, each on its share of a batch.", hidden=True
        ),
    ] = None,
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
    from ganprune_cli.console import ConsoleReporter, print_json, print_next, say
    from ganprune_cli.training import TrainOptions, train_from_nothing, train_further

    budget = budget or ("200epochs" if discriminators_for is None else "5m")
    wishes = TrainOptions(
        recipe={RECIPE[key].name: RECIPE[key].read(value) for key, value in given.items()},
        budget=budget, device=device or "auto", precision=precision or "auto", threads=threads,
        processes=1 if processes is None else processes, input_nc=input_nc, output_nc=output_nc,
    )  # fmt: skip
    source = DataSource.given(data, data_a, data_b)
    follows = ProcessGroup.of_torchrun().rank > 0
    reporter = ConsoleReporter(quiet or follows)
    own = Own.of(generator, discriminator)
    checkpoint, missing = discriminators_for or start, discriminators_for is not None
    if missing and start is not None:
        raise UsageError("--from trains all networks, --discriminators-for those that are missing; give one")
    if checkpoint is not None:
        found = train_further(
            checkpoint, direction, source, output, wishes, reporter, missing=missing, own=own
        )
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
    elif direction is not None:
        raise UsageError(
            "--set direction is for a lone generator; give it with --discriminators-for or --from"
        )
    else:
        folder = output or Path("checkpoints") / source.name
        found = train_from_nothing(source, folder, wishes, reporter)
    if follows:
        return
    if json:
        print_json(found)
    else:
        for name, path in found["files"].items():
            say(f"{name}  {path}{'' if name in found['trained'] else '  (as it was)'}")
    networks = [found["folder"], *own.words()]
    print_next(command_line("compress", *networks, *DataSource.of_config(found["data"]).words()), quiet)
