"""What a generator costs: parameters, multiply-accumulates in both conventions, megabytes.

Two conventions of counting are in use, and they differ on transposed convolutions:

* ``true``: a transposed convolution multiplies once for every *input* pixel. 49.55 G MACs for the
  original 9-block, 64-filter generator at 256×256; what counters of executed work report.
* ``paper``: transposed convolutions are counted on their *output* grid, four times as much each.
  56.80 G for the same network; what "Co-Evolutionary Compression" (ICCV 2019) calls FLOPs.

Norms, activations, additions and paddings are not counted, as usual in the field.
"""

from typing import Literal

from torch import nn

from ganprune.channels import ChannelGraph, graph_of

Convention = Literal["true", "paper"]
"""How transposed convolutions are counted: on their input grid, or on their output grid."""


def macs(network: nn.Module | ChannelGraph, height: int, width: int, convention: Convention) -> int:
    """Multiply-accumulates of all convolutions for one picture of height × width pixels, multiples of the
    network's stride."""
    graph = network if isinstance(network, ChannelGraph) else graph_of(network)
    total = 0.0
    for layer in graph.layers:
        positions = layer.outputs if convention == "paper" else layer.positions
        pairs = len(layer.writes) * len(layer.reads) / layer.groups
        total += pairs * layer.taps * positions * height * width
    return round(total)


def params(generator: nn.Module) -> int:
    """Number of parameters, biases included: 11,378,179 for the original."""
    return sum(p.numel() for p in generator.parameters())


def mebibytes(parameters: int) -> float:
    """Size of float32 weights in MiB, the "Memory" column of the paper's Table 1."""
    return parameters * 4 / 2**20
