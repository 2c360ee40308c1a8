"""Benchmarks are not run by tests; what they take from the library is there all the same."""

import ast
import json
import re
import runpy
import sys
from importlib import import_module
from pathlib import Path
from unittest.mock import patch

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"
BENCHMARKS = sorted(FOLDER.rglob("*.py"))


@pytest.mark.parametrize("path", BENCHMARKS, ids=lambda path: path.stem)
def test_what_a_benchmark_imports_is_there(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ganprune"):
            module = import_module(str(node.module))
            for name in node.names:
                if not hasattr(module, name.name):
                    import_module(f"{node.module}.{name.name}")


def test_a_family_that_is_not_known_gets_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    with patch.object(sys, "argv", ["families.py", "--families", "Transformer"]), pytest.raises(SystemExit):
        runpy.run_path(str(FOLDER / "families.py"), run_name="__main__")
    error = capsys.readouterr().err
    assert "pix2pix" in error
    assert "found Transformer" in error


def test_every_family_that_is_read_is_measured() -> None:
    script = runpy.run_path(str(FOLDER / "families.py"))
    known = script["families"](script["Sizes"]()).keys()
    page = (FOLDER.parent / "docs/checkpoints.md").read_text(encoding="utf-8").partition("## Families\n")[2]
    table = page.partition("\n\n| discriminators")[0].split("\n\n")[-1]
    rows = [set(re.findall(r"`([^`]+)`", line.split("|")[-2])) for line in table.splitlines()[2:]]
    assert all(known & row for row in rows)
    assert known <= set().union(*rows)


def test_families_that_were_measured_are_not_measured_again(tmp_path: Path) -> None:
    numbers = ("params", "slim_params", "gmacs", "slim_gmacs", "lost_cut", "lost_refitted")
    row = {"family": "Toronto", "milliseconds": dict.fromkeys(("original", "rewritten", "slim"), 1)}
    row |= {"over_original": [2, 0], "over_rewritten": [2, 0]}
    row |= dict.fromkeys((*numbers, "largest_difference"), 1)
    found = {"size": 32, "sizes": {"ngf": 2, "blocks": 1, "depth": 5}, "machine": "M", "rows": [row]}
    (tmp_path / "families.json").write_text(json.dumps(found))
    words = "families.py --families Toronto --size 32 --ngf 2 --blocks 1 --depth 5 --seconds 1 --runs 3 --out"
    with patch.object(sys, "argv", [*words.split(), str(tmp_path)]):
        runpy.run_path(str(FOLDER / "families.py"), run_name="__main__")
    assert json.loads((tmp_path / "families.json").read_text()) == found
