"""Weights in half precision: a file of half the size that computes in float32 as before."""

from copy import deepcopy

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

SMALLEST = 256  # tensors of fewer numbers stay in float32: they hardly count
LARGEST = float(np.finfo(np.float16).max)


def halved(model: ModelProto) -> ModelProto:
    """The same graph with its large weights as float16 and a Cast behind each.

    Runtimes cast once, when they load the file: it runs everywhere, at the speed of float32. Weights that
    float16 cannot hold stay as they are.
    """
    copy, casts, kept = deepcopy(model), list[NodeProto](), list[TensorProto]()
    for tensor in map(deepcopy, model.graph.initializer):
        value = numpy_helper.to_array(tensor)
        if value.dtype != np.float32 or value.size < SMALLEST or np.abs(value).max() > LARGEST:
            kept.append(tensor)
            continue
        name = f"{tensor.name}_float16"
        kept.append(numpy_helper.from_array(value.astype(np.float16), name))
        casts.append(helper.make_node("Cast", [name], [tensor.name], name, to=TensorProto.FLOAT))
    del copy.graph.initializer[:], copy.graph.node[:]
    copy.graph.initializer.extend(kept)
    copy.graph.node.extend([*casts, *model.graph.node])
    return copy
