"""CycleGAN's two networks, built from widths.

Sources:
1. Zhu et al., "Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks",
   ICCV 2017, appendix 7.2: c7s1-64, d128, d256, R256 × 9, u128, u64, c7s1-3; and C64-C128-C256-C512.
2. pytorch-CycleGAN-and-pix2pix, ``resnet_9blocks`` and ``basic``: the order of modules, and so the
   names of their tensors (``model.1.weight``, ``model.10.conv_block.1.weight``, …). A norm comes right
   after its convolution; convolutions have biases where the norm is instance norm, and the last always.

A generator's filters fall into *groups* that must be pruned together, because they end in the same
channels: every residual block adds its output to the trunk, so the third convolution and the last
convolution of all blocks share the trunk's channels. `ganprune.channels` finds these groups by tracing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn.functional import batch_norm

from ganprune.channels.blocks import Removed

Norm = Literal["instance", "affine-instance", "batch", "none"]
"""What follows a convolution: CycleGAN's ``--norm``, and one kind more. instance: per picture and channel, no
parameters. affine-instance: the same, then times a weight and plus a bias a channel. batch: with weights and
running statistics, which count in eval mode. none: nothing after the convolutions."""

NORMS: tuple[Norm, ...] = get_args(Norm)


@dataclass(frozen=True, slots=True)
class GeneratorWidths:
    """Number of filters of every group of a ResNet generator."""

    stem: int
    """c7s1: the first 7×7 convolution."""
    down: int
    """d128: the first stride-2 convolution."""
    trunk: int
    """d256 and the second convolution of every residual block, tied by the residual sums."""
    inner: tuple[int, ...]
    """The first convolution of each residual block, one number a block; 0 where it is taken out."""
    up1: int
    """u128: the first transposed convolution."""
    up2: int
    """u64: the second transposed convolution."""
    in_channels: int = 3
    """Channels of the input picture; never pruned."""
    out_channels: int = 3
    """Channels of the output picture; never pruned."""

    def __post_init__(self) -> None:
        for name, width in (
            *self.groups().items(),
            ("input", self.in_channels),
            ("output", self.out_channels),
        ):
            if width < (0 if name.startswith("inner") else 1):
                raise ValueError(f"every layer needs at least one filter, {name} has {width}")

    @property
    def blocks(self) -> int:
        """Number of residual blocks, with those that are taken out."""
        return len(self.inner)

    def groups(self) -> dict[str, int]:
        """Prunable groups and their numbers of filters, in the order of the network."""
        inner = {f"inner{i}": width for i, width in enumerate(self.inner)}
        first = {"stem": self.stem, "down": self.down, "trunk": self.trunk}
        return first | inner | {"up1": self.up1, "up2": self.up2}

    def with_groups(self, groups: Mapping[str, int]) -> "GeneratorWidths":
        """The same network with other numbers of filters, named as in `groups`."""
        return GeneratorWidths(
            stem=groups["stem"],
            down=groups["down"],
            trunk=groups["trunk"],
            inner=tuple(groups[f"inner{i}"] for i in range(self.blocks)),
            up1=groups["up1"],
            up2=groups["up2"],
            in_channels=self.in_channels,
            out_channels=self.out_channels,
        )


def resnet_widths(
    ngf: int = 64, blocks: int = 9, in_channels: int = 3, out_channels: int = 3
) -> GeneratorWidths:
    """Widths of CycleGAN's ``resnet_<blocks>blocks`` with ``ngf`` filters in the first layer."""
    inner = (4 * ngf,) * blocks
    return GeneratorWidths(ngf, 2 * ngf, 4 * ngf, inner, 2 * ngf, ngf, in_channels, out_channels)


def norm_key(conv_key: str) -> str:
    """Name of the module after a convolution."""
    parent, _, number = conv_key.rpartition(".")
    return f"{parent}.{int(number) + 1}"


