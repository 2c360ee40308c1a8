"""Options that mean the same everywhere and are no settings of a compression, spelled once.

Hidden ones are given by --set, see `ganprune_cli.settings`.
"""

from pathlib import Path
from typing import Annotated, Any

import typer

from ganprune.presets import DEFAULT_PRESET
from ganprune.settings import KEYS
from ganprune.settings.search import WHAT
from ganprune.settings.words import FEATURES

OUTPUT, SETTINGS = "Output", "Settings"


def _own(kind: str, more: str = "", hidden: bool = False) -> Any:
    told = (
        f"For a {kind} of an architecture of your own: the function that makes it. This runs FILE.py.{more}"
    )
    return typer.Option(
        f"--{kind}", metavar="FILE.py:FACTORY", help=told, rich_help_panel=WHAT, hidden=hidden
    )


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
    typer.Option(
        metavar="DIR",
        help="Folder with trainA and trainB; of a lone generator, any of its pictures. Default: dataroot of "
        "train_opt.txt.",
        rich_help_panel=WHAT,
    ),
]
DataA = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="In place of --data: a folder of pictures of A.", rich_help_panel=WHAT),
]
DataB = Annotated[Path | None, typer.Option(metavar="DIR", help="The same of B.", rich_help_panel=WHAT)]
OwnGenerator = Annotated[str | None, _own("generator")]
OwnNetworks = Annotated[str | None, _own("generator", " --discriminator likewise.")]
HiddenGenerator = Annotated[str | None, _own("generator", hidden=True)]
OwnDiscriminator = Annotated[str | None, _own("discriminator")]
HiddenDiscriminator = Annotated[str | None, _own("discriminator", hidden=True)]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", metavar="DIR", help="The run folder, or where files go.", rich_help_panel=OUTPUT
    ),
]
Json = Annotated[
    bool,
    typer.Option("--json", help="Print one JSON object instead of a table.", rich_help_panel=OUTPUT),
]
Markdown = Annotated[
    bool, typer.Option("--markdown", help="Print tables as Markdown.", rich_help_panel=OUTPUT)
]
HiddenMarkdown = Annotated[bool, typer.Option("--markdown", help="Print tables as Markdown.", hidden=True)]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="No progress, warnings only.", rich_help_panel=OUTPUT)
]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        help="Print the plan and an estimate of its time; write nothing.",
        rich_help_panel=OUTPUT,
    ),
]
NoBench = Annotated[
    bool,
    typer.Option(
        "--no-bench",
        help="Do not time the ONNX files at the end; --no-report: do not write report.html.",
        rich_help_panel=OUTPUT,
    ),
]
NoReport = Annotated[bool, typer.Option("--no-report", help="Do not write report.html.", hidden=True)]
PresetName = Annotated[
    str | None,
    typer.Option(
        "--preset",
        metavar="NAME",
        help=f"Named settings, {DEFAULT_PRESET} unless there is a --config; `ganprune presets` lists them.",
        rich_help_panel=SETTINGS,
    ),
]
Config = Annotated[
    Path | None,
    typer.Option(
        "--config", metavar="FILE", help="TOML file of settings: name = value.", rich_help_panel=SETTINGS
    ),
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
Size = Annotated[int | None, typer.Option(metavar="N", help=KEYS["size"][1].help, rich_help_panel=WHAT)]
