"""Where settings come from, and the plan that they make."""

import json
from pathlib import Path

import pytest
import typer

from ganprune.layers import compress_settings
from ganprune.presets import PRESETS
from ganprune.settings import KEYS, CompressSettings
from ganprune_cli.main import app
from tests.cli.conftest import Place
from tests.cli.kit import ganprune, listing
from tests.cli.test_bad_input import refusal

OTHERS = {
    "data",
    "data-a",
    "data-b",
    "generator",
    "discriminator",
    "output",
    "preset",
    "config",
    "dry-run",
    "no-bench",
    "no-report",
    "json",
    "markdown",
    "quiet",
    "help",
}
"""Options of compress that are no settings."""


def test_every_setting_has_an_option_of_its_name() -> None:
    compress = typer.main.get_command(app).commands["compress"]  # pyright: ignore[reportAttributeAccessIssue]
    options = {word.removeprefix("--") for p in compress.params for word in p.opts if word[:2] == "--"}
    by_config_alone = {"p-select", "p-crossover", "refit", "refit-pictures"}
    assert options - OTHERS == KEYS.keys() - by_config_alone


def test_options_beat_the_file_and_the_file_beats_the_preset(here: Path) -> None:
    config = here / "my.toml"
    config.write_text('population = 6\ngenerations = 7\ntarget-macs = "none"\n')
    found = compress_settings("fast", config, {"generations": 8, "lambda_cycle": 3.0, "gamma": None})
    assert found.search.generations == 8
    assert found.search.population == 6
    assert found.search.target_macs is None
    assert found.search.align == PRESETS["fast"].settings["align"]
    assert found.search.lambda_cycle == 3.0
    assert found.search.gamma == CompressSettings().search.gamma
    assert {"generations", "lambda-cycle"} <= found.given
    assert not {"gamma", "align"} & found.given  # nobody's, and the preset's


def test_file_without_a_preset_stands_alone(here: Path) -> None:
    config = here / "my.toml"
    config.write_text("population = 6\n")
    assert compress_settings(None, config, {}) == CompressSettings.from_flat({"population": 6})
    assert compress_settings(None, None, {}) == CompressSettings.from_flat(PRESETS["fast"].settings)


@pytest.mark.parametrize("name", PRESETS)
def test_printed_preset_is_a_config_file_of_the_same_settings(here: Path, name: str) -> None:
    printed = ganprune("presets", name)
    assert printed.code == 0
    (here / "my.toml").write_text(printed.out)
    assert compress_settings(None, here / "my.toml", {}) == compress_settings(name, None, {})
    assert ganprune("presets", name, "--json").json["settings"] == compress_settings(name, None, {}).to_flat()


def test_presets_are_listed_with_their_purpose(here: Path) -> None:
    found = ganprune("presets", "--json").json
    assert found["presets"].keys() == PRESETS.keys()
    assert found["default"] in PRESETS
    assert all(summary in ganprune("presets", "--markdown").out
               for summary in (p["summary"] for p in found["presets"].values()))  # fmt: skip


@pytest.mark.parametrize(
    ("given", "shares"), [("none", None), ("0.5", [0.5, 0.5]), ("0.5,0.6", [0.5, 0.6]), ("1", [1.0, 1.0])]
)
def test_target_is_a_share_for_both_or_for_each_or_none(
    place: Place, here: Path, given: str, shares: list[float] | None
) -> None:
    found = place.compress("--dry-run", "--json", "--target-macs", given)
    assert found.json["settings"]["target-macs"] == ("none" if shares is None else shares)
    assert list(found.json["plan"]["target_macs"].values()) == (shares or [None, None])


RANGES = {
    "--population 1": "--population must be 2 or more, found 1",
    "--generations -1": "--generations must be 0 or more, found -1",
    "--gamma -0.5": "--gamma must be finite and 0 or more",
    "--gamma nan": "--gamma must be finite and 0 or more",
    "--lambda-cycle inf": "--lambda-cycle must be finite and 0 or more",
    "--target-macs 0": "--target-macs must be above 0 and at most 1",
    "--target-macs 1.5": "--target-macs must be above 0 and at most 1",
    "--target-macs 0.2,0.3,0.4": "--target-macs must be one number or two",
    "--target-macs quarter": "--target-macs must be one number or two, found 'quarter'",
    "--align 0": "--align must be 1 or more",
    "--layout rows": "--layout must be one of filters, shared",
    "--order reverse": "--order must be one of",
    "--partners none": "--partners must be one of",
    "--loss l1": "--loss must be one of disa, gena",
    "--mutation-rate 1.1": "--mutation-rate must lie in 0 … 1",
    "--pictures 0": "--pictures must be 1 or more",
    "--reduction max": "--reduction must be mean or sum",
    "--size 30": "--size must be a multiple of 4 and at least 16",
    "--size 12": "--size must be a multiple of 4 and at least 16",
    "--precision half": "--precision must be auto, float32 or bfloat16",
    "--threads 0": "--threads must be 1 to 1024, found 0",
    "--threads 100000": "--threads must be 1 to 1024, found 100000",
    "--batch 0": "--batch must be 1 or more",
    "--budget soon": "--budget must be",
}


