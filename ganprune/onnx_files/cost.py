"""What an ONNX file takes and costs: its picture input, parameters, multiply-accumulates.

Files that ganprune exports carry their costs in ``metadata_props``, counted on the network before
any graph rewrite. For other files convolutions are counted on the graph, in the two conventions of
`ganprune.pruning.cost`: ``true`` counts a transposed convolution on its input grid, ``paper`` on its output
grid. Norms, activations, additions, paddings and matrix products are not counted.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ganprune.errors import InputError, UsageError
from ganprune.onnx_files.bounds import check_bounds, made_up

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, TensorProto, ValueInfoProto

PARAMS, MACS_TRUE, MACS_PAPER = "ganprune.params", "ganprune.macs_true", "ganprune.macs_paper"
HEIGHT, WIDTH = "ganprune.height", "ganprune.width"
"""The keys of ``metadata_props`` that hold a file's costs, and the picture they are counted for."""

_FIGURE = re.compile("[1-9][0-9]{0,17}")

_NARROWEST = 16  # height and width, pixels, of the smallest pictures; a smaller number is one of channels
DEFAULT_SIZE = 256  # height and width, pixels, of a picture for a file that leaves them free


@dataclass(frozen=True, slots=True)
class PictureInput:
    """The one input of a network that translates pictures."""

    file: str  # the file's name, for messages
    name: str  # what the graph calls the input
    dtype: Literal["float32", "uint8"]  # float32 pictures are in [-1, 1], uint8 ones in 0..255
    dims: tuple[int | None, ...]  # the four declared sizes; None where any is taken

    @property
    def channels_last(self) -> bool:
        """[n, h, w, c] instead of [n, c, h, w]: the last of them is too small to be a width."""
        first, last = self.dims[1], self.dims[3]
        return last is not None and last < _NARROWEST and (first is None or first > last)

    def shape(self, size: int | None = None) -> tuple[int, ...]:
        """The shape to run with: declared sizes, and 1×3×size×size where any is taken.

        Raises `UsageError` if the file takes one size only, and ``size`` is another.
        """
        pixels = DEFAULT_SIZE if size is None else size
        wanted = (1, pixels, pixels, 3) if self.channels_last else (1, 3, pixels, pixels)
        shape = tuple(w if d is None else d for d, w in zip(self.dims, wanted, strict=True))
        height, width = self.picture(shape)
        if size is not None and (height, width) != (size, size):
            raise UsageError(
                f"{self.file}: needed an input of {size}×{size} pixels, found a fixed {height}×{width}; "
                "leave --size out, or export it again with --dynamic"
            )
        return shape

    def picture(self, shape: tuple[int, ...]) -> tuple[int, int]:
        """Height and width of one picture of a batch of this shape."""
        return (shape[1], shape[2]) if self.channels_last else (shape[2], shape[3])


@dataclass(frozen=True, slots=True)
class OnnxCost:
    """What one picture costs."""

    params: int  # number of parameters, biases included
    macs_true: int | None
    """Multiply-accumulates, transposed convolutions on their input grid; None if sizes stay unknown."""
    macs_paper: int | None  # the same with transposed convolutions on their output grid
    source: Literal["metadata", "graph"]  # where the figures come from


def spelled(dims: Sequence[int | None]) -> str:
    """``1×3×any×any``."""
    return "×".join("any" if size is None else str(size) for size in dims)


def cost_metadata(params: int, macs_true: int, macs_paper: int, height: int, width: int) -> dict[str, str]:
    """``metadata_props`` from which `onnx_cost` reads the costs of a picture of height × width pixels."""
    figures = {PARAMS: params, MACS_TRUE: macs_true, MACS_PAPER: macs_paper, HEIGHT: height, WIDTH: width}
    return {key: str(figure) for key, figure in figures.items()}


def read_onnx(path: Path) -> "ModelProto":
    """The file's graph; weights that lie outside the file are left there.

    Raises `UsageError` if there is no such file, `InputError` if it is not ONNX.
    """
    import onnx

    if not path.is_file():
        raise UsageError(f"needed an ONNX file, found no file {path}; run ganprune export --onnx first")
    with made_up(path):
        content = path.read_bytes()
        try:
            model = onnx.load_model_from_string(content)
        except Exception:  # protobuf's own error
            model = onnx.ModelProto()
        if not model.graph.node or not model.opset_import:
            raise InputError("needed an ONNX file, found none inside; it is damaged or of another kind")
        check_bounds(model)
    return model


def picture_input(model: "ModelProto", path: Path) -> PictureInput:
    """The one input of a file. Raises `InputError` if it is not one batch of float32 or uint8 pictures."""
    from onnx import TensorProto

    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in weights]
    if len(inputs) != 1:
        names = ", ".join(value.name for value in inputs) or "none"
        raise InputError(f"{path}: needed a network with one input, the picture, found {names}")
    tensor, name = inputs[0].type.tensor_type, inputs[0].name
    kinds: dict[int, Literal["float32", "uint8"]] = {TensorProto.FLOAT: "float32", TensorProto.UINT8: "uint8"}
    if tensor.elem_type not in kinds or len(tensor.shape.dim) != 4:
        names = {number: name.lower() for name, number in TensorProto.DataType.items()}
        kind = names.get(tensor.elem_type, f"of kind {tensor.elem_type}")
        raise InputError(
            f"{path}: needed float32 or uint8 pictures of 4 dimensions, found that {name} is {kind} "
            f"of {len(tensor.shape.dim)}"
        )
    return PictureInput(path.name, name, kinds[tensor.elem_type], _dims(inputs[0]))


