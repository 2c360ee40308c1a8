"""``ganprune translate``: any generator on a folder of pictures, or on a video."""

from pathlib import Path
from typing import Annotated

import typer

from ganprune.settings.search import WHERE
from ganprune_cli import options
from ganprune_cli.guard import code_of, guarded, invocation


@guarded
def translate(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="SOURCE",
            help="A run (runs/latest: the last one), a CycleGAN folder, one of its files, or an ONNX file.",
        ),
    ],
    pictures: Annotated[
        Path,
        typer.Argument(
            metavar="PICTURES", help="A folder of pictures, read recursively; a picture; or a video."
        ),
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="DIR", help="Where results go; needed.")
    ] = None,
    direction: Annotated[
        str | None,
        typer.Option(
            metavar="AtoB|BtoA",
            help="By G_A or by G_B; default AtoB, or that of the file. A lone generator or ONNX file has "
            "one way only: this then names the results.",
        ),
    ] = None,
    save: Annotated[
        str,
        typer.Option(
            metavar="KIND[,KIND]", help="fake: translated; real: as the network saw it; rec: back again."
        ),
    ] = "fake",
    preprocess: Annotated[
        str | None,
        typer.Option(
            metavar="MODE",
            help="resize: to --size squared; scale_width: to a width of --size; none: at their own size. "
            "Default resize, of a video none.",
        ),
    ] = None,
    tile: Annotated[
        int | None,
        typer.Option(
            "--tile",
            metavar="N",
            help="Translate in overlapping tiles of N×N pixels, for pictures too large for the memory. "
            "Instance norm then takes its statistics from each tile: tones may differ between them.",
        ),
    ] = None,
    as_stored: Annotated[
        bool, typer.Option("--as-stored", help="Do not turn pictures as their EXIF orientation says.")
    ] = False,
    keep_alpha: Annotated[
        bool, typer.Option("--keep-alpha", help="Results keep the alpha channel of pictures that have one.")
    ] = False,
    picture_statistics: options.PictureStatistics = False,
    generator: options.OwnGenerator = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that are there.")] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Leave files that are there, write the others.")
    ] = False,
    size: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Height and width; default 256, of a run and of an ONNX file their own.",
            rich_help_panel=WHERE,
        ),
    ] = None,
    device: options.Device = None,
    precision: Annotated[
        str,
        typer.Option(metavar="P", help="float32, bfloat16 or auto, of networks.", hidden=True),
    ] = "float32",
    threads: options.Threads = None,
    batch: options.Batch = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Translate pictures by a generator, as CycleGAN's test.py does.

    Of photo.jpg, AtoB writes photo_fake_B.png and BtoA photo_fake_A.png; folders are mirrored. Of clip.mov,
    AtoB writes clip_fake_B.mp4, with its size, its frames' times and its sound. Results do not depend on
    the batch, but for rounding.
    """
    from ganprune.checkpoints import Own
    from ganprune.errors import UsageError
    from ganprune_cli.console import ConsoleReporter, print_json, print_next, say
    from ganprune_cli.translating import TranslateOptions, summary, translate_source

    if output is None:
        raise UsageError("translate needs a folder to write pictures into: give -o DIR")
    wishes = TranslateOptions(
        direction=direction, save=save, preprocess=preprocess, size=size, batch=batch, overwrite=overwrite,
        resume=resume, picture_statistics=picture_statistics, own=Own.of(generator), as_stored=as_stored,
        keep_alpha=keep_alpha, tile=tile, device=device, precision=precision,
        threads=threads,
    )  # fmt: skip
    try:
        found, following = translate_source(source, pictures, output, wishes, ConsoleReporter(quiet))
    except KeyboardInterrupt as interrupt:
        again = invocation() if overwrite or resume else f"{invocation()} --resume"
        typer.echo(f"\ninterrupted; to go on, run: {again}", err=True)
        raise typer.Exit(code_of(interrupt)) from None
    if json:
        print_json(found)
    else:
        say(summary(found, pictures))
    print_next(following, quiet)
