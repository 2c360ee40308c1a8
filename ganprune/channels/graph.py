"""Which convolution of a network reads and writes which channels, whatever its architecture.

A *unit* is a set of filters, and of channels that come of them, that can only be kept or dropped together: a
filter of a convolution; where a residual sum adds maps, the filters of all that end in the same channel. A
*group* is what units of the same convolutions make up, and a genome has a bit for each unit. So a network is
told to all the rest, genomes, costs, cutting, refitting, by three tables:

    layers    of every convolution: the unit of each input channel, the unit of each filter
    cuts      of every parameter and buffer: along which of its dimensions it has an entry a unit
    groups    the units of each group, and what part the group plays

Channels of the picture, and of what the tracing does not understand, are of no unit (-1) and always kept.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ganprune.channels.blocks import RemovableBlock
from ganprune.channels.tape import Tape, record

Role = Literal["stem", "down", "trunk", "inner", "up"]
"""The part that a group plays, from who writes and reads it:

trunk   written by several convolutions, whose maps residual sums add; where no group is, of the smallest maps
inner   between the convolutions of one residual block
stem    written by the first convolution
down    written later, before the first trunk ends
up      written behind the last trunk

A group is named by its role. Of several: down, down2, …, trunk, trunk2, …, but inner0, inner1, … and up1,
up2, … A block that was taken out (`ganprune.channels.blocks.Removed`) is counted, so the others keep their
names.
"""

WHOLE = -1
"""In the place of a unit: a channel that is always kept."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One convolution."""

    name: str
    """Of the module that holds its weight, e.g. ``model.10.conv_block.1``."""
    weight: str
    """Of its weight, in the state dict; empty where it is computed on the way."""
    reads: NDArray[np.int64]
    """Unit of each input channel."""
    writes: NDArray[np.int64]
    """Unit of each filter."""
    taps: int
    """Weights for each pair of an input channel and a filter: kernel height · width."""
    positions: float
    """How many times each weight is used, over the pixels of the picture; a transposed convolution's on its
    input grid."""
    outputs: float
    """Values of its output a filter, over the pixels of the picture."""
    transposed: bool = False
    """Its weight is [in, out, k, k] instead of [out, in, k, k]."""
    groups: int = 1
    """Every filter reads its share of the input channels, one in so many."""
    depthwise: bool = False
    """Every filter reads one channel, of its own unit."""
    norm: str | None = None
    """Module of the norm that alone reads its output, if there is one."""
    activation: str | None = None
    """Module of the activation that alone reads that."""

    def tensor(self, network: nn.Module) -> Tensor:
        """Its weight in a network: parameter or buffer."""
        module, _, leaf = self.weight.rpartition(".")
        return getattr(network.get_submodule(module), leaf)


@dataclass(frozen=True, slots=True)
class Cut:
    """A tensor that has one entry a channel along a dimension."""

    tensor: str
    """Its name in the state dict."""
    dim: int
    units: NDArray[np.int64]
    """Of each entry."""


@dataclass(frozen=True, slots=True)
class Group:
    """Units that are written by the same convolutions."""

    name: str
    role: Role
    units: slice
    """Their places among all units."""

    @property
    def size(self) -> int:
        """Number of units."""
        return self.units.stop - self.units.start