def cost_of(path: Path) -> OnnxCost:
    """Costs of one picture of the size that a file takes. Raises as `read_onnx` and `picture_input`."""
    model = read_onnx(path)
    picture = picture_input(model, path)
    return onnx_cost(model, picture, picture.shape())


def onnx_cost(model: "ModelProto", picture: PictureInput, shape: tuple[int, ...]) -> OnnxCost:
    """Costs of one picture, for a batch of ``shape``: from the metadata when ours, else counted."""
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    if all(
        _FIGURE.fullmatch(metadata.get(key, "")) for key in (PARAMS, MACS_TRUE, MACS_PAPER, HEIGHT, WIDTH)
    ):
        return _cost_from(metadata, *picture.picture(shape))
    with made_up(picture.file):
        return count(model, picture.name, shape)


def _cost_from(metadata: Mapping[str, str], height: int, width: int) -> OnnxCost:
    counted_for = int(metadata[HEIGHT]) * int(metadata[WIDTH])

    def scaled(key: str) -> int:  # exact: MACs are proportional to the picture's area
        return int(metadata[key]) * height * width // counted_for

    return OnnxCost(int(metadata[PARAMS]), scaled(MACS_TRUE), scaled(MACS_PAPER), "metadata")


def count(model: "ModelProto", name: str, shape: tuple[int, ...]) -> OnnxCost:
    """Counts the graph itself, for the input ``name`` of ``shape``; the figures are for one picture.

    A convolution, grouped or not, uses each of its weights once at every position of a grid: of its
    output, or for a transposed one in the ``true`` convention of its input.
    """
    sizes = _known_sizes(model, name, shape)
    true, paper = 0, 0
    for node in model.graph.node:
        if node.op_type not in ("Conv", "ConvTranspose"):
            continue
        ends = (node.input[0], node.input[1], node.output[0])
        if not all(end in sizes for end in ends):
            return OnnxCost(_params(model.graph), None, None, "graph")
        before, weight, after = (sizes[end] for end in ends)
        grid = before if node.op_type == "ConvTranspose" else after
        true += prod(weight) * prod(grid[2:])
        paper += prod(weight) * prod(after[2:])
    return OnnxCost(_params(model.graph), true, paper, "graph")


def _known_sizes(model: "ModelProto", name: str, shape: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    """Shapes of all tensors that have known ones once the input ``name`` is of ``shape``."""
    import onnx

    fixed = onnx.ModelProto()
    fixed.CopyFrom(model)
    graph = fixed.graph
    graph.ClearField("value_info")
    for value in graph.output:
        value.type.tensor_type.ClearField("shape")
    for value in graph.input:
        if value.name == name:
            for dim, size in zip(value.type.tensor_type.shape.dim, shape, strict=True):
                dim.dim_value = size
    graph = onnx.shape_inference.infer_shapes(fixed, data_prop=True).graph
    known = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    for value in (*graph.input, *graph.value_info, *graph.output):
        dims = _dims(value)
        sizes = tuple(d for d in dims if d is not None)
        if value.type.tensor_type.HasField("shape") and len(sizes) == len(dims):
            known[value.name] = sizes
    return known


def _dims(value: "ValueInfoProto") -> tuple[int | None, ...]:
    dims = value.type.tensor_type.shape.dim
    return tuple(d.dim_value if d.HasField("dim_value") and d.dim_value > 0 else None for d in dims)


def _params(graph: "GraphProto") -> int:
    """Numbers in all weights, but for the ones and zeros that exporters give a norm without parameters.

    Nor are the running statistics of a batch norm parameters.
    """
    from onnx import TensorProto

    kinds = (
        TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE,
        TensorProto.INT8, TensorProto.UINT8,
    )  # fmt: skip
    norms = [node for node in graph.node if node.op_type == "InstanceNormalization"]
    of_norms = {name for node in norms for name in node.input[1:]}
    batch_norms = [node for node in graph.node if node.op_type == "BatchNormalization"]
    statistics = {name for node in batch_norms for name in node.input[3:5]}
    return sum(
        prod(tensor.dims)
        for tensor in graph.initializer
        if tensor.data_type in kinds
        and tensor.name not in statistics
        and not (tensor.name in of_norms and _is_constant(tensor))
    )


def _is_constant(tensor: "TensorProto") -> bool:
    """Whether the tensor holds nothing but ones, or nothing but zeros."""
    from onnx import TensorProto, numpy_helper

    if tensor.data_location == TensorProto.EXTERNAL:
        return False
    values = numpy_helper.to_array(tensor)
    return bool((values == 1).all() or (values == 0).all())
