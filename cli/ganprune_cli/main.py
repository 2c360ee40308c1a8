"""The ``ganprune`` command. Each command imports what it needs when it runs: ``--help`` stays instant."""

import typer

from ganprune_cli.commands import (
    bench,
    compare,
    compress,
    demo,
    download,
    evaluate,
    export,
    figures,
    front,
    inspect,
    presets,
    report,
    train,
    translate,
)

app = typer.Typer(
    name="ganprune",
    help="Make trained CycleGAN generators small and fast.",
    epilog="Start with: ganprune compress CKPT --data DIR",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

COMMANDS = (
    compress.compress, export.export, bench.bench, inspect.inspect, train.train, demo.demo, presets.presets,
    translate.translate, evaluate.evaluate, compare.compare, front.front, download.download,
    report.report, figures.figures,
)  # fmt: skip

for command in COMMANDS:
    app.command(command.__name__)(command)


def _version(show: bool) -> None:
    if show:
        from importlib.metadata import version

        typer.echo(f"ganprune {version('ganprune')}")
        raise typer.Exit


@app.callback()
def root(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version."
    ),
) -> None:
    """Make trained CycleGAN generators small and fast."""


def main() -> None:
    """Entry point of the ``ganprune`` script."""
    app()
