"""``ganprune export``: verified ONNX files."""

from pathlib import Path
from typing import Annotated

import typer

from ganprune_cli import options
from ganprune_cli.guard import guarded


@guarded
def export(
    source: Annotated[
        Path | None,
        typer.Argument(
            metavar="[RUN|CKPT]",
            help="A run (default: the last one), a CycleGAN folder, or one generator's file.",
        ),
    ] = None,
    onnx: Annotated[bool, typer.Option("--onnx", help="Export to ONNX; the only format so far.")] = False,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="DIR", help="Where files go; default: the run, or here."),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="DIR", help="Pictures to verify on; default those of the run."),
    ] = None,
    size: options.Size = None,
    dynamic: Annotated[bool, typer.Option("--dynamic", help="Leave batch, height and width free.")] = False,
    opset: Annotated[int | None, typer.Option(metavar="N", help="ONNX opset, 18 to 23; default 18.")] = None,
    simplify: Annotated[bool, typer.Option("--simplify/--no-simplify", help="Run onnxsim.")] = True,
    atol: Annotated[
        float | None, typer.Option(metavar="F", help="Largest allowed difference to PyTorch; default 1e-4.")
    ] = None,
    json: options.Json = False,
    markdown: options.Markdown = False,
    quiet: options.Quiet = False,
) -> None:
    """Write ONNX files, each compared with PyTorch on pictures.

    Of a run: its slim generators and the originals. Exit code 4 if a file computes something else.
    """
    from ganprune.errors import UsageError
    from ganprune_cli.console import ConsoleReporter, print_json, print_next
    from ganprune_cli.exporting import Wishes, export_source
    from ganprune_cli.tables import print_export

    if not onnx:
        raise UsageError("name the format to export to: ganprune export --onnx")
    wishes = Wishes(size=size, dynamic=dynamic, opset=opset, simplify=simplify, atol=atol)
    files, following = export_source(source, output, data, wishes, ConsoleReporter(quiet))
    if json:
        print_json({"files": files})
    else:
        print_export(files, markdown)
    print_next(following, quiet)
