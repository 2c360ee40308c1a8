"""Bytes at both ends, so that a caller needs no preprocessing."""

from copy import deepcopy

import numpy as np
from onnx import ModelProto, TensorProto

from ganprune_exporters.passes.contract import Pass, with_shapes
from ganprune_exporters.passes.graph import Graph


class Pixels(Pass):
    """Takes and gives uint8 pictures [n, h, w, c], as a decoded picture file is.

    In front: what `ganprune.images.to_float` computes, (x / 255 - 0.5) / 0.5. Behind: what
    `ganprune.images.to_uint8` computes, (x + 1) / 2 · 255, clipped to 0…255 and truncated, not rounded,
    as in CycleGAN.
    """

    name = "uint8"
    summary = "bytes at both ends, [n, h, w, c]"

    def why_not(self, model: ModelProto) -> str | None:
        """See `Pass.why_not`."""
        return None if _kinds(model) == {TensorProto.FLOAT} else "the ends are not float32"

    def change(self, model: ModelProto) -> ModelProto:
        """See `Pass.change`."""
        graph = Graph(model)
        (first,), (last,) = model.graph.input, model.graph.output
        inside = [f"{first.name}_float", f"{last.name}_float"]
        for node in model.graph.node:
            node.input[:] = [inside[0] if name == first.name else name for name in node.input]
            node.output[:] = [inside[1] if name == last.name else name for name in node.output]
        half, one, two, most, least = (
            graph.constant(name, np.array(value, np.float32))
            for name, value in (("half", 0.5), ("one", 1), ("two", 2), ("most", 255), ("least", 0))
        )
        _chain(graph, first.name, inside[0], [
            ("Transpose", [], {"perm": [0, 3, 1, 2]}), ("Cast", [], {"to": TensorProto.FLOAT}),
            ("Div", [most], {}), ("Sub", [half], {}), ("Div", [half], {}),
        ])  # fmt: skip
        graph.new += model.graph.node
        _chain(graph, inside[1], last.name, [
            ("Add", [one], {}), ("Div", [two], {}), ("Mul", [most], {}), ("Clip", [least, most], {}),
            ("Cast", [], {"to": TensorProto.UINT8}), ("Transpose", [], {"perm": [0, 2, 3, 1]}),
        ])  # fmt: skip
        graph.set_nodes(graph.new)
        for end in (first, last):
            tensor = end.type.tensor_type
            n, c, h, w = map(deepcopy, tensor.shape.dim)
            del tensor.shape.dim[:]
            tensor.shape.dim.extend([n, h, w, c])
            tensor.elem_type = TensorProto.UINT8
        return with_shapes(model)

    def broken(self, before: ModelProto, after: ModelProto) -> str | None:
        """See `Pass.broken`."""
        return None if _kinds(after) == {TensorProto.UINT8} else "ends that are not uint8"


def _kinds(model: ModelProto) -> set[int]:
    """Types of what goes in and of what comes out."""
    return {end.type.tensor_type.elem_type for end in (*model.graph.input, *model.graph.output)}


def _chain(
    graph: Graph, source: str, target: str, steps: list[tuple[str, list[str], dict[str, object]]]
) -> None:
    """Add nodes that follow each other from one tensor to another."""
    for i, (operator, constants, options) in enumerate(steps):
        output = target if i == len(steps) - 1 else None
        source = graph.add(target, operator, [source, *constants], output, **options)
