"""JSON and TOML files that may be damaged, or made by someone else.

They become plain values, or one line on what is wrong. A file is read only where it is a regular one, and no
longer than such files are: a pipe would never end. What is nested too deeply for Python is damaged like any
other. `fits` says whether values are of the type that ganprune writes.
"""

import json
import tomllib
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from pathlib import Path, PurePosixPath, PureWindowsPath
from types import UnionType
from typing import (
    Any,
    Literal,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

from ganprune.errors import RunError, UsageError

MOST = 64 << 20
"""Bytes of the longest text that is read; a search of 10,000 generations writes a tenth of that."""

MOST_TOML = 1 << 20
"""Bytes of the longest TOML file that is read, which takes a second; settings have some thousand."""

MOST_PARTS = 100  # dots in a row in a TOML file

_T = TypeVar("_T")


def read_text(path: Path, most: int = MOST) -> str:
    """The text of a regular file.

    Raises `OSError` where there is none or it cannot be read, `ValueError` for anything but UTF-8, for
    something else of that name, and for more than ``most`` bytes.
    """
    size = path.stat().st_size
    if not path.is_file():
        raise ValueError("no regular file")
    if size > most:
        raise ValueError(f"{size} bytes, {most} at most were expected")
    return path.read_text(encoding="utf-8")


def parse_json(text: str) -> Any:
    """A JSON text as plain values. Raises `ValueError` for anything else.

    Whole numbers of 20 digits and more become floats, infinite ones if need be: no later sum overflows. Half
    a surrogate pair, which JSON can spell and no file can hold, is refused.
    """
    try:
        found = json.loads(text, parse_int=lambda digits: int(digits) if len(digits) < 20 else float(digits))
        if "\\ud" in text.lower():
            json.dumps(found, ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return found


def read_json(path: Path) -> Any:
    """A JSON file as plain values. Raises as `read_text`, and `ValueError` for other texts."""
    return parse_json(read_text(path))


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The objects of a .jsonl file up to the first line that is none: a kill may have cut the last one short.

    None where the file is missing. Raises as `read_text`.
    """
    found: list[dict[str, Any]] = []
    for text in read_text(path).splitlines() if path.exists() else ():
        try:
            line = parse_json(text)
        except ValueError:
            break
        if not isinstance(line, dict):
            break
        found.append(cast(dict[str, Any], line))
    return found


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file as plain values. Raises as `read_text`, and `ValueError` for other texts."""
    text = read_text(path, MOST_TOML)
    # Python's reader takes the square of the number of a key's parts. Values between commas have few dots.
    if any(part.count(".") > MOST_PARTS for line in text.splitlines() for part in line.split(",")):
        raise ValueError(f"a key of more than {MOST_PARTS} parts")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def fits(value: object, shape: Any) -> bool:
    """Whether a plain value is of a type, as annotations spell it.

    Known are classes, ``list[…]``, ``dict[str, …]``, unions, literals, and `TypedDict` and dataclasses: a
    dict with at least the names that these ask for. Whole numbers are floats too; True and False are no
    numbers.
    """
    kind: Any = get_origin(shape) or shape
    args: tuple[Any, ...] = get_args(shape)
    if kind in (Union, UnionType):
        return any(fits(value, one) for one in args)
    if kind is Literal:
        return value in args
    if is_typeddict(kind) or is_dataclass(kind):
        entries, (parts, needed) = cast(dict[object, object], value), _parts(kind)
        return isinstance(value, dict) and all(
            fits(entries[name], part) if name in entries else name not in needed
            for name, part in parts.items()
        )
    if args and isinstance(value, kind):  # pyright: ignore[reportUnknownArgumentType]
        items = cast(dict[object, object] | list[object], value)
        if isinstance(items, list):
            return all(fits(item, args[0]) for item in items)
        return all(isinstance(key, str) and fits(item, args[1]) for key, item in items.items())
    if kind in (Any, object, bool):
        return kind is not bool or isinstance(value, bool)
    return isinstance(value, (int, float) if kind is float else kind) and not isinstance(value, bool)


@cache
def _parts(shape: Any) -> tuple[dict[str, Any], frozenset[str]]:
    """Types of the entries of a `TypedDict` or a dataclass, and which must be there."""
    hints = get_type_hints(shape)
    if is_typeddict(shape):
        return hints, shape.__required_keys__
    needed = (item.name for item in fields(shape) if item.default is item.default_factory is MISSING)
    return hints, frozenset(needed)


def shaped(value: object, shape: type[_T]) -> _T:
    """A plain value. Raises `ValueError` unless it is of a type, see `fits`."""
    if not fits(value, shape):
        raise ValueError("it is not as ganprune writes it")
    return cast(_T, value)


def known_json(path: Path, shape: type[_T]) -> _T | None:
    """A JSON file of a type as plain values; None where there is none that can be read."""
    try:
        return shaped(read_json(path), shape)
    except (FileNotFoundError, ValueError):
        return None


@contextmanager
def sound(path: Path, remedy: str, what: str = "is damaged") -> Generator[None]:
    """Within, what a file holds is read; where that cannot be used, it becomes a `RunError` with the remedy.

    A file that is missing stays a `FileNotFoundError`.
    """
    try:
        yield
    except (ValueError, TypeError, LookupError, ArithmeticError, UsageError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise RunError(f"{path} {what} ({reason}); {remedy}") from None


@contextmanager
def as_written(what: str, remedy: str = "run `ganprune compress` again to make them") -> Generator[None]:
    """Within, whatever comes of plain values that are not as ganprune writes them becomes a `RunError`.

    For drawing and printing, where a shape of every value would say no more.
    """
    try:
        yield
    except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise RunError(
            f"{what} holds files that are not as ganprune writes them ({reason}); {remedy}"
        ) from None


def is_inside(name: str) -> bool:
    """Whether a file's name, from a file, stays within the folder that it is taken from."""
    if not name or "\0" in name:
        return False
    return not any(
        path.is_absolute() or path.drive or path.root or ".." in path.parts
        for path in (PurePosixPath(name), PureWindowsPath(name))
    )
