"""HTML from text. Whatever is not `Html` already is escaped, so nothing from outside becomes markup."""

from collections.abc import Iterable, Sequence
from html import escape

from ganprune.figures import Drawing, clean, to_svg

_VOID = ("img", "input", "meta", "link", "br")


class Html(str):
    """Text that is markup."""

    __slots__ = ()


def text(value: object) -> Html:
    """Anything as escaped text; `Html` as it is. Control letters and bidi marks become �."""
    return value if isinstance(value, Html) else Html(escape(clean(str(value))))


def tag(name: str, /, *children: object, **attributes: object) -> Html:
    """An element. ``class_`` stands for class, ``data_x`` for data-x; True has no value, None drops it."""
    parts = [name]
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        spelled = key.rstrip("_").replace("_", "-")
        parts.append(spelled if value is True else f'{spelled}="{escape(clean(str(value)))}"')
    opening = f"<{' '.join(parts)}>"
    return Html(opening) if name in _VOID else Html(f"{opening}{joined(children)}</{name}>")


def joined(parts: Iterable[object]) -> Html:
    """One after the other."""
    return Html("".join(text(part) for part in parts))


def chart(drawing: Drawing) -> Html:
    """A drawing within the page, in its colours."""
    return tag("figure", Html(to_svg(drawing, "page")), class_="chart")


def charts(drawings: Sequence[Drawing]) -> Html:
    """Several, as many beside each other as fit."""
    return tag("div", *(chart(drawing) for drawing in drawings if drawing.shapes), class_="charts")


def table(
    headings: Sequence[object], rows: Sequence[Sequence[object]], title: object = "", words: int = 1
) -> Html:
    """A table that scrolls sideways where it is too wide. The first ``words`` columns hold words."""

    def cells(name: str, row: Sequence[object], scope: str | None = None) -> Html:
        return joined(
            tag(name, cell, class_=None if i < words else "number", scope=scope) for i, cell in enumerate(row)
        )

    head = tag("thead", tag("tr", cells("th", headings, "col"))) if headings else ""
    body = tag("tbody", *(tag("tr", cells("td", row)) for row in rows))
    caption = tag("caption", title) if title else ""
    return tag("div", tag("table", caption, head, body), class_="table", tabindex="0")
