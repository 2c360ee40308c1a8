"""Weights in half precision: a file of half the size that computes in float32 as before."""

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

SMALLEST = 256
"""Tensors of fewer numbers stay in float32: they hardly count."""
LARGEST = float(np.finfo(np.float16).max)


def halved(model: ModelProto) -> ModelProto:
    """The same graph with its large weights as float16 and a Cast behind each.

    Runtimes cast once, when they load the file: it runs everywhere, at the speed of float32. Weights that
    float16 cannot hold stay as they are.
    """
    copy, casts, kept = ModelProto(), list[NodeProto](), list[TensorProto]()
    copy.CopyFrom(model)
    for tensor in copy.graph.initializer:
        value = numpy_helper.to_array(tensor)
        if value.dtype != np.float32 or value.size < SMALLEST or np.abs(value).max() > LARGEST:
            kept.append(tensor)
            continue
        name = f"{tensor.name}_float16"
        kept.append(numpy_helper.from_array(value.astype(np.float16), name))
        casts.append(helper.make_node("Cast", [name], [tensor.name], name, to=TensorProto.FLOAT))
    nodes = [*casts, *copy.graph.node]
    tensors, nodes = [_copied(t) for t in kept], [_copied_node(n) for n in nodes]
    del copy.graph.initializer[:], copy.graph.node[:]
    copy.graph.initializer.extend(tensors)
    copy.graph.node.extend(nodes)
    return copy


def _copied(tensor: TensorProto) -> TensorProto:
    return TensorProto.FromString(tensor.SerializeToString())


def _copied_node(node: NodeProto) -> NodeProto:
    return NodeProto.FromString(node.SerializeToString())
