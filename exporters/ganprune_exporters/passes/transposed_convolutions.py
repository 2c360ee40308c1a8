"""Transposed convolutions as ordinary ones, which runtimes have faster code for, or none but them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto

from ganprune_exporters.passes.contract import Rewrite
from ganprune_exporters.passes.graph import Graph, attributes, is_plain

Add = Callable[..., str]
"""Operator, inputs, the output's name if it has one, and attributes → the output of a new node."""


@dataclass(frozen=True, slots=True)
class Phase:
    """The output rows of one remainder by the stride, as an ordinary convolution of the input's rows.

    A transposed convolution of stride s and padding p adds w[k]·x[i] to row s·i + k - p (Dumoulin and Visin,
    A guide to convolution arithmetic, 2016, ch. 4): row s·q + r gets the taps k of k ≡ r + p (mod s), each
    from x[q + (r + p - k) / s]. The same holds for columns.
    """

    taps: tuple[int | None, ...]  # rows of the kernel, in the order of the input's rows; None: a tap of zeros
    before: int  # zero rows to pad the input with, before and behind
    behind: int

    def rows(self, size: int) -> int:
        """Of the phase, for an input of ``size`` rows."""
        return size + self.before + self.behind - len(self.taps) + 1


def phases(kernel: int, stride: int, before: int, behind: int, more: int) -> tuple[list[Phase], int]:
    """One axis of a transposed convolution: padded so, and ``more`` rows of output padding.

    Also how many rows the phases make too many, where the output is not a multiple of the stride.
    """
    longer, missing = divmod(kernel - stride - before - behind + more, stride)  # in rows of each phase
    longer, spare = (longer + 1, stride - missing) if missing else (longer, 0)
    found: list[Phase] = []
    for r in range(stride):
        tap_of = {(r + before - k) // stride: k for k in range(kernel) if (r + before - k) % stride == 0}
        first, last = min((0, *tap_of)), max((-longer, *tap_of))
        taps = tuple(tap_of.get(i) for i in range(first, last + 1))
        found.append(Phase(taps, -first, last + longer))
    return found, spare


class TransposedConvolutions(Rewrite):
    """Computes the phases of the pixels, four for stride 2, by a convolution each, then weaves them together.

    The kernels hold the taps of the old one, none twice, so there are as many products as before. Pixels are
    woven channels last, where whole ones are copied.
    """

    name = "transposed-convolutions"
    summary = "transposed convolutions computed as four ordinary ones"
    nothing = "no transposed convolution of 3×3, stride 2, padding 1"
    operators = ("ConvTranspose",)

    def fits(self, graph: Graph, node: NodeProto) -> bool:
        """See `Rewrite.fits`."""
        plain = is_plain(node, (3, 3), strides=[2, 2], pads=[1] * 4, output_padding=[1, 1])
        return plain and graph.value(node.input[1]) is not None

    def rewrite(self, graph: Graph, node: NodeProto) -> None:
        """See `Rewrite.rewrite`."""
        weight, axes, groups = graph.numbers(node.input[1]), axes_of(node), attributes(node).get("group", 1)
        assert axes is not None
        add, filters = partial(graph.add, node.name), weight.shape[1] * groups
        apart = {"group": groups} if groups > 1 else {}
        maps = list[list[str]]()
        for i, row in enumerate(axes[0][0]):
            maps.append([])
            for j, column in enumerate(axes[1][0]):
                value = _kernel(weight, row, column, groups)
                kernel = graph.constant(f"{node.input[1]}_{i}{j}", value)
                made = add(
                    "Conv", [node.input[0], kernel, *node.input[2:]], kernel_shape=list(value.shape[2:]),
                    pads=[row.before, column.before, row.behind, column.behind], **apart,
                )  # [n, c, h, w]  # fmt: skip
                maps[-1].append(made)
        self.weave(graph, node, maps, filters, add)
        graph.replace(node)

    def weave(self, graph: Graph, node: NodeProto, maps: list[list[str]], filters: int, add: Add) -> None:
        """The output from the maps of all phases, [n, filters, h, w] each, a list a phase of rows."""
        rows, columns = list[str](), list[str]()
        for phase in maps:
            columns = [add("Transpose", [made], perm=[0, 2, 3, 1]) for made in phase]  # [n, h, w, c]
            rows.append(add("Concat", columns, axis=3))  # [n, h, w, s·c]
        stacked = add("Concat", rows, axis=2)  # [n, h, s·w, s·c]: w pixels of each row's phase in turn
        flat = add("Reshape", [stacked, _shape(graph, node, columns[0], filters, add)])  # [n, s·h, s·w, c]
        add("Transpose", [flat], node.output[0], perm=[0, 3, 1, 2])


def axes_of(node: NodeProto) -> list[tuple[list[Phase], int]] | None:
    """`phases` of rows and of columns; None where attributes do not say them."""
    has = attributes(node)
    kernel, stride, pads, more = (
        list(has.get(key, [default] * n))
        for key, default, n in (
            ("kernel_shape", 0, 2), ("strides", 1, 2), ("pads", 0, 4), ("output_padding", 0, 2)
        )
    )  # fmt: skip
    strange = has.get("auto_pad", "NOTSET") != "NOTSET" or "output_shape" in has
    if strange or len(kernel) != 2 or not all(kernel) or set(has.get("dilations", ())) - {1}:
        return None
    return [phases(kernel[i], stride[i], pads[i], pads[i + 2], more[i]) for i in (0, 1)]


def _kernel(weight: NDArray[np.float32], row: Phase, column: Phase, groups: int) -> NDArray[np.float32]:
    """[in, out / groups, k, k] → the ordinary kernel of one phase, [out, in / groups, rows, columns]."""
    taps = np.pad(weight, ((0, 0), (0, 0), (0, 1), (0, 1)))  # -1 is a row of zeros, and a column
    for axis, phase in ((2, row), (3, column)):
        taps = taps.take([-1 if tap is None else tap for tap in phase.taps], axis)
    parts = [part.swapaxes(0, 1) for part in np.split(taps, groups)]
    return np.concatenate(parts)


def _shape(graph: Graph, node: NodeProto, phase: str, filters: int, add: Add) -> str:
    """A tensor that holds [n, s·h, s·w, filters]; computed from ``phase``, [n, h, w, filters], where h and w
    are free."""
    hint, sizes = node.name, graph.dims(node.output[0])
    if sizes is not None and isinstance(sizes[2], int) and isinstance(sizes[3], int):
        return graph.constant(f"{hint}_sizes", np.array([0, sizes[2], sizes[3], filters]))
    times = np.array([1, *attributes(node).get("strides", (1, 1)), 1])
    return add("Mul", [add("Shape", [phase]), graph.constant(f"{hint}_times", times)])
