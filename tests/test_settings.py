"""Settings and their flat form."""

import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganprune.errors import UsageError
from ganprune.settings import KEYS, CompressSettings, read_config, schema, typed
from ganprune.settings.compress import FineTuneSettings
from ganprune.settings.fields import settings_of
from ganprune.settings.search import SearchSettings
from ganprune.settings.training import DistilSettings, TrainSettings

shares = st.floats(0.001, 1)
flats = st.fixed_dictionaries(
    {},
    optional={
        "population": st.integers(2, 1000),
        "generations": st.integers(0, 1000),
        "gamma": st.floats(0, 1e6),
        "target-macs": st.none() | st.tuples(shares, shares).map(list),
        "align": st.integers(1, 64),
        "layout": st.sampled_from(["filters", "shared"]),
        "seed": st.integers(0, 2**31),
        "size": st.integers(4, 200).map(lambda n: 4 * n),
        "precision": st.sampled_from(["auto", "float32", "bfloat16"]),
        "threads": st.none() | st.integers(1, 64),
        "batch": st.none() | st.integers(1, 64),
        "budget": st.sampled_from(["0", "90s", "20m", "1h30m", "5epochs", "500steps"]),
    },
)


@given(flats)
def test_flat_form_loses_nothing(flat: dict[str, object]) -> None:
    settings = CompressSettings.from_flat(flat)
    assert CompressSettings.from_flat(settings.to_flat()) == settings
    assert settings.to_flat().keys() == KEYS.keys()
    for key, value in flat.items():
        assert settings.to_flat()[key] == ("none" if value is None else value)


@given(flats, flats)
def test_later_layers_win_key_by_key(first: dict[str, object], second: dict[str, object]) -> None:
    merged = CompressSettings.from_flat(first | second).to_flat()
    for key, value in CompressSettings.from_flat(second).to_flat().items():
        expected = value if key in second else CompressSettings.from_flat(first).to_flat()[key]
        assert merged[key] == expected


def test_no_two_sections_share_a_key() -> None:
    settings = CompressSettings()
    sections = [getattr(settings, name) for name in dict.fromkeys(section for section, _ in KEYS.values())]
    assert len(KEYS) == sum(len(fields(section)) for section in sections)
    assert all(key == key.lower() and "_" not in key for key in KEYS)


@pytest.mark.parametrize(
    ("given", "meant"),
    [("0.25", (0.25, 0.25)), ("0.25,0.3", (0.25, 0.3)), (0.5, (0.5, 0.5)), (1, (1.0, 1.0)),
     ([0.2], (0.2, 0.2)), ([0.2, 0.3], (0.2, 0.3)), ("none", None), ("None", None), (None, None)],
)  # fmt: skip
def test_target_is_read_from_words_numbers_and_lists(given: object, meant: object) -> None:
    assert CompressSettings.from_flat({"target-macs": given}).search.target_macs == meant


@pytest.mark.parametrize(("given", "meant"), [("12", 12), (12.0, 12), (12, 12)])
def test_whole_numbers_are_read_from_words_and_floats(given: object, meant: int) -> None:
    assert CompressSettings.from_flat({"population": given}).search.population == meant


def test_none_is_for_settings_that_may_be_unset() -> None:
    settings = CompressSettings.from_flat({"threads": "none", "batch": "none"})
    assert settings.compute.threads is None
    assert settings.compute.batch is None
    with pytest.raises(UsageError, match="--set population must be a whole number, found 'none'"):
        CompressSettings.from_flat({"population": "none"})


@pytest.mark.parametrize("key", ["population", "threads", "seed", "size"])
@pytest.mark.parametrize("value", ["many", 2.5, True, [1], "", "0x10"])
def test_what_is_no_whole_number_is_refused(key: str, value: object) -> None:
    with pytest.raises(UsageError, match=f"^{KEYS[key][1].option} must be a whole number, found"):
        CompressSettings.from_flat({key: value})


@pytest.mark.parametrize("key", ["gamma", "lambda-cycle", "mutation-rate", "p-select"])
@pytest.mark.parametrize("value", ["much", True, [1.0], ""])
def test_what_is_no_number_is_refused(key: str, value: object) -> None:
    with pytest.raises(UsageError, match=f"^{KEYS[key][1].option} must be a number, found"):
        CompressSettings.from_flat({key: value})


