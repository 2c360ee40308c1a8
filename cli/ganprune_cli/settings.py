"""Settings on the command line: a few as options, all by ``--set NAME=VALUE`` and ``--config FILE``."""

import inspect
import tomllib
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from ganprune.errors import UsageError
from ganprune.settings import KEYS
from ganprune.settings.fields import Setting, flat, nearest, spelled
from ganprune.settings.search import SMALL, TRAINING, WHAT, WHERE
from ganprune_cli.guard import failed
from ganprune_cli.options import OUTPUT, SETTINGS, Config

SET = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="NAME=VALUE", rich_help_panel=SETTINGS,
        help="Any setting; may be given again. `ganprune presets --settings` lists all.",
    ),
]  # fmt: skip
_ORDER = {"Arguments": -5, WHAT: -4, SMALL: -3, TRAINING: -2, WHERE: -1, SETTINGS: 1, OUTPUT: 2}
"""Of groups in a command's help; a command's own ones lie between."""
_FILE = "options_file"
"""The parameter of a --config whose lines are options; other commands read theirs themselves."""
SWITCH = "true|false"  # what stands for the value of a setting that is true or false
_NEVER_SET = ("set", "config", _FILE, "help")


def usual(defaults: Mapping[str, object]) -> dict[str, Setting]:
    """All settings of a compression, some with other defaults."""
    return {key: replace(one, default=defaults.get(key, one.default)) for key, (_, one) in KEYS.items()}


