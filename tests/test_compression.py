"""`ganprune.compress`, as a function: its settings, and what it refuses."""

from pathlib import Path
from typing import Any

import pytest

import ganprune
from ganprune.errors import UsageError

WHOLE = ganprune.CompressSettings()
BOTH = "`settings` holds all settings: leave out the others, or give them without `settings`"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"populations": 4}, "unknown setting 'populations'; did you mean population"),
        ({"settings": WHOLE, "preset": "tiny"}, BOTH),
        ({"settings": WHOLE, "config": "my.toml"}, BOTH),
        ({"settings": WHOLE, "seed": 1}, BOTH),
        (
            {"searcher": "front"},
            "--set searcher=front finds networks of all sizes; run `ganprune front`",
        ),
        ({"preset": "huge"}, "--preset huge is not known; there are fast"),
        ({"config": "no.toml"}, "--config no.toml does not exist"),
        ({}, "nothing does not exist"),
    ],
    ids=["name", "preset", "config", "single", "front", "unknown preset", "no file", "no checkpoint"],
)
def test_what_cannot_be_done_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError) as refused:
        ganprune.compress("nothing", "pictures", **options)
    assert told in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not list(tmp_path.iterdir())
