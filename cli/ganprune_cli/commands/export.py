"""``ganprune export``: verified ONNX files."""

from pathlib import Path
from typing import Annotated

import typer

from ganprune_cli import options
from ganprune_cli.guard import guarded

BESIDE = "Files beside them"


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
    hf: Annotated[
        Path | None,
        typer.Option(
            "--hf", metavar="DIR", help="Of a run: a folder for Hugging Face, with a model card about it."
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="DIR", help="Pictures to verify on; default those of the run."),
    ] = None,
    data_a: options.DataA = None,
    data_b: options.DataB = None,
    generator: options.OwnGenerator = None,
    size: options.Size = None,
    dynamic: Annotated[bool, typer.Option("--dynamic", help="Leave batch, height and width free.")] = False,
    opset: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="ONNX opset, 7 to 23; default 18. Not every graph fits into an old one.",
            hidden=True,
        ),
    ] = None,
    simplify: Annotated[
        bool, typer.Option("--simplify/--no-simplify", help="Run onnxsim.", hidden=True)
    ] = True,
    no_pass: Annotated[
        list[str] | None,
        typer.Option(
            "--no-pass",
            metavar="NAME",
            help="Leave a rewrite out: dead-biases, last-convolution, transposed-convolutions, winograd or "
            "all. May be a list.",
            hidden=True,
        ),
    ] = None,
    tune: Annotated[
        bool,
        typer.Option("--tune", help="Time every rewrite here, leave out what is slower. A run keeps it."),
    ] = False,
    uint8: Annotated[
        bool, typer.Option("--uint8", help="Bytes [n, h, w, 3] at both ends, as pictures are decoded.")
    ] = False,
    picture_statistics: options.PictureStatistics = False,
    fp16: Annotated[
        bool,
        typer.Option("--fp16", help="Also NAME.fp16.onnx: half the size.", rich_help_panel=BESIDE),
    ] = False,
    int8: Annotated[
        bool,
        typer.Option(
            "--int8", help="Also NAME.int8.onnx, calibrated on your pictures.", rich_help_panel=BESIDE
        ),
    ] = False,
    portable: Annotated[
        bool,
        typer.Option(
            "--portable",
            help="Also NAME.portable.onnx: few, plain operators, for other runtimes.",
            rich_help_panel=BESIDE,
        ),
    ] = False,
    int8_limit: Annotated[
        float | None,
        typer.Option(
            metavar="F",
            help="Mean distance to the float pictures in [-1, 1]; default 0.02. What hurts stays in float.",
            hidden=True,
        ),
    ] = None,
    atol: Annotated[
        float | None,
        typer.Option(metavar="F", help="Largest allowed difference to PyTorch; default 1e-4.", hidden=True),
    ] = None,
    json: options.Json = False,
    markdown: options.Markdown = False,
    quiet: options.Quiet = False,
) -> None:
    """Write ONNX files, each compared with PyTorch on pictures.

    Of a run: its slim generators, and the originals both plainly and through the same rewrites. Exit code 4
    if a file computes something else.
    """
    from ganprune.checkpoints import Own
    from ganprune.errors import UsageError
    from ganprune.images import DataSource
    from ganprune.runs import find_run
    from ganprune.system.shell import pasted
    from ganprune_cli.console import ConsoleReporter, print_json, print_next, say
    from ganprune_cli.tables import print_export
    from ganprune_exporters.files import Variants
    from ganprune_exporters.hub_folder import check_hub_source, write_hub_folder
    from ganprune_exporters.sources import Exported, ExportOptions, export_source
    from ganprune_exporters.variants import LIMIT, Kind

    if not onnx and hf is None:
        raise UsageError("name the format to export to: ganprune export --onnx")
    if hf is not None:
        check_hub_source(source, output)
    asked: dict[Kind, bool] = {"fp16": fp16, "int8": int8, "portable": portable}
    kinds: tuple[Kind, ...] = tuple(kind for kind in asked if asked[kind])
    wishes = ExportOptions(
        size=size, dynamic=dynamic, opset=opset, simplify=simplify, no_pass=tuple(no_pass or ()), tune=tune,
        uint8=uint8, own=Own.of(generator), picture_statistics=picture_statistics, atol=atol,
        variants=Variants(kinds, LIMIT if int8_limit is None else int8_limit),
    )  # fmt: skip
    written, following, gathered = Exported(files=[], variants=[]), "", list[str]()
    if onnx:
        written, following = export_source(
            source, output, DataSource.given(data, data_a, data_b), wishes, ConsoleReporter(quiet)
        )
    if hf is not None:
        gathered = [str(path) for path in write_hub_folder(find_run(source), hf)]
        following = f"hf upload OWNER/NAME {pasted(hf)} --exclude '.*'"
    if json:
        print_json(dict(written) | ({"hub_folder": gathered} if gathered else {}))
    elif onnx:
        print_export(written["files"], markdown, written["variants"])
    if gathered and not json:
        say(f"{len(gathered)} files in {hf}; its README.md lacks a licence, which is yours to fill in")
    print_next(following, quiet)
