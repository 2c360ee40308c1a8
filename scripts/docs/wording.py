"""Names of options stay on one line: browsers break words at hyphens, and a ``--`` alone says nothing."""

import re

_CODE = re.compile(r"<code>([^<]*)</code>")
_OPTION = re.compile(r"(?<![\w-])-{1,2}[A-Za-z][\w-]*")


def on_page_content(content: str, **_: object) -> str:
    """Called by MkDocs with a page's HTML."""
    return _CODE.sub(lambda code: f"<code>{_OPTION.sub(_kept, code[1])}</code>", content)


def _kept(option: re.Match[str]) -> str:
    return f'<span class="option">{option[0]}</span>'
