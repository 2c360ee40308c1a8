"""``ganprune presets``: named settings."""

from typing import Annotated

import typer

from ganprune_cli import options
from ganprune_cli.guard import guarded


@guarded
def presets(
    name: Annotated[str | None, typer.Argument(help="Print this one as TOML, for --config.")] = None,
    json: options.Json = False,
    markdown: options.Markdown = False,
    quiet: options.Quiet = False,
) -> None:
    """List named settings, or print one as a file for --config."""
    from ganprune.presets import DEFAULT_PRESET, PRESETS, preset
    from ganprune.settings import CompressSettings
    from ganprune_cli.console import print_json, print_next, print_table

    if name is not None:
        import tomli_w

        flat = CompressSettings.from_flat(preset(name).settings).to_flat()
        if json:
            print_json({"name": name, "settings": flat})
        else:
            typer.echo(f"# {preset(name).summary}\n{tomli_w.dumps(flat)}", nl=False)
        return
    if json:
        print_json({"default": DEFAULT_PRESET, "presets": {
            key: {"summary": p.summary, "settings": dict(p.settings)} for key, p in PRESETS.items()
        }})  # fmt: skip
        return
    rows = [
        [key, p.summary, ", ".join(f"{k} {_spell(v)}" for k, v in p.settings.items())]
        for key, p in PRESETS.items()
    ]
    print_table("Presets", ["name", "for", "settings"], rows, markdown=markdown, left=(0, 1, 2))
    print_next(
        "ganprune presets NAME > my.toml, then ganprune compress CKPT --data DIR --config my.toml", quiet
    )


def _spell(value: object) -> str:
    return ",".join(f"{v:.3g}" for v in value) if isinstance(value, list) else f"{value}"
