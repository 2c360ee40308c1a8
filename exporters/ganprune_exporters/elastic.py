"""The exported graph of a network at any widths, whole or a convolution at a time.

To export a network takes seconds, and milliseconds are predicted from hundreds of widths. So it is exported
as it is, and once or twice more as a slim network, with another number of filters in every group. A size in
these graphs, of a weight, of a map, in a reshape, is the same in all, or as many times a number of channels
in each: so it is known for all other widths. Nothing has to be known about operators.

Weights of other widths are the original's, cut or repeated: what is computed does not change how long it
takes.
"""

import hashlib
from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper
from torch import nn

from ganprune.channels import ChannelGraph, graph_of
from ganprune.pruning.genome import Layout
from ganprune.pruning.rebuild import rebuilt
from ganprune_exporters import chain, verify
from ganprune_exporters.passes import with_shapes
from ganprune_exporters.passes.graph import Graph, attributes
from ganprune_exporters.settings import ExportSettings

Amount = NDArray[np.float64]
"""A size as a sum over groups: what every filter of each adds, and in the last place what is always there."""
Counts = NDArray[np.int64]  # filters of every group: [groups]
Place = tuple[int, str, int]
"""Where sizes stand: the number of a node, what of it, and of which of its tensors."""
WAITS = ("Pad", "Concat")
"""Operators that belong to the next convolution, with what leads from there to it; all others to the last."""
MOST_EXPORTS = 4  # groups of the same few filters cannot be told apart by any number of slim networks


class NotElastic(ValueError):
    """Exports at other widths are not the same graph with other sizes."""


@dataclass(frozen=True, slots=True)
class Section:
    """One convolution with what belongs to it: norm, activation, sum, and the padding before it."""

    nodes: tuple[int, ...]
    kind: str  # the same for all parts that differ in their widths alone
    inputs: Amount  # channels that the convolution reads; one where these are the same units as its filters
    filters: Amount  # channels that it writes
    reads: NDArray[np.bool_]  # groups that its inputs depend on and its filters do not: bool [groups]
    others: NDArray[np.bool_]  # all other groups that something in it depends on
    ends: bool  # whether the picture that comes out is made here


