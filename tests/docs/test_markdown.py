"""Pages as they are: whole tables, code that is code, links that lead somewhere."""

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from tests.docs.pages import PAGES, ROOT

ALL = [*PAGES, ROOT / "CHANGELOG.md"]


def tokens(page: Path) -> list[Token]:
    """As CommonMark and GitHub's tables have it; Rich brings the parser."""
    return MarkdownIt("commonmark").enable("table").parse(page.read_text(encoding="utf-8"))


def anchors(page: Path) -> set[str]:
    """Of its headings, as GitHub and MkDocs make them."""
    found = tokens(page)
    titles = [inside for one, inside in pairwise(found) if one.type == "heading_open"]
    texts = ("".join(part.content for part in title.children or ()) for title in titles)
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in texts}


def targets(page: Path) -> Iterator[str]:
    for part in (part for one in tokens(page) for part in one.children or ()):
        yield from (str(part.attrs[name]) for name in ("href", "src") if name in part.attrs)


@pytest.mark.parametrize("page", ALL, ids=lambda page: page.name)
def test_every_indented_line_is_code_and_every_row_is_in_a_table(page: Path) -> None:
    lines = page.read_text(encoding="utf-8").splitlines()
    text = [lines[slice(*one.map)] for one in tokens(page) if one.type == "paragraph_open" and one.map]
    assert [line for block in text for line in block if line.startswith(("|", "    "))] == []


@pytest.mark.parametrize("page", ALL, ids=lambda page: page.name)
def test_every_relative_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    broken: list[str] = []
    for target in targets(page):
        path, _, anchor = target.partition("#")
        there = page.parent / path if path else page
        if not (re.match(r"\w+:", target) or (there.exists() and (not anchor or anchor in anchors(there)))):
            broken.append(target)
    assert broken == []
