"""From the calls of a network to its `ChannelGraph`: convolutions write new channels, rules say the rest.

Every map [1, channels, …] has a number a channel. Convolutions write new ones; what other functions do to
them is said in `ganprune.channels.rules`. What is not in its tables keeps the channels that it sees whole,
and a note says so.
"""

import math
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
from torch import nn

from ganprune.channels.blocks import Removed, removable
from ganprune.channels.graph import WHOLE, ChannelGraph, Cut, Layer
from ganprune.channels.roles import groups_of
from ganprune.channels.rules import PASSING, RULES, argument
from ganprune.channels.tape import Call, Tape, Value, Weight
from ganprune.channels.units import Channels, Units

CONVOLUTIONS = ("conv2d", "conv_transpose2d")


class Tracing:
    """Goes through the calls one by one."""

    def __init__(self, network: nn.Module, tape: Tape) -> None:
        self.units, self.notes = Units(), dict[str, None]()
        self.layers = list[tuple[Layer, Channels, Channels]]()
        self.places = list[int]()
        """Of each layer's call among all."""
        self.cuts = list[tuple[str, int, Channels]]()
        self.norms, self.sums = dict[str, Channels](), dict[str, Channels]()
        self.weights = {**dict(network.named_parameters()), **dict(network.named_buffers())}
        self.modules = dict(network.named_modules())
        self._calls = Counter(call.module for call in tape.calls)
        self.maps: dict[Value, Channels | None] = {Value(0): self.units.new(tape.shape[1], whole=True)}
        self.shapes: dict[Value, tuple[int, ...]] = {Value(0): tape.shape}
        self._picture = math.prod(tape.shape[2:])
        self._readers = dict[Value, list[Call]]()
        for call in tape.calls:
            for value in call.values():
                self._readers.setdefault(value, []).append(call)
        for place, call in enumerate(tape.calls):
            self._step(call)
            self.places += [place] * (len(self.layers) - len(self.places))
        last = self.maps.get(tape.output)
        self.outputs = 0 if last is None else len(last)
        if last is not None:
            self.units.keep_whole(last.tolist())
        maps = [self.shapes[value] for value, channels in self.maps.items() if channels is not None]
        spatial = [shape[2:] for shape in maps if len(shape) == 4 and min(shape[2:]) > 0]
        side = min(tape.shape[2:])
        self.stride = max([1, *(round(side / min(shape)) for shape in spatial if min(shape) < side)])

    def channels(self, value: Any) -> Channels | None:
        """Of a map; None for what is none."""
        return self.maps.get(value) if isinstance(value, Value) else None

    def put(self, call: Call, channels: Channels | None) -> None:
        """The call gives these channels, if as many come out."""
        for value, shape in zip(call.outputs, call.shapes, strict=True):
            self.shapes[value] = shape
            fits = channels is not None and len(shape) >= 2 and shape[1] == len(channels)
            self.maps[value] = channels if fits else None

    def lost(self, call: Call, why: str) -> None:
        """The call is not understood: all channels that it sees, and all that it makes, stay."""
        seen = [channels for value in call.values() if (channels := self.maps.get(value)) is not None]
        for channels in seen:
            self.units.keep_whole(channels.tolist())
        self._keep_weights(call)
        for value, shape in zip(call.outputs, call.shapes, strict=True):
            self.shapes[value] = shape
            several = len(shape) >= 2
            self.maps[value] = self.units.new(shape[1], whole=True) if several else None
        if seen:
            self.note(call, why)

    def _keep_weights(self, call: Call) -> None:
        for name in call.weights():
            for dim, n in enumerate(self.weights[name].shape):
                self.units.keep_whole(self.of_weight(name, dim, n).tolist())

    def note(self, call: Call, why: str) -> None:
        """Say why a call's channels stay."""
        place = call.module or "the network"
        self.notes[f"{place}: {call.name} {why}; its channels are kept whole"] = None

    def _step(self, call: Call) -> None:
        rule = RULES.get(call.name)
        if next(call.values(), None) is None:
            self.put_constant(call)
        elif call.kwargs.get("out") is not None:
            self.lost(call, "writes into another tensor")
        elif call.name in CONVOLUTIONS:
            self._convolution(call, transposed=call.name == "conv_transpose2d")
        elif rule is not None:
            rule(self, call)
        else:
            self.lost(call, "is not known")

    def put_constant(self, call: Call) -> None:
        """What is made of weights alone, or of nothing: no channels of its own."""
        self._keep_weights(call)
        for value, shape in zip(call.outputs, call.shapes, strict=True):
            self.shapes[value], self.maps[value] = shape, None

    def of_weight(self, name: str, dim: int, n: int) -> Channels:
        """Channels of a parameter's entries; the same ones where it is used again."""
        for known, at, channels in self.cuts:
            if (known, at) == (name, dim):
                return channels
        channels = self.units.new(n)
        self.cuts.append((name, dim, channels))
        return channels

    def tie(self, weight: Any, dim: int, channels: Channels) -> bool:
        """A parameter or buffer has an entry a channel along a dimension. False: it is no such tensor."""
        if weight is None:
            return True
        if not isinstance(weight, Weight):
            return False
        shape = self.weights[weight.name].shape
        if shape.numel() > 1 and shape[dim] == len(channels):
            self.units.unite(self.of_weight(weight.name, dim, len(channels)), channels)
        return shape.numel() == 1 or shape[dim] == len(channels)

    def _convolution(self, call: Call, transposed: bool) -> None:
        """Reads all its input channels and writes new ones; depthwise, hands them on."""
        x, weight, bias = (argument(call, i, key) for i, key in enumerate(("input", "weight", "bias")))
        groups = argument(call, 6, "groups", 1)
        reads = self.channels(x)
        if reads is None or len(self.shapes[x]) != 4:
            self.lost(call, "is of no map")
            return
        if isinstance(weight, Weight):
            key, shape, n = weight.name, tuple(self.weights[weight.name].shape), len(reads)
        else:
            self.lost(call, "has weights that are computed on the way")
            key, shape, n = (
                "",
                self.shapes[weight] if isinstance(weight, Value) else weight.shape,
                len(reads),
            )
        depthwise = groups == n == shape[0] and shape[1] == 1 and n > 1
        into, out = (0, 1) if transposed else (1, 0)
        if not key:
            writes = self.maps[call.outputs[0]]
            assert writes is not None
            depthwise = False
        elif depthwise:
            writes = reads
            self.tie(weight, 0, reads)
        elif groups > 1:
            writes = self.units.new(call.shapes[0][1], whole=True)
            for channels in (reads, self.of_weight(key, 0, shape[0])):
                self.units.keep_whole(channels.tolist())
            self.note(call, f"is of {groups} groups of channels")
        else:
            writes = self.of_weight(key, out, shape[out])
            self.units.unite(self.of_weight(key, into, n), reads)
        if key and not self.tie(bias, 0, writes):
            self.units.keep_whole(writes.tolist())
            self.lost(call, "has a bias that is computed on the way")
            return
        (output,) = call.shapes
        pixels = math.prod(output[2:]) / self._picture
        used = math.prod(self.shapes[x][2:]) / self._picture if transposed else pixels
        norm, activation = self._behind(call)
        name = key.rpartition(".")[0] if key else call.module
        layer = Layer(
            name,
            key,
            reads,
            writes,
            math.prod(shape[2:]),
            used,
            pixels,
            transposed,
            groups,
            depthwise,
            norm,
            activation,
        )
        self.layers.append((layer, reads, writes))
        self.put(call, writes)

    def _behind(self, call: Call) -> tuple[str | None, str | None]:
        """Modules of the norm and the activation behind a convolution, where these alone read it."""
        found: list[str | None] = [None, None]
        for i, names in enumerate((("instance_norm", "batch_norm", "group_norm"), PASSING)):
            readers = self._readers.get(call.outputs[0], []) if call.outputs else []
            if len(readers) == 1 and readers[0].name in names and self._is_leaf(readers[0].module):
                found[i], call = readers[0].module, readers[0]
            elif i == 0 and not (len(readers) == 1 and readers[0].name in PASSING):
                break
        return found[0], found[1]

    def _is_leaf(self, module: str) -> bool:
        """Whether a module does one thing and is called once, as far as that can be said."""
        return self._calls[module] == 1 and next(self.modules[module].children(), None) is None


