"""Benchmarks are not run by tests; what they take from the library is there all the same."""

import ast
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
