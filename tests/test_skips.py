"""A test that is left out in CI for want of a package, a browser or rights fails there."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.skips import ALLOWED, NO_CUDA, NO_DATA

pytest_plugins = ["pytester"]

SCRIPT = Path(__file__).parents[1] / ".ci/run"
MODULE = """
import pytest

@pytest.mark.skipif(True, reason="no browser")
def test_marked(): ...

def test_inside(): pytest.skip("no browser")

@pytest.fixture
def browser(): pytest.skip("no browser")

def test_set_up(browser): ...

@pytest.mark.parametrize("name", [])
def test_of_nothing(name): ...

@pytest.mark.xfail
def test_known_to_fail(): assert False
"""
WHOLE = "import pytest\npytest.importorskip('no_such_package', reason='no package')"


def of(reason: str) -> str:
    return f"import pytest\ndef test_it(): pytest.skip({reason!r})"


def outcomes(pytester: pytest.Pytester, **modules: str) -> dict[str, int]:
    pytester.makepyfile(**modules)
    return pytester.runpytest_inprocess("-p", "tests.conftest").parseoutcomes()


def test_every_way_to_skip_fails_in_ci(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    assert outcomes(pytester, test_some=MODULE) == {"failed": 1, "errors": 3, "xfailed": 1}
    assert outcomes(pytester, test_whole=WHOLE)["errors"] == 1


def test_the_message_names_the_reason_and_where_reasons_are_allowed(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")
    pytester.makepyfile(of("no browser"))
    shown = pytester.runpytest_inprocess("-p", "tests.conftest").stdout
    shown.fnmatch_lines(["*skipped in CI: 'no browser'; allowed here: *, see tests/skips.py*"])


@pytest.mark.parametrize("reason", [NO_CUDA, NO_DATA])
def test_only_the_gpu_and_the_real_data_may_be_missing_in_ci_and_only_where_they_are(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    monkeypatch.setenv("CI", "true")
    expected = {"skipped": 1} if reason in ALLOWED else {"failed": 1}
    assert outcomes(pytester, test_it=of(reason)) == expected


def test_elsewhere_tests_are_skipped_as_ever(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CI", raising=False)
    assert outcomes(pytester, test_some=MODULE, test_whole=WHOLE) == {"skipped": 5, "xfailed": 1}


@pytest.mark.skipif(not SCRIPT.exists(), reason="no .ci/run: a source distribution")
def test_ci_takes_no_constraints_from_its_caller(tmp_path: Path) -> None:
    (tmp_path / "make").write_text('#!/bin/sh\necho "${PIP_CONSTRAINT-none}"\n')
    (tmp_path / "make").chmod(0o755)
    given = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "PIP_CONSTRAINT": "mine.txt"}
    done = subprocess.run(
        [SCRIPT, "--lowest"], env=os.environ | given, capture_output=True, text=True, check=True
    )
    assert done.stdout == "none\n"