class Elastic:
    """See the head of this file. Raises `NotElastic`."""

    def __init__(self, network: nn.Module, settings: ExportSettings) -> None:
        whole = verify.reference(network, settings)
        graph = graph_of(whole)
        self.sizes = np.array([*graph.sizes.values()], dtype=np.int64)
        widths = [self.sizes, *_marks(self.sizes)]
        models = [chain.plain(_cut(whole, graph, counts), settings)[0] for counts in widths]
        if len({tuple(node.op_type for node in model.graph.node) for model in models}) > 1:
            raise NotElastic("slim networks are exported with other operators")
        self._model, self._graph = models[0], Graph(models[0])
        self._nodes = list(self._model.graph.node)
        self._amounts = _amounts([_sizes(model) for model in models], _Known(graph, widths))
        self.parts = tuple(self._parts())

    def model(self, counts: Counts, part: Section | None = None) -> ModelProto:
        """The graph, or a part of it, as it is exported before rewrites. counts: filters of every group."""
        places = range(len(self._nodes)) if part is None else part.nodes
        made = {name for i in places for name in self._nodes[i].output}
        nodes, tensors, given = list[NodeProto](), list[TensorProto](), dict[str, list[int]]()

        def sizes(*place: Any) -> NDArray[np.int64]:
            return np.rint(self._amounts[place] @ np.append(counts, 1)).astype(np.int64)

        for i in places:
            node = deepcopy(self._nodes[i])
            if node.op_type == "Constant":
                continue
            for j, name in enumerate(self._nodes[i].input):
                if (i, "values", j) in self._amounts:
                    value = sizes(i, "values", j).reshape(sizes(i, "shape", j))
                elif (i, "shape", j) in self._amounts:
                    value = np.resize(self._graph.numbers(name), sizes(i, "shape", j))
                else:
                    if name and name not in made:
                        given[name] = sizes(i, "reads", j).tolist()
                    continue
                node.input[j] = f"{i}_{j}"
                tensors.append(numpy_helper.from_array(value, node.input[j]))
            for attribute in node.attribute:
                if (i, attribute.name, 0) in self._amounts:
                    now = sizes(i, attribute.name, 0).tolist()
                    whole = isinstance(helper.get_attribute_value(attribute), int)
                    attribute.CopyFrom(helper.make_attribute(attribute.name, now[0] if whole else now))
            nodes.append(node)
        inside = set(places)
        results = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, sizes(i, "makes", j).tolist())
            for i in places
            for j, name in enumerate(self._nodes[i].output)
            if self._graph.is_output(name) or not self._readers(name) <= inside
        ]
        ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, dims) for name, dims in given.items()]
        made_graph = helper.make_graph(nodes, "part", ends, results, tensors)
        opsets, version = self._model.opset_import, self._model.ir_version
        return with_shapes(helper.make_model(made_graph, opset_imports=opsets, ir_version=version))

    def counts(self, part: Section, inputs: int, filters: int) -> Counts:
        """Filters of every group at which a part has so many inputs and filters, or as nearly as can be."""
        found = self.sizes.copy()
        for amount, groups, wanted in (
            (part.filters, part.others, filters),
            (part.inputs, part.reads, inputs),
        ):
            (own,) = groups.nonzero()
            rest = wanted - amount @ np.append(np.where(groups, 0, found), 1)
            if most := amount[own] @ self.sizes[own]:
                ends = np.rint(np.cumsum(rest / most * self.sizes[own])).astype(np.int64)
                found[own] = np.diff(ends, prepend=0).clip(1)
        return found

    def reach(self, kind: str) -> tuple[int, int]:
        """The most inputs and filters of the parts of a kind."""
        full = np.append(self.sizes, 1)
        found = [(part.inputs @ full, part.filters @ full) for part in self.parts if part.kind == kind]
        inputs, filters = np.max(found, axis=0)
        return round(inputs), round(filters)

    def _readers(self, name: str) -> set[int]:
        return {i for i, node in enumerate(self._nodes) if name in node.input}

    def _parts(self) -> Iterator[Section]:
        """Every node belongs to the last convolution before it, but from what `WAITS` on to the next one."""
        home, of = dict[str, int | None](), list[int | None]()
        found = list[int]()
        for i, node in enumerate(self._nodes):
            if node.op_type in ("Conv", "ConvTranspose"):
                place: int | None = len(found)
                found.append(i)
            else:
                before = [home[name] for name in node.input if name in home]
                waits = node.op_type in WAITS or not before or None in before
                place = None if waits else max(p for p in before if p is not None)
            of.append(place)
            home.update(dict.fromkeys(node.output, place))
        for i in reversed(range(len(of))):
            if of[i] is None:
                then = [of[j] for name in self._nodes[i].output for j in self._readers(name)]
                of[i] = min((p for p in then if p is not None), default=len(found) - 1)
        for place, conv in enumerate(found):
            yield self._part(tuple(i for i, p in enumerate(of) if p == place), conv)

    def _part(self, nodes: tuple[int, ...], conv: int) -> Section:
        inputs, filters = self._amounts[conv, "reads", 0][1], self._amounts[conv, "makes", 0][1]
        there = {place: amounts for place, amounts in self._amounts.items() if place[0] in nodes}
        used = np.any([(amounts != 0).any(0) for amounts in there.values()], axis=0)[:-1]
        reads = (inputs != 0)[:-1] & ~(filters != 0)[:-1]
        if not reads.any() and inputs[:-1].any():
            inputs = np.eye(len(inputs))[-1]
        names = {name for i in nodes for name in self._nodes[i].output}
        ends = any(self._graph.is_output(name) for name in names)
        return Section(nodes, self._kind(nodes, there), inputs, filters, reads, used & ~reads, ends)

    def _kind(self, nodes: Sequence[int], there: dict[Place, NDArray[np.float64]]) -> str:
        """A digest of operators, sizes and connections, with groups and tensors numbered as they come up."""
        groups, tensors, told = dict[int, int](), dict[str, int](), list[Any]()
        for i in nodes:
            node = self._nodes[i]
            told.append(
                (node.op_type, [tensors.setdefault(x, len(tensors)) for x in (*node.input, *node.output)])
            )
            told += [(key, str(v)) for key, v in attributes(node).items() if (i, key, 0) not in there]
        for place, amounts in there.items():
            rows = [
                [(groups.setdefault(int(g), len(groups)), row[g]) for g in row[:-1].nonzero()[0]] + [row[-1]]
                for row in amounts
            ]
            told.append((nodes.index(place[0]), *place[1:], str(rows)))
        return hashlib.sha256(repr(told).encode()).hexdigest()[:16]


