"""Where settings come from, and the plan that they make."""

import json
import os
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import jsonschema
import pytest

from ganprune.presets import PRESETS, compress_settings
from ganprune.settings import KEYS, CompressSettings, schema
from ganprune.settings.fields import flat, spelled
from tests.cli.conftest import Place
from tests.cli.kit import ganprune, listing
from tests.cli.test_bad_input import refusal

MOST = {"compress": 24, "train": 12, "front": 20, "evaluate": 17, "export": 19, "bench": 17, "translate": 18}
"""Options that a command's help shows, itself left out."""


def shown(command: str) -> list[str]:
    """The options that its help shows."""
    return re.findall(r"^  (?:-\w, )?(--[\w-]+)", ganprune(command, "--help").out, re.MULTILINE)


@pytest.mark.parametrize("command", MOST)
def test_a_command_shows_what_most_need_in_named_groups(command: str) -> None:
    text = ganprune(command, "--help").out
    assert len(set(shown(command)) - {"--help"}) <= MOST[command]
    assert {"--set", "--config"} <= {*shown(command)}
    groups = [line for line in text.splitlines() if line[:1].strip() and line.endswith(":")]
    assert groups[-2:] == ["Settings:", "Output:"]


def test_every_setting_is_an_option_with_its_help_or_goes_by_set(place: Place, here: Path) -> None:
    text = " ".join(ganprune("compress", "--help").out.split())
    for key, (_, one) in KEYS.items():
        assert (f"--{key}" in shown("compress")) == bool(one.panel)
        if one.panel:
            assert one.help.removesuffix(".") in text.replace("- ", "-")
    given = {key: spelled(flat(one.default)) for key, (_, one) in KEYS.items()} | {"refit": "false"}
    words = [word for key, value in given.items() for word in ("--set", f"{key}={value}")]
    found = place.compress(*words, "--set", "size=32", "--dry-run", "--json")
    assert found.code == 0, found.err
    settings = found.json["settings"]
    assert settings["refit"] is False
    assert settings["size"] == 32
    assert (settings["population"], settings["target-macs"]) == (32, "none")


def test_set_takes_toml_and_the_last_one_counts(place: Place, here: Path) -> None:
    found = place.compress(
        "--set", "target-macs=[0.4, 0.5]", "--set", 'budget="90s"', "--set=align=4", "--set", "align=2",
        "--set", "recover-discriminators=false", "--dry-run", "--json",
    ).json["settings"]  # fmt: skip
    assert (found["target-macs"], found["budget"], found["align"]) == ([0.4, 0.5], "90s", 2)


def test_a_setting_may_be_typed_as_an_option_that_help_does_not_show(place: Place, here: Path) -> None:
    words = (
        "--align",
        "2",
        "--pictures=3",
        "--recover-discriminators",
        "--no-remove-blocks",
        "--distil-adapters",
        "true",
    )
    found = place.compress(*words, "--dry-run", "--json").json["settings"]
    assert (found["align"], found["pictures"], found["distil-adapters"]) == (2, 3, True)
    assert (found["recover-discriminators"], found["remove-blocks"]) == (True, False)


WRONG = {
    "compress CKPT --set popluation=4": "--set: unknown setting 'popluation'; did you mean population",
    "compress CKPT --set population": "--set takes NAME=VALUE, such as --set align=…, found 'population'",
    "compress CKPT --pictures 0": "--set pictures must be 1 or more, found 0",
    "compress CKPT --set target-macs=[0.1": "[0.1 is no TOML value",
    "train --set nfg=3": "--set: unknown setting 'nfg'; did you mean ngf",
    "train --data DATA --set ngf=0": "--set ngf must be 1 to 1024, found 0",
    "train --config my.toml": "my.toml: unknown setting 'nfg'; did you mean ngf",
    "export --onnx CKPT --set simplify=maybe": "--set simplify must be true or false, found 'maybe'",
}


