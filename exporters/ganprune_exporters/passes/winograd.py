"""3×3 convolutions by Winograd's minimal filtering: four times fewer products, for wide layers."""

from functools import partial

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto

from ganprune_exporters.passes.contract import Rewrite
from ganprune_exporters.passes.graph import Graph, is_plain

TILE, TAPS = 4, 3  # every 4×4 outputs are computed together: F(4×4, 3×3)
PATCH = TILE + TAPS - 1  # height and width of the inputs that a tile is computed from
POINTS = (0.0, 0.75, -0.75, 1.5, -1.5)
"""Where the polynomials are evaluated, beside infinity. Their powers are closer to 1 than those of the usual
0, ±1, ±2, and rounding errors a third as large."""


class Winograd(Rewrite):
    """Computes 3×3 convolutions of stride 1 on tiles of 4×4 outputs (Lavin and Gray, CVPR 2016, Eq. 8–11).

    Patches of 6×6 inputs are transformed, V = Bᵀ d B, multiplied with transformed weights for each of the 36
    frequencies as matrices of channels, and transformed back, Y = Aᵀ M A. In exact numbers that is the same
    convolution with 36 products for 144; in float32 errors are of the order of 1e-6. Moving the tiles costs
    time too, so that layers of fewer than ``fewest`` channels stay as they are.
    """

    name = "winograd"
    summary = "wide 3×3 convolutions computed by Winograd's F(4×4, 3×3)"
    operators = ("Conv",)

    def __init__(self, fewest: int) -> None:
        self.choice = self.fewest = fewest
        self.nothing = f"no 3×3 convolution of {fewest} channels whose map is fixed, in multiples of {TILE}"

    def fits(self, graph: Graph, node: NodeProto) -> bool:
        """See `Rewrite.fits`."""
        weight, before, after = graph.value(node.input[1]), *map(graph.dims, (node.input[0], node.output[0]))
        if weight is None or before is None or after is None or len(after) != 4:
            return False
        fixed = after[0] == 1 and all(isinstance(d, int) and d > 0 and d % TILE == 0 for d in after[2:])
        return fixed and min(weight.shape[:2]) >= self.fewest and is_plain(node, (TAPS, TAPS))

    def rewrite(self, graph: Graph, node: NodeProto) -> None:
        """See `Rewrite.rewrite`."""
        weight, bias = graph.numbers(node.input[1]), graph.bias(node)
        before, after = map(graph.dims, (node.input[0], node.output[0]))
        assert before is not None
        assert after is not None
        filters, channels = weight.shape[:2]
        height, width = (d // TILE for d in after[2:] if isinstance(d, int))
        hint, add, (BT, G, AT) = node.name, partial(graph.add, node.name), _matrices()

        def shaped(x: str, *sizes: int, output: str | None = None) -> str:
            return add("Reshape", [x, graph.constant(f"{hint}_sizes", np.array(sizes))], output)

        forth, back, taps = (
            graph.constant(f"{hint}_{what}", matrix.astype(weight.dtype))
            for what, matrix in (
                ("forth", np.einsum("ai,bj->abij", BT, BT).reshape(PATCH**2, 1, PATCH, PATCH)),
                ("back", np.einsum("ia,jb->ijab", AT, AT).reshape(TILE**2, PATCH**2, 1, 1)),
                ("taps", np.einsum("ai,bj->abij", G, G).reshape(PATCH**2, TAPS**2)),
            )
        )
        kernel = graph.constant(f"{node.input[1]}_taps", weight.transpose(2, 3, 0, 1).reshape(TAPS**2, -1))
        # Runtimes compute the weights once, when they load the file, which stays as small as it was.
        U = shaped(add("MatMul", [taps, kernel]), PATCH**2, filters, channels)
        x = shaped(node.input[0], channels, 1, *(d for d in before[2:] if isinstance(d, int)))
        x = add("Conv", [x, forth], kernel_shape=[PATCH] * 2, strides=[TILE] * 2)  # [c, 36, h, w]
        x = add("Transpose", [x], perm=[1, 0, 2, 3])
        x = add("MatMul", [U, shaped(x, PATCH**2, channels, height * width)])  # [36, f, h·w]
        x = add("Transpose", [shaped(x, PATCH**2, filters, height, width)], perm=[1, 0, 2, 3])
        x = add("Conv", [x, back], kernel_shape=[1, 1])  # [f, 16, h, w]
        x = add("DepthToSpace", [x], blocksize=TILE, mode="CRD")
        sizes = (1, filters, TILE * height, TILE * width)
        if bias is None:
            shaped(x, *sizes, output=node.output[0])
        else:
            column = graph.constant(f"{node.input[2]}_column", bias.reshape(-1, 1, 1))
            add("Add", [shaped(x, *sizes), column], node.output[0])
        graph.replace(node)


def _matrices() -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Bᵀ [6, 6], G [6, 3] and Aᵀ [4, 6] of the Toom-Cook algorithm at `POINTS` and infinity.

    Rows of Bᵀ are scaled to length 1, and those of G the other way round: no frequency outweighs others.
    """

    def powers(n: int) -> NDArray[np.float64]:
        return np.concatenate([np.vander(POINTS, n, increasing=True), np.eye(n)[-1:]])

    BT = np.linalg.inv(powers(PATCH)).T
    lengths = np.linalg.norm(BT, axis=1, keepdims=True)
    return BT / lengths, powers(TAPS) * lengths, powers(TILE).T
