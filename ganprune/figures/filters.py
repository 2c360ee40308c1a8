"""The first layer's filters as small colour pictures, and what is kept of them (the paper's Figure 4)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ganprune.figures import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_STEP, _GAP, _TOP = 44.0, 1, 42.0
_MOST = 64  # at most the first so many filters are drawn

Weights = NDArray[np.float32]  # filters of the first convolution: float32 [n, channels, 7, 7]


@dataclass(frozen=True, slots=True)
class FirstLayer:
    """One generator's first convolution, before and after."""

    network: str  # ``G_A`` or ``G_B``
    original: Weights  # [n, c, k, k]
    kept: tuple[int, ...]  # which of the n filters the slim generator has, ascending
    tuned: Weights | None = None  # [kept, c, k, k], after fine-tuning; None where there was none

    @property
    def norms(self) -> NDArray[np.float32]:
        """ℓ2 norm of every original filter: float32 [n]."""
        return np.linalg.norm(self.original.reshape(len(self.original), -1), axis=1)

    @property
    def dropped(self) -> tuple[int, ...]:
        """The others."""
        return tuple(sorted(set(range(len(self.original))) - set(self.kept)))

    @property
    def by_magnitude(self) -> tuple[int, ...]:
        """As many filters, those of the largest ℓ1 norms: what Li et al., ICLR 2017, would keep."""
        sizes = np.abs(self.original).reshape(len(self.original), -1).sum(1)
        return tuple(sorted(np.argsort(-sizes, kind="stable")[: len(self.kept)].tolist()))

    @property
    def cosines(self) -> NDArray[np.float32] | None:
        """Cosine of every kept filter before and after fine-tuning: float32 [kept], in [-1, 1]."""
        if self.tuned is None:
            return None
        before = self.original[list(self.kept)].reshape(len(self.kept), -1)
        after = self.tuned.reshape(len(self.kept), -1)
        lengths = np.linalg.norm(before, axis=1) * np.linalg.norm(after, axis=1)
        return (before * after).sum(1) / np.maximum(lengths, 1e-12)

    def sentences(self) -> list[str]:
        """What the paper claims something about, in numbers."""
        norms, found = self.norms, list[str]()
        if self.dropped:
            kept, dropped = norms[list(self.kept)], norms[list(self.dropped)]
            larger = int((dropped > np.median(kept)).sum())
            shared = len(set(self.kept) & set(self.by_magnitude))
            found.append(
                f"Median norm of the {len(kept)} kept filters {np.median(kept):.3g}, of the "
                f"{len(dropped)} dropped ones {np.median(dropped):.3g}; "
                f"{larger} of the dropped are larger than half of the kept."
            )
            found.append(f"A magnitude rule would keep {shared} of the same {len(kept)}.")
        if (cosines := self.cosines) is not None:
            found.append(
                f"Cosine of kept filters before and after fine-tuning: median {np.median(cosines):.3f}, "
                f"least {cosines.min():.3f}."
            )
        return found


def filter_pictures(weights: Weights, like: Weights | None = None) -> list[style.Pixels]:
    """Filters as pictures, uint8 [k, k, 3]: 0 is grey, the largest absolute weight of each is full colour.

    like: other filters of the same shape, whose largest weights are taken instead, to compare the two.
    """
    scale = np.abs(weights if like is None else like).reshape(len(weights), -1).max(1)
    unit = weights / np.maximum(scale, 1e-12)[:, None, None, None]
    colours = unit[:, [0, 1, 2] if unit.shape[1] >= 3 else [0, 0, 0]]
    return list(
        np.ascontiguousarray((colours.clip(-1, 1) * 127.5 + 127.5).astype(np.uint8).transpose(0, 2, 3, 1))
    )


@dataclass(frozen=True, slots=True)
class FilterPanel:
    """Filters in rows: those without a picture are left empty, those of ``framed`` get a frame."""

    title: str
    note: str
    pictures: Mapping[int, style.Pixels]  # filter → its picture
    framed: Sequence[int] = ()