def leaves_constants(norm: Norm) -> bool:
    """Whether a residual block that is taken out leaves a constant a channel behind."""
    return norm in ("affine-instance", "batch")


def has_biases(norm: Norm) -> bool:
    """Whether the convolutions before such norms have biases."""
    return norm in ("instance", "affine-instance")


class InstanceNorm(nn.InstanceNorm2d):
    """`nn.InstanceNorm2d`, with right gradients.

    PyTorch's own (2.14) gives wrong ones on a CPU, silently, where the gradient of a single picture reaches
    it in channels-last order. What `batch_norm` computes of one picture is the same, and its gradients are
    right in every order. It leaves channels-last maps in their order, too, which PyTorch's own copies there
    and back.
    """

    keeps_order = False
    """Whether channels-last maps stay so without gradients, too; see `ganprune.models.channels_last`."""

    def forward(self, input: Tensor) -> Tensor:
        """[n, c, h, w] → [n, c, h, w]."""
        learns = input.requires_grad or (self.affine and self.weight.requires_grad)
        by_gradient = learns and torch.is_grad_enabled() and input.device.type == "cpu"
        if not (self.keeps_order or by_gradient):
            return super().forward(input)
        # One picture's statistics are its batch's. `group_norm` would take all at once, and round more.
        each = [
            batch_norm(one, None, None, self.weight, self.bias, training=True, eps=self.eps)
            for one in input.split(1)
        ]
        return each[0] if len(each) == 1 else torch.cat(each)


def _norm(kind: Norm, channels: int) -> nn.Module:
    if has_biases(kind):
        return InstanceNorm(channels, affine=kind == "affine-instance")
    return nn.BatchNorm2d(channels) if kind == "batch" else nn.Identity()


class ResnetBlock(nn.Module):
    """x + norm(conv(relu(norm(conv(x))))), reflection padded; ``inner`` filters between the two."""

    def __init__(self, trunk: int, inner: int, norm: Norm = "instance") -> None:
        super().__init__()
        bias = has_biases(norm)
        self.conv_block = nn.Sequential(
            nn.ReflectionPad2d(1), nn.Conv2d(trunk, inner, 3, bias=bias), _norm(norm, inner),
            nn.ReLU(inplace=True),
            nn.ReflectionPad2d(1), nn.Conv2d(inner, trunk, 3, bias=bias), _norm(norm, trunk),
        )  # fmt: skip

    @property
    def inner(self) -> int:
        """Filters between the two convolutions."""
        (first, _) = (module for module in self.conv_block if isinstance(module, nn.Conv2d))
        return first.out_channels

    def forward(self, x: Tensor) -> Tensor:
        """[n, trunk, h, w] → [n, trunk, h, w]."""
        return x + self.conv_block(x)


