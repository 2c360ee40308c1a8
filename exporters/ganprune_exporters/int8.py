"""Convolutions in 8 bits: static quantization, and which layers to leave in float32.

Activations are unsigned bytes with one scale a tensor, from the range of values on calibration
pictures; weights are signed bytes with a scale for each filter (Krishnamoorthi, arXiv 1806.08342, sections 2
and 3). Everything but convolutions stays in float32.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto

from ganprune.onnx_files.sessions import session_of
from ganprune.reporting import SILENT, Reporter
from ganprune_exporters.passes import with_shapes
from ganprune_exporters.passes.graph import Graph

Pictures = NDArray[np.float32]  # [n, c, h, w] in [-1, 1]
INSIDE = 0.99999
"""Share of the values of a tensor that lie below the end of its range, and as many above its beginning."""
FAINT = 1e-3
"""Variance below which a channel is not scaled, as its norm's epsilon of 1e-5 would begin to count."""
SAMPLED = 7  # every so many values of a map are looked at


@dataclass(frozen=True, slots=True)
class Quantizable:
    """A float32 graph, and what quantizing any of its convolutions needs."""

    model: ModelProto
    ranges: Any  # least and largest value of every tensor

    @property
    def layers(self) -> tuple[str, ...]:
        """The names of its convolutions, in order."""
        return tuple(node.name for node in self.model.graph.node if node.op_type == "Conv")

    def quantized(self, layers: Collection[str]) -> ModelProto:
        """The graph with these convolutions in 8 bits, in ONNX's QuantizeLinear / DequantizeLinear form."""
        from onnxruntime.quantization import QuantType
        from onnxruntime.quantization.qdq_quantizer import QDQQuantizer

        if not layers:
            return self.model
        quantizer = QDQQuantizer(
            deepcopy(self.model), per_channel=True, reduce_range=False, weight_qType=QuantType.QInt8,
            activation_qType=QuantType.QUInt8, tensors_range=self.ranges,
            nodes_to_quantize=[name for name in self.layers if name in layers], nodes_to_exclude=[],
            op_types_to_quantize=["Conv"], extra_options={},
        )  # fmt: skip
        quantizer.quantize_model()
        quantizer.model.topological_sort()
        made: ModelProto = quantizer.model.model
        return made


def calibrated(model: ModelProto, pictures: Pictures) -> Quantizable:
    """Run a float32 graph on pictures and note the range of what its convolutions read and write.

    The range is clipped to `INSIDE` of the values: a single far value would cost all others their precision.
    """
    from onnxruntime.quantization import CalibrationMethod
    from onnxruntime.quantization.calibrate import TensorsData

    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    ends = {end for node in convolutions for end in (node.input[0], node.output[0])}
    (picture,) = model.graph.input
    names = sorted(ends - {picture.name})
    seen: dict[str, list[NDArray[np.float32]]] = {name: [] for name in names}
    for values in maps(model, names, pictures):
        for name, value in values.items():
            seen[name].append(value.ravel()[::SAMPLED])
    seen[picture.name] = [pictures.ravel()]
    ranges: dict[str, Any] = {name: _range(np.concatenate(values)) for name, values in seen.items()}
    return Quantizable(model, TensorsData(CalibrationMethod.MinMax, ranges))


def equalized(model: ModelProto, pictures: Pictures) -> ModelProto:
    """The same network, its filters scaled and shifted so that all maps before a norm have one range.

    InstanceNormalization cancels any shift and any positive scale of a channel, and a map in 8 bits has one
    scale for all of its channels: without this, faint channels would get few of the 256 levels. Exact but for
    the norm's epsilon; channels that are almost constant stay as they are.
    """
    changed = deepcopy(model)
    graph = Graph(changed)
    normed = {
        node.output[0]: node
        for node in graph.nodes("Conv", "ConvTranspose")
        if graph.only_reader(node.output[0], "InstanceNormalization") is not None
    }
    sums: dict[str, list[Any]] = {name: [0.0, 0.0] for name in normed}
    for values in maps(model, list(normed), pictures):
        for name, value in values.items():
            sums[name][0] += value.mean((0, 2, 3), dtype=np.float64) / len(pictures)
            sums[name][1] += np.square(value, dtype=np.float64).mean((0, 2, 3)) / len(pictures)
    for name, node in normed.items():
        mean, square = (np.asarray(total) for total in sums[name])
        variance = square - mean**2
        steady = variance < FAINT
        scale = np.where(steady, 1, 1 / np.sqrt(np.where(steady, 1, variance)))
        weight, bias = graph.numbers(node.input[1]), graph.bias(node)
        shape = (-1, 1, 1, 1) if node.op_type == "Conv" else (1, -1, 1, 1)
        before = np.zeros(len(scale)) if bias is None else bias
        del node.input[1:]
        node.input.append(
            graph.constant(f"{name}_weight", (weight * scale.reshape(shape)).astype(np.float32))
        )
        node.input.append(graph.constant(f"{name}_bias", ((before - mean) * scale).astype(np.float32)))
    graph.drop_unread()
    return with_shapes(changed)


def maps(
    model: ModelProto, names: Sequence[str], pictures: Pictures
) -> Iterator[dict[str, NDArray[np.float32]]]:
    """The values of these tensors, picture by picture."""
    if not names:  # which ONNX Runtime takes for all outputs
        return
    shown = deepcopy(model)
    there = {value.name for value in model.graph.output}
    shown.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in there)
    session = session_of(shown)
    for one in pictures:
        values = session.run(list(names), {model.graph.input[0].name: one[None]})
        yield {name: np.asarray(value) for name, value in zip(names, values, strict=True)}


def _range(values: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Least and largest value to tell apart; zero is always among them, as paddings need it."""
    low, high = np.quantile(values, (1 - INSIDE, INSIDE)).astype(np.float32)
    return np.minimum(low, np.float32(0)), np.maximum(high, np.float32(0))


def layers_to_quantize(
    ready: Quantizable, distance: Callable[[ModelProto], float], limit: float, reporter: Reporter = SILENT
) -> tuple[str, ...]:
    """As many convolutions as can be quantized with ``distance`` of the output at most ``limit``.

    Each is first quantized alone. Those that move the output furthest are kept in float32, as few as will
    do, found by bisection. ``distance`` compares a graph's output with that of the float graph.
    """
    layers, harm = ready.layers, dict[str, float]()
    with reporter.task("sensitivity of layers", len(layers)) as task:
        for layer in layers:
            harm[layer] = distance(ready.quantized([layer]))
            task.advance(1)
    order = sorted(layers, key=lambda layer: harm[layer])  # the most harmless first
    good, bad = 0, len(order) + 1
    while bad - good > 1:
        middle = (good + bad) // 2 if bad <= len(order) else len(order)  # all of them first
        if distance(ready.quantized(order[:middle])) <= limit:
            good = middle
        else:
            bad = middle
    chosen = set(order[:good])
    return tuple(layer for layer in layers if layer in chosen)


def mean_distance(made: Sequence[Pictures], wanted: Sequence[Pictures]) -> float:
    """Mean absolute difference of pictures in [-1, 1]; infinite where there is NaN."""
    apart = float(np.mean([np.abs(m - w).mean() for m, w in zip(made, wanted, strict=True)]))
    return apart if np.isfinite(apart) else float("inf")
