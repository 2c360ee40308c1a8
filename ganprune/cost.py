"""What a generator costs: parameters, multiply-accumulates in both conventions, megabytes.

Two conventions of counting are in use, and they differ on transposed convolutions:

* ``true``: a transposed convolution multiplies once for every *input* pixel. 49.55 G MACs for the
  original 9-block, 64-filter generator at 256×256; what counters of executed work report.
* ``paper``: transposed convolutions are counted on their *output* grid, four times as much each.
  56.80 G for the same network; what "Co-Evolutionary Compression" (ICCV 2019) calls FLOPs.

Norms, activations, additions and paddings are not counted, as usual in the field.
"""

from typing import Literal

from ganprune.networks import Conv, Generator, GeneratorWidths, generator_convs

Convention = Literal["true", "paper"]
"""How transposed convolutions are counted: on their input grid, or on their output grid."""


def positions_of(conv: Conv, height: int, width: int, convention: Convention) -> int:
    """How many times each weight of a convolution is used on a picture of height × width pixels."""
    on_input = conv.transposed and convention == "true"
    stride = conv.input_stride if on_input else conv.output_stride
    return (height // stride) * (width // stride)


def macs(widths: GeneratorWidths, height: int, width: int, convention: Convention) -> int:
    """Multiply-accumulates for one picture of height × width pixels (multiples of 4)."""
    groups = widths.groups()
    total = 0
    for conv in generator_convs(widths.blocks):
        inputs = widths.in_channels if conv.source is None else groups[conv.source]
        filters = widths.out_channels if conv.target is None else groups[conv.target]
        total += inputs * filters * conv.kernel**2 * positions_of(conv, height, width, convention)
    return total


def params(generator: Generator) -> int:
    """Number of parameters, biases included: 11,378,179 for the original."""
    return sum(p.numel() for p in generator.parameters())


def mebibytes(parameters: int) -> float:
    """Size of float32 weights in MiB, the "Memory" column of the paper's Table 1."""
    return parameters * 4 / 2**20
