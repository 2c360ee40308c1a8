"""Small ONNX files written by hand, as other people's tools might write them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

Dims = Sequence[int | str | None]


def weights(name: str, *shape: int) -> TensorProto:
    values = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    return numpy_helper.from_array(values, name)


def model(
    nodes: Sequence[NodeProto],
    initializers: Sequence[TensorProto],
    inputs: Sequence[tuple[str, int, Dims]],
    output: str = "output",
) -> ModelProto:
    """One graph; the output's sizes are left unknown."""
    graph = helper.make_graph(
        list(nodes),
        "graph",
        [helper.make_tensor_value_info(name, kind, dims) for name, kind, dims in inputs],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)],
        list(initializers),
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def conv(path: Path, filters: int = 4, dims: Dims = (1, 3, 16, 16), layers: int = 1) -> Path:
    """``layers`` 3×3 convolutions of ``filters`` each, padded, no biases: c → filters → … → filters."""
    channels = dims[1]
    assert isinstance(channels, int)
    names = ["input", *(f"map{i}" for i in range(layers - 1)), "output"]
    nodes = [
        helper.make_node("Conv", [names[i], f"w{i}"], [names[i + 1]], pads=[1, 1, 1, 1])
        for i in range(layers)
    ]
    tensors = [weights(f"w{i}", filters, filters if i else channels, 3, 3) for i in range(layers)]
    onnx.save(model(nodes, tensors, [("input", TensorProto.FLOAT, dims)]), path)
    return path


def uint8_last(path: Path) -> Path:
    """A network that takes uint8 pictures [1, h, w, 3] of any size, and normalises them itself."""
    nodes = [
        helper.make_node("Cast", ["picture"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["float"], ["first"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["first", "w"], ["output"], pads=[1, 1, 1, 1]),
    ]
    inputs = [("picture", TensorProto.UINT8, (1, "height", "width", 3))]
    onnx.save(model(nodes, [weights("w", 4, 3, 3, 3)], inputs), path)
    return path


def two_inputs(path: Path) -> Path:
    nodes = [helper.make_node("Add", ["left", "right"], ["output"])]
    inputs = [(name, TensorProto.FLOAT, (1, 3, 8, 8)) for name in ("left", "right")]
    onnx.save(model(nodes, [], inputs), path)
    return path


def of_kind(path: Path, kind: int, dims: Dims) -> Path:
    """One operator on an input of any type and shape."""
    onnx.save(model([helper.make_node("Abs", ["tokens"], ["output"])], [], [("tokens", kind, dims)]), path)
    return path


def unknown_operator(path: Path) -> Path:
    """Well-formed ONNX that no runtime can run."""
    nodes = [helper.make_node("Teleport", ["input"], ["output"])]
    onnx.save(model(nodes, [], [("input", TensorProto.FLOAT, (1, 3, 16, 16))]), path)
    return path
