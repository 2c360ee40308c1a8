"""The ``ganprune`` command. Each command imports what it needs when it runs: ``--help`` stays instant."""

import sys
from collections.abc import Generator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

from ganprune.settings import KEYS
from ganprune_cli.guard import print_error
from ganprune_cli.settings import SettableCommand, settable


@contextmanager
def _read() -> Generator[None]:
    """Within, what cannot be read is said as other errors are where --json asks for it."""
    try:
        yield
    except Exception as error:
        told = getattr(error, "format_message", None)  # of Click's errors of usage, which Typer brings
        if told is None or "--json" not in sys.argv:
            raise
        print_error(told(), 2)
        raise typer.Exit(2) from None


class Program(TyperGroup):
    """All commands."""

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        """Read the options that stand before the command."""
        with _read():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        with _read():
            return super().invoke(ctx)


app = typer.Typer(
    name="ganprune",
    cls=Program,
    help="Make trained image-to-image generators small and fast.",
    epilog="Start with: ganprune compress CKPT --data DIR",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

COMMANDS = (
    "compress", "export", "bench", "inspect", "train", "demo", "presets", "translate", "evaluate", "compare",
    "front", "download", "report", "figures",
)  # fmt: skip
"""Each is a function of its name in the module of its name in `ganprune_cli.commands`."""

SEARCHING = ("compress", "front", "compare")  # commands that take all settings of `KEYS`

for name in COMMANDS:
    command = getattr(import_module(f"ganprune_cli.commands.{name}"), name)
    app.command(name, cls=SettableCommand)(settable(command))


def by_set() -> list[list[str]]:
    """Command, name, values and help of what goes by --set and is no setting of compress."""
    return [
        [name, key, p.metavar or "true|false", p.help]
        for name, command in typer.main.get_command(app).commands.items()  # pyright: ignore
        for p in command.params if getattr(p, "hidden", False)
        if (key := p.opts[0].removeprefix("--")) not in KEYS or name not in SEARCHING
    ]  # fmt: skip


def _version(show: bool) -> None:
    if show:
        from importlib.metadata import version

        typer.echo(f"ganprune {version('ganprune')}")
        raise typer.Exit


@app.callback()
def root(
    version: bool = typer.Option(
        False, "--version", "-V", callback=_version, is_eager=True, help="Print the version."
    ),
) -> None:
    """Make trained image-to-image generators small and fast."""


def main() -> None:
    """Entry point of the ``ganprune`` script."""
    app()
