"""What a network computes for one picture, as a list of calls of PyTorch's functions.

The network is run once, and every call of a function of PyTorch's Python interface is written down with its
arguments. So whatever the code of a network does around them, loops, branches, calls of its own functions,
is of no matter; and the list can be run again with other tensors.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx.node import map_aggregate
from torch.overrides import TorchFunctionMode

from ganprune.errors import UsageError


@dataclass(frozen=True, slots=True)
class Value:
    """The tensor of a number: 0 is the picture, every call adds what it returns."""

    number: int


@dataclass(frozen=True, slots=True)
class Weight:
    """A parameter or buffer, by its name in the state dict."""

    name: str


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a function."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    """With `Value` and `Weight` in the place of tensors; tensors that are neither stand as they are."""
    kwargs: dict[str, Any]
    outputs: tuple[Value, ...]
    """The tensors that it returned, in order."""
    shapes: tuple[tuple[int, ...], ...]
    """Their shapes."""
    module: str
    """Name of the innermost module that called it; empty for the network itself."""

    @property
    def name(self) -> str:
        """Of the function, e.g. conv2d; of what reads an attribute, that one's, e.g. mT."""
        name = getattr(self.function, "__name__", str(self.function))
        return self.function.__self__.__name__ if name == "__get__" else name  # pyright: ignore[reportFunctionMemberAccess]

    def values(self) -> Iterator[Value]:
        """Tensors that it was given and that other calls returned."""
        return (leaf for leaf in self._given() if isinstance(leaf, Value))

    def weights(self) -> Iterator[str]:
        """Names of the parameters and buffers that it was given."""
        return (leaf.name for leaf in self._given() if isinstance(leaf, Weight))

    def _given(self) -> list[Any]:
        found = list[Any]()
        map_aggregate((self.args, self.kwargs), found.append)
        return found

    def run(self, known: Callable[[Value | Weight], Tensor]) -> tuple[Tensor, ...]:
        """Call it again with other tensors."""
        args, kwargs = map_aggregate(
            (self.args, self.kwargs),
            lambda leaf: known(leaf) if isinstance(leaf, Value | Weight) else leaf,
        )
        return tuple(_tensors(self.function(*args, **kwargs)))


@dataclass(frozen=True, slots=True)
class ModuleCall:
    """What a module did that made one tensor of one, when it was called first."""

    module: str
    takes: Value
    gives: Value
    shape: tuple[int, ...]
    """Of what it takes."""
    made: tuple[int, ...]
    """Of what it gives."""
    calls: int
    """How many functions were called until then."""


@dataclass(frozen=True, slots=True)
class Tape:
    """All calls, in order."""

    calls: tuple[Call, ...]
    modules: tuple[ModuleCall, ...]
    shape: tuple[int, ...]
    """Of the picture: [1, channels, height, width]."""
    output: Value
    """What the network returned."""


@torch.no_grad()
def record(network: nn.Module, picture: Tensor) -> Tape:
    """Run a network in eval mode on a picture [1, channels, height, width] and write down its calls.

    Raises `TypeError` where it does not return one tensor.
    """
    training = {module: module.training for module in network.modules()}
    network.eval()
    recorder = _Recorder(network, picture)
    try:
        with recorder.hooked(), recorder:
            result = network(picture)
    finally:
        for module, mode in training.items():
            module.training = mode
    if not isinstance(result, Tensor):
        raise TypeError(f"a network must return one tensor, found {type(result).__name__}")
    output = recorder.number_of(result)
    return Tape(tuple(recorder.calls), tuple(recorder.modules.values()), tuple(picture.shape), output)


