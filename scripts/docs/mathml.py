"""Equations: LaTeX between dollar signs in docs/, MathML in the pages; browsers draw it without a script."""

import html
import re

from latex2mathml import exceptions
from latex2mathml.converter import convert
from mkdocs.exceptions import PluginError
from mkdocs.structure.pages import Page

_REFUSED = tuple(kind for kind in vars(exceptions).values() if isinstance(kind, type))
_EQUATION = re.compile(
    r'<(?P<tag>span|div) class="arithmatex">\\[(\[](?P<latex>.*?)\\[)\]]</(?P=tag)>', re.DOTALL
)


def to_mathml(latex: str, *, display: bool) -> str:
    """One formula as a ``<math>`` element. Raises `ValueError` for what is wrong or not known."""
    try:
        found = convert(latex, display="block" if display else "inline")
    except _REFUSED as error:
        raise ValueError(f"${latex}$: {type(error).__name__}") from None
    if unknown := re.search(r"\\[A-Za-z]+", found):  # the library writes out what it does not know
        raise ValueError(f"{unknown[0]} is not known in ${latex}$")
    # Bars of norms stand singly, so browsers would stretch the first one over the rest of the line.
    bar = r"<mo>(&#x02016;|&#x0007C;|\|)</mo>"
    return re.sub(bar, r'<mo stretchy="false" lspace="0" rspace="0">\1</mo>', found)


def on_page_content(content: str, *, page: Page, **_: object) -> str:
    """Called by MkDocs with a page's HTML."""

    def replaced(found: re.Match[str]) -> str:
        display = found["tag"] == "div"
        try:
            formula = to_mathml(html.unescape(found["latex"]), display=display)
        except ValueError as error:
            raise PluginError(f"{page.file.src_uri}: {error}") from None
        return f'<div class="equation">{formula}</div>' if display else formula

    return _EQUATION.sub(replaced, content)
