"""A graph in an older opset, where the old operators can say the same."""

from copy import deepcopy

from onnx import ModelProto, NodeProto, defs, helper, shape_inference

from ganprune.errors import UsageError
from ganprune_exporters.passes import with_shapes
from ganprune_exporters.passes.graph import Graph

TRACED = 18  # PyTorch's exporter writes this opset and newer ones; older ones are made from it

AXES_ARE_INPUTS = 18  # from this opset on a mean is told its axes by an input, before by an attribute


def lowered(model: ModelProto, opset: int) -> ModelProto:
    """The same graph in opset ``opset``; as it is where that is not older than its own.

    The nodes stay as they are: most operators have grown since, and few have changed. Raises `UsageError`
    that names the first node which the old opset cannot express, and the oldest one that can express all.
    Whether old operators also *compute* the same is for the verification to say.
    """
    own = _opset(model)
    if opset >= own:
        return model
    found = _in(model, opset)
    if isinstance(found, ModelProto):
        return found
    raise UsageError(
        f"--set opset={opset} cannot express {found}; use --set opset={oldest(model, opset + 1)}"
    )


def oldest(model: ModelProto, opset: int) -> int:
    """The oldest opset from ``opset`` on that can express a graph; at most its own."""
    own = _opset(model)
    return next((o for o in range(opset, own) if isinstance(_in(model, o), ModelProto)), own)


def _opset(model: ModelProto) -> int:
    return next(entry.version for entry in model.opset_import if not entry.domain)


def _in(model: ModelProto, opset: int) -> ModelProto | str:
    """The graph in another opset, or what of it that opset cannot express."""
    other = deepcopy(model)
    if opset < AXES_ARE_INPUTS:
        _with_axes_as_attributes(Graph(other))
    strange = next((words for node in other.graph.node if (words := _strange(node, opset))), None)
    if strange is not None:
        return strange
    for entry in other.opset_import:
        if not entry.domain:
            entry.version = opset
    other.ir_version = helper.find_min_ir_version_for(other.opset_import)
    try:
        return with_shapes(other)  # types, too, must be those of the old operators
    except shape_inference.InferenceError as error:
        return " ".join(str(error).split())


def _with_axes_as_attributes(graph: Graph) -> None:
    """Means over constant axes as older opsets spell them."""
    for node in graph.nodes("ReduceMean"):
        axes = graph.value(node.input[1]) if len(node.input) == 2 else None
        if axes is not None:
            del node.input[1:]
            node.attribute.append(helper.make_attribute("axes", axes.tolist()))
    graph.drop_unread()


def _strange(node: NodeProto, opset: int) -> str | None:
    """A node, and what its operator lacks in this opset; None: nothing that its schema tells."""
    name = f"{node.op_type} ({node.name or node.output[0]})"
    if node.domain:
        return None
    try:
        schema = defs.get_schema(node.op_type, opset, node.domain)
    except defs.SchemaError:
        return f"{name}, which it lacks"
    now = defs.get_schema(node.op_type, TRACED, node.domain).attributes
    for a in [a for a in node.attribute if a.name not in schema.attributes]:
        if a.name in now and a.SerializeToString() == now[a.name].default_value.SerializeToString():
            node.attribute.remove(a)  # says what the old operator does anyway
    unknown = [a.name for a in node.attribute if a.name not in schema.attributes]
    if unknown:
        return f"{name} with attribute {unknown[0]}"
    if not schema.min_input <= len(node.input) <= schema.max_input:
        return f"{name} with {len(node.input)} inputs"
    for given, wanted in zip(node.input, schema.inputs, strict=False):
        if not given and wanted.option == wanted.option.Single:
            return f"{name} without {wanted.name}"
    return None
