"""Strategies of values that nobody expects, and of changes to plain values and bytes."""

from typing import Any, cast

from hypothesis import strategies as st

MARKUP = "<script>alert(1)</script>"
"""Must never come out of a report as it went in."""
ESCAPES = (
    "../outside/victim", "../../outside/victim", "/tmp/../etc/passwd", "..", "C:\\victim", "\\\\host\\x",
)  # fmt: skip
"""Names that lead out of a folder."""

odd: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from([
        None, True, False, 0, 1, -1, 2, 10**9, 10**30, -(10**30), 0.0, -0.5, 1.5, 1e308, float("inf"),
        float("nan"), "", "none", "nan", "1", "cuda:7", MARKUP, "\x1b[2J\x07", "\ud800", "a\nb", "x" * 5000,
        [], {}, [[]], [0, 1], {"a": {}}, *ESCAPES,
    ]),
    st.integers(), st.floats(), st.text(max_size=20),
    st.recursive(
        st.none() | st.integers(-5, 5) | st.text(max_size=3),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
        max_leaves=8,
    ),
)  # fmt: skip
"""Plain values of every kind."""


@st.composite
def changed(draw: st.DrawFn, value: Any) -> Any:
    """The same plain value with one change anywhere in it: a value, a name, something less or more."""
    if isinstance(value, dict) and value and draw(st.integers(0, 4)):
        copy = dict(cast(dict[str, Any], value))
        key = draw(st.sampled_from(sorted(copy)))
        match draw(st.integers(0, 9)):
            case 0:
                del copy[key]
            case 1:
                copy[draw(st.sampled_from(ESCAPES) | st.text(max_size=9))] = copy.pop(key)
            case 2:
                copy[draw(st.text(max_size=9))] = draw(odd)
            case _:
                copy[key] = draw(changed(copy[key]))
        return copy
    if isinstance(value, list) and value and draw(st.integers(0, 4)):
        items = list(cast(list[Any], value))
        place = draw(st.integers(0, len(items) - 1))
        match draw(st.integers(0, 5)):
            case 0:
                del items[place]
            case 1:
                items.insert(place, draw(odd))
            case _:
                items[place] = draw(changed(items[place]))
        return items
    return draw(odd)
