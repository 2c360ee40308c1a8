"""``ganprune train``: a CycleGAN from nothing, or the networks that one lacks."""

from pathlib import Path
from typing import Annotated

import typer

from ganprune_cli import options
from ganprune_cli.guard import guarded

RECIPE, ARCHITECTURE, PICTURES = "Recipe", "Architecture", "Pictures"


def _number(metavar: str, text: str, panel: str) -> typer.models.OptionInfo:
    return typer.Option(metavar=metavar, help=text, rich_help_panel=panel)


@guarded
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
        ),
    ] = None,
    start: Annotated[
        Path | None,
        typer.Option(
            "--from", metavar="CKPT", help="Go on with the networks of this checkpoint, in another folder."
        ),
    ] = None,
    direction: options.LoneDirection = None,
    generator: options.OwnGenerator = None,
    discriminator: options.OwnDiscriminator = None,
    budget: Annotated[
        str | None,
        _number("TIME", "500steps, 200epochs, or 90s, 20m, 1h30m. Default 200epochs; 5m with CKPT.", RECIPE),
    ] = None,
    batch: Annotated[int | None, _number("N", "Pictures of each domain a step; default 1.", RECIPE)] = None,
    lr: Annotated[float | None, _number("F", "Adam's learning rate; default 2e-4.", RECIPE)] = None,
    decay: Annotated[
        float | None, _number("F", "Last share of the steps, with a falling rate; default 0.5.", RECIPE)
    ] = None,
    gan_mode: Annotated[str | None, _number("lsgan|vanilla", "Form of the GAN loss.", RECIPE)] = None,
    lambda_a: Annotated[
        float | None,
        typer.Option("--lambda-A", metavar="F", help="Weight of A → B → A.", rich_help_panel=RECIPE),
    ] = None,
    lambda_b: Annotated[
        float | None,
        typer.Option("--lambda-B", metavar="F", help="Weight of B → A → B.", rich_help_panel=RECIPE),
    ] = None,
    lambda_identity: Annotated[
        float | None, _number("F", "Weight of the identity loss, times the cycle's; default 0.5.", RECIPE)
    ] = None,
    pool_size: Annotated[
        int | None, _number("N", "Earlier translations kept for D; default 50.", RECIPE)
    ] = None,
    instance_noise: Annotated[
        float | None,
        _number("F", "Noise on what D is shown; default 0.5 where only D learns, else 0.", RECIPE),
    ] = None,
    seed: Annotated[int | None, _number("N", "Same seed, same networks.", RECIPE)] = None,
    ngf: Annotated[int | None, _number("N", "Filters of G's first layer; default 64.", ARCHITECTURE)] = None,
    input_nc: Annotated[
        int | None,
        _number("N", "Channels of A's pictures; default 1 where all are grey.", ARCHITECTURE),
    ] = None,
    output_nc: Annotated[
        int | None, _number("N", "Channels of B's pictures, likewise.", ARCHITECTURE)
    ] = None,
    blocks: Annotated[int | None, _number("N", "Residual blocks of G; default 9.", ARCHITECTURE)] = None,
    ndf: Annotated[int | None, _number("N", "Filters of D's first layer; default 64.", ARCHITECTURE)] = None,
    init_gain: Annotated[
        float | None, _number("F", "Spread of the first weights; 0.02.", ARCHITECTURE)
    ] = None,
    size: Annotated[int | None, _number("N", "Height and width of crops; default 256.", PICTURES)] = None,
    load_size: Annotated[
        int | None, _number("N", "Resized to before cropping; size × 286/256.", PICTURES)
    ] = None,
    preprocess: Annotated[
        str | None,
        _number("MODE", "resize_and_crop, crop, scale_width, scale_width_and_crop or none.", PICTURES),
    ] = None,
    flip: Annotated[
        bool, typer.Option("--flip/--no-flip", rich_help_panel=PICTURES, help="Mirror half.")
    ] = True,
    device: options.Device = None,
    precision: options.Precision = None,
    threads: options.Threads = None,
    processes: options.Processes = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Train a CycleGAN, or the networks that one lacks.

    Writes a folder that `ganprune compress` takes.

    Running the same command again goes on where the last one stopped.
    """
    given = {
        "batch": batch, "lr": lr, "decay": decay, "gan_mode": gan_mode,
        "lambda_A": lambda_a, "lambda_B": lambda_b,
        "instance_noise": instance_noise, "lambda_identity": lambda_identity,
        "pool_size": pool_size, "seed": seed, "ngf": ngf,
        "blocks": blocks, "ndf": ndf, "init_gain": init_gain, "size": size, "load_size": load_size,
        "preprocess": preprocess,
    }  # fmt: skip
    from ganprune.checkpoints import Own
    from ganprune.errors import UsageError
    from ganprune.images import DataSource
    from ganprune.system.shell import command_line
    from ganprune.training import ProcessGroup
    from ganprune_cli.console import ConsoleReporter, print_json, print_next, say
    from ganprune_cli.training import TrainOptions, train_from_nothing, train_further

    budget = budget or ("200epochs" if discriminators_for is None else "5m")
    wishes = TrainOptions(
        recipe={key: value for key, value in given.items() if value is not None} | {"flip": flip},
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
            "--generator and --discriminator say what a checkpoint's networks are; give it with "
            "--discriminators-for or --from"
        )
    elif source is None:
        raise UsageError(
            "train needs pictures: give --data DIR, a folder with trainA and trainB, or --data-a DIR and "
            "--data-b DIR"
        )
    elif direction is not None:
        raise UsageError("--direction is for a lone generator; give it with --discriminators-for or --from")
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
