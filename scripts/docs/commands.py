"""One page a command, made from the command itself whenever the site is built, so none can be out of date."""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from ganprune.presets import DEFAULT_PRESET, preset
from ganprune.settings import CompressSettings
from ganprune_cli.main import app

EXAMPLES = Path(__file__).with_name("examples.toml")
"""Command → what a line does → the line; ``more``: links."""

EXIT_CODES = {
    0: "done", 1: "failed", 2: "usage: an option or file that cannot be", 3: "input not understood",
    4: "a target or a verification was missed; results are still written",
    130: "interrupted; the command that goes on is printed",
    141: "the reader of a pipe is gone, as of `| head`",
    143: "ended by SIGTERM (`kill`); the same",
}  # fmt: skip


def commands() -> dict[str, Any]:
    """Every command of the program, by name, as Typer sees it."""
    from typer.main import get_command

    return dict(get_command(app).commands)  # type: ignore[attr-defined]


def usage(name: str, command: Any) -> str:
    """Such as ``ganprune compress CKPT [OPTIONS]``."""
    words = [_argument(p) for p in command.params if p.param_type_name == "argument"]
    return " ".join(["ganprune", name, *words, "[OPTIONS]"])


def _argument(parameter: Any) -> str:
    name = (parameter.metavar or parameter.name.upper()).strip("[]{}")
    if not parameter.required:
        return f"[{name}]"
    return name


def spelled(option: Any) -> str:
    """Names of an option and what it takes, such as ``-o, --output DIR``."""
    names = sorted(option.opts, key=len)
    shown = ", ".join(names)
    if option.secondary_opts:
        shown += " / " + ", ".join(option.secondary_opts)
    return shown if option.is_flag else f"{shown} {option.metavar or option.name.upper()}"


def described(option: Any, settings: dict[str, object]) -> str:
    """What the help says, and what holds where the option is not given, if that can be said in a word.

    settings: what holds of those, if it is a command that has them.
    """
    text, _, held = " ".join((option.help or "").split()).partition("; default ")
    text = f"{text.removesuffix('.')}."
    value: object = option.default if option.default is not None else held.removesuffix(".")
    for name in option.opts:
        value = settings.get(name.removeprefix("--"), value)
    if option.is_flag and option.secondary_opts and isinstance(value, bool):
        value = (option.opts if value else option.secondary_opts)[0]
    if value not in (None, "", False, True, ()) and "default" not in text.lower():
        text += f" Default: `{','.join(map(_word, value)) if isinstance(value, list) else _word(value)}`."
    return text + (f" The environment variable `{option.envvar}` stands in for it." if option.envvar else "")


def _word(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def page_of(name: str, command: Any) -> str:
    """The Markdown of one command's page."""
    return "\n".join(_lines(name, command)) + "\n"


def _lines(name: str, command: Any) -> Iterator[str]:
    first, _, rest = (command.help or "").partition("\n")
    yield from ("---", f"title: {name}", "---", f"# ganprune {name}", "", first, "")
    yield from ("```text", usage(name, command), "```", "")
    if rest.strip():
        yield from (rest.strip(), "")
    yield from _shown(name)
    arguments = [p for p in command.params if p.param_type_name == "argument" and p.help]
    if arguments:
        yield from ("## Arguments", "")
        for p in arguments:
            yield from (f"`{_argument(p)}`", f":   {p.help}", "")
    settings = _settings() if name == "compress" else dict[str, object]()
    for title, options in _groups(command).items():
        yield from (f"## {title}", "")
        for option in options:
            yield from (f"`{spelled(option)}`", f":   {described(option, settings)}", "")
    if others := [p for p in command.params if getattr(p, "hidden", False)]:
        yield from ("## Other settings", "", "By `--set NAME=VALUE`, or as lines of a `--config` file.", "")
        for option in others:
            name = option.opts[0].removeprefix("--")
            takes = option.metavar or "true|false"
            yield from (f"`--set {name}={takes}`", f":   {described(option, settings)}", "")
    if settings:
        yield f"Defaults are those of `--preset {DEFAULT_PRESET}`; `ganprune presets` lists the others."


def examples() -> dict[str, dict[str, Any]]:
    """What `EXAMPLES` holds."""
    return tomllib.loads(EXAMPLES.read_text(encoding="utf-8"))


def _shown(name: str) -> Iterator[str]:
    lines = examples().get(name, {})
    more = lines.pop("more", [])
    if lines:
        yield from ("## Examples", "")
    for what, line in lines.items():
        yield from (what, "", "```text", line, "```", "")
    if more:
        yield from (f"More: {'; '.join(more)}.", "")


def _groups(command: Any) -> dict[str, list[Any]]:
    """Options by their group's title, in the order of the command; those of no group first."""
    groups: dict[str, list[Any]] = {"Options": []}
    for option in command.params:
        if option.param_type_name == "option" and not option.hidden:
            groups.setdefault(option.rich_help_panel or "Options", []).append(option)
    return {title: options for title, options in groups.items() if options}


def _settings() -> dict[str, object]:
    """What ``compress`` does without options: key → value; what is unset is left out."""
    flat = CompressSettings.from_flat(preset(DEFAULT_PRESET).settings).to_flat()
    return {key: value for key, value in flat.items() if value != "none"}


def overview() -> str:
    """The page of all commands."""
    rows = [
        f"| [`{name}`]({name}.md) | {(command.help or '').partition(chr(10))[0]} |"
        for name, command in commands().items()
    ]
    codes = [f"| {code} | {meaning} |" for code, meaning in EXIT_CODES.items()]
    return "\n".join([
        "---", "title: All commands", "---", "# Commands", "",
        "| command | what it does |", "|---|---|", *rows, "",
        "`RUN` is a run folder, by default the last one (`runs/latest`). Data goes to stdout, progress to "
        "stderr; `--json` prints one object for a program. Each command ends by naming the next one.", "",
        "## Exit codes", "", "| code | meaning |", "|--:|---|", *codes, "",
    ])  # fmt: skip


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Called by MkDocs with all files of the site."""
    files.append(File.generated(config, "commands/index.md", content=overview()))
    for name, command in commands().items():
        files.append(File.generated(config, f"commands/{name}.md", content=page_of(name, command)))
    return files
