"""Settings files for --config: of a compression, and of a comparison."""

from pathlib import Path
from typing import Any

import tomli_w
from hypothesis import strategies as st

from ganprune.comparing.cells import packaged, read_comparison
from ganprune.errors import UsageError
from ganprune.presets import compress_settings
from ganprune.settings import KEYS, CompressSettings
from ganprune.storage.plain import read_toml
from tests.checkpoints.mutations import damaged, damages
from tests.fuzz.program import time_limit
from tests.fuzz.values import changed, odd

_DEFAULTS = CompressSettings().to_flat()
_COMPARISON = read_toml(packaged()["example"])


@st.composite
def flat_files(draw: st.DrawFn) -> bytes:
    """Some settings, most of them with values of the right kind."""
    values = st.sampled_from(sorted(KEYS)).flatmap(
        lambda key: st.tuples(st.just(key), st.just(_DEFAULTS[key]) | odd)
    )
    flat = dict(draw(st.lists(values, max_size=6)))
    table = {"settings": flat} if draw(st.booleans()) else flat
    return draw(_written(table))


@st.composite
def comparison_files(draw: st.DrawFn) -> bytes:
    """A packaged comparison with changes."""
    table = _COMPARISON
    for _ in range(draw(st.integers(1, 3))):
        table = draw(changed(table))
    return draw(_written(table if isinstance(table, dict) else {"settings": table}))


@st.composite
def _written(draw: st.DrawFn, table: dict[str, Any]) -> bytes:
    try:
        content = tomli_w.dumps(without_none(table)).encode("utf-8", "surrogatepass")
    except (TypeError, ValueError):
        content = repr(table).encode("utf-8", "surrogatepass")
    return damaged(content, draw(damages), content) if draw(st.integers(0, 3)) == 0 else content


def without_none(value: Any) -> Any:
    """TOML has no null."""
    if isinstance(value, dict):
        return {str(key): without_none(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [without_none(item) for item in value if item is not None]
    return value


def read_flat(folder: Path, content: bytes) -> str:
    """Settings come out, or a `UsageError` on one line."""
    path = folder / "flat.toml"
    path.write_bytes(content)
    return _read(lambda: compress_settings(None, path, {}))


def read_cells(folder: Path, content: bytes) -> str:
    """Cells come out, or a `UsageError` on one line."""
    path = folder / "cells.toml"
    path.write_bytes(content)
    return _read(lambda: read_comparison(str(path)))


def _read(reader: Any) -> str:
    try:
        with time_limit():
            reader()
    except UsageError:
        return "UsageError"
    return "read"