def _marks(sizes: Counts) -> Iterator[Counts]:
    """Numbers of filters, fewer than there are, that tell groups apart: by one network, or by several."""
    nth = [int((sizes[:i] == size).sum()) for i, size in enumerate(sizes)]
    for power in range(MOST_EXPORTS - 1):
        choices = (sizes - 1).clip(1)  # of each group: size - 1, …, 1
        yield (sizes - 1 - np.array(nth, dtype=np.int64) // choices**power % choices).clip(1)
        if all(n < c ** (power + 1) for n, c in zip(nth, choices, strict=True)):
            return


def _cut(network: nn.Module, graph: ChannelGraph, counts: Counts) -> nn.Module:
    layout = Layout.of(graph)
    genome = torch.cat(
        [torch.arange(size) < count for size, count in zip(layout.sizes, counts.tolist(), strict=True)]
    )
    return rebuilt(network, layout, genome)


def _sizes(model: ModelProto) -> dict[Place, tuple[int, ...]]:
    """All whole numbers of a graph that may depend on widths."""
    graph, found = Graph(model), dict[Place, tuple[int, ...]]()

    def dims(name: str) -> tuple[int, ...]:
        known = graph.dims(name) or (None,)
        if not all(isinstance(d, int) for d in known):
            raise NotElastic(f"the size of {name} is not known")
        return known  # pyright: ignore[reportReturnType]

    for i, node in enumerate(model.graph.node):
        if node.op_type == "Constant":
            continue
        for j, name in enumerate(node.input):
            value = graph.value(name) if name else None
            if value is not None:
                found[i, "shape", j] = value.shape
                if value.dtype == np.int64:
                    found[i, "values", j] = tuple(value.flatten().tolist())
            elif name:
                found[i, "reads", j] = dims(name)
        for j, name in enumerate(node.output):
            found[i, "makes", j] = dims(name)
        for key, value in attributes(node).items():
            whole = (value,) if isinstance(value, int) else value
            if isinstance(whole, list | tuple) and all(isinstance(v, int) for v in whole):
                found[i, key, 0] = tuple(whole)
    return found


class _Known:
    """Numbers of channels at all widths of some exports, which sizes are compared with."""

    def __init__(self, graph: ChannelGraph, widths: Sequence[Counts]) -> None:
        tables = [units for layer in graph.layers for units in (layer.reads, layer.writes)]
        tables += [cut.units for cut in graph.cuts]
        self.columns = len(widths[0]) + 1
        self._amounts = list({tuple(graph.counts(units).tolist()): None for units in tables})
        columns = np.stack([np.append(counts, 1) for counts in widths], 1)
        self._seen = [tuple(np.rint(np.array(a) @ columns).astype(int).tolist()) for a in self._amounts]
        self._found = dict[tuple[int, ...], Amount]()

    def __call__(self, sizes: tuple[int, ...]) -> Amount:
        """What a size depends on that has been so much in each export."""
        if sizes not in self._found:
            self._found[sizes] = self._find(sizes)
        return self._found[sizes]

    def _find(self, sizes: tuple[int, ...]) -> Amount:
        if len({*sizes}) == 1:
            return sizes[0] * np.eye(self.columns)[-1]
        for as_many in (True, False):  # else so many times as many
            for amount, seen in zip(self._amounts, self._seen, strict=True):
                alike = all(a * seen[0] == b * sizes[0] for a, b in zip(sizes, seen, strict=True))
                if seen == sizes or (alike and not as_many):
                    return np.array(amount) * sizes[0] / seen[0]
        raise NotElastic(f"a size of {', '.join(map(str, sizes))} is of no number of channels")


def _amounts(
    sizes: Sequence[dict[Place, tuple[int, ...]]], known: _Known
) -> dict[Place, NDArray[np.float64]]:
    """[numbers, groups + 1] of every place."""
    first, found = sizes[0], dict[Place, NDArray[np.float64]]()
    for place, numbers in first.items():
        every = [other.get(place, ()) for other in sizes]
        if any(len(other) != len(numbers) for other in every):
            raise NotElastic("slim networks are exported with tensors of other ranks")
        rows = [known(at_all) for at_all in zip(*every, strict=True)]
        found[place] = np.array(rows).reshape(len(rows), known.columns)
    return found
