"""Predicted milliseconds of a slim generator: from what each of its parts was measured to take.

A *part* is a convolution with everything that belongs to it in the exported graph: the padding before it,
the norm and activation after it, the residual addition. Parts that differ in their widths alone are of one
*kind*; a `LatencyTable` holds, for each kind, times at some numbers of inputs and filters. Times between
these are interpolated as the runtime behaves. ONNX Runtime computes convolutions in blocks of 16 channels
(AVX-512) or 8 (AVX2), so time is constant within a block and jumps to the next; and it does so only where
the inputs fit in one block or are a multiple of 4. For other numbers it uses a slower algorithm: 63 inputs
take longer than 64. Wide convolutions are exported in Winograd's form. Hence a kind may have several
`Piece`s, one for each algorithm.

In the whole network maps need not be put in plain order between all parts, and caches are warm or cold: so
whole networks of a few widths are measured, too, and sums over parts are read as what these took.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganprune.channels import ChannelGraph
from ganprune.errors import RunError
from ganprune.pruning.genome import Layout
from ganprune.pruning.resources import Convolutions

SCHEMA = 3
"""Version of `LatencyTable.to_json`; raised when a key changes its meaning or goes."""
ALWAYS = ""
"""In the place of a group: channels that are always there."""

Channels = Mapping[str, float]
"""A number of channels: what every kept filter of each group adds, and `ALWAYS`."""


@dataclass(frozen=True, slots=True)
class Axis:
    """Numbers of channels at which a kind is measured, and how others lie between them."""

    points: tuple[int, ...]
    """Channels that are measured, rising."""
    block: int = 1
    """Above ``fine``, time is constant between multiples of this: channels are rounded up to the next one."""
    fine: int = 0
    """Up to here time is interpolated between points, without rounding."""
    granule: int = 1
    """Holds for multiples of this, and for any number up to ``few``; 1: for any number."""
    few: int = 0
    least: int = 1
    """Holds for this number and more."""

    def serves(self, counts: NDArray[Any]) -> NDArray[np.bool_]:
        """Whether the piece of this axis holds for these numbers of channels: int [n] → bool [n]."""
        return (counts >= self.least) & ((counts <= self.few) | (counts % self.granule == 0))

    def weights(self, counts: NDArray[Any]) -> NDArray[np.float64]:
        """Linear interpolation as a matrix: times at ``counts`` are this times those at the points.

        int [n] → float [n, points]. Beyond the ends the nearest point counts.
        """
        stairs = np.minimum(-(-counts // self.block) * self.block, self.points[-1])
        position = np.where(counts <= self.fine, counts, stairs)
        hats = np.eye(len(self.points))
        return np.stack([np.interp(position, self.points, hat) for hat in hats], -1)


@dataclass(frozen=True, slots=True)
class Piece:
    """Times of one kind over a grid of inputs and filters."""

    inputs: Axis
    filters: Axis
    ms: NDArray[np.float64]
    """[inputs, filters]: milliseconds at the points."""

    def over(self, inputs: NDArray[Any], filters: NDArray[Any]) -> NDArray[np.float64]:
        """Milliseconds of all pairs: int [n], int [m] → [n, m].

        A time can only be measured too long: what takes longer than something larger is lowered to it.
        """
        falling = np.minimum.accumulate(np.minimum.accumulate(self.ms[::-1, ::-1], 0), 1)
        return self.inputs.weights(inputs) @ falling[::-1, ::-1] @ self.filters.weights(filters).T

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"inputs": asdict(self.inputs), "filters": asdict(self.filters), "ms": self.ms.tolist()}

    @classmethod
    def from_json(cls, value: Any) -> "Piece":
        """The reverse of `to_json`. Raises `ValueError` and `TypeError` for damaged ones."""
        inputs, filters = (
            Axis(tuple(map(int, axis["points"])), **{k: int(v) for k, v in axis.items() if k != "points"})
            for axis in (value["inputs"], value["filters"])
        )
        ms = np.array(value["ms"], dtype=float)
        shape = len(inputs.points), len(filters.points)
        sound = all(
            axis.points and min(np.diff(axis.points), default=1) > 0 and min(axis.block, axis.granule) > 0
            for axis in (inputs, filters)
        )
        if ms.shape != shape or not np.isfinite(ms).all() or not (ms > 0).all() or not sound:
            raise ValueError("its numbers do not fit together")
        return cls(inputs, filters, ms)


@dataclass(frozen=True, slots=True)
class TimedPart:
    """A convolution of the original with what belongs to it."""

    kind: str
    inputs: Channels
    filters: Channels


@dataclass(frozen=True, slots=True)
class LatencyTable:
    """What one machine needs for each part of one network, on pictures of one size, in one thread."""

    made_for: Mapping[str, Any]
    """All that the times depend on: processor, runtime, size, the network but for its weights."""
    parts: tuple[TimedPart, ...]
    kinds: Mapping[str, tuple[Piece, ...]]
    """Of each kind: for given numbers of inputs and filters, the first piece that holds for both is used."""
    whole: tuple[tuple[float, float], ...] = ((1e9, 1e9),)
    """Of networks of several sizes, the smallest first: the sum over the parts, and what the whole took,
    milliseconds. Default: the same."""

    @classmethod
    def by_work(cls, graph: ChannelGraph, ms: float, made_for: Mapping[str, Any]) -> "LatencyTable":
        """For a network that was measured as a whole alone: in proportion to the count of work in
        `ganprune.pruning.resources`. ms: what the original takes."""
        layout = Layout.of(graph)
        work = Convolutions.of_layout(layout, "work")
        groups, full = [*layout.genes, ALWAYS], np.array([*layout.sizes, 1])
        share = ms / work.of(full[:-1])
        parts, kinds = list[TimedPart](), dict[str, tuple[Piece, ...]]()
        for i, (reads, writes) in enumerate(zip(work.reads, work.writes, strict=True)):
            inputs, filters = (
                {group: float(n) for group, n in zip(groups, row, strict=True) if n}
                for row in (reads, writes)
            )
            axes = [Axis((0, max(round(row @ full), 1))) for row in (reads, writes)]
            at = [np.array(axis.points) for axis in axes]
            each = (work.factor[i] * at[0][:, None] + work.each[i]) * at[1]
            kinds[str(i)] = (Piece(axes[0], axes[1], (share * each).clip(1e-9)),)
            parts.append(TimedPart(str(i), inputs, filters))
        return cls(dict(made_for), tuple(parts), kinds, ((ms, ms),))

    def dense(self, kind: str) -> NDArray[np.float64]:
        """Milliseconds at every number of channels up to the most measured: [inputs + 1, filters + 1].

        What reads or writes nothing is not there.
        """
        axes = [[*axes] for axes in zip(*((p.inputs, p.filters) for p in self.kinds[kind]), strict=True)]
        rows, columns = (np.arange(1, max(axis.points[-1] for axis in of) + 1) for of in axes)
        *others, last = self.kinds[kind]
        found = last.over(rows, columns)
        for piece in reversed(others):
            i, f = piece.inputs.serves(rows), piece.filters.serves(columns)
            found[np.ix_(i, f)] = piece.over(rows[i], columns[f])
        return np.pad(found, ((1, 0), (1, 0)))

    def of_whole(self, parts: NDArray[np.float64]) -> NDArray[np.float64]:
        """What whole networks take of which the parts take so much: milliseconds, of any shape."""
        sums, whole = zip((0.0, 0.0), *self.whole, strict=True)
        return np.interp(parts, sums, whole)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "schema": SCHEMA,
            "made_for": dict(self.made_for),
            "parts": [asdict(part) for part in self.parts],
            "kinds": {kind: [piece.to_json() for piece in pieces] for kind, pieces in self.kinds.items()},
            "whole": [list(pair) for pair in self.whole],
        }

    @classmethod
    def from_json(cls, value: Any) -> "LatencyTable":
        """The reverse of `to_json`. Raises `ValueError` for what is none, or a damaged one."""
        try:
            if value["schema"] != SCHEMA:
                raise ValueError(f"its schema is {value['schema']}")
            kinds = {kind: tuple(map(Piece.from_json, pieces)) for kind, pieces in value["kinds"].items()}
            parts = tuple(
                TimedPart(
                    part["kind"],
                    *({str(g): float(n) for g, n in part[k].items()} for k in ("inputs", "filters")),
                )
                for part in value["parts"]
            )
            if not parts or not all(kinds.get(part.kind) for part in parts):
                raise ValueError("a part is missing")
            whole = tuple((float(parts), float(ms)) for parts, ms in value["whole"])
            if not whole or not (np.diff(whole, axis=0) >= 0).all() or not np.min(whole) > 0:
                raise ValueError("its numbers do not fit together")
            return cls(dict(value["made_for"]), parts, kinds, whole)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{type(error).__name__}: {error}") from None


class Latency:
    """A `Resource` (`ganprune.pruning.resources`): predicted ms a picture of the networks of a layout."""

    def __init__(self, table: LatencyTable, layout: Layout) -> None:
        """Raises `RunError` where the table does not reach the layout's widths."""
        predicted(table, layout.graph.sizes)
        genes = {gene: place for place, gene in enumerate(layout.genes)} | {ALWAYS: len(layout.genes)}
        gene_of = {**layout.gene_of, ALWAYS: ALWAYS}
        self._table, self._times = table, {kind: table.dense(kind) for kind in table.kinds}
        self._inputs, self._filters = np.zeros((2, len(table.parts), len(genes)))
        for i, part in enumerate(table.parts):
            for row, channels in ((self._inputs[i], part.inputs), (self._filters[i], part.filters)):
                for group, each in channels.items():
                    row[genes[gene_of[group]]] += each

    def of(self, counts: NDArray[Any]) -> NDArray[np.float64]:
        """See `ganprune.pruning.resources.Resource.of`: int [..., genes] → milliseconds [...]."""
        padded = np.concatenate([counts, np.ones((*counts.shape[:-1], 1))], axis=-1)
        inputs, filters = (np.rint(padded @ of.T).astype(int) for of in (self._inputs, self._filters))
        parts = [
            self._times[part.kind][inputs[..., i], filters[..., i]]
            for i, part in enumerate(self._table.parts)
        ]
        return self._table.of_whole(np.sum(parts, 0))


def predicted(table: LatencyTable, widths: Mapping[str, int]) -> float:
    """Milliseconds a picture of a network with so many filters in each group; a group that is not told of
    has none.

    Raises `RunError` where the table does not reach so far.
    """
    dense, there = {kind: table.dense(kind) for kind in table.kinds}, {**widths, ALWAYS: 1}
    total = 0.0
    for part in table.parts:
        inputs, filters = (
            round(sum(each * there.get(group, 0) for group, each in channels.items()))
            for channels in (part.inputs, part.filters)
        )
        most, high = (n - 1 for n in dense[part.kind].shape)
        if inputs > most or filters > high:
            raise RunError(
                f"the latency table reaches {most} inputs and {high} filters of "
                f"{' + '.join(filter(None, part.filters)) or 'the picture'}, found {inputs} and {filters}; "
                "delete it to measure a new one"
            )
        total += dense[part.kind][inputs, filters]
    return float(table.of_whole(np.array(total)))
