"""A setting, written once: a field of a frozen dataclass.

    population: int = setting(32, least=2)
    \"\"\"Individuals a generator.\"\"\"

Its type, default, bounds and docstring are the option of the command line, the key of a settings file, the
entry of the JSON Schema and the check.
"""

import ast
import difflib
import inspect
import sys
import types
from collections.abc import Callable, Collection, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from functools import cache
from math import inf
from pathlib import Path
from typing import Any, Literal, Union, cast, get_args, get_origin

from ganprune.errors import UsageError

_SETTING = "setting"
_TYPES: dict[Any, tuple[str, str, str]] = {
    int: ("a whole number", "integer", "N"),
    float: ("a number", "number", "F"),
    bool: ("true or false", "boolean", "true|false"),
    str: ("text", "string", "TEXT"),
    Path: ("a path", "string", "PATH"),
    tuple: ("one number or two", "array", "F[,F]"),
    list: ("whole numbers separated by commas", "array", "N[,N]"),
}
"""Type → what a message, JSON Schema and the command line's help call it. tuple: both of a pair of floats;
list: a ``tuple[int, ...]``."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a number may be; both of a pair. NaN never is, and infinity only where it is the default."""

    least: float = -inf
    most: float = inf
    above: float = -inf
    below: float = inf
    multiple: int = 1

    def hold(self, number: float) -> bool:
        """Whether it lies within."""
        return (
            self.least <= number <= self.most
            and self.above < number < self.below
            and not (self.multiple > 1 and number % self.multiple)
        )

    def __str__(self) -> str:
        if self.multiple > 1:
            upper = f" to {self.most:g}" if self.most < inf else ""
            return f"a multiple of {self.multiple} from {self.least:g}{upper}"
        parts = list[str]()
        if self.least > -inf and self.most < inf:
            parts.append(f"{self.least:g} to {self.most:g}")
        elif self.least > -inf:
            parts.append(f"{self.least:g} or more")
        elif self.most < inf and self.above == -inf:
            parts.append(f"at most {self.most:g}")
        parts += [f"above {self.above:g}"] if self.above > -inf else []
        parts += [f"at most {self.most:g}"] if self.above > -inf and self.most < inf else []
        parts += [f"below {self.below:g}"] if self.below < inf else []
        return " and ".join(parts)

    def schema(self) -> dict[str, float]:
        """In the words of JSON Schema."""
        words = (
            ("minimum", self.least, -inf), ("exclusiveMinimum", self.above, -inf),
            ("maximum", self.most, inf), ("exclusiveMaximum", self.below, inf),
            ("multipleOf", self.multiple, 1),
        )  # fmt: skip
        return {word: value for word, value, unbounded in words if value != unbounded}


@dataclass(frozen=True, slots=True)
class Setting:
    """What a field says."""

    name: str
    """Of the field."""
    owner: type
    """The dataclass that it is a field of."""
    kind: Any
    """Its type, without None."""
    optional: bool
    """Whether it may be None, spelled ``none``."""
    default: Any
    bounds: Bounds
    panel: str | None
    """The group of options that commands show it in; None: it is given by ``--set`` or a file."""
    words: str | None
    """What the help says in the place of a value; None: what its type says."""
    spelling: str | None = None
    """The key; None: that of its name."""
    origin: "Setting | None" = None
    """The setting of another dataclass that this one is `like`."""

    @property
    def key(self) -> str:
        """As files and the command line spell it."""
        return self.spelling or self.name.replace("_", "-")

    @property
    def option(self) -> str:
        """How the command line takes it, without its value."""
        return f"--{self.key}" if self.panel else f"--set {self.key}"

    @property
    def help(self) -> str:
        """The docstring under the field, or under the one that it is like."""
        own = _documented(self.owner.__module__).get(f"{self.owner.__name__}.{self.name}", "")
        return own or (self.origin.help if self.origin else "")

    @property
    def choices(self) -> tuple[str, ...]:
        """All that it may be, where these are words."""
        return get_args(self.kind) if get_origin(self.kind) is Literal else ()

    @property
    def metavar(self) -> str:
        """What it takes, in a word."""
        return self.words or "|".join(self.choices) or _TYPES[self._type][2]

    @property
    def range(self) -> str:
        """What it may be: a word for its type, its choices or its bounds."""
        if self.choices:
            return "one of " + ", ".join(self.choices)
        return str(self.bounds) or _TYPES[self._type][0]

    @property
    def _type(self) -> Any:
        several = get_args(self.kind)[1:] == (...,)
        return list if several else get_origin(self.kind) or self.kind

    def read(self, value: Any) -> object:
        """A value of a file or of the command line, where numbers are words. Raises `UsageError`."""
        if self.optional and (value is None or str(value).lower() == "none"):
            return None
        try:
            return self._read(value)
        except (TypeError, ValueError, OverflowError):
            raise UsageError(f"{self.option} must be {_TYPES[self._type][0]}, found {value!r}") from None

    def _read(self, value: Any) -> object:
        if self._type is tuple:
            parts = (
                value.split(",") if isinstance(value, str) else value if isinstance(value, list) else [value]
            )
            if len(parts) not in (1, 2) or any(isinstance(part, bool) for part in parts):
                raise ValueError
            return (float(parts[0]), float(parts[-1]))
        if self._type is list:
            parts = value if isinstance(value, list) else str(value).split(",")
            return tuple(int(part) for part in parts)
        if self._type is bool:
            read = {"true": True, "false": False}.get(value) if isinstance(value, str) else value
            if not isinstance(read, bool):
                raise ValueError
            return read
        if self._type in (int, float):
            if isinstance(value, bool) or (self._type is int and isinstance(value, float) and value % 1):
                raise ValueError
            return self._type(value)
        return self._type(value) if self._type in (str, Path) else value

    def check(self, value: Any) -> None:
        """Raise `UsageError` for a value out of bounds."""
        if value is None and self.optional:
            return
        if self.choices:
            if value not in self.choices:
                raise UsageError(f"{self.option} must be {self.range}, found {value!r}")
        elif self._type in (int, float, tuple, list):
            numbers: Any = (value,) if self._type in (int, float) else value
            if not numbers:
                raise UsageError(f"{self.option} must be {_TYPES[self._type][0]}, found none")
            for number in numbers:
                if not (self.bounds.hold(number) and abs(number) < inf):
                    bounded = self._type in (int, list) or min(self.bounds.most, self.bounds.below) < inf
                    finite = "" if bounded else "finite and "
                    raise UsageError(f"{self.option} must be {finite}{self.bounds}, found {number}")

    def typed(self, value: object) -> str:
        """As the command line takes it: ``--size 128``, or ``--set align=8``."""
        text = spelled(flat(value))
        if self.panel and isinstance(value, bool):
            return self.option if value else f"--set {self.key}={text}"
        return f"{self.option}{' ' if self.panel else '='}{text}"

    def schema(self) -> dict[str, Any]:
        """Its entry in a JSON Schema."""
        one: dict[str, Any] = (
            {"type": _TYPES[self._type][1]} if not self.choices else {"enum": [*self.choices]}
        )
        if self._type is tuple:
            number = {"type": "number"} | self.bounds.schema()
            one = {"anyOf": [number, {"type": "array", "items": number, "minItems": 1, "maxItems": 2}]}
        elif self._type is list:
            one["items"] = {"type": "integer"} | self.bounds.schema()
        elif self._type in (int, float):
            one |= self.bounds.schema()
        if self.optional:
            one = {"anyOf": [*one.get("anyOf", [one]), {"enum": ["none", None]}]}
        return {"description": self.help, "default": flat(self.default)} | one


