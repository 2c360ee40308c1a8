"""``ganprune download``: public networks and data sets."""

from typing import TYPE_CHECKING, Annotated

import typer

from ganprune_cli import options
from ganprune_cli.guard import guarded, invocation

if TYPE_CHECKING:
    from ganprune.download import Downloaded

CHOOSE = "ganprune download NAME"


@guarded
def download(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="What to fetch, or with --from what to call it; none: list all."),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="URL",
            help="Any http(s) address of a .pth, .pt, .safetensors, .zip, .tar.gz or .tgz.",
        ),
    ] = None,
    sha256: Annotated[
        str | None, typer.Option(metavar="HEX", help="What the file's SHA-256 must be.")
    ] = None,
    output: options.Output = None,
    json: options.Json = False,
    markdown: options.Markdown = False,
    quiet: options.Quiet = False,
) -> None:
    """Fetch CycleGAN's public generators and data sets.

    Or a network or a data set of any other address.

    Data sets go to datasets/NAME, networks to checkpoints/NAME. What is there already is never overwritten.
    After an interruption the same command goes on where it stopped, or anew if no SHA-256 is known.
    """
    from ganprune.download import download as bring
    from ganprune.download import find_item, item_at, with_sha256
    from ganprune.errors import UsageError
    from ganprune_cli.console import ConsoleReporter, print_next, print_result, say

    if name is None and source is None:
        if sha256 is not None or output is not None:
            raise UsageError("--sha256 and -o need a NAME, or --from URL")
        _print_catalog(json, markdown)
        print_next(CHOOSE, quiet)
        return
    item = item_at(source, name) if source is not None else find_item(name or "")
    item = item if sha256 is None else with_sha256(item, sha256)
    reporter = ConsoleReporter(quiet)
    found = bring(item, output, reporter=reporter, again=invocation())
    if found.already:
        reporter.info(f"{found.path} is there already; nothing was fetched")
    following = _next_command(found)
    told = {"name": found.name, "kind": found.kind, "path": str(found.path), "url": item.url,
            "already": found.already, "sha256": found.sha256}  # fmt: skip
    print_result(told, following, lambda: say(f"{found.name}  {found.path}"), json=json, quiet=quiet)


def _next_command(found: "Downloaded") -> str:
    from ganprune.system.shell import command_line

    if found.kind == "network":
        return command_line("inspect", found.path)
    return command_line("train", "--data", found.path) if found.trainable else ""


def _print_catalog(json: bool, markdown: bool) -> None:
    from dataclasses import asdict

    from ganprune.download import BASE, CATALOG
    from ganprune_cli.console import print_json, print_table

    if json:
        print_json(
            {"items": [asdict(item) | {"folder": str(item.folder)} for item in CATALOG.values()]}, CHOOSE
        )
        return
    rows = [
        [item.name, item.kind, item.about, f"{item.file_bytes / 2**20:.0f}" if item.file_bytes else "–"]
        for item in CATALOG.values()
    ]
    title = f"Public data sets and networks, below {BASE}"
    print_table(title, ("name", "kind", "what it is", "MiB"), rows, markdown=markdown, left=(0, 1, 2))