@pytest.mark.parametrize("line", WRONG)
def test_a_wrong_name_says_the_nearest_and_a_wrong_value_its_bounds(
    place: Place, here: Path, line: str
) -> None:
    (here / "my.toml").write_text("nfg = 3\n")
    names = {"CKPT": place.checkpoint, "DATA": place.data}
    assert WRONG[line] in refusal(ganprune(*(names.get(word, word) for word in line.split())), 2)


def test_a_file_of_options_stands_below_those_that_are_typed(place: Place, here: Path) -> None:
    (here / "my.toml").write_text("ngf = 4\nndf = 4\nblocks = 1\nsize = 64\nthreads = 1\nflip = false\n")
    words = ("--data", place.data, "-o", "net", "--budget", "1steps", "--set", "device=cpu")
    made = ganprune("train", "--config", "my.toml", *words, "--size", "32")
    assert made.code == 0, made.err
    settings = json.loads((here / "net/train.json").read_text())["settings"]
    assert (settings["ngf"], settings["size"], settings["flip"]) == (4, 32, False)


@pytest.mark.parametrize(
    ("line", "code", "told"),
    [("compress CKPT --set population=1 --json", 2, "--set population must be 2 or more, found 1"),
     ("compress missing --json", 2, "missing"), ("bench --zzz --json", 2, "No such option: --zzz"),
     ("zzz --json", 2, "No such command 'zzz'"), ("--zz --json", 2, "No such option: --zz")],
)  # fmt: skip
def test_with_json_the_last_line_on_stderr_is_an_error_as_json(
    place: Place, here: Path, line: str, code: int, told: str
) -> None:
    done = ganprune(*(place.checkpoint if word == "CKPT" else word for word in line.split()))
    error = json.loads(done.err.splitlines()[-1])
    jsonschema.validate(error, json.loads(ganprune("presets", "--schema", "error").out))
    assert (done.code, error["exit_code"], done.out) == (code, code, "")
    assert told in error["error"]


def test_presets_list_every_setting_with_default_bounds_and_help() -> None:
    table = ganprune("presets", "--settings", "--markdown").out
    for key, (_, one) in KEYS.items():
        usual = spelled(PRESETS["fast"].settings.get(key, ""))
        assert f"| {key} | {spelled(flat(one.default))} | {one.range} | {usual} |" in table
    assert "but for budget 0, population 16, generations 6, and no target" in table
    assert ganprune("presets", "--settings", "--json").json == schema()
    assert "Without one, compress goes by preset fast: population 12, " in schema()["description"]


@pytest.mark.parametrize(
    ("command", "told"),
    [("demo", ["none; default 90s.", "a worker; default 1."]), ("front", ["none; default 0."]),
     ("compress", ["timed; default 4.2.", "fast unless there is a --config", "none; default 20m."]),
     ("compare", ["as the file of --config says", "0: none.", "pixels."]),
     ("download", ["or anew if no SHA-256 is known"])],
)  # fmt: skip
def test_help_tells_the_defaults_of_its_own_command(command: str, told: list[str]) -> None:
    text = " ".join(ganprune(command, "--help").out.split())
    assert [one for one in told if one not in text] == []


def test_a_reader_that_is_gone_gets_no_words_about_a_pipe() -> None:
    line = f"{sys.executable} -m ganprune_cli presets --settings | head -1"
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("Of compress;")
    assert "roken pipe" not in done.stderr


@pytest.mark.parametrize("option", ["-V", "--version"])
def test_version_is_said(option: str) -> None:
    assert ganprune(option).out == f"ganprune {version('ganprune')}\n"


