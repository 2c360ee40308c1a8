"""Transposed convolutions of stride 2 as ordinary ones, which runtimes have faster code for."""

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto

from ganprune_exporters.passes.contract import Rewrite
from ganprune_exporters.passes.graph import Graph, is_plain

TAPS = {0: (1,), 1: (2, 0)}
"""Parity of an output's row → rows of the 3×3 kernel that reach it, from input rows i, i + 1.

A transposed convolution of stride 2 and padding 1 adds w[k]·x[i] to row 2 i + k - 1 (Dumoulin and Visin, A
guide to convolution arithmetic, 2016, ch. 4): even rows get k = 1 from x[i], odd ones k = 2 from x[i] and
k = 0 from x[i + 1]. The same holds for columns.
"""


class TransposedConvolutions(Rewrite):
    """Computes the four parities of pixels by a convolution each, of 1×1 to 2×2, then weaves them together.

    The four kernels hold the nine taps of the old one, none twice, so there are as many products as
    before. They are woven channels last, where whole pixels are copied.
    """

    name = "transposed-convolutions"
    summary = "transposed convolutions computed as four ordinary ones"
    nothing = "no transposed convolution of 3×3, stride 2, padding 1"

    def sites(self, graph: Graph) -> list[NodeProto]:
        """See `Rewrite.sites`."""
        return [
            node
            for node in graph.nodes("ConvTranspose")
            if is_plain(node, (3, 3), strides=[2, 2], pads=[1] * 4, output_padding=[1, 1])
            and graph.value(node.input[1]) is not None
        ]

    def rewrite(self, graph: Graph, node: NodeProto) -> None:
        """See `Rewrite.rewrite`."""
        weight = graph.value(node.input[1])
        assert weight is not None
        filters, hint, new = weight.shape[1], node.name, list[NodeProto]()

        def add(operator: str, inputs: list[str], output: str | None = None, **options: object) -> str:
            new.append(graph.node(operator, inputs, hint, output, **options))
            return new[-1].output[0]

        rows, columns = list[str](), list[str]()
        for row in TAPS:
            columns = []
            for column in TAPS:
                kernel = graph.constant(f"{node.input[1]}_{row}{column}", _parity(weight, row, column))
                made = add(
                    "Conv", [node.input[0], kernel, *node.input[2:]],
                    kernel_shape=[1 + row, 1 + column], pads=[0, 0, row, column],
                )  # [n, c, h, w]  # fmt: skip
                columns.append(add("Transpose", [made], perm=[0, 2, 3, 1]))  # [n, h, w, c]
            rows.append(add("Concat", columns, axis=3))  # [n, h, w, 2c]
        stacked = add("Concat", rows, axis=2)  # [n, h, 2w, 2c]: w pixels of the even row, then of the odd one
        flat = add("Reshape", [stacked, _shape(graph, node, columns[0], filters, new)])  # [n, 2h, 2w, c]
        add("Transpose", [flat], node.output[0], perm=[0, 3, 1, 2])
        graph.replace([node], new)


def _parity(weight: NDArray[np.float32], row: int, column: int) -> NDArray[np.float32]:
    """[in, out, 3, 3] → the ordinary kernel of one parity, [out, in, 1 + row, 1 + column]."""
    taps = weight[:, :, list(TAPS[row]), :][:, :, :, list(TAPS[column])]
    return taps.transpose(1, 0, 2, 3)


def _shape(graph: Graph, node: NodeProto, quarter: str, filters: int, new: list[NodeProto]) -> str:
    """A tensor that holds [n, 2h, 2w, filters]; computed from ``quarter``, [n, h, w, filters], where h and w
    are free."""
    hint, sizes = node.name, graph.dims(node.input[0])
    if sizes is not None and isinstance(sizes[2], int) and isinstance(sizes[3], int):
        return graph.constant(f"{hint}_sizes", np.array([0, 2 * sizes[2], 2 * sizes[3], filters]))
    now = graph.node("Shape", [quarter], hint)
    twice = graph.node("Mul", [now.output[0], graph.constant(f"{hint}_twice", np.array([1, 2, 2, 1]))], hint)
    new += [now, twice]
    return twice.output[0]
