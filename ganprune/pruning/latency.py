"""Predicted milliseconds of a slim generator: the sum over its layers of what each was measured to take.

A *layer* is a convolution with everything that belongs to it in the exported graph: the padding before it,
the norm and activation after it, the residual addition. Layers of the same shape but for their channels are
of one *kind*; a `LatencyTable` holds, for each kind, times at some numbers of inputs and filters. Times
between these are interpolated as the runtime behaves. ONNX Runtime computes convolutions in blocks of 16
channels (AVX-512) or 8 (AVX2), so time is a flight of stairs; and it does so only where the inputs fit in
one block or are a multiple of 4. All others go another way, at another speed: 63 inputs take longer than 64.
From 192 channels on, the trunk's convolutions are exported in another form (Winograd's). Hence a kind may
have several `Piece`s.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from torch import nn

from ganprune.channels import ChannelGraph, Group, Layer
from ganprune.errors import RunError, UsageError
from ganprune.models.cyclegan import Conv
from ganprune.pruning.genome import Layout

SCHEMA = 2
"""Version of `LatencyTable.to_json`; raised when a key changes its meaning or goes."""

Kind = Literal["stem", "down", "trunk", "inner", "residual", "up1", "up2", "picture"]
"""Kinds of layers, in the order of the network: ``inner`` and ``residual`` are the first and the second
convolution of a block, ``picture`` is the last one; the others are named by the group of their filters."""

KINDS: tuple[Kind, ...] = get_args(Kind)


def kind_of(conv: Conv) -> Kind:
    """The kind that a convolution of `generator_convs` belongs to."""
    if conv.target is None:
        return "picture"
    if conv.source is not None and conv.source.startswith("inner"):
        return "residual"
    name = "inner" if conv.target.startswith("inner") else conv.target
    return next(kind for kind in KINDS if kind == name)


@dataclass(frozen=True, slots=True)
class Axis:
    """Numbers of channels at which a kind is measured, and how others lie between them."""

    points: tuple[int, ...]
    """Channels that are measured, rising."""
    block: int = 1
    """Beyond ``fine``, channels count as the next multiple of this."""
    fine: int = 0
    """Up to here channels count as they are: both ends of every step of the stairs are measured."""
    granule: int = 1
    """Serves multiples of this, and what fits in one block; 1: any number."""
    least: int = 1
    """Serves this number and more."""

    def serves(self, counts: NDArray[Any]) -> NDArray[np.bool_]:
        """Whether the piece of this axis speaks for these numbers of channels: int [n] → bool [n]."""
        return (counts >= self.least) & ((counts <= self.block) | (counts % self.granule == 0))

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


@dataclass(frozen=True, slots=True)
class LatencyTable:
    """What one machine needs for each kind of layer, on pictures of one size, in one thread."""

    made_for: Mapping[str, Any]
    """All that the times depend on: processor, runtime, size, norm, and widths that the table reaches."""
    pieces: Mapping[Kind, tuple[Piece, ...]]
    """By kind; for every number of inputs and filters the first piece that serves both speaks."""

    def dense(self, kind: Kind, inputs: int, filters: int) -> NDArray[np.float64]:
        """Milliseconds at every number of channels from 0 up: [inputs + 1, filters + 1].

        Of no inputs, or no filters, there is nothing to compute: a residual block was taken out.

        Raises `RunError` where the table does not reach so far.
        """
        pieces = self.pieces[kind]
        rows, columns = np.arange(inputs + 1).clip(1), np.arange(filters + 1).clip(1)
        reach = max(p.inputs.points[-1] for p in pieces), max(p.filters.points[-1] for p in pieces)
        if inputs > reach[0] or filters > reach[1]:
            raise RunError(
                f"the latency table reaches {reach[0]} inputs and {reach[1]} filters of layer {kind}, "
                f"found {inputs} and {filters}; delete it to measure a new one"
            )
        *others, last = pieces
        found = last.over(rows, columns)
        for piece in reversed(others):
            i, f = piece.inputs.serves(rows), piece.filters.serves(columns)
            found[np.ix_(i, f)] = piece.over(rows[i], columns[f])
        found[0], found[:, 0] = 0, 0
        return found

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        pieces = {kind: [piece.to_json() for piece in pieces] for kind, pieces in self.pieces.items()}
        return {"schema": SCHEMA, "made_for": dict(self.made_for), "pieces": pieces}

    @classmethod
    def from_json(cls, value: Any) -> "LatencyTable":
        """The reverse of `to_json`. Raises `ValueError` for what is none, or a damaged one."""
        try:
            if value["schema"] != SCHEMA:
                raise ValueError(f"its schema is {value['schema']}")
            pieces: dict[Kind, tuple[Piece, ...]] = {
                kind: tuple(_piece(p) for p in value["pieces"][kind]) for kind in KINDS
            }
            if not all(pieces.values()):
                raise ValueError("a layer is missing")
            return cls(dict(value["made_for"]), pieces)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{type(error).__name__}: {error}") from None


class Latency:
    """A `Resource` (`ganprune.pruning.resources`): predicted ms a picture of the networks of a layout."""

    def __init__(self, table: LatencyTable, layout: Layout) -> None:
        """Raises `RunError` where the table does not reach the layout's widths."""
        graph = layout.graph
        genes, pictures = list(layout.genes), (len(layout.genes), len(layout.genes) + 1)
        groups = {group.units.start: name for name, group in graph.groups.items()}
        self._picture = np.array([graph.inputs, graph.outputs])

        def place(units: NDArray[np.int64], otherwise: int) -> int:
            return otherwise if units[0] < 0 else genes.index(layout.gene_of[groups[int(units.min())]])

        kinds: list[Kind] = [_kind(layer, graph) for layer in graph.layers]
        self._source = [place(layer.reads, pictures[0]) for layer in graph.layers]
        self._target = [place(layer.writes, pictures[1]) for layer in graph.layers]
        widest: dict[Kind, tuple[int, int]] = {}
        for kind, layer in zip(kinds, graph.layers, strict=True):
            inputs, filters = widest.get(kind, (0, 0))
            widest[kind] = max(inputs, len(layer.reads)), max(filters, len(layer.writes))
        tables = {kind: table.dense(kind, *channels) for kind, channels in widest.items()}
        self._tables = [tables[kind] for kind in kinds]

    def of(self, counts: NDArray[Any]) -> NDArray[np.float64]:
        """See `ganprune.pruning.resources.Resource.of`: int [..., genes] → milliseconds [...]."""
        picture = np.broadcast_to(self._picture, (*counts.shape[:-1], 2))
        padded = np.concatenate([counts, picture], axis=-1)
        layers = zip(self._tables, self._source, self._target, strict=True)
        return np.sum([table[padded[..., i], padded[..., f]] for table, i, f in layers], 0)


