"""Settings files of comparisons."""

from pathlib import Path

import pytest

from ganprune.baselines import METHODS
from ganprune.comparing.cells import packaged, read_comparison
from ganprune.comparing.paper import TASKS, THINET
from ganprune.errors import UsageError
from ganprune.settings.search import SearchSettings

FILE = """
[settings]
target-macs = 0.3
size = 32
population = 6

[compare]
seeds = [3, 4]
task = "horse2zebra"
claim = "ours"

[cells.ours]
[cells.separate]
partners = "original"
seeds = [7]
[cells.thinet]
method = "thinet"
"""


def _read(tmp_path: Path, text: str, **given: object) -> object:
    path = tmp_path / "cells.toml"
    path.write_text(text)
    return read_comparison(str(path), given)


def test_cells_are_settings_with_changes_and_seeds(tmp_path: Path) -> None:
    path = tmp_path / "cells.toml"
    path.write_text(FILE)
    found = read_comparison(str(path), {"population": 8, "generations": None})
    assert [cell.key for cell in found.cells] == ["ours-3", "ours-4", "separate-7", "thinet-3", "thinet-4"]
    turns = ["ours-3", "separate-7", "thinet-3", "ours-4", "thinet-4"]
    assert [cell.key for cell in found.in_turns] == turns
    assert [cell.method for cell in found.cells] == ["search"] * 3 + ["thinet"] * 2
    ours, separate = found.cells[0].settings.search, found.cells[2].settings.search
    assert ours == SearchSettings(population=8, target_macs=(0.3, 0.3), seed=3)
    assert separate.partners == "original"
    assert all(cell.settings.pictures.size == 32 for cell in found.cells)
    assert [cell.key for cell in found.only("thinet").cells] == ["thinet-3", "thinet-4"]
    with pytest.raises(UsageError, match="--cells x is not in the settings file; there are ours, separate"):
        found.only("x")


def test_cell_follows_the_one_that_it_is_like(tmp_path: Path) -> None:
    path = tmp_path / "cells.toml"
    path.write_text(
        "[cells.c]\nlike = 'b'\npopulation = 5\n"
        "[cells.a]\nseeds = [3]\npopulation = 4\npartners = 'original'\n"
        "[cells.b]\nlike = 'a'\ngenerations = 7\n"
    )
    c, a, b = (cell.settings.search for cell in read_comparison(str(path)).cells)
    assert a == SearchSettings(population=4, partners="original", seed=3)
    assert b == SearchSettings(population=4, partners="original", seed=3, generations=7)
    assert c == SearchSettings(population=5, partners="original", seed=3, generations=7)


def test_a_narrow_network_is_never_refitted(tmp_path: Path) -> None:
    path = tmp_path / "cells.toml"
    path.write_text(FILE + "[cells.narrow]\nmethod = 'narrow'\n")
    cells = read_comparison(str(path)).cells
    assert {cell.name for cell in cells if not cell.settings.tuning.refit_pictures} == {"narrow"}


def test_size_that_is_given_replaces_the_file_s_and_leaves_gamma_alone() -> None:
    for name in packaged():
        for given, other in (("target_macs", "target_params"), ("target_params", "target_macs")):
            for cell in read_comparison(name, {given: 0.1}).cells:
                search = cell.settings.search
                gamma = cell.name.startswith("gamma")
                assert getattr(search, given) == (None if gamma else (0.1, 0.1)), cell.name
                assert getattr(search, other) is None, cell.name


def test_packaged_files_can_be_read_and_cover_the_paper() -> None:
    assert {"example", *TASKS} <= packaged().keys()
    for name in packaged():
        found = read_comparison(name)
        names = {cell.name for cell in found.cells}
        assert {"co-evolution", "separate", "generator-aware", "no-cycle", "shared", THINET} <= names
        assert {cell.settings.search.searcher for cell in found.cells} == {
            "coevolution",
            "annealing",
            "swarm",
        }
        assert found.settings.claim == "co-evolution"
    for task in TASKS:
        found = read_comparison(task)
        assert found.settings.task == task
        assert set(METHODS) <= {cell.method for cell in found.cells}
        for side, row in TASKS[task].items():  # the paper's Table 1
            share = found.cells[0].settings.search.constraints(side).target_params
            assert share == pytest.approx(1 / row.compression, abs=2e-4)


MISTAKES = {
    "[settings]\n": "lists no cells; add",
    "[cells.a]\nmethod = 'thin'": "cell a: method must be one of search, thinet, trimming",
    "[cells.a]\nmethod = 'l1'": "cell a: rivals need a size to come to",
    "[cells.a]\nseed = 3": "cell a: seed is not for comparisons; give seeds",
    "[cells.a]\ntarget-ms = 3": "cell a: target-ms is not for comparisons",
    "[settings]\nrecover-discriminators = true\n[cells.a]": "first run `ganprune train --discriminators-for`",
    "[cells.a]\npopluation = 3": "cell a: unknown setting 'popluation'; did you mean population",
    "[cells.original]": "cell original needs another name",
    "[cells.'a b']": "cell a b needs another name",
    "[cells.a]\nlike = 'b'": "cell a: like must name another cell, which is not like this one, found 'b'",
    "[cells.a]\nlike = 3": "cell a: like must name another cell, which is not like this one, found 3",
    "[cells.a]\nlike = 'b'\n[cells.b]\nlike = 'a'": "like must name another cell, which is not like this one",
    "[cells]\nb = 3\na.like = 'b'": "cell b must be a table, found 3",
    "[cells.a]\nsearcher = 'front'": "cell a: searcher front finds a family of sizes, not one",
    "[cells.a]\nseeds = [1.5]": "cell a: seeds must be whole numbers, found",
    "[cells]\na = 3": "cell a must be a table, found 3",
    "[compare]\ntask = 'dogs'\n[cells.a]": "task must be one of horse2zebra, summer2winter, cityscapes",
    "[compare]\nclaim = 'b'\n[cells.a]": "claim must name a cell, found 'b'",
    "[compare]\nfid = 3\n[cells.a]": "fid must be true or false, found 3",
    "[compare]\nbench-seconds = true\n[cells.a]": "bench-seconds must be a number, found True",
    "[compare]\nbench-seconds = -1\n[cells.a]": "bench-seconds must be finite and 0 or more",
    "[compare]\nbench-threads = 0\n[cells.a]": "bench-threads must be 1 or more",
    "[compare]\nclaims = 'a'\n[cells.a]": "unknown key 'claims' of .compare.; there are task, claim",
    "[sells.a]": "unknown table 'sells'",
    "cells = 3": r"\[cells\] must be a table",
    "cells": "is no TOML file",
}


@pytest.mark.parametrize("text", MISTAKES)
def test_mistake_is_named(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError, match=MISTAKES[text]):
        _read(tmp_path, text)


def test_unknown_file_lists_the_packaged() -> None:
    with pytest.raises(
        UsageError, match="--config nowhere is no file, and none of the packaged cityscapes, "
    ):
        read_comparison("nowhere")
