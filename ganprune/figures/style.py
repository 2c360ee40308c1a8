"""How every figure looks: colours for light and dark, the settings of matplotlib, and the ways out of it.

A figure is drawn once, in the light colours. `to_svg` and `to_png` make files of it, the same bytes each
time; `to_page` makes a part of an HTML page, in which each colour is the page's variable of that name, and
text has the page's font. Source of the hues: M. Okabe and K. Ito, "Color Universal Design", 2008, which
colour-blind readers tell apart; made darker or lighter until each has a contrast of 3 to its ground.
"""

import base64
import io
import re
import unicodedata
import warnings
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from functools import wraps
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray
from PIL import Image

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.transforms import Bbox

P = ParamSpec("P")
T = TypeVar("T")
Pixels = NDArray[np.uint8]  # a picture: uint8 [h, w, 3]

COLOURS: Mapping[str, tuple[str, str]] = MappingProxyType({
    "paper": ("#ffffff", "#14171b"), "soft": ("#f4f6f8", "#1d2126"), "line": ("#d9dde3", "#343a42"),
    "ink": ("#1b1e23", "#e8eaed"), "muted": ("#565d67", "#a8b0ba"), "accent": ("#005a96", "#74bdf0"),
    "good": ("#00694b", "#35c896"), "bad": ("#a83200", "#ff9259"),
    "blue": ("#0072b2", "#4fa3e3"), "vermillion": ("#c75300", "#ff8a4c"), "green": ("#00855f", "#2cc295"),
    "orange": ("#b87900", "#eeb033"), "purple": ("#a9538a", "#dd93bd"), "sky": ("#2b8cc4", "#8ed0f4"),
    "yellow": ("#8d8300", "#f0e442"), "brown": ("#8a5a44", "#c99a80"), "grey": ("#75797f", "#8f949b"),
})  # fmt: skip
"""Name → in light, in dark. The page's stylesheet has the same names."""
LIGHT: Mapping[str, str] = MappingProxyType({name: light for name, (light, _) in COLOURS.items()})

NETWORKS = MappingProxyType({"G_A": LIGHT["blue"], "G_B": LIGHT["vermillion"]})  # of the slim generators
ORIGINAL = LIGHT["grey"]  # of an original network, and of what was dropped
OTHERS = "others"
_OPERATORS: Mapping[str, str] = MappingProxyType({
    "Conv": "blue", "ConvTranspose": "sky", "InstanceNormalization": "orange", "Pad": "purple",
    "Relu": "green", "Add": "yellow", "DepthToSpace": "vermillion", "ReorderInput": "brown", OTHERS: "grey",
})  # fmt: skip
_SERIES = ("green", "orange", "purple", "sky", "brown", "yellow")

WIDTH = 352.0  # of a chart, in pixels of the page: as wide as a phone, three beside each other on a desk
TEXT = 13.0  # size of its text, pixels

_RC: Mapping[str, Any] = MappingProxyType({
    "figure.dpi": 72, "figure.facecolor": LIGHT["paper"],  # one point is one pixel of the page
    "font.family": "DejaVu Sans", "font.size": TEXT, "text.color": LIGHT["ink"], "text.parse_math": False,
    "axes.edgecolor": LIGHT["muted"], "axes.labelcolor": LIGHT["ink"], "axes.axisbelow": True,
    "axes.facecolor": "none", "axes.spines.top": False, "axes.spines.right": False,
    "xtick.color": LIGHT["muted"], "ytick.color": LIGHT["muted"], "grid.color": LIGHT["line"],
    "legend.frameon": False, "legend.handlelength": 1.4, "legend.columnspacing": 1.2,
    "legend.borderaxespad": 0, "legend.borderpad": 0, "legend.labelspacing": 0.3,
    "svg.fonttype": "none", "svg.hashsalt": "ganprune",
})  # fmt: skip
_SVG, _XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
_BIDI = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
"""Marks that turn the direction of writing around."""


@contextmanager
def look() -> Generator[None]:
    """Within, matplotlib draws in ganprune's style, whatever its user has set."""
    from matplotlib import rc_context, rcdefaults, rcParams

    with rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from")  # drawn as a box
        rcdefaults()
        rcParams.update(_RC)  # pyright: ignore[reportCallIssue, reportArgumentType]
        yield


def styled(draw: Callable[P, T]) -> Callable[P, T]:
    """A function that draws, in ganprune's style."""

    @wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> T:
        with look():
            return draw(*args, **kwargs)

    return drawn


def sheet(width: float, height: float, label: str) -> "Figure":
    """An empty figure of a size in pixels. label: what it shows, for those who cannot see it."""
    from matplotlib.figure import Figure

    figure = Figure((width / 72, height / 72))
    figure.set_label(clean(label))
    return figure


def place(figure: "Figure", left: float, top: float, width: float, height: float) -> "Axes":
    """Axes in a rectangle of the figure, in pixels from its left upper corner."""
    whole, tall = (side * 72 for side in figure.get_size_inches())
    box = (left / whole, 1 - (top + height) / tall, width / whole, height / tall)
    return figure.add_axes(box)


