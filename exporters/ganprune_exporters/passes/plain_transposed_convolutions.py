"""Every transposed convolution as ordinary ones, for runtimes that have none, or not with output padding."""

from sys import maxsize

import numpy as np
from onnx import NodeProto

from ganprune_exporters.passes.graph import Graph, attributes
from ganprune_exporters.passes.transposed_convolutions import Add, TransposedConvolutions, axes_of


class PlainTransposedConvolutions(TransposedConvolutions):
    """The same for every kernel, stride, padding and number of groups: not faster, but without the operator.

    Zeros between the pixels and one ordinary convolution would be simpler, and four times as many products.
    Pixels are woven channels first where sizes are fixed: MNN 3.6 weaves channels last wrongly.
    """

    name = "plain-transposed-convolutions"
    nothing = "no transposed convolution of a constant kernel"

    def fits(self, graph: Graph, node: NodeProto) -> bool:
        """See `Rewrite.fits`."""
        return graph.value(node.input[1]) is not None and axes_of(node) is not None

    def rewrite(self, graph: Graph, node: NodeProto) -> None:
        """See `Rewrite.rewrite`."""
        spare = [axis[1] for axis in axes_of(node) or ()]
        if not any(spare):
            super().rewrite(graph, node)
            return
        # A longer one in its place, which is the next to be rewritten, and what is too much cut off.
        has = attributes(node)
        has["output_padding"] = [a + b for a, b in zip(has.get("output_padding", (0, 0)), spare, strict=True)]
        longer = graph.add(node.name, "ConvTranspose", node.input, **has)
        bounds = ([0, 0], [-rows or maxsize for rows in spare], [2, 3])
        inputs = [graph.constant(f"{node.name}_bounds", np.array(numbers)) for numbers in bounds]
        graph.add(node.name, "Slice", [longer, *inputs], node.output[0])
        graph.replace(node)

    def weave(self, graph: Graph, node: NodeProto, maps: list[list[str]], filters: int, add: Add) -> None:
        """See `TransposedConvolutions.weave`."""
        whole = [size for size in graph.dims(node.input[0]) or () if isinstance(size, int)]
        axes, hint, c = axes_of(node), node.name, filters
        if len(whole) < 4 or axes is None:
            super().weave(graph, node, maps, filters, add)
            return
        n, h, w = whole[0], axes[0][0][0].rows(whole[2]), axes[1][0][0].rows(whole[3])
        width = w * len(maps[0])

        def shaped(x: str, h: int, w: int, output: str | None = None) -> str:
            return add("Reshape", [x, graph.constant(f"{hint}_sizes", np.array([n, c, h, w]))], output)

        rows = [
            shaped(add("Concat", [shaped(made, h * w, 1) for made in phase], axis=3), h, width)
            for phase in maps
        ]
        shaped(add("Concat", rows, axis=3), h * len(maps), width, node.output[0])