def setting(
    default: Any = MISSING, *, make: Callable[[], Any] | None = None, panel: str | None = None,
    metavar: str | None = None, key: str | None = None, within: Bounds | None = None, **bounds: float,
) -> Any:  # fmt: skip
    """A field of a dataclass of settings; one without bounds and panel needs no call.

    make: makes the default. key: the setting's name, where it is not the field's. bounds: of `Bounds`, or
    ``within``. Typed as `dataclasses.field` is: as whatever the field is.
    """
    limits: Any = bounds
    said = {"bounds": within or Bounds(**limits), "panel": panel, "words": metavar, "spelling": key}
    return _field(default, make, said)


def like(cls: type, key: str, default: Any = MISSING) -> Any:
    """A field that says what a setting of another dataclass does, a docstring of its own aside."""
    one = settings_of(cls)[key]
    said = {"bounds": one.bounds, "panel": one.panel, "words": one.words, "origin": one}
    return _field(one.default if default is MISSING else default, None, said)


def no_setting(default: Any = MISSING, *, make: Callable[[], Any] | None = None) -> Any:
    """A field that only code sets."""
    return _field(default, make, None)


def _field(default: Any, make: Callable[[], Any] | None, said: Any) -> Any:
    metadata = {_SETTING: said}
    return (
        field(default_factory=make, metadata=metadata) if make else field(default=default, metadata=metadata)
    )


@cache
def settings_of(cls: type) -> dict[str, Setting]:
    """Key → what the field says, in the order of a dataclass's fields."""
    found = [_of_field(cls, f) for f in fields(cls) if f.metadata.get(_SETTING, {}) is not None]
    return {one.key: one for one in found}


def read_fields(cls: type, given: Mapping[str, Any]) -> dict[str, Any]:
    """Values of files or of the command line → fields of a dataclass; keys of others are left out."""
    return {one.name: one.read(given[key]) for key, one in settings_of(cls).items() if key in given}


def check_fields(settings: Any) -> None:
    """Raise `UsageError` for a field out of its bounds; for ``__post_init__``."""
    for one in settings_of(type(settings)).values():
        one.check(getattr(settings, one.name))


def flat(value: object) -> object:
    """A value in a type that TOML and JSON hold."""
    return "none" if value is None else list(value) if isinstance(value, tuple) else value


def nearest(key: str, known: Collection[str]) -> str:
    """What to say about a name that is none: the names like it, or all."""
    near = difflib.get_close_matches(key, known, n=3)
    return f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(known)}"


def spelled(value: object) -> str:
    """A flat value as the command line takes it."""
    if isinstance(value, list):
        return ",".join(map(spelled, cast("list[object]", value)))
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def _of_field(cls: type, one: Field[Any]) -> Setting:
    said = {"bounds": Bounds(), "panel": None, "words": None} | one.metadata.get(_SETTING, {})
    hint: Any = one.type
    options = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    kind = next(option for option in options if option is not type(None))
    default = None if one.default is MISSING else one.default
    return Setting(one.name, cls, kind, type(None) in options, default, **said)


@cache
def _documented(module: str) -> dict[str, str]:
    """Class.field → the docstring under it, of all classes of a module; empty without its source."""
    try:
        tree = ast.parse(inspect.getsource(sys.modules[module]))
    except (OSError, TypeError):
        return {}
    return {
        f"{part.name}.{one.target.id}": " ".join(text.replace("`", "").split())
        for part in tree.body if isinstance(part, ast.ClassDef)
        for one, below in zip(part.body, part.body[1:], strict=False)
        if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name)
        and isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)
        and isinstance(text := below.value.value, str)
    }  # fmt: skip