def takes(settings: Mapping[str, Setting], shown: Collection[str] | None = None) -> Callable[..., Any]:
    """Give a command settings, as the keyword argument ``given``: key → value, of those that were set.

    shown: those that are options; None: those with a panel. The others go by --set.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = [p for p in inspect.signature(command).parameters.values() if p.name != "given"]
        options = [_parameter(one, hidden=not (one.panel if shown is None else one.key in shown))
                   for one in settings.values()]  # fmt: skip

        @wraps(command)
        def run(**values: Any) -> None:
            given = {key: values.pop(one.name) for key, one in settings.items()}
            command(**values, given={key: value for key, value in given.items() if value is not None})

        return _with_parameters(run, [*own, *options])

    return decorate


def settable(command: Callable[..., None]) -> Callable[..., None]:
    """Add --set, and a --config of the same words, where a command has options that it does not show."""
    parameters = [*inspect.signature(command).parameters.values()]
    if not any(getattr(_option(p), "hidden", False) for p in parameters):
        return command
    more = [_keyword("set", SET)]
    if all(p.name != "config" for p in parameters):
        more.append(_keyword(_FILE, Config))

    @wraps(command)
    def run(**values: Any) -> None:
        command(**{name: value for name, value in values.items() if name not in {p.name for p in more}})

    return _with_parameters(run, [*parameters, *more])


def _with_parameters(run: Any, parameters: list[inspect.Parameter]) -> Callable[..., None]:
    run.__signature__ = inspect.Signature(parameters)
    run.__annotations__ = {p.name: p.annotation for p in parameters}
    return run


def _keyword(name: str, annotation: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def _option(parameter: inspect.Parameter) -> Any:
    return next(iter(getattr(parameter.annotation, "__metadata__", ())), None)


def _parameter(one: Setting, hidden: bool) -> inspect.Parameter:
    """An option that is unset by default; its value is read and checked by the setting."""
    flag = one.kind is bool and not hidden
    kind = bool if flag else Path if one.kind is Path else str
    text = one.help.removesuffix(".")
    if one.default is not None and not flag:
        text += f"; default {spelled(flat(one.default))}"
    option = typer.Option(
        f"--{one.key}", metavar=None if flag else one.metavar, help=f"{text}.", show_default=False,
        rich_help_panel=one.panel, hidden=hidden,
        autocompletion=_among(one.choices) if one.choices and not hidden else None,
    )  # fmt: skip
    return _keyword(one.name, Annotated[kind | None, option])


def _among(choices: Collection[str]) -> Callable[[str], list[str]]:
    def begun(incomplete: str) -> list[str]:
        return [choice for choice in choices if choice.startswith(incomplete)]

    return begun


def panel_of(parameter: Any) -> str:
    """The title of the group that help shows an option or argument in."""
    if parameter.name == "help":
        return OUTPUT
    usual = "Arguments" if parameter.param_type_name == "argument" else "Options"
    return getattr(parameter, "rich_help_panel", None) or usual


class SettableCommand(TyperCommand):
    """A command with groups of options in its help; hidden ones are settings: ``--set NAME=VALUE``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """With each ``--set NAME=VALUE``, and each line of a --config, in the place of the option."""
        if not ctx.resilient_parsing and any("--set" in p.opts for p in self.params):
            try:
                args = [*self._expanded(args)]
            except Exception as error:  # of a file, too
                raise failed(error) from None
        raw: dict[str, Any] = {}
        if not ctx.resilient_parsing:
            raw = self.make_parser(ctx).parse_args(list(args))[0]
        rest = super().parse_args(ctx, args)
        for p in self.params:
            for text, value in zip(_several(raw.get(p.name)), _several(ctx.params.get(p.name)), strict=False):
                if isinstance(value, Path) and isinstance(text, str) and (told := _no_path(p, text)):
                    raise failed(UsageError(told)) from None
        return rest

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Options, then arguments by the names that help gives them; in brackets what may be left out."""
        arguments: list[Any] = [p for p in self.get_params(ctx) if p.param_type_name == "argument"]
        return ["[OPTIONS]", *(p.metavar if p.required else f"[{p.metavar}]" for p in arguments)]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Arguments, then groups of options."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for p in self.get_params(ctx):
            if record := p.get_help_record(ctx):
                argument: Any = p if p.param_type_name == "argument" else None
                named = (argument.metavar, argument.help) if argument else record
                groups.setdefault(panel_of(p), []).append(named)
        for title, records in sorted(groups.items(), key=lambda group: _ORDER.get(group[0], 0)):
            with formatter.section(title):
                formatter.write_dl(records)

    def _expanded(self, args: list[str]) -> Iterator[str]:
        options = {
            word.removeprefix("--"): p
            for p in self.params for word in p.opts if word.startswith("--") and p.name not in _NEVER_SET
        }  # fmt: skip
        hidden = {key for key, p in options.items() if getattr(p, "hidden", False)}
        words = deque(args)
        while words:
            word = words.popleft()
            name, sign, value = word.partition("=")
            key = name.removeprefix("--") if name.startswith("--") else ""
            if word == "--":
                yield from (word, *words)
                return
            if name == "--set":
                pair = value if sign else _next(words)
                key, sign, text = pair.partition("=")
                if not sign:
                    raise UsageError(f"--set takes NAME=VALUE, such as --set {min(hidden)}=…, found {pair!r}")
                yield from _words(key.strip(), _read(text.strip()), options, "--set")
            elif name == "--config" and any(p.name == _FILE for p in self.params):
                yield from self._of_file(value if sign else _next(words), options)
            elif key in hidden and options[key].metavar == SWITCH:
                # As an option of its own a switch needs no value.
                said = sign or (words and words[0] in ("true", "false"))
                yield f"--{key}={(value if sign else _next(words)) if said else 'true'}"
            elif key.startswith("no-") and key[3:] in hidden:
                yield f"--{key[3:]}=false"
            else:
                yield word

    def _of_file(self, path: str, options: Mapping[str, Any]) -> Iterator[str]:
        from ganprune.settings import read_config

        for key, value in read_config(Path(path)).items():
            yield from _words(key, value, options, path)


def _several(value: Any) -> Collection[Any]:
    """All values that an option or argument was given."""
    return value if isinstance(value, list | tuple) else (value,)


def _no_path(parameter: Any, text: str) -> str:
    """What is wrong with a word in the place of a path; empty: nothing."""
    name = parameter.opts[0] if parameter.opts[0].startswith("-") else parameter.metavar
    if not text:
        return f"{name} is empty, a file or folder was needed; is a variable of the shell not set?"
    if text.startswith("https://huggingface.co/"):
        return f"{name} needs a file or folder, found the address {text}; give hf://OWNER/NAME"
    if text.startswith(("http://", "https://")):
        return (
            f"{name} needs a file or folder, found the address {text}; fetch it with "
            f"`ganprune download --from {text}`, and give what that makes"
        )
    return ""


def _next(words: deque[str]) -> str:
    return words.popleft() if words else ""


def _read(text: str) -> Any:
    """Lists and quoted text as TOML has them; anything else is a word."""
    if text[:1] not in ("[", '"', "'"):
        return text
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"--set: {text} is no TOML value: {error}") from None


def _words(key: str, value: Any, options: Mapping[str, Any], source: str) -> Iterator[str]:
    """An option and its value, as they would be typed."""
    if key not in options:
        raise UsageError(f"{source}: unknown setting {key!r}; {nearest(key, options)}")
    option, several = options[key], value if isinstance(value, list) else [value]
    if option.is_flag:
        on = {"true": True, "false": False}.get(str(value).lower())
        if on is None:
            raise UsageError(f"{source}: {key} must be true or false, found {value!r}")
        yield from option.opts[:1] if on else option.secondary_opts[:1]
    elif option.nargs > 1:
        yield from (f"--{key}", *map(str, several))
    elif option.multiple:
        yield from (f"--{key}={one}" for one in several)
    else:
        yield f"--{key}={','.join(map(_spelled, several))}"


def _spelled(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
