"""The contract of a pass: when it applies, what it does, what holds afterwards, what it says of itself."""

from abc import ABC, abstractmethod
from copy import deepcopy
from dataclasses import dataclass

import onnx
from onnx import ModelProto, NodeProto, TypeProto, ValueInfoProto

from ganprune.errors import VerificationError
from ganprune_exporters.passes.graph import Graph


@dataclass(frozen=True, slots=True)
class PassReport:
    """What one pass changed."""

    name: str  # as its `Pass.spec` spells it
    applied: bool
    nodes_before: int  # operators in the graph that it was given
    nodes_after: int  # operators in the graph that it made
    note: str  # what it did, or why it did nothing
    speedup: float | None = None
    """How many times as fast the whole network ran with it, where that was measured."""


class Pass(ABC):
    """A step from one graph to another that computes the same pictures."""

    name: str  # what the user calls it, e.g. ``dead-biases``
    summary: str  # what it does, in a few words
    choice: int | None = None  # what it was set to; None: there is nothing to choose

    @property
    def spec(self) -> str:
        """The name with its choice, e.g. ``last-convolution=4``; the name alone where there is none."""
        return self.name if self.choice is None else f"{self.name}={self.choice}"

    def why_not(self, model: ModelProto) -> str | None:
        """The precondition: why there is nothing to do here; None: it applies."""
        return None

    @abstractmethod
    def change(self, model: ModelProto) -> ModelProto:
        """The new graph, made of a copy that may be changed."""

    def broken(self, before: ModelProto, after: ModelProto) -> str | None:
        """The postcondition: what does not hold as it should; None: all is well."""
        was, now = ([end.name for end in _ends(model)] for model in (before, after))
        return None if was == now else f"ends called {', '.join(now)}"

    def told(self, model: ModelProto) -> str:
        """What it does to this graph."""
        return self.summary


def apply(step: Pass, model: ModelProto) -> tuple[ModelProto, PassReport]:
    """Run one pass under its contract. Raises `VerificationError` where its postcondition does not hold."""
    nodes, reason = len(model.graph.node), step.why_not(model)
    if reason is not None:
        return model, PassReport(step.spec, False, nodes, nodes, reason)
    after = step.change(deepcopy(model))
    broken = step.broken(model, after)
    if broken is not None:
        raise VerificationError(
            f"pass {step.name}: needed a graph that computes the same, found {broken}; "
            f"export with --set no-pass={step.name}"
        )
    return after, PassReport(step.spec, True, nodes, len(after.graph.node), step.told(model))


class Rewrite(Pass):
    """A pass that replaces a pattern of nodes wherever the graph holds it: found by structure, not name."""

    operators: tuple[str, ...]  # of the node that names a place where the pattern is
    nothing: str  # why there is nothing to do, where the pattern is not found

    @abstractmethod
    def fits(self, graph: Graph, node: NodeProto) -> bool:
        """Whether the pattern is at a node of `operators`."""

    @abstractmethod
    def rewrite(self, graph: Graph, node: NodeProto) -> None:
        """Change the graph at one place."""

    def _places(self, graph: Graph) -> list[NodeProto]:
        return [node for node in graph.nodes(*self.operators) if self.fits(graph, node)]

    def why_not(self, model: ModelProto) -> str | None:
        """See `Pass.why_not`."""
        return None if self._places(Graph(model)) else self.nothing

    def change(self, model: ModelProto) -> ModelProto:
        """See `Pass.change`."""
        graph = Graph(model)
        while places := self._places(graph):  # nodes move when one of them is replaced
            self.rewrite(graph, places[0])
        return with_shapes(model)

    def broken(self, before: ModelProto, after: ModelProto) -> str | None:
        """See `Pass.broken`: nothing is left to do, and both ends are as they were."""
        if self._places(Graph(after)):
            return "places that were not rewritten"
        for old, new in zip(_ends(before), _ends(after), strict=True):
            if old.name != new.name or _differ(old.type.tensor_type, new.type.tensor_type):
                return f"{new.name} in place of {old.name}, or of another shape"
        return None

    def told(self, model: ModelProto) -> str:
        """See `Pass.told`: with the number of places."""
        return f"{self.summary}: {len(self._places(Graph(model)))}"


def _ends(model: ModelProto) -> list[ValueInfoProto]:
    return [*model.graph.input, *model.graph.output]


def _differ(old: TypeProto.Tensor, new: TypeProto.Tensor) -> bool:
    """Whether two tensors are of another type or shape; what was unknown may have become known."""
    pairs = zip(old.shape.dim, new.shape.dim, strict=False)
    changed = any(a != b for a, b in pairs if a.WhichOneof("value"))
    lengths = len(old.shape.dim) != len(new.shape.dim) and old.HasField("shape")
    return old.elem_type != new.elem_type or changed or lengths


def with_shapes(model: ModelProto) -> ModelProto:
    """The size of every tensor inferred anew. Raises `onnx.shape_inference.InferenceError`."""
    del model.graph.value_info[:]
    return onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
