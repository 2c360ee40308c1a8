"""One number of steps for all cells of a time."""

import json
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from ganprune.comparing.cell_stages import ASKED, in_steps
from ganprune.comparing.cells import Cell
from ganprune.settings import CompressSettings


def _cell(**flat: object) -> Cell:
    return Cell("ours", "search", CompressSettings.from_flat({"budget": "5m"} | flat))


def _record(steps: int, **flat: object) -> Any:
    return json.loads(json.dumps({"steps": steps, "settings": _cell(**flat).settings.to_flat()}))


def _budget(cell: Cell) -> str:
    return cell.settings.tuning.budget


def test_first_cell_of_a_fine_tuning_decides_for_the_others(tmp_path: Path) -> None:
    assert _budget(in_steps(_cell(), [], tmp_path)) == "5m"
    # Of another time, and of another recipe, first: they do not count. Searches may differ.
    others = [
        _record(10, budget="3m"),
        _record(20, recipe="paper"),
        _record(30, gamma=3, seed=4),
        _record(40),
    ]
    chosen = in_steps(_cell(), others, tmp_path)
    assert _budget(chosen) == "30steps"
    assert _budget(in_steps(_cell(budget="3m"), others, tmp_path)) == "10steps"
    assert chosen.settings.search == _cell().settings.search
    assert chosen.settings.tuning.recipe == "distil"


@pytest.mark.parametrize(
    "changes", [{"budget": "9steps"}, {"budget": "2epochs"}, {"budget": "0"}, {"patience": 3}]
)
def test_only_a_whole_time_becomes_steps(tmp_path: Path, changes: dict[str, object]) -> None:
    cell = _cell(**changes)
    assert in_steps(cell, [_record(30, **changes)], tmp_path) == cell


def test_fine_tuning_that_was_begun_goes_on_by_its_own_steps(tmp_path: Path) -> None:
    (tmp_path / "fine-tune").mkdir()
    (tmp_path / "fine-tune" / "train.json").write_text("{}")
    config = {"checkpoint": "c", "data": "d", "resolved": {}, "sha256": {}, "settings": {"budget": "17steps"}}
    (tmp_path / "config.toml").write_text(tomli_w.dumps(config | {ASKED: "5m"}))
    assert _budget(in_steps(_cell(), [_record(30)], tmp_path)) == "17steps"
    # Begun for another time: not its own, so that the run folder is refused.
    assert _budget(in_steps(_cell(budget="3m"), [], tmp_path)) == "3m"
