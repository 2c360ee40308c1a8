"""The steps between tracing and writing: each takes a graph and returns a graph that computes the same."""

from collections.abc import Mapping

import onnx
import onnxsim
from onnx import ModelProto


def simplified(model: ModelProto) -> ModelProto:
    """Constants folded, operators fused (onnxsim)."""
    return onnxsim.simplify(model)[0]


def stripped(model: ModelProto) -> ModelProto:
    """Without the exporters' remarks on nodes and tensors, which hold paths of the machine."""
    graph = model.graph
    del model.metadata_props[:], graph.metadata_props[:]
    model.doc_string = graph.doc_string = ""
    for part in (*graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        del part.metadata_props[:]
        part.doc_string = ""
    return model


def with_named_sizes(model: ModelProto) -> ModelProto:
    """Free sizes called batch, height and width, at both ends; an output is as large as its input."""
    names = {0: "batch", 2: "height", 3: "width"}
    for value in (*model.graph.input, *model.graph.output):
        for axis, name in names.items():
            dim = value.type.tensor_type.shape.dim[axis]
            if not dim.HasField("dim_value"):
                dim.dim_param = name
        value.doc_string = "float32 pictures in [-1, 1]; heights and widths are multiples of 4"
    return model


def with_shapes(model: ModelProto) -> ModelProto:
    """The size of every tensor inferred anew. Raises `onnx.shape_inference.InferenceError`."""
    del model.graph.value_info[:]
    return onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)


def checked(model: ModelProto) -> ModelProto:
    """The same graph, found valid. Raises `onnx.checker.ValidationError`."""
    onnx.checker.check_model(model, full_check=True)
    return model


def with_metadata(model: ModelProto, metadata: Mapping[str, str]) -> ModelProto:
    """With these ``metadata_props`` only, sorted by key."""
    onnx.helper.set_model_props(model, dict(sorted(metadata.items())))
    return model
