"""What each function of PyTorch does to channels, but for convolutions: the tables and rules of the tracing.

Sums unite the channels that they add; concatenations, slices and shuffles put them in another order; most
other functions hand them on.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor, nn

from ganprune.channels.tape import Call, Value, Weight
from ganprune.channels.units import Channels

if TYPE_CHECKING:
    from ganprune.channels.tracing import Tracing

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


def pass_on(tracing: "Tracing", call: Call) -> None:
    """Hands on the channels of its first argument."""
    channels = tracing.channels(argument(call, 0, "input"))
    others = sum(tracing.maps.get(value) is not None for value in call.values())
    kept = channels is not None and all(
        len(shape) >= 2 and shape[1] == len(channels) for shape in call.shapes
    )
    if kept and (others == 1 or call.name in ("type_as", "to")):
        tracing.put(call, channels)
    else:
        tracing.lost(call, "changes the number of channels")


def pair(tracing: "Tracing", call: Call) -> None:
    """Unites the channels of its operands, as broadcasting lines them up."""
    (shape,) = call.shapes or ((),)
    if len(shape) < 2:
        tracing.lost(call, "is of no map")
        return
    n, together, maps, made_on_the_way = shape[1], list[Channels](), set[Value](), False
    for operand in (*call.args, *call.kwargs.values()):
        if isinstance(operand, Weight):
            own = tuple(tracing.weights[operand.name].shape)
        elif isinstance(operand, Value):
            own = tracing.shapes[operand]
        elif isinstance(operand, Tensor):
            own = tuple(operand.shape)
        else:
            continue
        dim = len(own) - (len(shape) - 1)  # that broadcasting lines up with channels
        known = tracing.channels(operand)
        if known is not None and dim != 1:
            tracing.lost(call, "lines channels up with something else")
            return
        if dim < 0 or own[dim] != n or (n == 1 and known is None):
            continue  # one number for all channels
        if known is None and isinstance(operand, Weight):
            known = tracing.of_weight(operand.name, dim, n)
        elif known is None:
            known = tracing.units.new(n, whole=True)
            made_on_the_way = True
        elif isinstance(operand, Value) and own == shape:
            maps.add(operand)
        together.append(known)
    if all(tracing.maps.get(value) is None for value in call.values()):
        tracing.put_constant(call)
        return
    if made_on_the_way:
        tracing.note(call, "has a tensor that is made on the way")
    for other in together[1:]:
        tracing.units.unite(together[0], other)
    tracing.put(call, together[0])
    if len(maps) > 1 and call.name in SUMS:
        tracing.sums.setdefault(call.module, together[0])


def reduce(tracing: "Tracing", call: Call) -> None:
    """Hands channels on where it goes over height and width alone."""
    if any(isinstance(a, Value) for a in (*call.args[1:], call.kwargs.get("other"))):
        pair(tracing, call)  # max and min of two maps
        return
    channels = tracing.channels(argument(call, 0, "input"))
    dims = argument(call, 2 if call.name == "norm" else 1, "dim")
    dims = (dims,) if isinstance(dims, int) else dims or ()
    n = channels is not None and len(tracing.shapes[call.args[0]])
    if channels is not None and dims and all(dim % n >= 2 for dim in dims):
        tracing.put(call, channels)
    else:
        tracing.lost(call, "goes over channels")


def norm(tracing: "Tracing", call: Call) -> None:
    """Instance and batch norm: an entry a channel of everything that they hold."""
    channels = tracing.channels(argument(call, 0, "input"))
    held = [call.kwargs.get(key) for key in ("running_mean", "running_var", "weight", "bias")]
    held = [*call.args[1:5], *held[len(call.args[1:5]) :]]
    if channels is None or not all(tracing.tie(weight, 0, channels) for weight in held):
        tracing.lost(call, "has weights that are computed on the way")
        return
    if call.module:
        tracing.norms[call.module] = channels
    tracing.put(call, channels)


def group_norm(tracing: "Tracing", call: Call) -> None:
    """Statistics of all channels of a group: these go together or stay together."""
    channels, groups = tracing.channels(argument(call, 0, "input")), argument(call, 1, "num_groups")
    weights = [argument(call, 2, "weight"), argument(call, 3, "bias")]
    layer = tracing.modules.get(call.module)
    if channels is None or not isinstance(layer, nn.GroupNorm) or not layer.affine:
        tracing.lost(call, "is no layer with weights, which would know its groups")
        return
    if not all(tracing.tie(weight, 0, channels) for weight in weights):
        tracing.lost(call, "has weights that are computed on the way")
        return
    tied = channels.reshape(groups, -1)
    if groups == 1 < tied.shape[1]:
        tracing.note(call, "goes over all channels")
    for i in range(1, tied.shape[1]):
        tracing.units.unite(tied[:, 0], tied[:, i])
    tracing.put(call, channels)


def prelu(tracing: "Tracing", call: Call) -> None:
    """One slope a channel, or one for all."""
    channels = tracing.channels(argument(call, 0, "input"))
    if channels is None or not tracing.tie(argument(call, 1, "weight"), 0, channels):
        tracing.lost(call, "has slopes that are computed on the way")
        return
    tracing.put(call, channels)


def concatenation(tracing: "Tracing", call: Call) -> None:
    """Along channels: one behind the other; along others: united."""
    parts = argument(call, 0, "tensors")
    dim = argument(call, 1, "dim", 0)
    (shape,) = call.shapes
    known = [tracing.channels(part) for part in parts]
    if any(channels is None for channels in known) or len(shape) < 2:
        tracing.lost(call, "is of tensors made on the way")
        return
    found = [channels for channels in known if channels is not None]
    if dim % len(shape) == 1:
        tracing.put(call, np.concatenate(found))
    else:
        for other in found[1:]:
            tracing.units.unite(found[0], other)
        tracing.put(call, found[0])


def pad(tracing: "Tracing", call: Call) -> None:
    """At borders of the picture: nothing. Of channels: new ones that stay."""
    x, amounts = argument(call, 0, "input"), argument(call, 1, "pad")
    channels, behind = tracing.channels(x), 2 * (len(tracing.shapes[x]) - 2)
    if channels is None:
        tracing.lost(call, "is of no map")
    elif not any(amounts[behind:]):
        tracing.put(call, channels)
    elif not any(amounts[behind + 2 :]) and min(amounts[behind:]) >= 0:
        ends = [tracing.units.new(n, whole=True) for n in amounts[behind : behind + 2]]
        tracing.put(call, np.concatenate([ends[0], channels, ends[1]]))
    else:
        tracing.lost(call, "cuts channels or pads pictures")


def item(tracing: "Tracing", call: Call) -> None:
    """A piece of a map: understood where it has all channels."""
    x, index = call.args[0], call.args[1]
    channels = tracing.channels(x)
    index = index if isinstance(index, tuple) else (index,)
    plain = all(part is None or part is ... or type(part) in (slice, int) for part in index)
    if plain and ... in index:
        at, ndim = index.index(...), len(tracing.shapes[x])
        given = sum(part is not None for part in index) - 1
        index = (*index[:at], *[slice(None)] * (ndim - given), *index[at + 1 :])
    pictures, own = (*index, slice(None), slice(None))[:2]
    if channels is not None and plain and isinstance(pictures, slice) and own == slice(None):
        tracing.put(call, channels)
    else:
        tracing.lost(call, "takes some of the channels")


def pieces(tracing: "Tracing", call: Call) -> None:
    """chunk and split."""
    channels, dim = tracing.channels(call.args[0]), argument(call, 2, "dim", 0)
    if channels is None:
        tracing.lost(call, "is of no map")
        return
    if dim % len(tracing.shapes[call.args[0]]) != 1:
        tracing.put(call, channels)
        return
    n = len(channels) // len(call.outputs)
    if call.name == "chunk" and n * len(call.outputs) == len(channels):
        # The pieces are alike, so what goes must go from all of them.
        for i in range(1, len(call.outputs)):
            tracing.units.unite(channels[:n], channels[i * n : (i + 1) * n])
    else:
        tracing.units.keep_whole(channels.tolist())
        tracing.note(call, "counts channels")
    start = 0
    for value, shape in zip(call.outputs, call.shapes, strict=True):
        tracing.shapes[value] = shape
        tracing.maps[value] = channels[start : start + shape[1]]
        start += shape[1]


def narrow(tracing: "Tracing", call: Call) -> None:
    """Of height and width nothing changes."""
    channels, dim = tracing.channels(call.args[0]), argument(call, 1, "dim")
    if channels is not None and dim % len(tracing.shapes[call.args[0]]) >= 2:
        tracing.put(call, channels)
    else:
        tracing.lost(call, "takes a piece of the channels")


def pixel_shuffle(tracing: "Tracing", call: Call) -> None:
    """r² channels become one: they are a unit."""
    channels, r = tracing.channels(call.args[0]), argument(call, 1, "upscale_factor")
    if channels is None:
        tracing.lost(call, "is of no map")
        return
    tied = channels.reshape(-1, r * r)
    for i in range(1, r * r):
        tracing.units.unite(tied[:, 0], tied[:, i])
    tracing.put(call, tied[:, 0])


def pixel_unshuffle(tracing: "Tracing", call: Call) -> None:
    """One channel becomes r², of its unit."""
    channels, r = tracing.channels(call.args[0]), argument(call, 1, "downscale_factor")
    if channels is None:
        tracing.lost(call, "is of no map")
    else:
        tracing.put(call, np.repeat(channels, r * r))


def reshape(tracing: "Tracing", call: Call) -> None:
    """view, reshape, flatten, expand: understood where the channels stay where they are."""
    x = call.args[0]
    channels, (shape,) = tracing.channels(x), call.shapes
    same = channels is not None and len(shape) >= 2 and shape[:2] == tracing.shapes[x][:2]
    given = [a for a in (*call.args[1:], *call.kwargs.values()) if isinstance(a, int | tuple | list)]
    flat = [n for a in given for n in (a if isinstance(a, tuple | list) else [a])]
    if call.name in ("squeeze", "unsqueeze", "flatten"):
        by_place = flat != [] and flat[0] % (len(tracing.shapes[x]) + (call.name == "unsqueeze")) >= 2
    else:
        by_place = len(flat) > 1 and flat[1] == -1
    if same and by_place:
        tracing.put(call, channels)
    else:
        # The number of channels may stand in the code: as many must come.
        tracing.lost(call, "names numbers of channels")
        if same:
            tracing.put(call, channels)


def argument(call: Call, place: int, name: str, default: Any = None) -> Any:
    """Of a call, by place or by name."""
    if place < len(call.args):
        return call.args[place]
    if name == "dim":
        default = call.kwargs.get("axis", default)
    return call.kwargs.get(name, default)


RULES: Mapping[str, Callable[["Tracing", Call], None]] = {
    **dict.fromkeys(PASSING, pass_on),
    **dict.fromkeys(PAIRING, pair),
    **dict.fromkeys(REDUCING, reduce),
    **dict.fromkeys(("instance_norm", "batch_norm"), norm),
    "group_norm": group_norm,
    "prelu": prelu,
    **dict.fromkeys(("cat", "concat", "concatenate"), concatenation),
    "pad": pad,
    "__getitem__": item,
    **dict.fromkeys(("chunk", "split", "split_with_sizes", "tensor_split"), pieces),
    "narrow": narrow,
    "pixel_shuffle": pixel_shuffle,
    "pixel_unshuffle": pixel_unshuffle,
    **dict.fromkeys(("view", "reshape", "flatten", "squeeze", "unsqueeze", "expand"), reshape),
}
"""What is done to the channels of a call, by its name."""
