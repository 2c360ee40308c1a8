"""A graph to search for patterns in and to change: who makes a tensor, who reads it, what is constant."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from copy import deepcopy
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, helper, numpy_helper

Dims = tuple[int | str | None, ...]  # sizes of a tensor: numbers, names of free sizes, None where unknown


class Graph:
    """One model's graph; changes are made in the model itself."""

    def __init__(self, model: ModelProto) -> None:
        self.proto = model.graph
        self.new: list[NodeProto] = []
        """Nodes of `add` that `replace` has not yet put into the graph."""
        self._index()

    def _index(self) -> None:
        graph = self.proto
        self._made_by = {name: node for node in graph.node for name in node.output}
        self._readers: dict[str, list[NodeProto]] = defaultdict(list)
        for node in graph.node:
            for name in node.input:
                self._readers[name].append(node)
        self._tensors = {tensor.name: tensor for tensor in graph.initializer}
        ends = {value.name for value in (*graph.input, *graph.output)}
        self._outputs = {value.name for value in graph.output}
        self._names = {*self._made_by, *self._tensors, *ends, *(node.name for node in graph.node)}

    def nodes(self, *operators: str) -> list[NodeProto]:
        """All nodes of these operators, in order."""
        return [node for node in self.proto.node if node.op_type in operators]

    def maker(self, name: str) -> NodeProto | None:
        """The node that makes a tensor; None for inputs and weights."""
        return self._made_by.get(name)

    def readers(self, name: str) -> list[NodeProto]:
        """The nodes that read a tensor."""
        return self._readers.get(name, [])

    def only_reader(self, name: str, *operators: str) -> NodeProto | None:
        """The one node that reads a tensor, if it is of these operators and the tensor is no output."""
        readers = self.readers(name)
        alone = len(readers) == 1 and name not in self._outputs and readers[0].op_type in operators
        return readers[0] if alone else None

    def is_output(self, name: str) -> bool:
        """Whether the graph gives a tensor to its caller."""
        return name in self._outputs

    def value(self, name: str) -> NDArray[Any] | None:
        """A constant's numbers; None for tensors that are computed, and where no tensor is given."""
        if name in self._tensors:
            return numpy_helper.to_array(self._tensors[name])
        node = self.maker(name)
        if node is None or node.op_type != "Constant" or "value" not in attributes(node):
            return None
        return numpy_helper.to_array(attributes(node)["value"])

    def numbers(self, name: str) -> NDArray[Any]:
        """A constant's numbers, of which it is known that it is one."""
        value = self.value(name)
        assert value is not None, name
        return value

    def bias(self, node: NodeProto) -> NDArray[Any] | None:
        """The bias of a convolution: its third input; None: there is none, or it is computed."""
        return self.value(node.input[2]) if len(node.input) > 2 and node.input[2] else None

    def dims(self, name: str) -> Dims | None:
        """A tensor's sizes, as far as shape inference knew them; None: not even how many."""
        for value in (*self.proto.value_info, *self.proto.input, *self.proto.output):
            if value.name == name and value.type.tensor_type.HasField("shape"):
                dims = value.type.tensor_type.shape.dim
                return tuple(d.dim_value if d.HasField("dim_value") else d.dim_param or None for d in dims)
        return None

    def constant(self, hint: str, value: NDArray[Any]) -> str:
        """Add a constant; returns its name, made from ``hint``."""
        name = self._unused(hint)
        self.proto.initializer.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        self._tensors[name] = self.proto.initializer[-1]
        return name

    def add(
        self, hint: str, operator: str, inputs: Sequence[str], output: str | None = None, **options: Any
    ) -> str:
        """A node for `replace` to put into the graph; its output's name. Names are made from ``hint``."""
        name = self._unused(f"{hint}_{operator.lower()}")
        self.new.append(helper.make_node(operator, inputs, [output or name], name, **options))
        return output or name

    def replace(self, *old: NodeProto) -> None:
        """Put `new` in the place of the last of ``old``; tensors that nobody reads any more go too."""
        nodes: list[NodeProto] = []
        for node in self.proto.node:
            if node is old[-1]:
                nodes += self.new
            elif all(node is not one for one in old):
                nodes.append(node)
        self.set_nodes(nodes)
        self.new = []
        self.drop_unread()

    def set_nodes(self, nodes: Sequence[NodeProto]) -> None:
        """Make these all nodes of the graph."""
        kept = [deepcopy(node) for node in nodes]
        del self.proto.node[:]
        self.proto.node.extend(kept)

    def drop_unread(self) -> None:
        """Without weights and constants that nobody reads."""
        read = {name for node in self.proto.node for name in node.input} | self._outputs
        for node in [n for n in self.proto.node if n.op_type == "Constant" and n.output[0] not in read]:
            self.proto.node.remove(node)
        for tensor in [t for t in self.proto.initializer if t.name not in read]:
            self.proto.initializer.remove(tensor)
        self._index()

    def _unused(self, hint: str) -> str:
        name, n = hint, 1
        while name in self._names:
            name, n = f"{hint}_{n}", n + 1
        self._names.add(name)
        return name


def attributes(node: NodeProto) -> dict[str, Any]:
    """A node's attributes by name; texts as str."""
    values = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    return {name: v.decode() if isinstance(v, bytes) else v for name, v in values.items()}


def is_plain(node: NodeProto, kernel: Iterable[int] | None = None, **wanted: object) -> bool:
    """Whether a convolution has one group, no dilation, explicit padding, and these attributes.

    Attributes that are not there have ONNX's defaults: stride 1, padding 0.
    """
    has = attributes(node)
    defaults: dict[str, object] = {
        "group": 1, "dilations": [1, 1], "auto_pad": "NOTSET", "strides": [1, 1], "pads": [0, 0, 0, 0],
        "output_padding": [0, 0],
    }  # fmt: skip
    shape = kernel is None or list(has.get("kernel_shape", ())) == list(kernel)
    plain = all(has.get(key, default) == wanted.get(key, default) for key, default in defaults.items())
    return shape and plain and "output_shape" not in has
