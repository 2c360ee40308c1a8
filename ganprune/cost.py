"""What a generator costs: parameters, multiply-accumulates in both conventions, megabytes.

Two conventions of counting are in use, and they differ on transposed convolutions:

* ``true``: a transposed convolution multiplies once for every *input* pixel. 49.55 G MACs for the
  original 9-block, 64-filter generator at 256×256; what counters of executed work report.
* ``paper``: transposed convolutions are counted on their *output* grid, four times as much each.
  56.80 G for the same network; what "Co-Evolutionary Compression" (ICCV 2019) calls FLOPs.

Norms, activations, additions and paddings are not counted, as usual in the field.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, TypeVar, cast

from ganprune.networks import Conv, Generator, GeneratorWidths, generator_convs

Convention = Literal["true", "paper"]
"""How transposed convolutions are counted: on their input grid, or on their output grid."""

_N = TypeVar("_N")


def weights_of(
    convs: Sequence[Conv], groups: Mapping[str, _N], in_channels: int, out_channels: int
) -> list[_N]:
    """Number of weights of each convolution, biases left out: kept inputs × filters × k² (Eq. 10).

    ``groups`` maps a group to its number of filters: an int, or an array of one number per
    individual, so that a whole population is counted at once.
    """

    def width(group: str | None, picture: int) -> _N:
        return groups[group] if group is not None else cast(_N, picture)

    return [
        width(c.source, in_channels) * width(c.target, out_channels) * c.kernel**2  # type: ignore[operator]
        for c in convs
    ]


def positions_of(conv: Conv, height: int, width: int, convention: Convention) -> int:
    """How many times each weight of a convolution is used on a picture of height × width pixels."""
    on_input = conv.transposed and convention == "true"
    stride = conv.input_stride if on_input else conv.output_stride
    return (height // stride) * (width // stride)


def macs(widths: GeneratorWidths, height: int, width: int, convention: Convention) -> int:
    """Multiply-accumulates for one picture of height × width pixels (multiples of 4)."""
    convs = generator_convs(widths.blocks)
    weights = weights_of(convs, widths.groups(), widths.in_channels, widths.out_channels)
    return sum(w * positions_of(c, height, width, convention) for c, w in zip(convs, weights, strict=True))


def params(generator: Generator) -> int:
    """Number of parameters, biases included: 11,378,179 for the original."""
    return sum(p.numel() for p in generator.parameters())


def mebibytes(parameters: int) -> float:
    """Size of float32 weights in MiB, the "Memory" column of the paper's Table 1."""
    return parameters * 4 / 2**20
