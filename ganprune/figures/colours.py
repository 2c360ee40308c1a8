"""Colours that mean the same in every figure, and that colour-blind readers tell apart.

Source: M. Okabe and K. Ito, "Color Universal Design", 2008: seven colours beside black.
"""

from collections.abc import Iterable

ORANGE, SKY, GREEN, YELLOW = "#E69F00", "#56B4E9", "#009E73", "#F0E442"
BLUE, VERMILLION, PURPLE = "#0072B2", "#D55E00", "#CC79A7"
GREY = "#999999"

INK, MUTED, FAINT, PAPER = "ink", "muted", "faint", "paper"
"""Tones of text, of axes, of grid lines and of the ground: each way of drawing has its own shades of them."""

ORIGINAL = GREY
"""Of an original network, and of what was dropped."""
NETWORKS = {"G_A": BLUE, "G_B": VERMILLION}
"""Of the slim generators."""
OTHERS = "others"
_OPERATORS = {
    "Conv": BLUE, "ConvTranspose": SKY, "InstanceNormalization": ORANGE, "Pad": PURPLE, "Relu": GREEN,
    "Add": YELLOW, "DepthToSpace": VERMILLION, OTHERS: GREY,
}  # fmt: skip
_SERIES = (BLUE, VERMILLION, GREEN, ORANGE, PURPLE, SKY)


def network_colour(name: str) -> str:
    """Of a network by its name: ``G_A`` and its variants alike, originals grey."""
    if name.startswith("original"):
        return ORIGINAL
    return NETWORKS.get(name.partition(".")[0], GREEN)


def operator_colour(kind: str) -> str:
    """Of a kind of operator; those without a colour of their own are drawn as others."""
    return _OPERATORS.get(kind, GREY)


def has_colour(kind: str) -> bool:
    """Whether a kind of operator has a colour of its own."""
    return kind in _OPERATORS


def series_colours(labels: Iterable[str]) -> dict[str, str]:
    """One colour a label, in their order; those that begin with a network's name have the network's."""
    free = [colour for colour in _SERIES if colour not in NETWORKS.values()]
    found: dict[str, str] = {}
    for label in labels:
        name = next((name for name in NETWORKS if label == name or label.startswith(f"{name} ")), None)
        found[label] = NETWORKS[name] if name else free[len(found) % len(free)]
    return found
