"""The first layer's filters as small colour pictures, and what is kept of them (the paper's Figure 4)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ganprune.figures.colours import FAINT, GREY, INK, MUTED, network_colour
from ganprune.figures.drawing import Drawing, Line, Picture, Pixels, Rect, Shape, Text, below

_CELL, _GAP, _TOP = 33.0, 9.0, 40.0

Weights = NDArray[np.float32]
"""Filters of the first convolution: float32 [n, channels, 7, 7]."""


@dataclass(frozen=True, slots=True)
class FirstLayer:
    """One generator's first convolution, before and after."""

    network: str
    """``G_A`` or ``G_B``."""
    original: Weights
    """[n, c, k, k]"""
    kept: tuple[int, ...]
    """Which of the n filters the slim generator has, ascending."""
    tuned: Weights | None = None
    """[kept, c, k, k], after fine-tuning; None where there was none."""

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


def filter_pictures(weights: Weights, like: Weights | None = None) -> list[Pixels]:
    """Filters as pictures, uint8 [k, k, 3]: 0 is grey, the largest absolute weight of each is full colour.

    like: other filters of the same shape, whose largest weights are taken instead, to compare the two.
    """
    scale = np.abs(weights if like is None else like).reshape(len(weights), -1).max(1)
    unit = weights / np.maximum(scale, 1e-12)[:, None, None, None]
    colours = unit[:, [0, 1, 2] if unit.shape[1] >= 3 else [0, 0, 0]]
    return list(
        np.ascontiguousarray((colours.clip(-1, 1) * 127.5 + 127.5).astype(np.uint8).transpose(0, 2, 3, 1))
    )


def filter_panel(
    title: str, note: str, pictures: Mapping[int, Pixels], n: int, framed: Sequence[int], columns: int = 8
) -> Drawing:
    """Filters 0…n-1 in rows; those without a picture are left empty, those of ``framed`` get a frame."""
    shapes: list[Shape] = [Text(0, 13, title, bold=True, size=13), Text(0, 30, note, size=11, colour=MUTED)]
    frames: list[Shape] = []
    for i in range(n):
        x, y = _GAP / 2 + i % columns * (_CELL + _GAP), _TOP + _GAP / 2 + i // columns * (_CELL + _GAP)
        if i in pictures:
            shapes.append(Picture(x, y, _CELL, _CELL, pictures[i], crisp=True, hint=f"filter {i}"))
        else:
            shapes.append(Rect(x, y, _CELL, _CELL, stroke=FAINT))
        if i in framed:
            frames.append(Rect(x - 1.5, y - 1.5, _CELL + 3, _CELL + 3, stroke=INK, stroke_width=2.5))
    rows = -(-n // columns)
    width, height = columns * (_CELL + _GAP), _TOP + rows * (_CELL + _GAP)
    label = f"{title}: {len(framed)} of {n} framed" if framed else title
    return Drawing(max(width, 8 * (_CELL + _GAP)), height, (*shapes, *frames), label)


def norm_panel(layer: FirstLayer) -> Drawing:
    """Norms of all filters, largest first: kept ones in colour, dropped ones grey."""
    width, height, top = 8 * (_CELL + _GAP), 150.0, 40.0
    norms, kept, colour = layer.norms, set(layer.kept), network_colour(layer.network)
    step = width / len(norms)
    shapes: list[Shape] = [
        Text(0, 13, f"{layer.network}: norms of all filters", bold=True, size=13),
        Rect(0, 21, 11, 11, colour), Text(16, 30, "kept", size=11),
        Rect(60, 21, 11, 11, GREY), Text(76, 30, "dropped", size=11),
    ]  # fmt: skip
    for place, i in enumerate(np.argsort(-norms, kind="stable").tolist()):
        tall = (height - top) * float(norms[i] / max(norms.max(), 1e-12))
        what = "kept" if i in kept else "dropped"
        bar = Rect(place * step, height - tall, max(step - 1, 0.5), tall, colour if i in kept else GREY,
                   hint=f"filter {i}, {what}: {norms[i]:.3g}")  # fmt: skip
        shapes.append(bar)
    shapes.append(Line(((0, height), (width, height)), MUTED))
    return Drawing(width, height + 4, tuple(shapes), f"Norms of the {len(norms)} filters of {layer.network}")


def filter_panels(
    layer: FirstLayer, others: Mapping[str, Sequence[int]], columns: int = 8, most: int = 64
) -> list[Drawing]:
    """Original filters with the kept ones framed; after fine-tuning; what others keep; the norms.

    others: label, e.g. ``ThiNet``, → kept indices. A magnitude rule is always shown. At most the first
    ``most`` filters are drawn.
    """
    n = min(len(layer.original), most)
    originals = dict(enumerate(filter_pictures(layer.original[:n])))
    name, found = layer.network, list[Drawing]()
    kept = [i for i in layer.kept if i < n]
    count = f"{len(layer.kept)} of {len(layer.original)} kept"
    found.append(
        filter_panel(f"{name}: first-layer filters", f"{count}, framed", originals, n, kept, columns)
    )
    if layer.tuned is not None:
        pictures = filter_pictures(layer.tuned, layer.original[list(layer.kept)])
        tuned = {i: pictures[place] for place, i in enumerate(layer.kept) if i < n}
        found.append(
            filter_panel(
                f"{name}: after fine-tuning", "in the colours' scale of before", tuned, n, (), columns
            )
        )
    for label, chosen in {**others, "a magnitude rule": layer.by_magnitude}.items():
        same = len(set(chosen) & set(layer.kept))
        note = f"{same} of {len(chosen)} as in the slim network"
        shown = [i for i in chosen if i < n]
        found.append(filter_panel(f"{name}: what {label} keeps", note, originals, n, shown, columns))
    return [*found, norm_panel(layer)]


def filter_figure(layer: FirstLayer, others: Mapping[str, Sequence[int]]) -> Drawing:
    """The same for print: sixteen filters a row, one part under the other, the numbers in words below."""
    columns = min(16, len(layer.original))
    parts = filter_panels(layer, others, columns)
    lines = [Text(0, 12 + 18 * i, sentence, size=11) for i, sentence in enumerate(layer.sentences())]
    width = max([line.box[2] for line in lines], default=0.0)
    words = Drawing(width, 18.0 * len(lines), tuple(lines))
    return below([*parts, words], 16, f"First-layer filters of {layer.network}")
