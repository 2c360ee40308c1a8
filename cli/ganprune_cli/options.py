"""Options that mean the same everywhere and are no settings of a compression, spelled once.

Hidden ones are given by --set, see `ganprune_cli.settings`.
"""

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from ganprune.presets import DEFAULT_PRESET
from ganprune.settings import KEYS
from ganprune.settings.search import WHAT
from ganprune.settings.words import FEATURES

OUTPUT, SETTINGS = "Output", "Settings"
_what, _output, _settings = (
    partial(typer.Option, rich_help_panel=panel) for panel in (WHAT, OUTPUT, SETTINGS)
)


def _own(kind: str, more: str = "", hidden: bool = False) -> Any:
    told = (
        f"For a {kind} of an architecture of your own: the function that makes it. This runs FILE.py.{more}"
    )
    return _what(f"--{kind}", metavar="FILE.py:FACTORY", help=told, hidden=hidden)


def output_to(told: str, metavar: str = "DIR") -> Any:
    """-o of a command where it means something of its own."""
    return typer.Option("--output", "-o", metavar=metavar, help=told)


Checkpoint = Annotated[
    Path,
    typer.Argument(
        metavar="CKPT",
        help="A training's folder, or one of its files; its other networks are found beside it; or "
        "hf://OWNER/NAME.",
    ),
]
Data = Annotated[
    Path | None,
    _what(
        metavar="DIR",
        help="Folder with trainA and trainB; of a lone generator, any of its pictures. Default: dataroot of "
        "train_opt.txt.",
    ),
]
DataA = Annotated[Path | None, _what(metavar="DIR", help="In place of --data: a folder of pictures of A.")]
DataB = Annotated[Path | None, _what(metavar="DIR", help="The same of B.")]
OwnGenerator = Annotated[str | None, _own("generator")]
OwnNetworks = Annotated[str | None, _own("generator", " --discriminator likewise.")]
HiddenGenerator = Annotated[str | None, _own("generator", hidden=True)]
OwnDiscriminator = Annotated[str | None, _own("discriminator")]
HiddenDiscriminator = Annotated[str | None, _own("discriminator", hidden=True)]
Output = Annotated[
    Path | None, _output("--output", "-o", metavar="DIR", help="The run folder, or where files go.")
]
Json = Annotated[bool, _output("--json", help="Print one JSON object instead of a table.")]
Csv = Annotated[bool, typer.Option("--csv", help="Print all figures as CSV.")]
Markdown = Annotated[bool, _output("--markdown", help="Print tables as Markdown.")]
HiddenMarkdown = Annotated[bool, typer.Option("--markdown", help="Print tables as Markdown.", hidden=True)]
Quiet = Annotated[bool, _output("--quiet", "-q", help="No progress, warnings only.")]
DryRun = Annotated[
    bool, _output("--dry-run", help="Print the plan and an estimate of its time; write nothing.")
]
NoBench = Annotated[
    bool,
    _output(
        "--no-bench", help="Do not time the ONNX files at the end; --no-report: do not write report.html."
    ),
]
NoReport = Annotated[bool, typer.Option("--no-report", help="Do not write report.html.", hidden=True)]
PresetName = Annotated[
    str | None,
    _settings(
        "--preset", metavar="NAME",
        help=f"Named settings, {DEFAULT_PRESET} unless there is a --config; `ganprune presets` lists them.",
    ),
]  # fmt: skip
Config = Annotated[
    Path | None, _settings("--config", metavar="FILE", help="TOML file of settings: name = value.")
]
Features = Annotated[
    str | None,
    typer.Option(
        metavar="FILE|inception",
        envvar=FEATURES,
        help="The network that compares pictures: a file of MobileNetV2, SqueezeNet 1.1 or torch-fidelity's "
        "Inception; inception: the last, downloaded.",
    ),
]
Size = Annotated[int | None, _what(metavar="N", help=KEYS["size"][1].help)]
