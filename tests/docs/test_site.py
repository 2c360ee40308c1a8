"""The built site: complete, whole, and without any need of a network."""

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.docs.pages import COMMANDS, ROOT, parts

LOADING = {"script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src", "object": "data"}
"""Elements that fetch what they name; a link does by its ``rel``, and where one clicks it does not count."""


class Page(HTMLParser):
    """What a page links to, what it loads, and which places it has."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.file, self.links, self.loaded = file, list[str](), list[str]()
        self.ids, self.tags = set[str](), list[str]()
        self.feed(file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.tags.append(tag)
        self.ids |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if tag == "link":
            self.loaded.append(given["href"])
        if (name := LOADING.get(tag)) and name in given:
            self.loaded.append(given[name])
        self.loaded += re.findall(r"url\(([^)]*)\)", given.get("style", ""))


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    return {file: Page(file) for file in site.rglob("*.html") if file.name != "404.html"}


def test_every_page_of_docs_and_every_command_is_there(site: Path) -> None:
    wanted = {p.relative_to(ROOT / "docs").with_suffix(".html") for p in (ROOT / "docs").rglob("*.md")}
    wanted = {p.with_name("index.html") if p.stem == "README" else p for p in wanted}
    wanted |= {Path("commands", f"{name}.html") for name in (*COMMANDS, "index")}
    found = {p.relative_to(site) for p in site.rglob("*.html")}
    assert found == wanted | {Path("404.html")}


def test_every_page_is_in_the_navigation(site: Path, pages: dict[Path, Page]) -> None:
    linked = {(site / urlsplit(link).path).resolve() for link in pages[site / "index.html"].links}
    assert linked >= {file.resolve() for file in pages}


def test_every_internal_link_leads_to_a_place_that_exists(pages: dict[Path, Page]) -> None:
    broken: list[str] = []
    for page in pages.values():
        for link in page.links:
            url = urlsplit(link)
            if url.scheme or url.netloc:
                continue
            target = (page.file.parent / unquote(url.path)).resolve() if url.path else page.file
            there = target.is_file() and (
                not url.fragment or target not in pages or unquote(url.fragment) in pages[target].ids
            )
            if not there:
                broken.append(f"{page.file.name}: {link}")
    assert broken == []


def test_no_page_loads_anything_from_the_network(site: Path, pages: dict[Path, Page]) -> None:
    loaded = {(page.file, target) for page in pages.values() for target in page.loaded}
    assert len(loaded) > 2 * len(pages)
    for file, target in loaded:
        url = urlsplit(target)
        assert url.scheme in ("", "data"), f"{file.name}: {target}"
        assert not url.netloc, f"{file.name}: {target}"
        assert url.scheme == "data" or (file.parent / unquote(url.path)).is_file(), f"{file.name}: {target}"


def test_no_style_sheet_loads_anything_from_the_network(site: Path) -> None:
    sheets = list(site.rglob("*.css"))
    assert len(sheets) >= 3
    for sheet in sheets:
        text = sheet.read_text(encoding="utf-8")
        named = re.findall(r"""(?:url\(|@import\s+)["']?([^"')\s;]+)""", text)
        assert [target for target in named if not target.startswith(("data:", "#"))] == [], sheet.name


def test_every_equation_is_mathml(site: Path) -> None:
    prose = parts(ROOT / "docs" / "method.md")[1]
    text = (site / "method.html").read_text(encoding="utf-8")
    assert text.count('<div class="equation"><math') == len(re.findall(r"\$\$.+?\$\$", prose, re.DOTALL)) > 12
    assert "arithmatex" not in text
    assert not re.search(r"\$[A-Za-z\\]", re.sub(r"<code.*?</code>", "", text, flags=re.DOTALL))


def test_every_name_alone_on_its_line_became_code(site: Path) -> None:
    prose = parts(ROOT / "docs" / "method.md")[1]
    named = re.findall(r"^\[`ganprune", prose, re.MULTILINE)
    text = (site / "method.html").read_text(encoding="utf-8")
    assert len(re.findall(r'<span class="filename">ganprune/[\w/]+\.py, line \d+</span>', text)) == len(named)


def test_names_of_options_in_the_text_are_kept_on_one_line(pages: dict[Path, Page]) -> None:
    texts = [file.read_text(encoding="utf-8") for file in pages]
    assert sum('<span class="option">--' in text for text in texts) > len(COMMANDS)
    assert [text for text in texts if re.search(r"<code>--?[a-z]", text)] == []


def test_nothing_that_is_made_is_written_beside_the_texts(site: Path) -> None:
    assert not (ROOT / "docs" / "commands").exists()
