"""ONNX graphs of single layers of a generator, and of whole ones put together from them.

They hold the operators that `ganprune_exporters.export_onnx` writes, in its order, but take milliseconds to
make. Their weights are noise: what a layer computes does not change how long it takes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from ganprune.models.cyclegan import Conv, GeneratorWidths, Norm, generator_convs, has_biases
from ganprune_exporters.opsets import TRACED

IR_VERSION = 10
"""Of ONNX's file format; what PyTorch writes with the oldest opset."""
SKIP = "skip"
"""Input of a layer that adds the trunk to its result."""


@dataclass(frozen=True, slots=True)
class ConvLayer:
    """One convolution with what belongs to it."""

    conv: Conv
    inputs: int
    filters: int
    norm: Norm = "instance"

    @property
    def adds(self) -> bool:
        """Whether it ends a residual block."""
        return self.conv.source is not None and self.conv.source.startswith("inner")


@dataclass(slots=True)
class _Parts:
    """A graph while it is put together."""

    nodes: list[NodeProto] = field(default_factory=list)
    tensors: list[TensorProto] = field(default_factory=list)

    def tensor(self, name: str, value: NDArray[np.float32] | NDArray[np.int64]) -> str:
        self.tensors.append(numpy_helper.from_array(value, name))
        return name

    def node(self, operator: str, inputs: Sequence[str], **attributes: Any) -> str:
        name = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [name], **attributes))
        return name

    def layer(self, layer: ConvLayer, x: str, skip: str) -> str:
        """Append a layer: names of its input and of what it adds → name of its output."""
        conv, prefix = layer.conv, layer.conv.key
        stride, common = conv.input_stride != conv.output_stride, {"group": 1, "dilations": [1, 1]}
        if not stride:
            edge = conv.kernel // 2
            pads = np.array([0, 0, edge, edge, 0, 0, edge, edge])
            x = self.node("Pad", [x, self.tensor(f"{prefix}.pads", pads)], mode="reflect")
        common |= {"kernel_shape": [conv.kernel] * 2, "pads": [int(stride)] * 4, "strides": [1 + stride] * 2}
        shape = (layer.inputs, layer.filters) if conv.transposed else (layer.filters, layer.inputs)
        weight = noise((*shape, conv.kernel, conv.kernel))
        weights = [self.tensor(f"{prefix}.weight", weight / np.float32(weight[0].size ** 0.5))]
        if layer.norm != "none" or conv.target is None:  # batch norm is folded into weights and biases
            weights.append(self.tensor(f"{prefix}.bias", np.zeros(layer.filters, np.float32)))
        if conv.transposed:
            x = self.node("ConvTranspose", [x, *weights], output_padding=[1, 1], **common)
        else:
            x = self.node("Conv", [x, *weights], **common)
        if conv.target is None:
            return self.node("Tanh", [x])
        if has_biases(layer.norm):
            scale = self.tensor(f"{prefix}.scale", np.ones(layer.filters, np.float32))
            shift = self.tensor(f"{prefix}.shift", np.zeros(layer.filters, np.float32))
            x = self.node("InstanceNormalization", [x, scale, shift], epsilon=1e-5)
        return self.node("Add", [skip, x]) if layer.adds else self.node("Relu", [x])

    def model(self, inputs: dict[str, list[int]], output: str, shape: list[int]) -> ModelProto:
        ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in inputs.items()]
        last = helper.make_tensor_value_info(output, TensorProto.FLOAT, shape)
        graph = helper.make_graph(self.nodes, "layers", ends, [last], self.tensors)
        opset = helper.make_opsetid("", TRACED)
        return helper.make_model(graph, opset_imports=[opset], ir_version=IR_VERSION)


def noise(shape: Sequence[int]) -> NDArray[np.float32]:
    """Normal numbers, the same again after a few thousand."""
    return np.resize(np.random.default_rng(0).standard_normal(4099, dtype=np.float32), shape)


def layer_graph(layer: ConvLayer, size: int) -> ModelProto:
    """The graph of one layer of a generator for pictures of size × size pixels.

    Takes ``input``, and ``skip`` where it ends a residual block.
    """
    before, after = size // layer.conv.input_stride, size // layer.conv.output_stride
    parts, ends = _Parts(), {"input": [1, layer.inputs, before, before]}
    if layer.adds:
        ends[SKIP] = [1, layer.filters, after, after]
    output = parts.layer(layer, "input", SKIP)
    return parts.model(ends, output, [1, layer.filters, after, after])


def layers_of(widths: GeneratorWidths, norm: Norm = "instance") -> tuple[ConvLayer, ...]:
    """The layers of a generator, in order."""
    channels = widths.groups()
    gone = {group for group, filters in channels.items() if not filters}  # of blocks that were taken out
    return tuple(
        ConvLayer(
            conv,
            channels[conv.source] if conv.source else widths.in_channels,
            channels[conv.target] if conv.target else widths.out_channels,
            norm,
        )
        for conv in generator_convs(widths.blocks)
        if not {conv.source, conv.target} & gone
    )


def generator_graph(widths: GeneratorWidths, size: int, norm: Norm = "instance") -> ModelProto:
    """The graph of a whole generator, with noise for weights."""
    parts, x, trunk = _Parts(), "input", ""
    for layer in layers_of(widths, norm):
        x = parts.layer(layer, x, trunk)
        if layer.conv.target == "trunk":
            trunk = x
    ends = {"input": [1, widths.in_channels, size, size]}
    return parts.model(ends, x, [1, widths.out_channels, size, size])