class Generator(nn.Module):
    """A ResNet generator of any widths, with CycleGAN's tensor names.

    Maps [n, in_channels, h, w] to [n, out_channels, h, w], both in [-1, 1]; h and w are
    multiples of 4.
    """

    block_name = "conv_block"
    """What its file calls the layers of a residual block (``model.10.conv_block.1.weight``); what is written
    for others to read calls them so, too. In memory they are ``conv_block``."""
    notes: tuple[str, ...] = ()
    """What its file leaves open and was assumed."""

    def __init__(self, widths: GeneratorWidths, norm: Norm = "instance") -> None:
        super().__init__()
        w, bias = widths, has_biases(norm)
        self.norm: Norm = norm

        def block(inner: int) -> nn.Module:
            if inner:
                return ResnetBlock(w.trunk, inner, norm)
            return Removed(torch.zeros(w.trunk) if leaves_constants(norm) else None)

        def conv(inputs: int, filters: int, **shape: int) -> list[nn.Module]:
            layer = nn.Conv2d(inputs, filters, bias=bias, **shape)  # pyright: ignore[reportArgumentType]
            return [layer, _norm(norm, filters), nn.ReLU(inplace=True)]

        def up(inputs: int, filters: int) -> list[nn.Module]:
            layer = nn.ConvTranspose2d(inputs, filters, 3, stride=2, padding=1, output_padding=1, bias=bias)
            return [layer, _norm(norm, filters), nn.ReLU(inplace=True)]

        self.model = nn.Sequential(
            nn.ReflectionPad2d(3), *conv(w.in_channels, w.stem, kernel_size=7),
            *conv(w.stem, w.down, kernel_size=3, stride=2, padding=1),
            *conv(w.down, w.trunk, kernel_size=3, stride=2, padding=1),
            *map(block, w.inner),
            *up(w.trunk, w.up1),
            *up(w.up1, w.up2),
            nn.ReflectionPad2d(3), nn.Conv2d(w.up2, w.out_channels, 7), nn.Tanh(),
        )  # fmt: skip

    @property
    def widths(self) -> GeneratorWidths:
        """As its convolutions have them now."""
        blocks = [module for module in self.model if isinstance(module, ResnetBlock | Removed)]
        others = [m for m in self.model if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
        stem, down, trunk, up1, up2, last = (conv.out_channels for conv in others)
        inner = tuple(block.inner if isinstance(block, ResnetBlock) else 0 for block in blocks)
        return GeneratorWidths(stem, down, trunk, inner, up1, up2, others[0].in_channels, last)

    def forward(self, x: Tensor) -> Tensor:
        """[n, in_channels, h, w] → [n, out_channels, h, w]."""
        return self.model(x)


@dataclass(frozen=True, slots=True)
class DiscriminatorWidths:
    """Number of filters of every convolution of a PatchGAN discriminator but the last, which has one."""

    filters: tuple[int, ...] = field(default=(64, 128, 256, 512))
    """E.g. C64-C128-C256-C512; all but the last of them have stride 2."""
    in_channels: int = 3
    """Channels of the picture that is judged."""

    def __post_init__(self) -> None:
        if len(self.filters) < 2 or min(self.filters) < 1 or self.in_channels < 1:
            raise ValueError(f"a PatchGAN has at least two layers of filters, found {self.filters}")

    @classmethod
    def of(cls, ndf: int = 64) -> "DiscriminatorWidths":
        """CycleGAN's ``basic``: a PatchGAN of four layers, the first with ``ndf`` filters."""
        return cls((ndf, 2 * ndf, 4 * ndf, 8 * ndf))

    @property
    def smallest_picture(self) -> int:
        """Height and width, pixels, below which a map before a norm shrinks to a single value."""
        return 3 * 2 ** (len(self.filters) - 1)


class Discriminator(nn.Module):
    """A PatchGAN of any depth, with CycleGAN's tensor names and no sigmoid.

    Maps [n, in_channels, h, w] to a patch map [n, 1, h', w']: one judgement a patch, about 1 for
    real and 0 for fake. Four layers of filters see 70×70 pixels each.
    """

    notes: tuple[str, ...] = ()
    """What its file leaves open and was assumed."""

    def __init__(self, widths: DiscriminatorWidths, norm: Norm = "instance") -> None:
        super().__init__()
        first, *others = widths.filters
        self.widths = widths
        self.norm: Norm = norm
        layers: list[nn.Module] = [
            nn.Conv2d(widths.in_channels, first, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2, inplace=True),
        ]
        before = first
        for i, width in enumerate(others):
            stride = 1 if i == len(others) - 1 else 2
            layers += [
                nn.Conv2d(before, width, 4, stride=stride, padding=1, bias=has_biases(norm)),
                _norm(norm, width),
                nn.LeakyReLU(0.2, inplace=True),
            ]
            before = width
        layers.append(nn.Conv2d(before, 1, 4, padding=1))
        self.model = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """[n, in_channels, h, w] → [n, 1, h', w']."""
        return self.model(x)
