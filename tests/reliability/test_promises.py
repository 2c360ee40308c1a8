"""Every promise of docs/reliability.md names a test that there is."""

import ast
import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
PAGE = (TESTS.parent / "docs/reliability.md").read_text(encoding="utf-8")

KILLED = " the system kills the process, or native code crashes for lack of memory "
"""The one row whose test is another row's."""


def _named() -> list[tuple[str, str]]:
    """Files below tests/, each with a test or without; a bare ``::name`` is of the file before."""
    found, file = list[tuple[str, str]](), ""
    for name, test in re.findall(r"`((?:\w+/)*test_\w+\.py)?(?:::(test_\w+))?`", PAGE):
        if name or test:
            file = name or file
            found.append((file, test))
    return found


@pytest.mark.parametrize(("file", "test"), _named())
def test_the_named_test_is_there(file: str, test: str) -> None:
    tree = ast.parse((TESTS / file).read_text(encoding="utf-8"))
    assert not test or test in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_every_row_that_promises_something_names_its_test() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| :")]
    bare = [row for row in rows if "test_" not in row and "| test |" not in row]
    assert [row.split("|")[1] for row in bare] == [KILLED]
    assert len(_named()) > 50
