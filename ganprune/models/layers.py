"""What networks are put together from beside PyTorch's own layers, and how skeletons of them are made.

A *skeleton* is a network with the layers and the names of one in a file, and one channel everywhere; see
`ganprune.models.fitting` for how it gets its widths. Which norm it has and whether its convolutions have
biases is told by the names in the file, for the whole network at once: so a single one that lacks is noticed.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as nnf

from ganprune.channels.blocks import CONSTANT, Removed
from ganprune.models.cyclegan import InstanceNorm

Tensors = Mapping[str, Tensor]
"""A state dict."""

COUNT = "num_batches_tracked"
"""How many batches a batch norm has seen; nothing depends on it in eval mode, and old files lack it."""

STATISTICS = ("running_mean", "running_var", COUNT)
"""Last parts of the names of running statistics."""

MOST_LAYERS = 8
"""No network here has more places a tensor: higher numbers come of damaged or hostile names."""


class Network(nn.Sequential):
    """Layers one after the other, under names of their own."""

    family: str = ""
    """What it is, in a word or two, see `ganprune.models.Family.kind`."""
    notes: tuple[str, ...] = ()
    """What its file leaves open and was assumed."""
    value_range: tuple[float, float] = (-1.0, 1.0)
    """Values of the pictures with which its school trained it. It takes and gives [-1, 1] all the same."""
    output_first: bool = False
    """Of a discriminator that is shown input and output together: whether the output comes first."""


class Residual(nn.Sequential):
    """x + layers(x)."""

    def forward(self, input: Tensor) -> Tensor:
        """[n, c, h, w] → [n, c, h, w]."""
        return input + super().forward(input)


class Skip(nn.Sequential):
    """x, and behind its channels those of layers(x)."""

    def forward(self, input: Tensor) -> Tensor:
        """[n, c, h, w] → [n, c + c', h, w]."""
        return torch.cat([input, super().forward(input)], 1)


class Blur(nn.Module):
    """Low-pass filtering that samples down or up, one kernel a channel.

    Source: contrastive-unpaired-translation, ``networks.py``, ``Downsample`` and ``Upsample``.
    """

    filt: Tensor

    def __init__(self, kernel: int) -> None:
        super().__init__()
        self.channels = 1
        self.register_buffer("filt", torch.ones(1, 1, kernel, kernel))


class BlurDown(Blur):
    """Half as high and wide, with borders reflected."""

    def forward(self, input: Tensor) -> Tensor:
        """[n, c, h, w] → [n, c, ⌈h/2⌉, ⌈w/2⌉]."""
        before = (self.filt.shape[-1] - 1) // 2
        behind = self.filt.shape[-1] - 1 - before
        padded = nnf.pad(input, (before, behind, before, behind), mode="reflect")
        return nnf.conv2d(padded, self.filt, stride=2, groups=self.channels)


class BlurUp(Blur):
    """Twice as high and wide, with borders repeated."""

    def forward(self, input: Tensor) -> Tensor:
        """[n, c, h, w] → [n, c, 2h, 2w]."""
        size = self.filt.shape[-1]
        padded = nnf.pad(input, (1, 1, 1, 1), mode="replicate")
        raised = nnf.conv_transpose2d(
            padded, self.filt, stride=2, padding=1 + (size - 1) // 2, groups=self.channels
        )
        # What the padding added before the picture; behind it, kernels of an even size leave one pixel over.
        return raised[:, :, 1:, 1:] if size % 2 else raised[:, :, 1:-1, 1:-1]


NormKind = Literal["batch", "affine", "instance", "none"]

_NORMS: Mapping[NormKind, Callable[[], nn.Module]] = {
    "batch": lambda: nn.BatchNorm2d(1),
    "affine": lambda: InstanceNorm(1, affine=True),
    "instance": lambda: InstanceNorm(1),
    "none": nn.Identity,
}


@dataclass(frozen=True, slots=True)
class Style:
    """What is the same in all normed convolutions of a network."""

    kind: NormKind
    """Of the norm behind them. batch: by running statistics, in eval mode. Instance norm that keeps such
    (``affine=True, track_running_stats=True``) computes the same there, and is read as it."""
    bias: bool

    @classmethod
    def of(cls, tensors: Tensors, normed: Iterable[str], bare: NormKind | None = None) -> "Style":
        """Told by the names in a file.

        normed: names of the convolutions with a norm behind them. bare: what is meant by no tensors of norms;
        if None, as in CycleGAN's own code: instance norm behind convolutions with biases, no norm behind
        others.
        """
        bias = any(f"{conv}.bias" in tensors for conv in normed)
        if any(name.rpartition(".")[2] in STATISTICS for name in tensors):
            kind = "batch"
        elif any(name.endswith(".weight") and tensor.ndim == 1 for name, tensor in tensors.items()):
            kind = "affine"
        else:
            kind = bare or ("instance" if bias else "none")
        return cls(kind, bias)

    def norm(self) -> nn.Module:
        """The norm."""
        return _NORMS[self.kind]()

    def conv(
        self, kernel: int, stride: int = 1, padding: int = 0, mode: Literal["zeros", "reflect"] = "zeros"
    ) -> nn.Conv2d:
        """A convolution with a norm behind it."""
        return nn.Conv2d(1, 1, kernel, stride, padding, bias=self.bias, padding_mode=mode)

    def up(self, kernel: int = 3) -> nn.ConvTranspose2d:
        """A transposed one that doubles height and width; its kernel has 3 or 4 pixels."""
        return nn.ConvTranspose2d(
            1, 1, kernel, stride=2, padding=1, output_padding=4 - kernel, bias=self.bias
        )


def chain(**layers: nn.Module) -> nn.Sequential:
    """Layers one after the other, by name."""
    return nn.Sequential(OrderedDict(layers))


def block_of(tensors: Tensors, name: str, make: Callable[[], nn.Module]) -> nn.Module:
    """A residual block; what is left of one, where the file says that it was taken out."""
    constant = tensors.get(f"{name}.{CONSTANT}")
    return make() if constant is None else Removed.like(constant)


def numbered(tensors: Tensors) -> tuple[str, dict[str, Tensor]]:
    """What a network calls the one ``Sequential`` of all its layers, and its tensors by their names in there.

    A ``Sequential`` that is the network itself is called ``""``.
    """
    firsts = {name.partition(".")[0] for name in tensors}
    root = firsts.pop() if len(firsts) == 1 else ""
    if root.isdigit():
        root = ""
    return root, {name.removeprefix(f"{root}." if root else ""): tensor for name, tensor in tensors.items()}


def rooted(root: str, layers: nn.Sequential) -> Network:
    """The network with all its layers in a ``Sequential`` of that name; see `numbered`."""
    return Network(OrderedDict({root: layers} if root else layers.named_children()))


def convolutions(tensors: Tensors) -> list[str]:
    """Names of the layers that have a kernel of their own, in the order of the file; blurs are none."""
    return [
        name.removesuffix(".weight")
        for name, t in tensors.items()
        if name.endswith(".weight") and t.ndim == 4
    ]


def kernel_of(tensors: Tensors, name: str, usual: int) -> int:
    """Height and width of a kernel, pixels; the usual one where there is none."""
    tensor = tensors.get(name)
    return usual if tensor is None or tensor.ndim != 4 else tensor.shape[-1] or usual


def numbers(tensors: Tensors, template: str) -> int:
    """How many layers there are: one more than the highest number in the place of ``{}``; 0 without any."""
    before, _, behind = template.partition("{}")
    found = [
        name.removeprefix(before).partition(behind)[0]
        for name in tensors
        if name.startswith(before) and behind in name
    ]
    highest = max((int(n) for n in found if n.isascii() and n.isdigit() and len(n) < 7), default=-1)
    return 1 + min(highest, len(tensors))  # each has a tensor of its own
