"""What an ONNX file must keep to before anything else looks at it.

Shape inference and ONNX Runtime take a file at its word: functions that call each other twice, forty deep,
are written out, a loop is run for as long as it says, and a tensor that claims more numbers than it has is
read past its end. Networks of pictures need none of that.
"""

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from math import prod
from typing import TYPE_CHECKING

from ganprune.errors import GanpruneError, InputError

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto, TensorProto

MAX_NODES = 100_000
"""Operators, each function written out wherever it is called; a CycleGAN generator has some hundred."""
MAX_DEPTH = 16  # functions that are called from functions
MAX_INPUT = 1 << 28  # numbers in one input: a colour picture of 9,000×9,000 pixels has as many
ENDLESS = ("Loop", "Scan")

_Key = tuple[str, str]


def check_bounds(model: "ModelProto") -> None:
    """Raise `InputError`, without the file's name, for a file that could take forever or that lies."""
    nodes = _Nodes(model)
    if nodes.written_out(model.graph) > MAX_NODES:
        raise InputError(f"needed a network of at most {MAX_NODES:,} operators, found more; it is made up")
    for node in nodes.all:
        if node.op_type in ENDLESS:
            raise InputError(
                f"holds the operator {node.op_type}, which may never end; no network of pictures does"
            )
    attributes = (attribute for node in nodes.all for attribute in node.attribute)
    constants = [tensor for one in attributes for tensor in (one.t, *one.tensors) if tensor.data_type]
    weights = [tensor for graph in nodes.graphs for tensor in graph.initializer]
    for tensor in (*weights, *constants):
        if not _is_honest(tensor):
            shape = "×".join(map(str, tensor.dims))
            raise InputError(f"declares a tensor of {shape} numbers and holds another number; it is damaged")
    for value in model.graph.input:
        if prod(dim.dim_value for dim in value.type.tensor_type.shape.dim if dim.dim_value > 0) > MAX_INPUT:
            raise InputError(
                f"takes more than {MAX_INPUT:,} numbers at once; give a network of smaller pictures"
            )


@contextmanager
def made_up(file: object) -> Generator[None]:
    """Within, put the file's name before errors, and make whatever its contents lead to an `InputError`."""
    try:
        yield
    except GanpruneError as error:
        told = str(error)
        raise type(error)(told if told.startswith(f"{file}: ") else f"{file}: {told}") from error
    except OSError:
        raise
    except Exception as error:  # onnx raises its own errors, and Python's, for a file that contradicts itself
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise InputError(
            f"{file}: damaged, or no ONNX file of a network ({reason}); export it again"
        ) from error


class _Nodes:
    """All nodes and graphs of a file, those inside of others too."""

    def __init__(self, model: "ModelProto") -> None:
        self.functions = {(one.domain, one.name): one.node for one in model.functions}
        self.graphs: list[GraphProto] = [model.graph]
        self.all = list(self._below(model.graph.node))
        for function in self.functions.values():
            self.all += self._below(function)
        self._sizes: dict[_Key, int] = {}

    def written_out(self, graph: "GraphProto") -> int:
        """Number of nodes once every call of a function is replaced by what the function does."""
        return sum(self._size(node, 0) for node in self._below(graph.node))

    def _size(self, node: "NodeProto", depth: int) -> int:
        key = (node.domain, node.op_type)
        if key not in self.functions:
            return 1
        if depth > MAX_DEPTH:
            raise InputError(
                f"holds functions that call each other more than {MAX_DEPTH} deep; it is made up"
            )
        if key not in self._sizes:
            self._sizes[key] = MAX_NODES + 1  # what calls itself has no end
            inside = list(self._below(self.functions[key]))
            self._sizes[key] = sum(self._size(one, depth + 1) for one in inside)
        return self._sizes[key]

    def _below(self, nodes: "Sequence[NodeProto]") -> "Iterator[NodeProto]":
        waiting = list(nodes)
        while waiting:
            node = waiting.pop()
            yield node
            for attribute in node.attribute:
                graphs = [graph for graph in (attribute.g, *attribute.graphs) if graph.node]
                self.graphs += graphs
                waiting += [inner for graph in graphs for inner in graph.node]


def _is_honest(tensor: "TensorProto") -> bool:
    """Whether a tensor holds as many numbers as it says; one whose numbers lie elsewhere is not looked at."""
    from onnx import TensorProto

    if tensor.data_location == TensorProto.EXTERNAL:
        return True
    if min(tensor.dims, default=0) < 0:
        return False
    numbers = prod(tensor.dims)
    if tensor.raw_data:
        size = _BYTES.get(TensorProto.DataType.Name(tensor.data_type))
        return size is None or len(tensor.raw_data) == numbers * size
    held = max(
        len(tensor.float_data), len(tensor.int32_data), len(tensor.int64_data), len(tensor.double_data),
        len(tensor.uint64_data), len(tensor.string_data),
    )  # fmt: skip
    return numbers <= 4 * held and held <= 2 * numbers  # up to four in an entry; complex ones take two


_BYTES = {
    "FLOAT": 4, "DOUBLE": 8, "FLOAT16": 2, "BFLOAT16": 2, "INT8": 1, "UINT8": 1, "INT16": 2, "UINT16": 2,
    "INT32": 4, "UINT32": 4, "INT64": 8, "UINT64": 8, "BOOL": 1,
}  # fmt: skip
"""Size of one number; kinds of fewer than eight bits are packed, and are not counted."""