def write(figure: "Figure", x: float, y: float, text: str, **how: Any) -> None:
    """A line of text whose base line begins at a place in pixels from the left upper corner."""
    whole, tall = (side * 72 for side in figure.get_size_inches())
    figure.text(x / whole, 1 - y / tall, clean(text), **how)


def box(figure: "Figure", x: float, y: float, width: float, height: float, colour: str) -> None:
    """A filled rectangle, in pixels from the left upper corner; axes for this alone would take longer."""
    from matplotlib.patches import Rectangle

    whole, tall = (side * 72 for side in figure.get_size_inches())
    corner = (x / whole, 1 - (y + height) / tall)
    figure.add_artist(Rectangle(corner, width / whole, height / tall, color=colour, linewidth=0))


def key(figure: "Figure", x: float, y: float, word: str, colour: str) -> None:
    """An entry of a legend, whose base line begins at a place in pixels."""
    box(figure, x, y - 11, 12, 12, colour)
    write(figure, x + 18, y, word)


def heading(figure: "Figure", text: str, note: str = "", top: float = 0) -> None:
    """What a chart is called, and a word on it."""
    write(figure, 0, top + 14, cut(text, 38), weight="bold")
    write(figure, 0, top + 32, note, color=LIGHT["muted"])


def cut(text: str, most: int) -> str:
    """At most so many letters, with … where it was cut."""
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"


def clean(text: str) -> str:
    """Without what no document may hold or what plays tricks: control letters, surrogates, bidi marks."""

    def is_bad(letter: str) -> bool:
        return unicodedata.category(letter) in ("Cc", "Cs", "Cn", "Co") or letter in _BIDI

    return "".join("\ufffd" if letter not in "\n\t" and is_bad(letter) else letter for letter in text)


def network_colour(name: str) -> str:
    """Of a network by its name: ``G_A`` and its variants alike, originals grey."""
    return ORIGINAL if name.startswith("original") else NETWORKS.get(name.partition(".")[0], LIGHT["green"])


def operator_kind(kind: str) -> str:
    """The kind itself where it has a colour of its own, else `OTHERS`."""
    return kind if kind in _OPERATORS else OTHERS


def operator_colour(kind: str) -> str:
    """Of a kind of operator; those without a colour of their own are drawn as others."""
    return LIGHT[_OPERATORS[operator_kind(kind)]]


def series_colours(labels: Iterable[str]) -> dict[str, str]:
    """One colour a label, in their order; those that begin with a network's name have the network's."""
    found: dict[str, str] = {}
    for label in labels:
        name = next((name for name in NETWORKS if label == name or label.startswith(f"{name} ")), None)
        found[label] = NETWORKS[name] if name else LIGHT[_SERIES[len(found) % len(_SERIES)]]
    return found


def png_bytes(pixels: Pixels) -> bytes:
    """A picture, uint8 [h, w, 3], as a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def data_uri(data: bytes, kind: str) -> str:
    """A picture file of ``image/…`` as an address that holds it."""
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def to_png(figure: "Figure") -> bytes:
    """A PNG file on white, of 2.5 pixels a unit, with a margin; prints well up to 170 mm of width."""
    return _saved(figure, "png", dpi=180, bbox_inches=_with_margin(figure), metadata={"Software": None})


def to_svg(figure: "Figure") -> str:
    """SVG 1.1 on white, with a margin; pictures lie within it."""
    return _saved(figure, "svg", bbox_inches=_with_margin(figure), metadata=_UNDATED).decode()


def to_page(figure: "Figure") -> str:
    """SVG within HTML: without what the page's policy forbids (styles), in its colours, text in its font."""
    root = ElementTree.fromstring(_saved(figure, "svg", transparent=True, metadata=_UNDATED))
    names = {light: f"var(--{name})" for name, light in LIGHT.items()}
    for element in list(root.iter()):
        for child in list(element):
            if child.tag in (f"{{{_SVG}}}metadata", f"{{{_SVG}}}style"):
                element.remove(child)
        if element.tag == f"{{{_SVG}}}g":  # the others are referred to
            element.attrib.pop("id", None)
        for part in element.attrib.pop("style", "").split(";"):
            key, _, value = (word.strip() for word in part.partition(":"))
            if key == "font":
                element.set("font-size", re.findall(r"([\d.]+)px", value)[0])
                if re.search("bold|700", value):
                    element.set("font-weight", "bold")
            elif key and key != "font-family":
                element.set(key, names.get(value, value))
    for name in ("width", "height"):
        root.set(name, root.attrib[name].removesuffix("pt"))
    root.set("role", "img")
    root.set("aria-label", str(figure.get_label()))
    ElementTree.register_namespace("", _SVG)
    ElementTree.register_namespace("xlink", _XLINK)
    return ElementTree.tostring(root, "unicode")


def _with_margin(figure: "Figure") -> "Bbox":
    """The sheet and 12 units around it, in inches; told, because to find what is drawn on takes a drawing."""
    from matplotlib.transforms import Bbox

    width, height = figure.get_size_inches()
    return Bbox([[-1 / 6, -1 / 6], [width + 1 / 6, height + 1 / 6]])


_UNDATED = MappingProxyType({"Date": None, "Creator": None, "Format": None, "Type": None})


@styled
def _saved(figure: "Figure", kind: str, **how: Any) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format=kind, **how)
    return buffer.getvalue()
