"""Instance norms in plain arithmetic, for runtimes that have none, or compute them in half precision."""

import numpy as np
from onnx import NodeProto

from ganprune_exporters.passes.contract import Rewrite
from ganprune_exporters.passes.graph import Graph, attributes


class PlainNorms(Rewrite):
    """(x - mean) · weight / √(variance + ε) + bias, step by step.

    A mean is that of the rows, and then of their means: in float16 a sum over a whole map of 256×256 pixels
    leaves the range of its numbers (65,504), or drops pixels that are small beside it; one over 256 numbers
    does not. Every node's name ends in ``_norm`` and its operator, so that a converter to float16 can be told
    to leave them in float32.
    """

    name = "plain-norms"
    summary = "instance norms as means, differences and quotients"
    nothing = "no instance norm of a map"

    def sites(self, graph: Graph) -> list[NodeProto]:
        """See `Rewrite.sites`."""
        return [node for node in graph.nodes("InstanceNormalization") if _is_of_map(graph, node)]

    def rewrite(self, graph: Graph, node: NodeProto) -> None:
        """See `Rewrite.rewrite`."""
        weight, bias = (graph.value(name) for name in node.input[1:])
        assert weight is not None
        assert bias is not None
        hint, new = f"{node.name}_norm", list[NodeProto]()

        def add(operator: str, inputs: list[str], output: str | None = None, **options: object) -> str:
            new.append(graph.node(operator, inputs, hint, output, **options))
            return new[-1].output[0]

        def mean(x: str) -> str:
            for axis in (3, 2):
                x = add("ReduceMean", [x, graph.constant(f"{hint}_axis", np.array([axis]))], keepdims=1)
            return x  # [n, c, 1, 1]

        def channels(what: str, value: np.ndarray) -> str:
            return graph.constant(f"{hint}_{what}", value.reshape(1, -1, 1, 1))

        epsilon = graph.constant(f"{hint}_epsilon", weight.dtype.type(attributes(node).get("epsilon", 1e-5)))
        x = node.input[0]
        centred = add("Sub", [x, mean(x)])
        deviation = add("Sqrt", [add("Add", [mean(add("Mul", [centred, centred])), epsilon])])
        factor = add("Div", [channels("weight", weight), deviation])
        if bias.any():
            scaled = add("Mul", [centred, factor])
            add("Add", [scaled, channels("bias", bias)], node.output[0])
        else:
            add("Mul", [centred, factor], node.output[0])
        graph.replace([node], new)


def _is_of_map(graph: Graph, node: NodeProto) -> bool:
    sizes = graph.dims(node.input[0])
    return sizes is not None and len(sizes) == 4 and all(graph.value(n) is not None for n in node.input[1:])
