"""The standard steps between tracing and writing, each a `Pass`."""

from collections.abc import Callable, Mapping

import onnx
import onnxsim
from onnx import ModelProto

from ganprune_exporters import opsets
from ganprune_exporters.passes import Pass, with_shapes


class Step(Pass):
    """A pass over any graph, which keeps what the graph computes."""

    def __init__(self, name: str, summary: str, function: Callable[[ModelProto], ModelProto]) -> None:
        self.name, self.summary, self._function = name, summary, function

    def change(self, model: ModelProto) -> ModelProto:
        """See `Pass.change`."""
        return self._function(model)


def _stripped(model: ModelProto) -> ModelProto:
    graph = model.graph
    del model.metadata_props[:], graph.metadata_props[:]
    model.doc_string = graph.doc_string = ""
    for part in (*graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        del part.metadata_props[:]
        part.doc_string = ""
    return model


def _with_named_sizes(model: ModelProto) -> ModelProto:
    names = {0: "batch", 2: "height", 3: "width"}
    for value in (*model.graph.input, *model.graph.output):
        for axis, name in names.items():
            dim = value.type.tensor_type.shape.dim[axis]
            if not dim.HasField("dim_value"):
                dim.dim_param = name
        value.doc_string = "pictures; heights and widths are multiples of 4"
    return model


def _checked(model: ModelProto) -> ModelProto:
    onnx.checker.check_model(model, full_check=True)
    return model


SIMPLIFY = Step("simplify", "constants folded, operators fused (onnxsim)", lambda m: onnxsim.simplify(m)[0])
STRIP = Step("strip", "without the exporter's remarks, which hold paths of the machine", _stripped)
NAME_SIZES = Step("name-sizes", "an output is as large as its input", _with_named_sizes)
INFER_SHAPES = Step("infer-shapes", "the size of every tensor inferred anew", with_shapes)


def to_opset(opset: int) -> Step:
    """The step to an older opset; see `opsets.lowered`."""
    return Step("opset", f"in operators of opset {opset}", lambda model: opsets.lowered(model, opset))


CHECK = Step("check", "found valid by ONNX's own checker", _checked)


def with_metadata(model: ModelProto, metadata: Mapping[str, str]) -> ModelProto:
    """With these ``metadata_props`` only, sorted by key."""
    onnx.helper.set_model_props(model, dict(sorted(metadata.items())))
    return model
