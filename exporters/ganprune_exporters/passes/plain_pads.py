"""Pads that repeat the map, for runtimes that pad with zeros only."""

from sys import maxsize

import numpy as np
from onnx import NodeProto

from ganprune_exporters.passes.contract import Rewrite
from ganprune_exporters.passes.graph import Graph, attributes


class PlainPads(Rewrite):
    """Reflecting and replicating pads as the rows that they repeat, put before and behind the map.

    A reflecting pad of 2 puts rows 2 and 1 before the map and rows -2 and -3 behind it; a replicating one
    row 0 twice, and row -1 twice. Then the same with columns, so that corners come out right. Each row is
    a slice of its own: slices that step backwards are what few runtimes know.
    """

    name = "plain-pads"
    summary = "reflecting and replicating pads as slices and concatenations"
    nothing = "no pad but of constants"
    operators = ("Pad",)

    def fits(self, graph: Graph, node: NodeProto) -> bool:
        """See `Rewrite.fits`."""
        return bool(_amounts(graph, node))

    def rewrite(self, graph: Graph, node: NodeProto) -> None:
        """See `Rewrite.rewrite`."""
        amounts, sizes = _amounts(graph, node), graph.dims(node.input[0])
        reflecting, last = attributes(node)["mode"] == "reflect", node.input[0]

        def row(axis: int, i: int) -> str:
            size = sizes[axis] if sizes else None
            if i < 0 and isinstance(size, int):  # runtimes know numbers from the front better
                i += size
            bounds = (i, i + 1 if i != -1 else maxsize, axis)
            inputs = [graph.constant(f"{node.name}_{i}", np.array([b])) for b in bounds]
            return graph.add(node.name, "Slice", [last, *inputs])

        for axis, (before, behind) in amounts.items():
            if reflecting:
                parts = (
                    [row(axis, i) for i in range(before, 0, -1)],
                    [row(axis, -2 - i) for i in range(behind)],
                )
            else:
                parts = [row(axis, 0)] * before if before else [], [row(axis, -1)] * behind if behind else []
            end = node.output[0] if axis == max(amounts) else None
            last = graph.add(node.name, "Concat", [*parts[0], last, *parts[1]], end, axis=axis)
        graph.replace(node)


def _amounts(graph: Graph, node: NodeProto) -> dict[int, tuple[int, int]]:
    """Axis → rows before and behind, where there are any, in order; empty for a pad that stays as it is."""
    pads = graph.value(node.input[1])
    if pads is None or attributes(node).get("mode") not in ("reflect", "edge") or (pads < 0).any():
        return {}
    half = len(pads) // 2
    axes = graph.value(node.input[3]) if len(node.input) > 3 and node.input[3] else np.arange(half)
    if axes is None or (axes < 0).any():
        return {}
    pairs = sorted(zip(axes.tolist(), pads[:half].tolist(), pads[half:].tolist(), strict=True))
    return {axis: (before, behind) for axis, before, behind in pairs if before or behind}
