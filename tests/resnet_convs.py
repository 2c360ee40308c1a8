"""Which convolution of CycleGAN's ResNet reads and writes which group, by hand: the channel graph, which is
traced, is held against it.
"""

from dataclasses import dataclass

from ganprune.models.cyclegan import norm_key


@dataclass(frozen=True, slots=True)
class Conv:
    """One convolution of a generator: which groups it joins and how large it is."""

    key: str
    """Name of the module in the state dict, e.g. ``model.10.conv_block.1``."""
    source: str | None
    """Group of its input channels; None for the picture."""
    target: str | None
    """Group of its filters; None for the picture."""
    kernel: int
    """Height and width of the kernel, pixels."""
    input_stride: int
    """The input map's height is the picture's divided by this."""
    output_stride: int
    """The output map's height is the picture's divided by this."""
    transposed: bool = False
    """A transposed convolution: its weight is [in, out, k, k] instead of [out, in, k, k]."""

    @property
    def norm_key(self) -> str | None:
        """Name of the norm after it, e.g. ``model.10.conv_block.2``; None after the last convolution."""
        return None if self.target is None else norm_key(self.key)


def generator_convs(blocks: int) -> tuple[Conv, ...]:
    """Every convolution of a generator with ``blocks`` residual blocks, in order."""
    table = [
        Conv("model.1", None, "stem", 7, 1, 1),
        Conv("model.4", "stem", "down", 3, 1, 2),
        Conv("model.7", "down", "trunk", 3, 2, 4),
    ]
    for i in range(blocks):
        table.append(Conv(f"model.{10 + i}.conv_block.1", "trunk", f"inner{i}", 3, 4, 4))
        table.append(Conv(f"model.{10 + i}.conv_block.5", f"inner{i}", "trunk", 3, 4, 4))
    table += [
        Conv(f"model.{10 + blocks}", "trunk", "up1", 3, 4, 2, transposed=True),
        Conv(f"model.{13 + blocks}", "up1", "up2", 3, 2, 1, transposed=True),
        Conv(f"model.{17 + blocks}", "up2", None, 7, 1, 1),
    ]
    return tuple(table)
