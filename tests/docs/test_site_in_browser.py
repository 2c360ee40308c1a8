"""The site as it lies on the disk, in a real browser."""

from collections.abc import Generator
from pathlib import Path

import pytest

from tests.browser.chromium import Page, browser, find


@pytest.fixture(scope="module")
def page(site: Path) -> Generator[Page]:
    command = find()
    if command is None:
        pytest.skip("no Chromium on the PATH; install one, or name it in GANPRUNE_CHROMIUM")
    with browser(command) as opened:
        yield opened


@pytest.mark.parametrize("name", ["index", "guide", "method", "commands/compress", "results/refit"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_page_fits_a_phone_and_loads_nothing_from_elsewhere(
    page: Page, site: Path, name: str, theme: str
) -> None:
    page.requests.clear()
    page.open((site / f"{name}.html").as_uri(), width=390, theme=theme)
    assert page.js("document.documentElement.scrollWidth <= innerWidth")
    assert page.js("[...document.querySelectorAll('.option')].every(o => o.getClientRects().length <= 1)")
    assert page.js("document.body.getAttribute('data-md-color-scheme')") == (
        "default" if theme == "light" else "slate"
    )
    assert [url for url in page.requests if not url.startswith(("file:", "data:"))] == []
    assert page.errors == []


def test_equations_are_drawn(page: Page, site: Path) -> None:
    page.open((site / "method.html").as_uri())
    heights = page.js(
        "[...document.querySelectorAll('.equation mfrac')].map(f => f.getBoundingClientRect().height)"
    )
    assert len(heights) > 5
    assert min(heights) > 25  # two lines, one above the other


def test_indices_are_lowered_without_a_mathematical_font_too(page: Page, site: Path) -> None:
    page.open((site / "method.html").as_uri())
    page.js("document.head.append(Object.assign(document.createElement('style'),"
            " {textContent: 'math { font-family: serif !important }'}))")  # fmt: skip
    page.js("document.dispatchEvent(new Event('DOMContentLoaded'))")
    depth = page.js(
        "(() => { const [base, index] = [...document.querySelectorAll('.equation msub')]"
        ".find(m => m.firstChild.textContent === 'L').children; return index.getBoundingClientRect().bottom"
        " - base.getBoundingClientRect().bottom; })()"
    )
    assert depth > 2


@pytest.mark.parametrize(
    ("typed", "found"),
    [("fewest filters", "?h=fewest+filters"), ("--min-filters", "")],
)
def test_the_search_finds_an_option_without_a_server(page: Page, site: Path, typed: str, found: str) -> None:
    page.errors.clear()
    page.open((site / "index.html").as_uri())
    page.js(
        "(() => { const field = document.querySelector('.md-search__input'); field.focus();"
        f" field.value = '{typed}'; field.dispatchEvent(new KeyboardEvent('keyup', {{bubbles: true}}));"
        " field.dispatchEvent(new Event('input', {bubbles: true})); })()"
    )
    page.wait(
        "[...document.querySelectorAll('.md-search-result__link')]"
        f".some(link => link.href.includes('commands/compress.html{found}'))"
    )
    assert page.errors == []