@dataclass(frozen=True, slots=True, eq=False)
class ChannelGraph:
    """See the head of this file."""

    layers: tuple[Layer, ...]
    """In the order in which they run."""
    cuts: tuple[Cut, ...]
    parameters: Mapping[str, tuple[int, ...]]
    """Shapes of all parameters, by their names."""
    groups: Mapping[str, Group]
    """In the order in which they are written."""
    norms: tuple[tuple[str, NDArray[np.int64]], ...]
    """Every module of instance or batch norm, with the units of its channels."""
    sums: tuple[tuple[str, NDArray[np.int64]], ...]
    """Every module that ends in a residual sum, with the units of its channels."""
    inputs: int
    """Channels of the picture that goes in."""
    outputs: int
    """Channels of the picture that comes out."""
    stride: int
    """Heights and widths of pictures are best multiples of this: the picture's over the smallest map's."""
    notes: tuple[str, ...]
    """What was not understood, and so is kept whole; a line each."""
    removable: Mapping[str, RemovableBlock] = field(default_factory=dict[str, RemovableBlock])
    """By the groups that may go altogether: the residual block that goes with them."""

    @classmethod
    def trace(cls, network: nn.Module, picture: Tensor) -> "ChannelGraph":
        """Of any network that maps one picture [1, channels, height, width] to one.

        The network is run once on ``picture``. Raises `TypeError` where it returns something else.
        """
        from ganprune.channels.tracing import traced

        return traced(network, record(network, picture))

    @property
    def length(self) -> int:
        """Number of units."""
        return sum(group.size for group in self.groups.values())

    @property
    def sizes(self) -> dict[str, int]:
        """Number of units of every group."""
        return {name: group.size for name, group in self.groups.items()}

    def units(self, kept: Mapping[str, Tensor]) -> Tensor:
        """Which units are kept: of the kept places of every group, int64 each → bool [units]."""
        found = torch.zeros(self.length, dtype=torch.bool)
        for name, places in kept.items():
            found[self.groups[name].units.start + places.cpu()] = True
        return found

    def taps(self) -> list[tuple[str, NDArray[np.int64]]]:
        """Modules whose maps tell how far a network has come, with the units of their channels.

        The trunk as it begins and behind every residual block; without a trunk, behind every layer.
        """
        behind = {layer.name: layer.activation or layer.norm or layer.name for layer in self.layers}
        trunks = [group.units for group in self.groups.values() if group.role == "trunk"]
        sums = [
            (name, units) for name, units in self.sums if name and any(_any_in(units, own) for own in trunks)
        ]
        if sums:
            first = next(layer for layer in self.layers if _any_in(layer.writes, trunks[0]))
            return [(behind[first.name], first.writes), *sums]
        return [(behind[layer.name], layer.writes) for layer in self.layers if (layer.writes != WHOLE).any()]

    def layer(self, name: str) -> Layer:
        """The convolution of a name. Raises `KeyError` where there is none."""
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise KeyError(name)

    def readers(self, group: str) -> list[Layer]:
        """Convolutions that read units of a group."""
        return [layer for layer in self.layers if _any_in(layer.reads, self.groups[group].units)]

    def writers(self, group: str) -> list[Layer]:
        """Convolutions that write units of a group."""
        return [layer for layer in self.layers if _any_in(layer.writes, self.groups[group].units)]

    def counts(self, units: NDArray[np.int64]) -> NDArray[np.float64]:
        """How often units of each group stand in a table of channels, a unit of the group: [groups + 1].

        The last is the number of those that are always kept.
        """
        found = [
            np.count_nonzero((units >= group.units.start) & (units < group.units.stop)) / group.size
            for group in self.groups.values()
        ]
        return np.array([*found, np.count_nonzero(units == WHOLE)], dtype=np.float64)


SIZES = (32, 64, 128, 256, 512)
"""Pixels that `graph_of` tries."""
CHANNELS = (3, 1, 4)
"""Channels that `graph_of` tries after those that the first convolution reads: what comes before it may add
some, as coordinates, or fold pixels into them."""


def channels_to_try(network: nn.Module) -> list[int]:
    """Channels that its pictures may have. The first convolution is the first registered one, which need not
    be the first that runs: so behind `CHANNELS` come those that any other reads."""
    read = [m.in_channels for m in network.modules() if isinstance(m, nn.Conv2d)]
    return list(dict.fromkeys([*read[:1], *CHANNELS, *read]))


def graph_of(network: nn.Module) -> ChannelGraph:
    """The `ChannelGraph` of a network of which no picture is at hand: run on the smallest one that it takes.

    It has as many channels as the first of `channels_to_try` that it takes. Raises what the
    network raises where no picture of up to 512 pixels will do.
    """
    signature = tuple((id(module), type(module)) for module in network.modules())
    signature += tuple((id(t), t.shape) for t in (*network.parameters(), *network.buffers()))
    known = _TRACED.get(network)
    if known is not None and known[0] == signature:
        return known[1]
    from ganprune.channels.tracing import traced

    graph = traced(network, tape_of(network))
    _TRACED[network] = signature, graph
    return graph


def tape_of(network: nn.Module) -> Tape:
    """The calls of a network on the smallest picture that it takes, see `graph_of`."""
    tried, like = channels_to_try(network), next(network.parameters())
    for channels in tried:
        for side in SIZES:
            # A map became too small; or there are other channels than the first convolution reads.
            with suppress(RuntimeError, ValueError):
                return record(network, like.new_zeros(1, channels, side, side))
    return record(network, like.new_zeros(1, tried[0], SIZES[-1], SIZES[-1]))  # raises


_TRACED = WeakKeyDictionary[nn.Module, tuple[tuple[object, ...], ChannelGraph]]()
"""What `graph_of` has found, by the network, with what it looked like then."""


def kept(units: NDArray[np.int64], genome: Tensor) -> Tensor:
    """Places of the channels that a genome keeps: units [channels], genome bool [L] → int64 [kept]."""
    bits = np.append(genome.cpu().numpy(), True)  # the last is that of `WHOLE`
    return torch.from_numpy(np.flatnonzero(bits[units]))


def _any_in(units: NDArray[np.int64], piece: slice) -> bool:
    return bool(((units >= piece.start) & (units < piece.stop)).any())
