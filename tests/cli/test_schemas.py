"""What --json prints is as `ganprune presets --schema COMMAND` says; `Outcome.json` looks at every output."""

from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from typer.main import get_command

from ganprune_cli.main import app
from ganprune_cli.schema import schema_of
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


def test_all_commands_print_figures_as_json() -> None:
    assert set(WITH_JSON) == set(COMMANDS)


def test_a_run_and_what_is_drawn_of_it_are_objects(place: Place, here: Path) -> None:
    made = place.compress("-o", "run", "--json")
    assert made.code == 0, made.err
    assert made.json["run"] == "run"
    page = ganprune("report", "run", "--json").json
    assert page["bytes"] == (here / page["report"]).stat().st_size
    drawn = ganprune("figures", "run", "--json").json
    assert all((here / file).is_file() for file in drawn["files"])
    refused = ganprune("report", "run", "--json", "--serve")
    assert "--json and --serve contradict each other" in refused.err


def test_an_unknown_schema_is_refused_with_the_known_ones() -> None:
    refused = ganprune("presets", "--schema", "compres")
    assert refused.code == 2
    assert "--schema compres: there are bench, compare, compress, " in refused.err