def filter_parts(layer: FirstLayer, others: Mapping[str, Sequence[int]]) -> list[FilterPanel]:
    """Original filters with the kept ones framed; after fine-tuning; what others keep.

    others: label, e.g. ``ThiNet``, → kept indices. A magnitude rule is always shown.
    """
    originals = dict(enumerate(filter_pictures(layer.original)))
    name = layer.network
    count = f"{len(layer.kept)} of {len(layer.original)} kept, framed"
    found = [FilterPanel(f"{name}: first-layer filters", count, originals, layer.kept)]
    if layer.tuned is not None:
        tuned = filter_pictures(layer.tuned, layer.original[list(layer.kept)])
        pictures = dict(zip(layer.kept, tuned, strict=True))
        found.append(FilterPanel(f"{name}: after fine-tuning", "in the colours' scale of before", pictures))
    for label, chosen in {**others, "a magnitude rule": layer.by_magnitude}.items():
        same = len(set(chosen) & set(layer.kept))
        note = f"{same} of {len(chosen)} as in the slim network"
        found.append(FilterPanel(f"{name}: what {label} keeps", note, originals, chosen))
    return found


@style.styled
def filter_panels(layer: FirstLayer, others: Mapping[str, Sequence[int]]) -> list["Figure"]:
    """The parts and the norms, each a chart of eight filters a row."""
    n = min(len(layer.original), _MOST)
    found: list[Figure] = []
    for part in filter_parts(layer, others):
        found.append(style.sheet(style.WIDTH, _TOP + _STEP * -(-n // 8), f"{part.title}: {part.note}"))
        _draw_part(found[-1], part, n, 8, 0)
    found.append(
        style.sheet(style.WIDTH, 200, f"Norms of the {len(layer.original)} filters of {layer.network}")
    )
    _draw_norms(found[-1], layer, style.WIDTH, 0)
    return found


@style.styled
def filter_figure(layer: FirstLayer, others: Mapping[str, Sequence[int]]) -> "Figure":
    """The same for print: sixteen filters a row, one part under the other, the numbers in words below."""
    n, columns, parts = min(len(layer.original), _MOST), 16, filter_parts(layer, others)
    step, words = _TOP + _STEP * -(-n // columns) + 16, layer.sentences()
    width = _STEP * columns
    figure = style.sheet(
        width, step * len(parts) + 220 + 18 * len(words), f"First-layer filters of {layer.network}"
    )
    for i, part in enumerate(parts):
        _draw_part(figure, part, n, columns, i * step)
    _draw_norms(figure, layer, width, step * len(parts))
    for i, sentence in enumerate(words):
        style.write(figure, 0, step * len(parts) + 220 + 18 * i, sentence, fontsize=11)
    return figure


def _draw_part(figure: "Figure", part: FilterPanel, n: int, columns: int, top: float) -> None:
    from matplotlib.patches import Rectangle

    style.heading(figure, part.title, part.note, top)
    rows, k = -(-n // columns), next(iter(part.pictures.values())).shape[0]
    side = k + 2 * _GAP
    mosaic = np.zeros((rows * side, columns * side, 4), np.uint8)  # transparent
    axes = style.place(figure, 0, top + _TOP, _STEP * columns, _STEP * rows)
    axes.set_axis_off()
    for i in range(n):
        y, x = i // columns * side, i % columns * side
        if i in part.pictures:
            mosaic[y + _GAP : y + _GAP + k, x + _GAP : x + _GAP + k] = 255
            mosaic[y + _GAP : y + _GAP + k, x + _GAP : x + _GAP + k, :3] = part.pictures[i]
        if i in part.framed or i not in part.pictures:
            colour, width = (style.LIGHT["ink"], 2.5) if i in part.framed else (style.LIGHT["line"], 1.0)
            corner = (x + _GAP - 0.5, y + _GAP - 0.5)
            axes.add_patch(Rectangle(corner, k, k, fill=False, edgecolor=colour, linewidth=width))
    ends = (-0.5, columns * side - 0.5, rows * side - 0.5, -0.5)
    crisp = mosaic.repeat(8, 0).repeat(
        8, 1
    )  # not all programs that draw SVG can be told to keep pixels square
    axes.imshow(crisp, extent=ends, interpolation="none", aspect="auto")


def _draw_norms(figure: "Figure", layer: FirstLayer, width: float, top: float) -> None:
    """Norms of all filters, largest first: kept ones in colour, dropped ones grey."""
    style.heading(figure, f"{layer.network}: norms of all filters", top=top)
    colours = {"kept": style.network_colour(layer.network), "dropped": style.LIGHT["grey"]}
    for i, (word, colour) in enumerate(colours.items()):
        style.key(figure, 80 * i, top + 33, word, colour)
    order = np.argsort(-layer.norms, kind="stable")
    axes = style.place(figure, 44, top + 48, width - 48, 140)
    kept = set(layer.kept)
    axes.bar(range(len(order)), layer.norms[order],
             color=[colours["kept" if i in kept else "dropped"] for i in order.tolist()])  # fmt: skip
    axes.set_xticks([])
    axes.margins(x=0.01)
