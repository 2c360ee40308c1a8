"""What --json prints is as `ganprune presets --schema COMMAND` says; `Outcome.json` looks at every output."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from jsonschema import Draft202012Validator
from typer.main import get_command

from ganprune_cli.main import app
from ganprune_cli.schema import schema_of, schemas
from tests.cli.conftest import Place
from tests.cli.kit import ganprune

COMMANDS: dict[str, Any] = get_command(app).commands  # type: ignore[attr-defined]
WITH_JSON = [name for name, c in COMMANDS.items() if any("--json" in p.opts for p in c.params)]


@pytest.mark.parametrize("name", [*WITH_JSON, "error"])
def test_every_command_with_json_has_a_schema_that_says_what_is_what(name: str) -> None:
    schema = schema_of(name)
    Draft202012Validator.check_schema(schema)
    described = [
        "description" in entry
        for one in schema.get("anyOf", [schema])
        for key, entry in one.get("properties", {}).items()
        if key != "schema"
    ]
    assert sum(described) >= len(described) / 2


@pytest.mark.parametrize("name", schemas())
def test_no_schema_leaves_open_what_an_object_or_a_list_holds(name: str) -> None:
    schema = schema_of(name)
    assert not _left_open(schema, schema.get("$defs", {}), name)


def _left_open(schema: dict[str, Any], shared: dict[str, Any], at: str, closed: bool = False) -> list[str]:
    """Where; closed: what refers to this says that there are no other keys."""
    beside, others = schema.get("unevaluatedProperties") is False, schema.get("additionalProperties", {})
    is_object = "object" in schema.get("type", ()) or "properties" in schema
    is_open = is_object and not (closed or beside or others not in ({}, True))
    found = [at] if is_open or ("array" in schema.get("type", ()) and "items" not in schema) else []
    parts = schema.get("properties", {}) | dict(enumerate(schema.get("anyOf", ())))
    parts |= {key: schema[key] for key in ("items", "additionalProperties") if schema.get(key)}
    for key, part in parts.items():
        found += _left_open(part, shared, f"{at}/{key}")
    name = schema.get("$ref", "").removeprefix("#/$defs/")
    return found + (_left_open(shared[name], shared, f"{at}/{name}", beside) if name in shared else [])


QUANTITIES = {
    r"[Bb]ytes|^Size of|^Its size": r"\w+_bytes",
    "Multiply-accumulates": "macs_true",
    "true MACs of the original": "original_macs_true",
    "[Ss]hare of the original's true MACs|^Of the original's true MACs": "macs_share",
    "MACs (of the baseline )?over its own": "theoretical_speedup",
    "original's ms over its own": "speedup",
    "Median milliseconds a picture": "median_ms",
    r"\b[Ss]econds": r"(\w+_)?seconds|stages",
    r"^dB|, dB": "psnr",
    "translation .*(missing|lack)": "lost",
}
"""Descriptions, and what figures that are so described are called."""
ROWS = {"original, mirrored", "slim, fine-tuned"}


def _named(part: object) -> Iterator[tuple[str, str]]:
    """Every key of a schema, and its description."""
    if isinstance(part, dict):
        entries = cast(dict[str, Any], part)
        for name, entry in entries.get("properties", {}).items():
            yield name, entry.get("description", "")
        part = list(entries.values())
    if isinstance(part, list):
        for each in cast(list[object], part):
            yield from _named(each)


@pytest.mark.parametrize("name", schemas())
def test_one_quantity_has_one_name_in_all_schemas(name: str) -> None:
    for key, described in _named(schema_of(name)):
        assert re.fullmatch("[a-z][a-z0-9_]*|[AB]|L_[A-Za-z]+", key) or key in ROWS
        for quantity, called in QUANTITIES.items():
            assert not re.search(quantity, described) or re.fullmatch(called, key), (key, described)


def test_a_schema_that_is_printed_is_as_the_schema_of_presets_says() -> None:
    for words in (["--settings"], ["--schema", "compress"]):
        assert ganprune("presets", *words, "--json").json["title"]


def test_all_commands_print_figures_as_json() -> None:
    assert set(WITH_JSON) == set(COMMANDS)


def test_a_run_and_what_is_drawn_of_it_are_objects(place: Place, here: Path) -> None:
    made = place.compress("-o", "run", "--json")
    assert made.code == 0, made.err
    assert made.json["run"] == "run"
    page = ganprune("report", "run", "--json").json
    assert page["file_bytes"] == (here / page["report"]).stat().st_size
    drawn = ganprune("figures", "run", "--json").json
    assert all((here / file).is_file() for file in drawn["files"])
    refused = ganprune("report", "run", "--json", "--serve")
    assert "--json and --serve contradict each other" in refused.err


def test_an_unknown_schema_is_refused_with_the_known_ones() -> None:
    refused = ganprune("presets", "--schema", "compres")
    assert refused.code == 2
    assert "--schema compres: there are bench, compare, compress, " in refused.err
