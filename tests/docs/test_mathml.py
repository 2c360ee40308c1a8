"""Equations come out as what was written, or not at all."""

import re
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import pytest

pytest.importorskip("mkdocs", reason="mkdocs is not installed: pip install 'ganprune[docs]'")

from mkdocs.exceptions import PluginError  # pyright: ignore[reportMissingImports]

from scripts.docs.mathml import on_page_content, to_mathml
from tests.docs.pages import PAGES, parts

FORMULAS = sorted({f for page in PAGES for f in re.findall(r"\$\$(.+?)\$\$", parts(page)[1], re.DOTALL)})
NAMESPACE = "{http://www.w3.org/1998/Math/MathML}"


def tree(latex: str, display: bool = True) -> ElementTree.Element:
    return ElementTree.fromstring(to_mathml(latex, display=display))


@pytest.mark.parametrize("latex", FORMULAS)
def test_every_formula_of_the_pages_is_well_formed(latex: str) -> None:
    found = tree(latex)
    assert found.get("display") == "block"
    letters = re.sub(r"\\(text|mathrm)\{[^}]*\}|\\[A-Za-z]+|[^A-Za-z]", "", latex)
    symbols = [e.text or "" for e in found.iter(f"{NAMESPACE}mi") if e.get("mathvariant") is None]
    assert "".join(s for s in symbols if s.isascii() and s.isalpha()) == letters


def test_there_are_formulas() -> None:
    assert len(FORMULAS) >= 12


@pytest.mark.parametrize(
    ("latex", "said"),
    [(r"\foo x", r"\\foo is not known"), (r"\left( x", "MissingRight"), ("x_1_2", "DoubleSubscripts")],
)
def test_what_is_not_known_is_refused(latex: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        to_mathml(latex, display=False)


def test_a_page_with_a_wrong_formula_fails_the_build() -> None:
    page: Any = SimpleNamespace(file=SimpleNamespace(src_uri="method.md"))
    with pytest.raises(PluginError, match=r"method.md: \\foo is not known"):
        on_page_content(r'<p><span class="arithmatex">\(\foo x\)</span></p>', page=page)


def test_formulas_of_a_page_are_replaced_where_they_stand() -> None:
    page: Any = SimpleNamespace(file=SimpleNamespace(src_uri="method.md"))
    content = r'<p>a <span class="arithmatex">\(x &lt; 1\)</span> b</p><div class="arithmatex">\[y\]</div>'
    found = on_page_content(content, page=page)
    assert found == f"<p>a {to_mathml('x < 1', display=False)} b</p>" + (
        f'<div class="equation">{to_mathml("y", display=True)}</div>'
    )
