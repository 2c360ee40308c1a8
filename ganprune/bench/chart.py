"""Time by operator as an SVG picture: a bar a network, in milliseconds and in shares."""

from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

from ganprune.bench.profile import OTHERS, Profile, with_others
from ganprune.bench.tables import in_threads

_WIDTH, _RIGHT = 760, 70
_LETTER = 6.4
"""Width of a letter, about, in pixels."""
_BAR, _STEP, _TITLE, _LEGEND = 16, 24, 26, 18
_COLOURS = {
    "Conv": "#1f77b4",
    "ConvTranspose": "#ff7f0e",
    "InstanceNormalization": "#2ca02c",
    "Pad": "#d62728",
    "ReorderInput": "#9467bd",
    "ReorderOutput": "#c5b0d5",
    "DepthToSpace": "#8c564b",
    "Add": "#e377c2",
    "Relu": "#bcbd22",
    "Tanh": "#17becf",
    OTHERS: "#bbbbbb",
}
"""An operator has the same colour in every picture."""
_FREE = ("#aec7e8", "#ffbb78", "#98df8a", "#ff9896", "#c49c94", "#f7b6d2", "#dbdb8d", "#9edae5", "#7f7f7f")
"""For operators without a colour of their own, in alphabetical order."""


def profile_svg(groups: Sequence[Sequence[Profile]]) -> str:
    """Draw profiles, those of a group (a baseline and what is compared with it) under one title.

    Two panels a group: milliseconds, in which bars are as long as the networks are slow, and shares of each
    network's own time.
    """
    shown = [with_others(group) for group in groups]
    seen = [kind for group in shown for profile in group for kind in profile.operators]
    kinds = sorted(dict.fromkeys(seen), key=lambda kind: kind == OTHERS)  # those come last
    colours = _colours(kinds)
    margin = 20 + _LETTER * max(len(profile.network) for group in shown for profile in group)
    parts, top = list[str](), 0
    for group in shown:
        threads = in_threads(group[0].threads)
        most = max(profile.total for profile in group)
        lengths = {profile.network: profile.total / most for profile in group}
        told = {profile.network: f"{profile.total:.1f} ms" for profile in group}
        parts += _panel(f"milliseconds a run, {threads}", group, lengths, told, colours, margin, top)
        top += _TITLE + _STEP * len(group)
        whole, nothing = dict.fromkeys(lengths, 1.0), dict.fromkeys(lengths, "")
        parts += _panel("share of its own time", group, whole, nothing, colours, margin, top)
        top += _TITLE + _STEP * len(group)
    legend, rows = _legend(kinds, colours, margin, top + 10)
    height = top + 10 + rows * _LEGEND + 8
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
            f'width="{_WIDTH}" height="{height}" font-family="sans-serif" font-size="11">',
            '<rect width="100%" height="100%" fill="white"/>',
            *parts, *legend, "</svg>", "",
        ]
    )  # fmt: skip


def _panel(
    title: str,
    profiles: Sequence[Profile],
    lengths: Mapping[str, float],
    told: Mapping[str, str],
    colours: Mapping[str, str],
    margin: float,
    top: int,
) -> list[str]:
    """One bar a network. lengths: of the bars, 1 for the longest; told: what stands behind them."""
    room = _WIDTH - margin - _RIGHT
    parts = [f'<text x="{margin:.1f}" y="{top + _TITLE - 8}" font-weight="bold">{escape(title)}</text>']
    for i, profile in enumerate(profiles):
        row = top + _TITLE + i * _STEP
        parts.append(_text(margin - 6, row + 12, profile.network, "end"))
        left, scale = margin, room * lengths[profile.network]
        for kind in profile.operators:
            width = scale * profile.share(kind)
            hint = f"{profile.network}, {kind}: {profile.operators[kind]:.2f} ms ({profile.share(kind):.0%})"
            parts.append(
                f'<rect x="{left:.1f}" y="{row}" width="{width:.1f}" height="{_BAR}" fill="{colours[kind]}">'
                f"<title>{escape(hint)}</title></rect>"
            )
            left += width
        parts.append(_text(left + 6, row + 12, told[profile.network], "start"))
    return parts


def _legend(
    kinds: Sequence[str], colours: Mapping[str, str], margin: float, top: int
) -> tuple[list[str], int]:
    """What the colours mean, and how many rows that takes."""
    parts, left, row = list[str](), margin, 0
    for kind in kinds:
        width = 28 + _LETTER * len(kind)
        if left + width > _WIDTH and left > margin:
            left, row = margin, row + 1
        y = top + row * _LEGEND
        parts.append(f'<rect x="{left:.1f}" y="{y}" width="10" height="10" fill="{colours[kind]}"/>')
        parts.append(_text(left + 14, y + 9, kind, "start"))
        left += width
    return parts, row + 1


def _colours(kinds: Sequence[str]) -> dict[str, str]:
    unknown = sorted(kind for kind in kinds if kind not in _COLOURS)
    return _COLOURS | {kind: _FREE[i % len(_FREE)] for i, kind in enumerate(unknown)}


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y}" text-anchor="{anchor}" fill="#444">{escape(text)}</text>'
