"""``ganprune presets``: named settings, and all settings."""

from typing import Annotated

import typer

from ganprune_cli import options
from ganprune_cli.guard import guarded


@guarded
def presets(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Print this one as TOML, for --config.")
    ] = None,
    settings: Annotated[
        bool,
        typer.Option("--settings", help="List all settings; with --json those of compress as a JSON Schema."),
    ] = False,
    schema: Annotated[
        str | None,
        typer.Option(metavar="COMMAND", help="Print the JSON Schema of what a command's --json prints."),
    ] = None,
    json: options.Json = False,
    markdown: options.Markdown = False,
    quiet: options.Quiet = False,
) -> None:
    """List named settings, or all settings.

    With a name, print those as a file for --config.
    """
    from ganprune.errors import UsageError
    from ganprune.presets import DEFAULT_PRESET, PRESETS, preset
    from ganprune.settings import KEYS, CompressSettings
    from ganprune.settings import schema as settings_schema
    from ganprune.settings.fields import flat, spelled
    from ganprune_cli.commands.front import USUAL
    from ganprune_cli.console import print_json, print_next, print_table
    from ganprune_cli.main import by_set
    from ganprune_cli.schema import schema_of, schemas

    if settings + (schema is not None) + (name is not None) > 1:
        raise UsageError("give one of NAME, --settings and --schema")
    if schema is not None:
        if schema not in schemas():
            raise UsageError(f"--schema {schema}: there are {', '.join(schemas())}")
        print_json(schema_of(schema), version=False)
    elif settings and json:
        print_json(settings_schema(), version=False)
    elif settings:
        usual = PRESETS[DEFAULT_PRESET].settings
        rows = [
            [key, spelled(flat(one.default)), one.range, spelled(usual.get(key, "")), section, one.help]
            for key, (section, one) in KEYS.items()
        ]
        columns = ("name", "default", "values", DEFAULT_PRESET, "stage", "what it is")
        own = ", ".join(f"{key} {value}" for key, value in USUAL.items())
        title = (
            f"Of compress; front and compare take them too. Without --config, compress goes by preset "
            f"{DEFAULT_PRESET} where that says something, and so does front, but for {own}, and no target"
        )
        print_table(title, columns, rows, markdown=markdown, left=(0, 1, 2, 3, 4, 5))
        columns = ("command", "name", "values", "what it is")
        print_table("Of one command", columns, by_set(), markdown=markdown, left=(0, 1, 2, 3))
        print_next("ganprune compress CKPT --data DIR --set NAME=VALUE", quiet)
    elif name is not None:
        import tomli_w

        values = CompressSettings.from_flat(preset(name).settings).to_flat()
        if json:
            print_json({"name": name, "settings": values})
        else:
            typer.echo(f"# {preset(name).summary}\n{tomli_w.dumps(values)}", nl=False)
    elif json:
        print_json({"default": DEFAULT_PRESET, "presets": {
            key: {"summary": p.summary, "settings": dict(p.settings)} for key, p in PRESETS.items()
        }})  # fmt: skip
    else:
        rows = [
            [key, p.summary, ", ".join(f"{k} {spelled(v)}" for k, v in p.settings.items())]
            for key, p in PRESETS.items()
        ]
        print_table("Presets", ["name", "for", "settings"], rows, markdown=markdown, left=(0, 1, 2))
        print_next(
            "ganprune presets NAME > my.toml, then ganprune compress CKPT --data DIR --config my.toml", quiet
        )
