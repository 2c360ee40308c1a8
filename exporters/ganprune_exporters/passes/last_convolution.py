"""The last convolution, whose three filters leave most lanes of a vector unit idle."""

import numpy as np
from onnx import NodeProto

from ganprune_exporters.passes.contract import Rewrite
from ganprune_exporters.passes.graph import Graph, is_plain

FEW = 4  # a convolution of at most this many filters is rewritten; runtimes compute 8 or 16 at a time
SMALLEST = 3  # kernels below this have too little work for it to pay


class LastConvolution(Rewrite):
    """Computes blocks of r × r pixels as that many filters, and puts the pixels in their places.

    A k × k convolution of f filters becomes one of stride r with f·r² filters of k - 1 + r, each holding
    the old kernel shifted to its pixel and zeros elsewhere, then DepthToSpace. Every output is the same sum
    of products as before. For r = 4 and three filters that is 48 filters, three full vectors of 16.
    A Tanh behind it stays directly behind it, where runtimes fuse the two.
    """

    name = "last-convolution"
    summary = "last convolution computed in blocks of pixels"
    nothing = f"the output is no convolution of at most {FEW} filters, in multiples of the block's size"
    operators = ("Conv",)

    def __init__(self, r: int) -> None:
        self.choice = self.r = r

    def fits(self, graph: Graph, node: NodeProto) -> bool:
        """See `Rewrite.fits`."""
        end = _tanh(graph, node) or node
        weight, sizes = graph.value(node.input[1]), graph.dims(end.output[0])
        if weight is None or weight.ndim != 4 or sizes is None or len(sizes) != 4:
            return False
        if not graph.is_output(end.output[0]):
            return False
        filters, _, height, width = weight.shape
        # A free size of a picture is a multiple of 4 by the contract of the generator.
        blocks = all(d % self.r == 0 if isinstance(d, int) else self.r <= 4 for d in sizes[2:])
        return filters <= FEW and height == width >= SMALLEST and blocks and is_plain(node, weight.shape[2:])

    def rewrite(self, graph: Graph, node: NodeProto) -> None:
        """See `Rewrite.rewrite`."""
        r, weight, bias = self.r, graph.numbers(node.input[1]), graph.bias(node)
        filters, channels, k, _ = weight.shape
        size = k - 1 + r
        blocks = np.zeros((filters, r, r, channels, size, size), weight.dtype)
        for i in range(r):
            for j in range(r):
                blocks[:, i, j, :, i : i + k, j : j + k] = weight
        inputs = [
            node.input[0],
            graph.constant(f"{node.input[1]}_blocks", blocks.reshape(-1, channels, size, size)),
        ]
        if bias is not None:
            inputs.append(graph.constant(f"{node.input[2]}_blocks", np.repeat(bias, r * r)))
        last = graph.add(node.name, "Conv", inputs, kernel_shape=[size, size], strides=[r, r])
        old, tanh = [node], _tanh(graph, node)
        if tanh is not None:
            last = graph.add(node.name, "Tanh", [last])
            old.append(tanh)
        graph.add(node.name, "DepthToSpace", [last], old[-1].output[0], blocksize=r, mode="CRD")
        graph.replace(*old)


def _tanh(graph: Graph, node: NodeProto) -> NodeProto | None:
    """The Tanh behind a convolution."""
    return graph.only_reader(node.output[0], "Tanh")