class _Recorder(TorchFunctionMode):
    def __init__(self, network: nn.Module, picture: Tensor) -> None:
        super().__init__()
        named = [*network.named_parameters(remove_duplicate=True), *network.named_buffers()]
        self._weights = {id(tensor): Weight(name) for name, tensor in named}
        self._values = {id(picture): Value(0)}
        self._alive: list[Any] = [picture]  # so that no other tensor gets its id
        # Kept, too: a module may put another in its place, such as a map of this pass.
        self._held = held_tensors(network)
        self._constants = set(map(id, self._held))
        self._modules = {module: name for name, module in network.named_modules()}
        self._within = [""]
        self.calls = list[Call]()
        self.modules = dict[str, ModuleCall]()

    def hooked(self) -> Any:
        """A context in which it is known which module is running."""
        return _Within(self._modules, self._within, self._ran)

    def _ran(self, module: str, inputs: tuple[Any, ...], output: Any) -> None:
        """A module is done."""
        x = inputs[0] if len(inputs) == 1 else None
        takes, gives = self._values.get(id(x)), self._values.get(id(output))
        if isinstance(x, Tensor) and isinstance(output, Tensor) and takes is not None and gives is not None:
            shapes = tuple(x.shape), tuple(output.shape)
            self.modules.setdefault(module, ModuleCall(module, takes, gives, *shapes, len(self.calls)))

    def number_of(self, tensor: Tensor) -> Value:
        """Of a tensor that some call returned. What none did is taken to depend on all that there is."""
        if id(tensor) not in self._values:
            before = tuple(self._values.values())
            self.calls.append(self._called(code_outside_of_pytorch, (before,), {}, [tensor]))
        return self._values[id(tensor)]

    def _called(
        self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], made: list[Tensor]
    ) -> Call:
        outputs = tuple(Value(len(self._alive) + i) for i in range(len(made)))
        self._alive += made
        self._values.update((id(tensor), value) for tensor, value in zip(made, outputs, strict=True))
        shapes = tuple(tuple(tensor.shape) for tensor in made)
        return Call(function, args, kwargs, outputs, shapes, self._within[-1])

    def __torch_function__(
        self,
        func: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        given = kwargs or {}
        told_args, told_kwargs = map_aggregate((args, dict(given)), self._told)
        result = func(*args, **given)
        made = [tensor for tensor in _tensors(result) if id(tensor) not in self._weights]
        if made or (result is None and func.__name__ != "__get__"):  # such as __setitem__
            self.calls.append(self._called(func, told_args, told_kwargs, made))
        return result

    def _told(self, leaf: Any) -> Any:
        if not isinstance(leaf, Tensor):
            return leaf
        if id(leaf) in self._weights:
            return self._weights[id(leaf)]
        return leaf if id(leaf) in self._constants else self.number_of(leaf)


def code_outside_of_pytorch(*_: Any) -> Tensor:
    """Stands for what happened outside of PyTorch's Python interface, such as compiled code.

    Its channels are kept whole. Raises `UsageError` where a recorded network is to be run again by its calls.
    """
    raise UsageError(
        "the refit runs a network call by call, and this one has code outside of PyTorch's Python interface, "
        "such as compiled functions; give it without them, or leave the refit out: refit-pictures = 0 and "
        "refit = false in a file for --config"
    )


class _Within:
    """Keeps the names of the modules that are running, the innermost last."""

    def __init__(
        self, names: dict[nn.Module, str], within: list[str], ran: Callable[[str, Any, Any], None]
    ) -> None:
        self._names, self._within, self._ran, self._handles = names, within, ran, list[Any]()

    def __enter__(self) -> None:
        for module, name in self._names.items():
            self._handles.append(module.register_forward_pre_hook(self._enter(name), prepend=True))
            self._handles.append(
                module.register_forward_hook(self._leave, with_kwargs=True, always_call=True)
            )

    def _enter(self, name: str) -> Callable[[nn.Module, Any], None]:
        def enter(module: nn.Module, inputs: Any) -> None:
            del module, inputs
            self._within.append(name)

        return enter

    def _leave(self, module: nn.Module, inputs: Any, kwargs: Any, output: Any) -> None:
        self._within.pop()
        if not kwargs:
            self._ran(self._names[module], inputs, output)

    def __exit__(self, *error: object) -> None:
        for handle in self._handles:
            handle.remove()


def held_tensors(network: nn.Module) -> list[Tensor]:
    """The tensors that modules hold, those in plain attributes too."""
    held = (leaf for module in network.modules() for leaf in _leaves(vars(module)))
    return [leaf for leaf in held if isinstance(leaf, Tensor)]


def _leaves(held: Any) -> Iterator[Any]:
    """What a module holds in plain attributes, and in lists, tuples and dictionaries of theirs."""
    if isinstance(held, dict):
        held = held.values()
    elif not isinstance(held, list | tuple):
        yield held
        return
    for item in held:
        yield from _leaves(item)


def _tensors(result: Any) -> Iterator[Tensor]:
    """The tensors in what a function returned."""
    if isinstance(result, Tensor):
        yield result
    elif isinstance(result, tuple | list):
        for item in result:
            yield from _tensors(item)
