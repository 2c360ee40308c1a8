"""``ganprune translate``: any generator on a folder of pictures, or on a video."""

from pathlib import Path
from typing import Annotated, Any

import typer

from ganprune.settings.fields import read_fields, settings_of
from ganprune.settings.translate import TranslateOptions
from ganprune_cli import options
from ganprune_cli.guard import code_of, guarded, invocation
from ganprune_cli.settings import takes


@guarded
@takes(settings_of(TranslateOptions))
def translate(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="SOURCE",
            help="A run (runs/latest: the last), a CycleGAN folder, one of its files, hf://OWNER/NAME, or an "
            "ONNX file.",
        ),
    ],
    pictures: Annotated[
        Path,
        typer.Argument(
            metavar="PICTURES", help="A folder of pictures, read recursively; a picture; or a video."
        ),
    ],
    output: Annotated[Path | None, options.output_to("Where results go; needed.")] = None,
    generator: options.OwnGenerator = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    *,
    given: dict[str, Any],
) -> None:
    """Translate pictures by a generator, as CycleGAN's test.py does.

    Of photo.jpg, AtoB writes photo_fake_B.png and BtoA photo_fake_A.png; folders are mirrored. Of clip.mov,
    AtoB writes clip_fake_B.mp4, with its size, its frames' times and its sound. Results do not depend on
    the batch, but for rounding.
    """
    from ganprune.checkpoints import Own
    from ganprune.errors import UsageError
    from ganprune_cli.console import ConsoleReporter, print_result, say
    from ganprune_cli.translating import summary, translate_source

    if output is None:
        raise UsageError("translate needs a folder to write pictures into: give -o DIR")
    wishes = TranslateOptions(Own.of(generator), **read_fields(TranslateOptions, given))
    try:
        found, following = translate_source(source, pictures, output, wishes, ConsoleReporter(quiet))
    except KeyboardInterrupt as interrupt:
        again = invocation() if wishes.overwrite or wishes.resume else f"{invocation()} --resume"
        typer.echo(f"\ninterrupted; to go on, run: {again}", err=True)
        raise typer.Exit(code_of(interrupt)) from None
    print_result(found, following, lambda: say(summary(found, pictures)), json=json, quiet=quiet)
