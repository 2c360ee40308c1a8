"""The options of ``bench``, read."""

from dataclasses import replace
from typing import Any

from ganprune.bench import BenchSettings
from ganprune.errors import UsageError


def bench_settings(*, threads: str | None = None, runs: str | None = None, **given: object) -> BenchSettings:
    """From options as given; None: unset. Raises `UsageError` for numbers that are none or out of range."""
    numbers: dict[str, Any] = {}
    if threads is not None:
        numbers["threads"] = tuple(dict.fromkeys(_numbers("--threads", threads)))
    if runs is not None:
        least, *most = _numbers("--set runs", runs)
        numbers["minimum"] = least
        numbers["maximum"] = most[0] if most else max(least, BenchSettings().maximum)
    numbers |= {name: value for name, value in given.items() if value is not None}
    return replace(BenchSettings(), **numbers)


def _numbers(option: str, text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise UsageError(f"{option} must be whole numbers separated by commas, found {text!r}") from None
