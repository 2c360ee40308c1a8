"""Text from outside stays text."""

from hypothesis import given
from hypothesis import strategies as st

from ganprune.figures import clean
from ganprune.report.html import Html, joined, table, tag, text
from tests.report.kit import parse

NASTY = st.sampled_from(
    ["<script>x</script>", "</td>", '" onclick="x', "'", "&lt;", "<!--", "]]>", "</style>"]
)
anything = st.lists(st.one_of(st.text(), NASTY)).map("".join)


@given(anything, anything)
def test_any_text_comes_out_of_an_element_as_it_went_in(inside: str, attribute: str) -> None:
    parsed = parse(tag("p", inside, title=attribute))
    assert parsed.tags == [("p", {"title": clean(attribute)})]
    assert "".join(parsed.texts) == clean(inside).replace("\r\n", "\n")


@given(st.lists(st.tuples(anything, anything), min_size=1, max_size=3))
def test_a_table_of_any_cells_has_no_other_elements(rows: list[tuple[str, str]]) -> None:
    parsed = parse(table(("a", "b"), rows, "title"))
    known = {"div", "table", "caption", "thead", "tbody", "tr", "th", "td"}
    assert {name for name, _ in parsed.tags} == known
    assert len(parsed.all("td")) == 2 * len(rows)


def test_markup_is_only_what_was_made_as_such() -> None:
    assert joined(["<b>", Html("<i>"), 3, tag("br")]) == "&lt;b&gt;<i>3<br>"
    assert text(text("<")) == "&lt;"
    assert isinstance(tag("p"), Html)


def test_attributes_are_spelled_as_html_has_them() -> None:
    made = tag("input", class_="a", aria_label='"', hidden=True, title=None)
    assert made == '<input class="a" aria-label="&quot;" hidden>'
