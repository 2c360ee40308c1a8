"""Bytes at both ends, so that a caller needs no preprocessing."""

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto

from ganprune_exporters.passes.contract import with_shapes
from ganprune_exporters.passes.graph import Graph


class Pixels:
    """Takes and gives uint8 pictures [n, h, w, c], as a decoded picture file is.

    In front: what `ganprune.images.to_float` computes, (x / 255 - 0.5) / 0.5. Behind: what
    `ganprune.images.to_uint8` computes, (x + 1) / 2 · 255, clipped to 0…255 and truncated, not rounded,
    as in CycleGAN.
    """

    name = spec = "uint8"
    summary = "bytes at both ends, [n, h, w, c]"

    def why_not(self, model: ModelProto) -> str | None:
        """See `Pass.why_not`."""
        kinds = {v.type.tensor_type.elem_type for v in (*model.graph.input, *model.graph.output)}
        return None if kinds == {TensorProto.FLOAT} else "the ends are not float32"

    def __call__(self, model: ModelProto) -> ModelProto:
        """See `Pass.__call__`."""
        changed = ModelProto()
        changed.CopyFrom(model)
        graph = Graph(changed)
        (first,), (last,) = changed.graph.input, changed.graph.output
        inside = [f"{first.name}_float", f"{last.name}_float"]
        for node in changed.graph.node:
            node.input[:] = [inside[0] if name == first.name else name for name in node.input]
            node.output[:] = [inside[1] if name == last.name else name for name in node.output]
        half, one, two, most, least = (
            graph.constant(name, np.array(value, np.float32))
            for name, value in (("half", 0.5), ("one", 1), ("two", 2), ("most", 255), ("least", 0))
        )
        forth = _chain(graph, first.name, inside[0], [
            ("Transpose", [], {"perm": [0, 3, 1, 2]}), ("Cast", [], {"to": TensorProto.FLOAT}),
            ("Div", [most], {}), ("Sub", [half], {}), ("Div", [half], {}),
        ])  # fmt: skip
        back = _chain(graph, inside[1], last.name, [
            ("Add", [one], {}), ("Div", [two], {}), ("Mul", [most], {}), ("Clip", [least, most], {}),
            ("Cast", [], {"to": TensorProto.UINT8}), ("Transpose", [], {"perm": [0, 2, 3, 1]}),
        ])  # fmt: skip
        nodes = [*forth, *changed.graph.node, *back]
        kept = [NodeProto.FromString(node.SerializeToString()) for node in nodes]
        del changed.graph.node[:]
        changed.graph.node.extend(kept)
        for end in (first, last):
            tensor = end.type.tensor_type
            n, c, h, w = (type(d).FromString(d.SerializeToString()) for d in tensor.shape.dim)
            del tensor.shape.dim[:]
            tensor.shape.dim.extend([n, h, w, c])
            tensor.elem_type = TensorProto.UINT8
        return with_shapes(changed)

    def broken(self, before: ModelProto, after: ModelProto) -> str | None:
        """See `Pass.broken`."""
        kinds = {v.type.tensor_type.elem_type for v in (*after.graph.input, *after.graph.output)}
        return None if kinds == {TensorProto.UINT8} else "ends that are not uint8"


def _chain(
    graph: Graph, source: str, target: str, steps: list[tuple[str, list[str], dict[str, object]]]
) -> list[NodeProto]:
    """Nodes that follow each other from one tensor to another."""
    nodes: list[NodeProto] = []
    for i, (operator, constants, options) in enumerate(steps):
        output = target if i == len(steps) - 1 else None
        nodes.append(graph.node(operator, [source, *constants], target, output, **options))
        source = nodes[-1].output[0]
    return nodes