def traced(network: nn.Module, tape: Tape) -> ChannelGraph:
    """The `ChannelGraph` of what was recorded."""
    t = Tracing(network, tape)
    modules = dict(network.named_modules())
    gone = [call.calls for call in tape.modules if isinstance(modules[call.module], Removed)]
    before = [sum(calls <= place for calls in gone) for place in t.places]
    groups, unit_of = groups_of([(layer, writes) for layer, _, writes in t.layers], t.units, before)

    def resolved(channels: Channels) -> Channels:
        return np.array(
            [unit_of.get(root, WHOLE) for root in t.units.roots(channels).tolist()], dtype=np.int64
        )

    layers = tuple(
        replace(layer, reads=resolved(reads), writes=resolved(writes)) for layer, reads, writes in t.layers
    )
    named = groups(layers)
    cuts = tuple(Cut(name, dim, resolved(channels)) for name, dim, channels in t.cuts)
    calls = {call.module: call for call in tape.modules if t.channels(call.gives) is not None}

    def units_of(value: Value) -> Channels:
        channels = t.channels(value)
        assert channels is not None
        return resolved(channels)

    return ChannelGraph(
        layers=layers,
        cuts=tuple(cut for cut in cuts if (cut.units != WHOLE).any()),
        parameters={name: tuple(tensor.shape) for name, tensor in network.named_parameters()},
        groups=named,
        norms=tuple((name, resolved(channels)) for name, channels in t.norms.items()),
        sums=tuple((name, resolved(channels)) for name, channels in t.sums.items()),
        inputs=tape.shape[1],
        outputs=t.outputs,
        stride=t.stride,
        notes=tuple(t.notes),
        removable=removable(network, calls, units_of, named, layers, cuts),
    )
