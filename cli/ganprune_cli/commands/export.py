"""``ganprune export``: verified ONNX files."""

from pathlib import Path
from typing import Annotated, Any

import typer

from ganprune.settings.fields import read_fields, settings_of
from ganprune_cli import options
from ganprune_cli.guard import guarded
from ganprune_cli.settings import takes
from ganprune_exporters.settings import ExportSettings, Variants


@guarded
@takes(settings_of(ExportSettings) | settings_of(Variants))
def export(
    source: Annotated[
        Path | None,
        typer.Argument(
            metavar="RUN|CKPT",
            help="A run (default: the last one), a CycleGAN folder, one generator's file, or hf://OWNER/NAME.",
        ),
    ] = None,
    onnx: Annotated[
        bool, typer.Option("--onnx", help="To ONNX, the only format; to be said beside --hf.")
    ] = False,
    output: Annotated[Path | None, options.output_to("Where files go; default: the run, or here.")] = None,
    hf: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Of a run: a folder for Hugging Face, with a model card about it."),
    ] = None,
    data: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Pictures to verify on; default those of the run.")
    ] = None,
    data_a: options.DataA = None,
    data_b: options.DataB = None,
    generator: options.OwnGenerator = None,
    no_pass: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Leave a rewrite out: dead-biases, last-convolution, transposed-convolutions, winograd or "
            "all. May be a list.",
            hidden=True,
        ),
    ] = None,
    json: options.Json = False,
    markdown: options.Markdown = False,
    quiet: options.Quiet = False,
    *,
    given: dict[str, Any],
) -> None:
    """Write ONNX files, each compared with PyTorch on pictures.

    Of a run: its slim generators, and the originals both plainly and through the same rewrites. Exit code 4
    if a file computes something else.
    """
    from ganprune.checkpoints import Own
    from ganprune.images import DataSource
    from ganprune.runs import find_run
    from ganprune.system.shell import pasted
    from ganprune_cli.console import ConsoleReporter, print_json, print_next, say
    from ganprune_cli.tables import print_export
    from ganprune_exporters.hub_folder import check_hub_source, write_hub_folder
    from ganprune_exporters.passes import without
    from ganprune_exporters.sources import Exported, ExportOptions, export_source

    onnx = onnx or hf is None
    if hf is not None:
        check_hub_source(source, output)
    passes = {"passes": without(tuple(no_pass or ()))}
    wishes = ExportOptions(
        passes | read_fields(ExportSettings, given), Variants(**read_fields(Variants, given)),
        Own.of(generator),
    )  # fmt: skip
    written, following, gathered = Exported(), "", list[str]()
    if onnx:
        written, following = export_source(
            source, output, DataSource.given(data, data_a, data_b), wishes, ConsoleReporter(quiet)
        )
    if hf is not None:
        gathered = [str(path) for path in write_hub_folder(find_run(source), hf)]
        following = f"hf upload OWNER/NAME {pasted(hf)} --exclude '.*'"
    if json:
        variants = [report.to_json() for report in written.variants]
        print_json(
            {"files": written.files, "variants": variants} | ({"hub_folder": gathered} if gathered else {}),
            following,
        )
    elif onnx:
        print_export(written.files, markdown, written.variants)
    if gathered and not json:
        say(f"{len(gathered)} files in {hf}; its README.md lacks a licence, which is yours to fill in")
    print_next(following, quiet)