def predicted(table: LatencyTable, network: nn.Module) -> float:
    """Milliseconds a picture of a generator."""
    layout = Layout.of(network)
    return float(Latency(table, layout).of(np.array(layout.sizes)))


def _kind(layer: Layer, graph: ChannelGraph) -> Kind:
    """The kind of a layer. Raises `UsageError` for one that no table is measured of."""

    def group_of(units: NDArray[np.int64]) -> Group | None:
        return next((g for g in graph.groups.values() if g.units.start <= units[0] < g.units.stop), None)

    source, target = group_of(layer.reads), group_of(layer.writes)
    name = "picture" if target is None else "inner" if target.role == "inner" else target.name
    if source is not None and source.role == "inner":
        name = "residual"
    for kind in KINDS:
        if kind == name and layer.taps == (49 if kind in ("stem", "picture") else 9):
            return kind
    raise UsageError(
        f"--target-ms knows the layers of CycleGAN's ResNet, {layer.name} is none; use --speed-up"
    )


def _piece(value: Any) -> Piece:
    inputs, filters = (
        Axis(tuple(map(int, axis["points"])), *(int(axis[k]) for k in ("block", "fine", "granule", "least")))
        for axis in (value["inputs"], value["filters"])
    )
    ms = np.array(value["ms"], dtype=float)
    shape = len(inputs.points), len(filters.points)
    rising = all(axis.points and min(np.diff(axis.points), default=1) > 0 for axis in (inputs, filters))
    positive = min(inputs.block, inputs.granule, filters.block, filters.granule) > 0
    if ms.shape != shape or not np.isfinite(ms).all() or not (ms > 0).all() or not rising or not positive:
        raise ValueError("its numbers do not fit together")
    return Piece(inputs, filters, ms)
