"""From the calls of a network to its `ChannelGraph`: what each function does to channels.

Every map [1, channels, …] has a number a channel. Convolutions write new ones; sums unite those that they
add; concatenations, slices and shuffles put them in another order; most other functions hand them on. What is
not in the tables below keeps the channels that it sees whole, and a note says so.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from torch import Tensor, nn

from ganprune.channels.blocks import Removed, removable
from ganprune.channels.graph import WHOLE, ChannelGraph, Cut, Layer
from ganprune.channels.roles import groups_of
from ganprune.channels.tape import Call, Tape, Value, Weight
from ganprune.channels.units import Channels, Units

PASSING = frozenset({
    "relu", "relu_", "leaky_relu", "leaky_relu_", "elu", "elu_", "selu", "celu", "gelu", "silu",
    "mish", "hardtanh", "hardswish", "hardsigmoid", "sigmoid", "tanh", "softplus", "softsign",
    "tanhshrink", "softshrink", "rrelu", "relu6", "logsigmoid", "threshold", "dropout", "dropout2d",
    "feature_dropout", "alpha_dropout", "max_pool2d", "_max_pool2d", "avg_pool2d", "lp_pool2d",
    "adaptive_avg_pool2d", "adaptive_max_pool2d", "_adaptive_max_pool2d", "interpolate", "upsample",
    "contiguous", "clone", "detach", "to", "float", "double", "half", "bfloat16",
    "type_as", "requires_grad_", "identity", "data", "real",
    "abs", "neg", "exp", "log", "sqrt", "rsqrt", "square",
    "sin", "cos", "nan_to_num", "zeros_like", "ones_like", "full_like", "rand_like", "randn_like",
    "empty_like", "sign", "floor", "ceil", "round", "reciprocal", "expm1", "log1p", "erf", "atan",
    "tan", "sinh", "cosh", "logical_not", "bitwise_not", "__neg__", "__abs__", "__invert__",
    "exp_", "abs_", "neg_", "sqrt_", "tanh_", "sigmoid_", "zero_", "fill_", "round_", "floor_",
})  # fmt: skip
"""Functions whose output has the channels of their first argument, if as many come out as went in."""

PAIRING = frozenset({
    "add", "add_", "sub", "sub_", "mul", "mul_", "div", "div_", "true_divide", "maximum", "minimum",
    "pow", "pow_", "where", "lerp", "lerp_", "addcmul", "addcmul_", "addcdiv", "addcdiv_",
    "masked_fill", "masked_fill_", "clamp", "clamp_", "clip", "clip_", "clamp_min", "clamp_min_",
    "clamp_max", "clamp_max_", "fmod", "remainder", "atan2", "hypot", "expand_as", "gt", "ge", "lt",
    "le", "eq", "ne", "logical_and", "logical_or", "subtract", "multiply", "divide", "rsub",
    "floor_divide", "__add__", "__radd__", "__iadd__", "__sub__", "__rsub__", "__isub__", "__mul__",
    "__rmul__", "__imul__", "__truediv__", "__rtruediv__", "__itruediv__", "__rdiv__", "__idiv__",
    "__floordiv__", "__pow__", "__rpow__", "__eq__", "__ne__", "__and__", "__or__",
})  # fmt: skip
"""Element by element: channels of the same place are united."""

REDUCING = frozenset(["mean", "sum", "amax", "amin", "var", "std", "max", "min", "norm"])
"""Over height, width or both: channels stay."""

SUMS = frozenset(["add", "add_", "__add__", "__iadd__", "__radd__"])


class Tracing:
    """Goes through the calls one by one."""

    def __init__(self, network: nn.Module, tape: Tape) -> None:
        self.units, self.notes = Units(), dict[str, None]()
        self.layers = list[tuple[Layer, Channels, Channels]]()
        self.places = list[int]()
        """Of each layer's call among all."""
        self.cuts = list[tuple[str, int, Channels]]()
        self.norms, self.sums = dict[str, Channels](), dict[str, Channels]()
        self._weights = {**dict(network.named_parameters()), **dict(network.named_buffers())}
        self._modules = dict(network.named_modules())
        self._maps: dict[Value, Channels | None] = {Value(0): self.units.new(tape.shape[1], whole=True)}
        self._shapes: dict[Value, tuple[int, ...]] = {Value(0): tape.shape}
        self._picture = math.prod(tape.shape[2:])
        self._readers = dict[Value, list[Call]]()
        for call in tape.calls:
            for value in call.values():
                self._readers.setdefault(value, []).append(call)
        for place, call in enumerate(tape.calls):
            self._step(call)
            self.places += [place] * (len(self.layers) - len(self.places))
        last = self._maps.get(tape.output)
        self.outputs = 0 if last is None else len(last)
        if last is not None:
            self.units.keep_whole(last.tolist())
        spatial = [shape[2:] for shape in self._shapes.values() if len(shape) == 4 and min(shape[2:]) > 0]
        side = min(tape.shape[2:])
        self.stride = max([1, *(round(side / min(shape)) for shape in spatial if min(shape) < side)])

    # What there is to know of a call

    def channels_of(self, value: Value) -> Channels | None:
        """Of a map; None for what is none."""
        return self._maps.get(value)

    def _channels(self, value: Any) -> Channels | None:
        return self._maps.get(value) if isinstance(value, Value) else None

    def _put(self, call: Call, channels: Channels | None) -> None:
        for value, shape in zip(call.outputs, call.shapes, strict=True):
            self._shapes[value] = shape
            fits = channels is not None and len(shape) >= 2 and shape[1] == len(channels)
            self._maps[value] = channels if fits else None

    def _lost(self, call: Call, why: str) -> None:
        """The call is not understood: all channels that it sees, and all that it makes, stay."""
        seen = [channels for value in call.values() if (channels := self._maps.get(value)) is not None]
        for channels in seen:
            self.units.keep_whole(channels.tolist())
        self._keep_weights(call)
        for value, shape in zip(call.outputs, call.shapes, strict=True):
            self._shapes[value] = shape
            several = len(shape) >= 2
            self._maps[value] = self.units.new(shape[1], whole=True) if several else None
        if seen:
            self.notes[self._of(call, why)] = None

    def _keep_weights(self, call: Call) -> None:
        for name in call.weights():
            for dim, n in enumerate(self._weights[name].shape):
                self.units.keep_whole(self._of_weight(name, dim, n).tolist())

    @staticmethod
    def _of(call: Call, why: str) -> str:
        return f"{call.module or 'the network'}: {call.name} {why}; its channels are kept whole"

    def _step(self, call: Call) -> None:
        rule = _RULES.get(call.name)
        if next(call.values(), None) is None:
            self._put_constant(call)
        elif call.kwargs.get("out") is not None:
            self._lost(call, "writes into another tensor")
        elif rule is not None:
            rule(self, call)
        elif call.name in PASSING:
            self._pass(call)
        elif call.name in PAIRING:
            self._pair(call)
        elif call.name in REDUCING:
            self._reduce(call)
        else:
            self._lost(call, "is not known")

    def _put_constant(self, call: Call) -> None:
        """What is made of weights alone, or of nothing: no channels of its own."""
        self._keep_weights(call)
        for value, shape in zip(call.outputs, call.shapes, strict=True):
            self._shapes[value], self._maps[value] = shape, None

    # What functions do

    def _pass(self, call: Call) -> None:
        channels = self._channels(_argument(call, 0, "input"))
        others = sum(self._maps.get(value) is not None for value in call.values())
        kept = channels is not None and all(
            len(shape) >= 2 and shape[1] == len(channels) for shape in call.shapes
        )
        if kept and (others == 1 or call.name in ("type_as", "to")):
            self._put(call, channels)
        else:
            self._lost(call, "changes the number of channels")

    def _pair(self, call: Call) -> None:
        (shape,) = call.shapes or ((),)
        if len(shape) < 2:
            self._lost(call, "is of no map")
            return
        n, together, maps, made_on_the_way = shape[1], list[Channels](), set[Value](), False
        for operand in (*call.args, *call.kwargs.values()):
            if isinstance(operand, Weight):
                own = tuple(self._weights[operand.name].shape)
            elif isinstance(operand, Value):
                own = self._shapes[operand]
            elif isinstance(operand, Tensor):
                own = tuple(operand.shape)
            else:
                continue
            dim = len(own) - (len(shape) - 1)  # that broadcasting lines up with channels
            known = self._channels(operand)
            if known is not None and dim != 1:
                self._lost(call, "lines channels up with something else")
                return
            if dim < 0 or own[dim] != n or (n == 1 and known is None):
                continue  # one number for all channels
            if known is None and isinstance(operand, Weight):
                known = self._of_weight(operand.name, dim, n)
            elif known is None:
                known = self.units.new(n, whole=True)
                made_on_the_way = True
            elif isinstance(operand, Value) and own == shape:
                maps.add(operand)
            together.append(known)
        if all(self._maps.get(value) is None for value in call.values()):
            self._put_constant(call)
            return
        if made_on_the_way:
            self.notes[self._of(call, "has a tensor that is made on the way")] = None
        for other in together[1:]:
            self.units.unite(together[0], other)
        self._put(call, together[0])
        if len(maps) > 1 and call.name in SUMS:
            self.sums.setdefault(call.module, together[0])

    def _of_weight(self, name: str, dim: int, n: int) -> Channels:
        """Channels of a parameter's entries; the same ones where it is used again."""
        for known, at, channels in self.cuts:
            if (known, at) == (name, dim):
                return channels
        channels = self.units.new(n)
        self.cuts.append((name, dim, channels))
        return channels

    def _tie(self, weight: Any, dim: int, channels: Channels) -> bool:
        """A parameter or buffer has an entry a channel along a dimension. False: it is no such tensor."""
        if weight is None:
            return True
        if not isinstance(weight, Weight):
            return False
        shape = self._weights[weight.name].shape
        if shape.numel() > 1 and shape[dim] == len(channels):
            self.units.unite(self._of_weight(weight.name, dim, len(channels)), channels)
        return shape.numel() == 1 or shape[dim] == len(channels)

    def _reduce(self, call: Call) -> None:
        if any(isinstance(a, Value) for a in (*call.args[1:], call.kwargs.get("other"))):
            self._pair(call)  # max and min of two maps
            return
        channels = self._channels(_argument(call, 0, "input"))
        dims = _argument(call, 2 if call.name == "norm" else 1, "dim")
        dims = (dims,) if isinstance(dims, int) else dims or ()
        n = channels is not None and len(self._shapes[call.args[0]])
        if channels is not None and dims and all(dim % n >= 2 for dim in dims):
            self._put(call, channels)
        else:
            self._lost(call, "goes over channels")

    def convolution(self, call: Call, transposed: bool) -> None:
        """Reads all its input channels and writes new ones; depthwise, hands them on."""
        x, weight, bias = (_argument(call, i, key) for i, key in enumerate(("input", "weight", "bias")))
        groups = _argument(call, 6, "groups", 1)
        reads = self._channels(x)
        if reads is None or len(self._shapes[x]) != 4:
            self._lost(call, "is of no map")
            return
        if isinstance(weight, Weight):
            key, shape, n = weight.name, tuple(self._weights[weight.name].shape), len(reads)
        else:
            self._lost(call, "has weights that are computed on the way")
            key, shape, n = (
                "",
                self._shapes[weight] if isinstance(weight, Value) else weight.shape,
                len(reads),
            )
        depthwise = groups == n == shape[0] and shape[1] == 1 and n > 1
        into, out = (0, 1) if transposed else (1, 0)
        if not key:
            writes = self._maps[call.outputs[0]]
            assert writes is not None
            depthwise = False
        elif depthwise:
            writes = reads
            self._tie(weight, 0, reads)
        elif groups > 1:
            writes = self.units.new(call.shapes[0][1], whole=True)
            for channels in (reads, self._of_weight(key, 0, shape[0])):
                self.units.keep_whole(channels.tolist())
            self.notes[self._of(call, f"is of {groups} groups of channels")] = None
        else:
            writes = self._of_weight(key, out, shape[out])
            self.units.unite(self._of_weight(key, into, n), reads)
        if key and not self._tie(bias, 0, writes):
            self.units.keep_whole(writes.tolist())
            self._lost(call, "has a bias that is computed on the way")
            return
        (output,) = call.shapes
        pixels = math.prod(output[2:]) / self._picture
        used = math.prod(self._shapes[x][2:]) / self._picture if transposed else pixels
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
        self._put(call, writes)

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
        """Whether a module does one thing, as far as that can be said."""
        return bool(module) and next(self._modules[module].children(), None) is None

    def norm(self, call: Call) -> None:
        """Instance and batch norm: an entry a channel of everything that they hold."""
        channels = self._channels(_argument(call, 0, "input"))
        held = [call.kwargs.get(key) for key in ("running_mean", "running_var", "weight", "bias")]
        held = [*call.args[1:5], *held[len(call.args[1:5]) :]]
        if channels is None or not all(self._tie(weight, 0, channels) for weight in held):
            self._lost(call, "has weights that are computed on the way")
            return
        if call.module:
            self.norms[call.module] = channels
        self._put(call, channels)

    def prelu(self, call: Call) -> None:
        """One slope a channel, or one for all."""
        channels = self._channels(_argument(call, 0, "input"))
        if channels is None or not self._tie(_argument(call, 1, "weight"), 0, channels):
            self._lost(call, "has slopes that are computed on the way")
            return
        self._put(call, channels)

    def concatenation(self, call: Call) -> None:
        """Along channels: one behind the other; along others: united."""
        parts = _argument(call, 0, "tensors")
        dim = _argument(call, 1, "dim", 0)
        (shape,) = call.shapes
        known = [self._channels(part) for part in parts]
        if any(channels is None for channels in known) or len(shape) < 2:
            self._lost(call, "is of tensors made on the way")
            return
        found = [channels for channels in known if channels is not None]
        if dim % len(shape) == 1:
            self._put(call, np.concatenate(found))
        else:
            for other in found[1:]:
                self.units.unite(found[0], other)
            self._put(call, found[0])

    def pad(self, call: Call) -> None:
        """At borders of the picture: nothing. Of channels: new ones that stay."""
        x, amounts = _argument(call, 0, "input"), _argument(call, 1, "pad")
        channels, behind = self._channels(x), 2 * (len(self._shapes[x]) - 2)
        if channels is None:
            self._lost(call, "is of no map")
        elif not any(amounts[behind:]):
            self._put(call, channels)
        elif not any(amounts[behind + 2 :]) and min(amounts[behind:]) >= 0:
            ends = [self.units.new(n, whole=True) for n in amounts[behind : behind + 2]]
            self._put(call, np.concatenate([ends[0], channels, ends[1]]))
        else:
            self._lost(call, "cuts channels or pads pictures")

    def item(self, call: Call) -> None:
        """A piece of a map: understood where it has all channels."""
        x, index = call.args[0], call.args[1]
        channels = self._channels(x)
        index = index if isinstance(index, tuple) else (index,)
        plain = all(part is None or part is ... or type(part) in (slice, int) for part in index)
        if plain and ... in index:
            at, ndim = index.index(...), len(self._shapes[x])
            given = sum(part is not None for part in index) - 1
            index = (*index[:at], *[slice(None)] * (ndim - given), *index[at + 1 :])
        pictures, own = (*index, slice(None), slice(None))[:2]
        if channels is not None and plain and isinstance(pictures, slice) and own == slice(None):
            self._put(call, channels)
        else:
            self._lost(call, "takes some of the channels")

    def pieces(self, call: Call) -> None:
        """chunk and split."""
        channels, dim = self._channels(call.args[0]), _argument(call, 2, "dim", 0)
        if channels is None:
            self._lost(call, "is of no map")
            return
        if dim % len(self._shapes[call.args[0]]) != 1:
            self._put(call, channels)
            return
        n = len(channels) // len(call.outputs)
        if call.name == "chunk" and n * len(call.outputs) == len(channels):
            # The pieces are alike, so what goes must go from all of them.
            for i in range(1, len(call.outputs)):
                self.units.unite(channels[:n], channels[i * n : (i + 1) * n])
        else:
            self.units.keep_whole(channels.tolist())
            self.notes[self._of(call, "counts channels")] = None
        start = 0
        for value, shape in zip(call.outputs, call.shapes, strict=True):
            self._shapes[value] = shape
            self._maps[value] = channels[start : start + shape[1]]
            start += shape[1]

    def narrow(self, call: Call) -> None:
        """Of height and width nothing changes."""
        channels, dim = self._channels(call.args[0]), _argument(call, 1, "dim")
        if channels is not None and dim % len(self._shapes[call.args[0]]) >= 2:
            self._put(call, channels)
        else:
            self._lost(call, "takes a piece of the channels")

    def pixel_shuffle(self, call: Call) -> None:
        """r² channels become one: they are a unit."""
        channels, r = self._channels(call.args[0]), _argument(call, 1, "upscale_factor")
        if channels is None:
            self._lost(call, "is of no map")
            return
        tied = channels.reshape(-1, r * r)
        for i in range(1, r * r):
            self.units.unite(tied[:, 0], tied[:, i])
        self._put(call, tied[:, 0])

    def pixel_unshuffle(self, call: Call) -> None:
        """One channel becomes r², of its unit."""
        channels, r = self._channels(call.args[0]), _argument(call, 1, "downscale_factor")
        if channels is None:
            self._lost(call, "is of no map")
        else:
            self._put(call, np.repeat(channels, r * r))

    def shape(self, call: Call) -> None:
        """view, reshape, flatten, expand: understood where the channels stay where they are."""
        x = call.args[0]
        channels, (shape,) = self._channels(x), call.shapes
        same = channels is not None and len(shape) >= 2 and shape[:2] == self._shapes[x][:2]
        given = [a for a in (*call.args[1:], *call.kwargs.values()) if isinstance(a, int | tuple | list)]
        flat = [n for a in given for n in (a if isinstance(a, tuple | list) else [a])]
        if call.name in ("squeeze", "unsqueeze", "flatten"):
            by_place = flat != [] and flat[0] % (len(self._shapes[x]) + (call.name == "unsqueeze")) >= 2
        else:
            by_place = len(flat) > 1 and flat[1] == -1
        if same and by_place:
            self._put(call, channels)
        else:
            # The number of channels may stand in the code: as many must come.
            self._lost(call, "names numbers of channels")
            if same:
                self._put(call, channels)