def test_unknown_key_names_its_source_and_a_near_one() -> None:
    with pytest.raises(
        UsageError, match=r"^my.toml: unknown setting 'target_macs'; did you mean target-macs or target-ms"
    ):
        CompressSettings.from_flat({"target_macs": 0.5}, source="my.toml")
    with pytest.raises(UsageError, match="unknown setting 'q'; known: population, generations, "):
        CompressSettings.from_flat({"q": 1})


def test_defaults_are_the_defaults_of_every_section() -> None:
    assert CompressSettings.from_flat({}) == CompressSettings()
    assert CompressSettings().search == SearchSettings()


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        CompressSettings().search.population = 3  # type: ignore[misc]


def test_config_file_is_flat_or_has_a_table_of_settings(tmp_path: Path) -> None:
    flat, run = tmp_path / "flat.toml", tmp_path / "run.toml"
    flat.write_text("population = 6\ntarget-macs = [0.2, 0.3]\n")
    run.write_text(
        'checkpoint = "x"\n[settings]\npopulation = 6\ntarget-macs = [0.2, 0.3]\n[resolved]\ndevice = "cpu"\n'
    )
    assert read_config(flat) == read_config(run) == {"population": 6, "target-macs": [0.2, 0.3]}


@pytest.mark.parametrize(
    ("text", "told"), [("population =", "is no TOML file"), ("settings = 3", "must be a table, found 3")]
)
def test_malformed_config_file_is_refused_by_name(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "bad.toml"
    file.write_text(text)
    with pytest.raises(UsageError, match=f"bad.toml.*{told}"):
        read_config(file)
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="is no TOML file"):
        read_config(file)


def test_missing_config_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.toml does not exist; `ganprune presets NAME` prints one"):
        read_config(tmp_path / "none.toml")
    with pytest.raises(UsageError, match="is no file"):
        read_config(tmp_path)


def test_every_field_says_what_it_is_in_the_docstring_under_it() -> None:
    for cls in (TrainSettings, DistilSettings):
        assert [one.name for one in settings_of(cls).values() if not one.help] == []
    assert [key for key, (_, one) in KEYS.items() if not one.help] == []
    assert KEYS["pictures"][1].help.startswith("Validation pictures of each domain")


@given(flats)
def test_the_schema_takes_what_the_check_takes(flat: dict[str, object]) -> None:
    jsonschema.validate(flat, schema())
    jsonschema.validate(CompressSettings.from_flat(flat).to_flat(), schema())


@pytest.mark.parametrize(
    "flat",
    [{"population": 1}, {"population": 2.5}, {"size": 30}, {"parents": 0}, {"target-macs": [0.2, 1.2]},
     {"layout": "rows"}, {"refit": "yes"}, {"seed": 2**63}, {"popluation": 4}, {"threads": 0}],
)  # fmt: skip
def test_the_schema_and_the_check_refuse_the_same(flat: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        CompressSettings.from_flat(flat)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(flat, schema())


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [("size", 128, "--size 128"), ("align", 8, "--set align=8"), ("refit", False, "--set refit=false"),
     ("target-macs", [0.2, 0.3], "--target-macs 0.2,0.3"), ("budget", "5m", "--budget 5m"),
     ("recover-discriminators", False, "--set recover-discriminators=false")],
)  # fmt: skip
def test_a_setting_is_spelled_as_it_is_typed(key: str, value: object, words: str) -> None:
    assert typed(key, value) == words


def test_settings_are_read_and_checked_without_pytorch() -> None:
    code = (
        "import sys; from ganprune.settings import *; CompressSettings.from_flat({'budget': '5m'}); schema();"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_fine_tuning_learns_faster_where_no_refit_came_before_and_distils_without_mirrors() -> None:
    base = TrainSettings()
    rates = {refit: FineTuneSettings(refit_pictures=refit).training(base, ("A",)) for refit in (8, 0)}
    assert {refit: training.lr for refit, training in rates.items()} == {8: 2e-4, 0: 5e-4}
    assert not rates[8].flip
    paper = FineTuneSettings(recipe="paper", refit_pictures=0).training(base, ("A",))
    assert (paper.lr, paper.flip) == (2e-4, True)
