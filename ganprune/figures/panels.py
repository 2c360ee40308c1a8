"""Curves as an SVG picture: one panel above the other, one line a name."""

from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

_WIDTH, _HEIGHT = 640, 130
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 110, 22, 24
_COLOURS = ("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728")
_MOST = 600
"""Points a line; more would not be seen."""


def curves(
    lines: Sequence[Mapping[str, float]], panels: Mapping[str, Mapping[str, str]], x: str = "step"
) -> str:
    """Draw the values of ``lines`` over ``x``. ``panels``: title → {label of a curve → name of its values}.

    Curves whose values no line has, and panels left without any, are left out.
    """
    here = {
        title: {label: name for label, name in drawn.items() if any(name in line for line in lines)}
        for title, drawn in panels.items()
    }
    here = {title: drawn for title, drawn in here.items() if drawn}
    height = len(here) * _HEIGHT
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        f'width="{_WIDTH}" height="{height}" font-family="sans-serif" font-size="11">',
        '<rect width="100%" height="100%" fill="white"/>',
    ]
    for i, (title, drawn) in enumerate(here.items()):
        parts += _panel(lines, title, drawn, x, i * _HEIGHT)
    return "\n".join([*parts, "</svg>", ""])


def _panel(
    lines: Sequence[Mapping[str, float]], title: str, drawn: Mapping[str, str], x: str, top: int
) -> list[str]:
    lines = [line for line in lines if any(name in line for name in drawn.values())]
    shown = lines[:: max(1, len(lines) // _MOST)]
    across = [line[x] for line in shown]
    values = [line[name] for line in shown for name in drawn.values() if name in line]
    low, high = min(0.0, *values), max(values)
    high = high if high > low else low + 1.0
    first, last = across[0], max(across[-1], across[0] + 1e-9)
    right, bottom = _WIDTH - _RIGHT, top + _HEIGHT - _BOTTOM

    def place(step: float, value: float) -> str:
        column = _LEFT + (step - first) / (last - first) * (right - _LEFT)
        row = bottom - (value - low) / (high - low) * (_HEIGHT - _TOP - _BOTTOM)
        return f"{column:.1f},{row:.1f}"

    parts = [
        f'<text x="{_LEFT}" y="{top + _TOP - 8}" font-weight="bold">{escape(title)}</text>',
        f'<path d="M{_LEFT},{top + _TOP}V{bottom}H{right}" fill="none" stroke="#888"/>',
        _text(_LEFT - 6, top + _TOP + 4, f"{high:.3g}", "end"),
        _text(_LEFT - 6, bottom + 4, f"{low:.3g}", "end"),
        _text(_LEFT, bottom + 14, f"{first:g}", "middle"),
        _text(right, bottom + 14, f"{x} {across[-1]:g}", "middle"),
    ]
    for i, (label, name) in enumerate(drawn.items()):
        colour = _COLOURS[i % len(_COLOURS)]
        points = " ".join(place(line[x], line[name]) for line in shown if name in line)
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.3"/>')
        parts.append(_text(right + 8, top + _TOP + 8 + 14 * i, label, "start", colour))
    return parts


def _text(x: float, y: float, text: str, anchor: str, colour: str = "#444") -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}" fill="{colour}">{escape(text)}</text>'
