"""Instance norms in plain arithmetic, for runtimes that have none, or compute them in half precision."""

from functools import partial

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
    operators = ("InstanceNormalization",)

    def fits(self, graph: Graph, node: NodeProto) -> bool:
        """See `Rewrite.fits`."""
        sizes, constants = graph.dims(node.input[0]), map(graph.value, node.input[1:])
        return sizes is not None and len(sizes) == 4 and all(value is not None for value in constants)

    def rewrite(self, graph: Graph, node: NodeProto) -> None:
        """See `Rewrite.rewrite`."""
        weight, bias = map(graph.numbers, node.input[1:])
        hint = f"{node.name}_norm"
        add = partial(graph.add, hint)

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
        graph.replace(node)
