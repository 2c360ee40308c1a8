"""``ganprune inspect``: what is this file?"""

from pathlib import Path
from typing import Annotated

import typer

from ganprune_cli import options
from ganprune_cli.guard import guarded


@guarded
def inspect(
    path: Annotated[
        Path | None,
        typer.Argument(
            metavar="CKPT|RUN|FILE",
            help="A CycleGAN folder or file, hf://OWNER/NAME, a run (default: the last), or an ONNX file.",
        ),
    ] = None,
    generator: options.OwnGenerator = None,
    discriminator: options.OwnDiscriminator = None,
    size: options.Size = None,
    json: options.Json = False,
    markdown: options.Markdown = False,
    quiet: options.Quiet = False,
) -> None:
    """Say what a checkpoint is, what it lacks and what to run next.

    Exit code 0 for anything that can be read, networks missing or not; 3 for what cannot.
    """
    from ganprune.checkpoints import Own
    from ganprune_cli.console import print_json, print_next
    from ganprune_cli.inspecting import inspect_onnx, inspect_path, print_inspection

    if path is not None and path.suffix == ".onnx":
        found = inspect_onnx(path, size)
    else:
        found = inspect_path(path, size, Own.of(generator, discriminator))
    if json:
        print_json(found)
    else:
        print_inspection(found, markdown)
    print_next(found["next_command"], quiet)