def _argument(call: Call, place: int, name: str, default: Any = None) -> Any:
    if place < len(call.args):
        return call.args[place]
    if name == "dim":
        default = call.kwargs.get("axis", default)
    return call.kwargs.get(name, default)


_RULES: Mapping[str, Callable[[Tracing, Call], None]] = {
    "conv2d": lambda tracing, call: tracing.convolution(call, transposed=False),
    "conv_transpose2d": lambda tracing, call: tracing.convolution(call, transposed=True),
    **dict.fromkeys(("instance_norm", "batch_norm"), Tracing.norm),
    "prelu": Tracing.prelu,
    **dict.fromkeys(("cat", "concat", "concatenate"), Tracing.concatenation),
    "pad": Tracing.pad,
    "__getitem__": Tracing.item,
    **dict.fromkeys(("chunk", "split", "split_with_sizes", "tensor_split"), Tracing.pieces),
    "narrow": Tracing.narrow,
    "pixel_shuffle": Tracing.pixel_shuffle,
    "pixel_unshuffle": Tracing.pixel_unshuffle,
    **dict.fromkeys(("view", "reshape", "flatten", "squeeze", "unsqueeze", "expand"), Tracing.shape),
}


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
    calls = {call.module: call for call in tape.modules if t.channels_of(call.gives) is not None}

    def units_of(value: Value) -> Channels:
        channels = t.channels_of(value)
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