@pytest.mark.parametrize("option", RANGES)
def test_value_out_of_range_is_named(place: Place, here: Path, option: str) -> None:
    assert RANGES[option] in refusal(place.compress(*option.split()), 2)
    assert not list(here.iterdir())


FILES = {
    "popluation = 4": "my.toml: unknown setting 'popluation'; did you mean population?",
    "target_macs = 0.5": "did you mean target-macs?",
    "zzz = 1": "unknown setting 'zzz'; known: population, ",
    'population = "many"': "--population must be a whole number, found 'many'",
    "population = 2.5": "--population must be a whole number, found 2.5",
    "population = true": "--population must be a whole number, found True",
    "gamma = true": "--gamma must be a number, found True",
    "target-macs = true": "--target-macs must be one number or two, found True",
    "target-macs = []": "--target-macs must be one number or two, found []",
    "seed = 2026-11-21": "--seed must be a whole number",
    "layout = 5": "--layout must be one of",
    "settings = 3": "[settings] must be a table, found 3",
    "population = ": "is no TOML file",
}


@pytest.mark.parametrize("text", FILES)
def test_mistake_in_a_config_file_is_named(place: Place, here: Path, text: str) -> None:
    (here / "my.toml").write_text(text)
    found = ganprune("compress", place.checkpoint, "--data", place.data, "--config", "my.toml")
    assert FILES[text] in refusal(found, 2)
    assert [path.name for path in here.iterdir()] == ["my.toml"]


def test_config_of_a_run_is_a_config_file(place: Place, run: Path) -> None:
    found = ganprune("compress", place.checkpoint, "--data", place.data, "--config", run / "config.toml",
                     "-o", run)  # fmt: skip
    assert found.code == 0, found.err


def test_dry_run_writes_nothing_and_prints_the_command_without_it(place: Place, here: Path) -> None:
    before = listing(place.checkpoint.parent) | listing(here)
    found = place.compress("--dry-run")
    assert found.code == 0
    assert listing(place.checkpoint.parent) | listing(here) == before
    assert "K = 4, T = 3: 32 individuals" in found.out
    assert "2 pictures a domain at 32×32" in found.out
    assert found.err.splitlines()[-1] == (
        f"next: ganprune compress {place.checkpoint} --data {place.data} --config {place.config}"
    )


def test_plan_counts_what_the_search_then_does(place: Place, run: Path) -> None:
    plan = place.compress("--dry-run", "--json").json["plan"]
    lines = [json.loads(line) for line in (run / "search.jsonl").read_text().splitlines()]
    assert plan["individuals"] == 2 * 4 * len(lines)
    assert sum(line["evaluations"] for line in lines) <= plan["individuals"]
    assert plan["total"] == sum(plan["stages"].values()) > 0


def test_data_is_taken_from_the_options_of_the_training(place: Place, here: Path) -> None:
    net = here / "net"
    net.mkdir()
    for file in place.checkpoint.iterdir():
        (net / file.name).symlink_to(file)
    (net / "train_opt.txt").write_text(f"    dataroot: {place.data}    [default: None]\n")
    found = ganprune("compress", net, "--config", place.config, "--dry-run")
    assert found.code == 0
    assert f"--data {place.data}, from the checkpoint's options" in found.err


def test_nothing_is_timed_or_reported_where_that_is_not_wanted(place: Place, here: Path) -> None:
    done = place.compress("--no-bench", "--no-report", "-o", "run")
    assert done.code == 0, done.err
    assert not {"bench.json", "report.html"} & {path.name for path in (here / "run").iterdir()}
    assert "Pictures against the original's" in done.out
    assert "G_A ran" not in done.out
    planned = json.loads((here / "run/provenance.json").read_text())["plan"]
    assert list(planned)[-2:] == ["pictures", "export"]
    assert f"stage 1 of {len(planned)}: search: which filters to keep" in done.err
    again = place.compress("--no-bench", "--no-report", "-o", "run")
    assert again.code == 0
    assert "stage" not in again.err