def test_a_shell_completes_commands_options_and_choices() -> None:
    code = "from ganprune_cli.main import app; app(prog_name='ganprune')"

    def completed(line: str) -> list[str]:
        asked = {
            "_GANPRUNE_COMPLETE": "complete_bash",
            "COMP_WORDS": line,
            "COMP_CWORD": f"{line.count(' ')}",
        }
        done = subprocess.run(
            [sys.executable, "-c", code], env=os.environ | asked, capture_output=True, text=True, check=False
        )
        return done.stdout.split()

    assert completed("ganprune com") == ["compress", "compare"]
    assert completed("ganprune compress net --dire") == ["--direction"]
    assert completed("ganprune compress net --direction ") == ["both", "AtoB", "BtoA"]


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
    "--set population=1": "--set population must be 2 or more, found 1",
    "--set generations=-1": "--set generations must be 0 or more, found -1",
    "--set gamma=-0.5": "--set gamma must be finite and 0 or more",
    "--set gamma=nan": "--set gamma must be finite and 0 or more",
    "--set lambda-cycle=inf": "--set lambda-cycle must be finite and 0 or more",
    "--target-macs 0": "--target-macs must be above 0 and at most 1",
    "--target-macs 1.5": "--target-macs must be above 0 and at most 1",
    "--target-macs 0.2,0.3,0.4": "--target-macs must be one number or two",
    "--target-macs quarter": "--target-macs must be one number or two, found 'quarter'",
    "--set align=0": "--set align must be 1 or more",
    "--set layout=rows": "--set layout must be one of filters, shared",
    "--set order=reverse": "--set order must be one of",
    "--set partners=none": "--set partners must be one of",
    "--set loss=l1": "--set loss must be one of disa, gena",
    "--set mutation-rate=1.1": "--set mutation-rate must be 0 to 1",
    "--set pictures=0": "--set pictures must be 1 or more",
    "--set reduction=max": "--set reduction must be one of mean, sum",
    "--size 30": "--size must be a multiple of 4 from 16 to 8192",
    "--size 12": "--size must be a multiple of 4 from 16 to 8192",
    "--set precision=half": "--set precision must be one of auto, float32, bfloat16",
    "--threads 0": "--threads must be 1 to 1024, found 0",
    "--threads 100000": "--threads must be 1 to 1024, found 100000",
    "--set batch=0": "--set batch must be 1 or more",
    "--budget soon": "--budget must be",
}


@pytest.mark.parametrize("option", RANGES)
def test_value_out_of_range_is_named(place: Place, here: Path, option: str) -> None:
    assert RANGES[option] in refusal(place.compress(*option.split()), 2)
    assert not list(here.iterdir())


FILES = {
    "popluation = 4": "my.toml: unknown setting 'popluation'; did you mean population",
    "target_macs = 0.5": "did you mean target-macs or target-ms",
    "zzz = 1": "unknown setting 'zzz'; known: population, ",
    'population = "many"': "--set population must be a whole number, found 'many'",
    "population = 2.5": "--set population must be a whole number, found 2.5",
    "population = true": "--set population must be a whole number, found True",
    "gamma = true": "--set gamma must be a number, found True",
    "target-macs = true": "--target-macs must be one number or two, found True",
    "target-macs = []": "--target-macs must be one number or two, found []",
    "seed = 2026-11-21": "--seed must be a whole number",
    "layout = 5": "--set layout must be one of",
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
    found = place.compress_whole("--dry-run")
    assert found.code == 0
    assert listing(place.checkpoint.parent) | listing(here) == before
    assert "population 4, 3 generations: 32 individuals" in found.out
    assert "2 pictures a domain at 32×32" in found.out
    assert found.err.splitlines()[-1] == (
        f"next: ganprune compress {place.checkpoint} --data {place.data} --config {place.config}"
    )


def test_plan_counts_what_the_search_then_does(place: Place, run: Path) -> None:
    plan = place.compress("--dry-run", "--json").json["plan"]
    lines = [json.loads(line) for line in (run / "search.jsonl").read_text().splitlines()]
    assert plan["individuals"] == 2 * 4 * len(lines)
    assert sum(line["evaluations"] for line in lines) <= plan["individuals"]
    timing = plan["timing_seconds"]
    assert plan["seconds"] == timing + sum(plan["stages"].values()) > timing > 0


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
