"""The navigation holds what is there, each page once."""

import pytest

pytest.importorskip("mkdocs", reason="mkdocs is not installed: pip install 'ganprune[docs]'")

from scripts.docs.navigation import expanded


def test_a_page_that_does_not_exist_is_left_out_and_so_is_an_empty_section() -> None:
    nav = [{"Start": "index.md"}, {"Use": ["cluster.md", "metrics.md"]}, {"Gone": ["gone/*.md", "gone.md"]}]
    assert expanded(nav, ["index.md", "metrics.md"]) == [{"Start": "index.md"}, {"Use": ["metrics.md"]}]


def test_a_pattern_stands_for_the_pages_that_are_not_named_elsewhere() -> None:
    nav = [{"Use": ["*.md", "b.md"]}, {"Results": ["results/README.md", "results/*.md"]}]
    pages = ["a.md", "b.md", "c.md", "results/README.md", "results/x.md"]
    assert expanded(nav, pages) == [
        {"Use": ["a.md", "c.md", "b.md"]},
        {"Results": ["results/README.md", "results/x.md"]},
    ]


def test_two_patterns_do_not_take_the_same_page() -> None:
    assert expanded([{"A": ["*.md"]}, {"B": ["*.md"]}], ["a.md"]) == [{"A": ["a.md"]}]
