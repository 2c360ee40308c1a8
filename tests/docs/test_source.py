"""Code in pages is the code."""

import inspect
import pydoc
import re
import textwrap
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("mkdocs", reason="mkdocs is not installed: pip install 'ganprune[docs]'")

from mkdocs.exceptions import PluginError  # pyright: ignore[reportMissingImports]

from scripts.docs.source import find, on_page_markdown, shown
from tests.docs.pages import PAGES, ROOT, spans

LINE = re.compile(r"^\[`(ganprune[\w.]+)`\]\([^)]+\)$", re.MULTILINE)
NAMED = sorted({name for page in PAGES for name in LINE.findall(page.read_text(encoding="utf-8"))})
MENTIONED = sorted(
    {f.text for page in PAGES for f in spans(page) if re.fullmatch(r"ganprune(_\w+)?(\.\w+)+", f.text)}
)


def _page(name: str) -> Any:
    return SimpleNamespace(file=SimpleNamespace(src_uri=name))


def test_the_method_shows_its_code() -> None:
    assert len(NAMED) >= 20


@pytest.mark.parametrize("name", NAMED)
def test_what_is_shown_is_what_python_runs(name: str) -> None:
    defined = inspect.unwrap(pydoc.locate(name))  # type: ignore[arg-type]
    assert (
        find(name).code == textwrap.dedent(inspect.getsource(getattr(defined, "__func__", defined))).rstrip()
    )


@pytest.mark.parametrize("name", MENTIONED)
def test_names_in_the_text_exist(name: str) -> None:
    assert pydoc.locate(name) is not None


def test_constants_and_whole_modules_are_found_too() -> None:
    assert find("ganprune.pruning.repair.ON_TARGET").code == "ON_TARGET = 0.98"
    assert (
        find("ganprune.pruning.fitness").code
        == (ROOT / "ganprune/pruning/fitness.py").read_text(encoding="utf-8").rstrip()
    )


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("ganprune.pruning.fitness.l_none", "ganprune/pruning/fitness.py defines no l_none"),
        ("ganprune.nowhere.f", "ganprune/__init__.py defines no nowhere"),
        ("torch.nn", "torch is no package of this repository"),
    ],
)
def test_a_name_that_is_not_there_is_told(name: str, said: str) -> None:
    with pytest.raises(LookupError, match=re.escape(said)):
        find(name)


def test_a_name_that_is_gone_fails_the_build() -> None:
    with pytest.raises(PluginError, match=r"page.md: ganprune.pruning.fitness.gone: .* defines no gone"):
        on_page_markdown(
            "[`ganprune.pruning.fitness.gone`](../ganprune/pruning/fitness.py)", page=_page("page.md")
        )


def test_a_link_to_another_file_fails_the_build() -> None:
    with pytest.raises(
        PluginError, match=r"is in ganprune/pruning/fitness.py, but the link goes to ganprune/pruning/cost.py"
    ):
        on_page_markdown(
            "[`ganprune.pruning.fitness.l_cyc`](../ganprune/pruning/cost.py)", page=_page("page.md")
        )


def test_links_within_a_sentence_stay_links() -> None:
    text = "as [`ganprune.pruning.fitness.l_cyc`](method.md) says"
    assert on_page_markdown(text, page=_page("page.md")) == text


def test_only_long_pieces_are_folded() -> None:
    assert shown("ganprune.pruning.fitness.l_cyc").startswith(
        '```python title="ganprune/pruning/fitness.py, line '
    )
    assert shown("ganprune.pruning.rebuild").startswith('??? code "ganprune.pruning.rebuild, ')
