"""The networks of every school that is read, put together anew from what is known of them, at any width.

Written without the code under test, and in other ways where there are any: one class a network, with a
``forward`` that says what comes after what.
"""

import math
from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as nnf

from tests.checkpoints.builders import learned, seeded

Norm = Callable[[int], nn.Module]

NORMS: dict[str, tuple[Norm, bool]] = {
    "instance": (nn.InstanceNorm2d, True),
    "batch": (nn.BatchNorm2d, False),
    "affine": (lambda n: nn.InstanceNorm2d(n, affine=True), True),
    "affine without biases": (lambda n: nn.InstanceNorm2d(n, affine=True), False),
    "batch with biases": (nn.BatchNorm2d, True),
    "tracked": (lambda n: nn.InstanceNorm2d(n, affine=True, track_running_stats=True), True),
    "tracked, no weights": (lambda n: nn.InstanceNorm2d(n, track_running_stats=True), True),
    "none": (lambda n: nn.Identity(), False),
    "instance without biases": (nn.InstanceNorm2d, False),
}
"""Kinds of norm: how to make one, and whether the convolutions before it have biases."""

TOLD = [norm for norm in NORMS if norm not in ("tracked, no weights", "instance without biases")]
"""Those that a state dict tells apart. Of the others, one is read as instance norm of PyTorch before 0.4,
which saved its statistics and did not use them, and one as no norm, with a note."""


def trained(make: Callable[[], nn.Module], seed: int = 1) -> nn.Module:
    """A network with weights as after a training."""
    return seeded(lambda: learned(make()), seed).eval().requires_grad_(False)


class Add(nn.Module):
    """A residual block whose layers are called ``name``."""

    def __init__(self, name: str, *layers: nn.Module) -> None:
        super().__init__()
        self.name = name
        setattr(self, name, nn.Sequential(*layers))

    def forward(self, x: Tensor) -> Tensor:
        return torch.add(getattr(self, self.name)(x), x)


class Named(nn.Module):
    """A network all of whose layers are in one place, called ``name``."""

    def __init__(self, name: str, *layers: nn.Module) -> None:
        super().__init__()
        self.name = name
        setattr(self, name, nn.Sequential(*layers))

    def forward(self, x: Tensor) -> Tensor:
        return getattr(self, self.name)(x)


def binomial(size: int) -> Tensor:
    """A blur kernel: rows of Pascal's triangle, multiplied, of sum 1."""
    row = torch.tensor([float(math.comb(size - 1, i)) for i in range(size)])
    return torch.outer(row, row) / 4 ** (size - 1)


class Down2(nn.Module):
    filt: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("filt", binomial(3).repeat(channels, 1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        maps = [
            nnf.conv2d(nnf.pad(x[:, [i]], (1, 1, 1, 1), "reflect"), self.filt[[i]]) for i in range(x.shape[1])
        ]
        return torch.cat(maps, 1)[:, :, ::2, ::2]


class Up2(nn.Module):
    """Zeros between the pixels, then the blur."""

    filt: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("filt", 4 * binomial(4).repeat(channels, 1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        n, channels, h, w = x.shape
        edged = nnf.pad(x, (1, 1, 1, 1), "replicate")
        apart = edged.new_zeros(n, channels, 2 * h + 4, 2 * w + 4)
        apart[:, :, ::2, ::2] = edged
        maps = [nnf.conv2d(apart[:, [i]], self.filt[[i]], padding=3) for i in range(channels)]
        return torch.cat(maps, 1)[:, :, 3 : 3 + 2 * h, 3 : 3 + 2 * w]


def resnet(
    norm: str = "instance", ngf: int = 4, blocks: int = 2, up: str = "transposed", down: str = "strided",
    root: str = "model", inner: str = "conv_block", dropout: bool = False, pads: str = "reflect",
    channels: int = 3, levels: int = 2,
) -> nn.Module:  # fmt: skip
    """CycleGAN's, CUT's, PyTorch-GAN's: one list of layers."""
    make, bias = NORMS[norm]
    pad = {"reflect": [nn.ReflectionPad2d(1)], "zero": []}[pads]
    widths = [ngf * 2**i for i in range(levels)]
    width = ngf * 2**levels

    def block() -> nn.Module:
        first, second = (nn.Conv2d(width, width, 3, padding=int(not pad), bias=bias) for _ in range(2))
        drop = [nn.Dropout(0.5)] if dropout else []
        return Add(inner, *pad, first, make(width), nn.ReLU(True), *drop, *pad, second, make(width))

    layers = [nn.ReflectionPad2d(3), nn.Conv2d(channels, ngf, 7, bias=bias), make(ngf), nn.ReLU(True)]
    for n in widths:
        blurred = down == "blurred"
        layers += [nn.Conv2d(n, 2 * n, 3, 1 if blurred else 2, 1, bias=bias), make(2 * n), nn.ReLU(True)]
        layers += [Down2(2 * n)] if blurred else []
    layers += [block() for _ in range(blocks)]
    for n in (2 * half for half in reversed(widths)):
        layers += {
            "transposed": lambda n=n: [nn.ConvTranspose2d(n, n // 2, 3, 2, 1, output_padding=1, bias=bias)],
            "nearest": lambda n=n: [nn.Upsample(scale_factor=2), nn.Conv2d(n, n // 2, 3, 1, 1, bias=bias)],
            "bilinear": lambda n=n: [
                nn.Upsample(scale_factor=2, mode="bilinear"), nn.ReflectionPad2d(1), nn.Conv2d(n, n // 2, 3)
            ],
            "blurred": lambda n=n: [Up2(n), nn.Conv2d(n, n // 2, 3, padding=1, bias=bias)],
            "shuffled": lambda n=n: [nn.Conv2d(n, 2 * n, 3, padding=1, bias=bias), nn.PixelShuffle(2)],
        }[up]()  # fmt: skip
        layers += [make(n // 2), nn.ReLU(True)]
    return Named(root, *layers, nn.ReflectionPad2d(3), nn.Conv2d(ngf, channels, 7), nn.Tanh())


def bare(network: nn.Module) -> nn.Module:
    """The same as UPIT has it: a ``Sequential`` in no other module, so that names begin with numbers."""
    return nn.Sequential(*network.get_submodule("model").children())


def stargan(n: int = 4, blocks: int = 2, labels: int = 2) -> nn.Module:
    """The labels lie behind the picture's channels."""

    def unit(conv: nn.Module, width: int) -> list[nn.Module]:
        return [conv, nn.InstanceNorm2d(width, affine=True, track_running_stats=True)]

    def conv(before: int, after: int, kernel: int, stride: int = 1) -> nn.Module:
        return nn.Conv2d(before, after, kernel, stride, (kernel - 1) // 2, bias=False)

    def block() -> nn.Module:
        first, second = (unit(conv(4 * n, 4 * n, 3), 4 * n) for _ in range(2))
        return Add("main", *first, nn.ReLU(), *second)

    layers = [*unit(conv(3 + labels, n, 7), n), nn.ReLU()]
    for width in (n, 2 * n):
        layers += [*unit(conv(width, 2 * width, 4, 2), 2 * width), nn.ReLU()]
    layers += [block() for _ in range(blocks)]
    for width in (2 * n, n):
        layers += [*unit(nn.ConvTranspose2d(2 * width, width, 4, 2, 1, bias=False), width), nn.ReLU()]
    return Named("main", *layers, conv(n, 3, 7), nn.Tanh())


def arnab(norm: str = "instance", ngf: int = 4, blocks: int = 2, dropout: bool = False) -> nn.Module:
    make, bias = NORMS[norm]

    def unit(conv: nn.Module, n: int) -> nn.Module:
        return nn.Sequential(conv, make(n), nn.ReLU(True))

    n = 4 * ngf
    drop = [nn.Dropout(0.5)] if dropout else []
    inside = [
        Add(
            "res_block", nn.ReflectionPad2d(1), unit(nn.Conv2d(n, n, 3, bias=bias), n), *drop,
            nn.ReflectionPad2d(1), nn.Conv2d(n, n, 3, bias=bias), make(n),
        )
        for _ in range(blocks)
    ]  # fmt: skip
    return Named(
        "res_model", nn.ReflectionPad2d(3), unit(nn.Conv2d(3, ngf, 7, bias=bias), ngf),
        unit(nn.Conv2d(ngf, 2 * ngf, 3, 2, 1, bias=bias), 2 * ngf),
        unit(nn.Conv2d(2 * ngf, n, 3, 2, 1, bias=bias), n),
        *inside,
        unit(nn.ConvTranspose2d(n, 2 * ngf, 3, 2, 1, 1, bias=bias), 2 * ngf),
        unit(nn.ConvTranspose2d(2 * ngf, ngf, 3, 2, 1, 1, bias=bias), ngf),
        nn.ReflectionPad2d(3), nn.Conv2d(ngf, 3, 7), nn.Tanh(),
    )  # fmt: skip


class UNetLevel(nn.Module):
    """pix2pix's: ``model`` holds the layers, the level inside among them."""

    def __init__(self, outer: int, widths: list[int], make: Norm, bias: bool, dropout: bool) -> None:
        super().__init__()
        inner, *further = widths
        layers = [nn.LeakyReLU(0.2, True), nn.Conv2d(outer, inner, 4, 2, 1, bias=bias)]
        if further:
            layers += [make(inner), UNetLevel(inner, further, make, bias, dropout)]
        up = nn.ConvTranspose2d(inner * (2 if further else 1), outer, 4, 2, 1, bias=bias)
        layers += [nn.ReLU(True), up, make(outer), *([nn.Dropout(0.5)] if dropout and further else [])]
        self.model = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, self.model(x)], 1)


def unet(
    norm: str = "batch",
    ngf: int = 2,
    depth: int = 5,
    root: str = "model",
    dropout: bool = True,
    channels: int = 3,
) -> nn.Module:
    make, bias = NORMS[norm]
    widths = [min(2**i, 8) * ngf for i in range(1, depth)]
    outermost = nn.Module()
    outermost.model = nn.Sequential(
        nn.Conv2d(channels, ngf, 4, 2, 1, bias=bias), UNetLevel(ngf, widths, make, bias, dropout),
        nn.ReLU(True), nn.ConvTranspose2d(2 * ngf, channels, 4, 2, 1), nn.Tanh(),
    )  # fmt: skip
    return Inside(root, outermost)


class Inside(nn.Module):
    def __init__(self, name: str, module: nn.Module) -> None:
        super().__init__()
        self.name = name
        setattr(self, name, module)

    def forward(self, x: Tensor) -> Tensor:
        return getattr(self, self.name).model(x)


class LevelsUNet(nn.Module):
    """PyTorch-GAN's; DiscoGAN has biases, DualGAN affine norms and a transposed convolution at the end."""

    def __init__(
        self,
        width: int = 2,
        depth: int = 5,
        bias: bool = False,
        affine: bool = False,
        last: str = "upsampled",
    ) -> None:
        super().__init__()
        widths = [width * min(2**i, 8) for i in range(depth)]

        def layers(conv: nn.Module, n: int, active: nn.Module, normed: bool = True) -> nn.Module:
            norms = [nn.InstanceNorm2d(n, affine=affine)] if normed else []
            return Named("model", conv, *norms, active, nn.Dropout(0.5))

        self.depth = depth
        for i, (before, n) in enumerate(pairwise([3, *widths]), 1):
            conv = nn.Conv2d(before, n, 4, 2, 1, bias=bias)
            setattr(self, f"down{i}", layers(conv, n, nn.LeakyReLU(0.2), i not in (1, depth)))
        before = widths[-1]
        for i, n in enumerate(reversed(widths[:-1]), 1):
            conv = nn.ConvTranspose2d(before, n, 4, 2, 1, bias=bias)
            setattr(self, f"up{i}", layers(conv, n, nn.ReLU(True)))
            before = 2 * n
        ends = {
            "upsampled": [
                nn.Upsample(scale_factor=2),
                nn.ZeroPad2d((1, 0, 1, 0)),
                nn.Conv2d(before, 3, 4, 1, 1),
            ],
            "transposed": [nn.ConvTranspose2d(before, 3, 4, 2, 1)],
        }
        self.final = nn.Sequential(*ends[last], nn.Tanh())

    def forward(self, x: Tensor) -> Tensor:
        seen: list[Tensor] = []
        for i in range(1, self.depth + 1):
            x = getattr(self, f"down{i}")(x)
            seen.append(x)
        for i in range(1, self.depth):
            x = torch.cat((getattr(self, f"up{i}")(x), seen[self.depth - 1 - i]), 1)
        return self.final(x)


def reflecting(before: int, n: int, kernel: int, stride: int = 1, padding: int = 1) -> nn.Conv2d:
    return nn.Conv2d(before, n, kernel, stride, padding, padding_mode="reflect")


class AladdinUNet(nn.Module):
    def __init__(self, n: int = 2, depth: int = 3) -> None:
        super().__init__()
        widths = [n * min(2**i, 8) for i in range(depth + 1)]
        self.depth = depth

        def unit(conv: nn.Module, width: int, active: nn.Module) -> nn.Module:
            return Named("conv", conv, nn.BatchNorm2d(width), active)

        self.initial_down = nn.Sequential(reflecting(3, n, 4, 2), nn.LeakyReLU(0.2))
        for i, (before, after) in enumerate(pairwise(widths), 1):
            conv = nn.Conv2d(before, after, 4, 2, 1, bias=False, padding_mode="reflect")
            setattr(self, f"down{i}", unit(conv, after, nn.LeakyReLU(0.2)))
        before = widths[-1]
        self.bottleneck = nn.Sequential(nn.Conv2d(before, before, 4, 2, 1), nn.ReLU())
        for i, after in enumerate(reversed(widths), 1):
            conv = nn.ConvTranspose2d(before, after, 4, 2, 1, bias=False)
            setattr(self, f"up{i}", unit(conv, after, nn.ReLU()))
            before = 2 * after
        self.final_up = nn.Sequential(nn.ConvTranspose2d(before, 3, 4, 2, 1), nn.Tanh())

    def forward(self, x: Tensor) -> Tensor:
        seen = [self.initial_down(x)]
        for i in range(1, self.depth + 1):
            seen.append(getattr(self, f"down{i}")(seen[-1]))
        x = self.bottleneck(seen[-1])
        for i in range(1, self.depth + 2):
            x = torch.cat([getattr(self, f"up{i}")(x), seen.pop()], 1)
        return self.final_up(x)


class DeepLearningBlock(nn.Module):
    def __init__(self, n: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = reflecting(n, n, 3), reflecting(n, n, 3)
        self.instancenorm = nn.InstanceNorm2d(n)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.instancenorm(self.conv2(nnf.relu(self.instancenorm(self.conv1(x)))))


class DeepLearningUnit(nn.Module):
    """deeplearning.ai's layers, which they call ContractingBlock and ExpandingBlock."""

    def __init__(self, conv: nn.Module, n: int, slope: float = 0, batch: bool = True) -> None:
        super().__init__()
        self.conv1, self.slope = conv, slope
        self.instancenorm = nn.InstanceNorm2d(n) if batch else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return nnf.leaky_relu(self.instancenorm(self.conv1(x)), self.slope)


class DeepLearning(nn.Module):
    def __init__(self, n: int = 4, blocks: int = 2, channels: int = 3) -> None:
        super().__init__()
        self.upfeature = Inner(reflecting(channels, n, 7, padding=3))
        self.contract1 = DeepLearningUnit(reflecting(n, 2 * n, 3, 2), 2 * n)
        self.contract2 = DeepLearningUnit(reflecting(2 * n, 4 * n, 3, 2), 4 * n)
        for i in range(blocks):
            setattr(self, f"res{i}", DeepLearningBlock(4 * n))
        self.expand2 = DeepLearningUnit(nn.ConvTranspose2d(4 * n, 2 * n, 3, 2, 1, 1), 2 * n)
        self.expand3 = DeepLearningUnit(nn.ConvTranspose2d(2 * n, n, 3, 2, 1, 1), n)
        self.downfeature = Inner(reflecting(n, channels, 7, padding=3))
        self.blocks = blocks

    def forward(self, x: Tensor) -> Tensor:
        x = self.contract2(self.contract1(self.upfeature(x)))
        for i in range(self.blocks):
            x = getattr(self, f"res{i}")(x)
        return torch.tanh(self.downfeature(self.expand3(self.expand2(x))))


class Inner(nn.Module):
    def __init__(self, conv: nn.Module) -> None:
        super().__init__()
        self.conv = conv

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)


class DeepLearningJudge(nn.Module):
    def __init__(self, n: int = 4) -> None:
        super().__init__()
        self.upfeature = Inner(reflecting(3, n, 7, padding=3))
        for i in (1, 2, 3):
            conv = reflecting(n, 2 * n, 4, 2)
            setattr(self, f"contract{i}", DeepLearningUnit(conv, 2 * n, 0.2, i > 1))
            n *= 2
        self.final = nn.Conv2d(n, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.upfeature(x)
        for i in (1, 2, 3):
            x = getattr(self, f"contract{i}")(x)
        return self.final(x)


class Aladdin(nn.Module):
    def __init__(self, n: int = 4, blocks: int = 2) -> None:
        super().__init__()

        def unit(conv: nn.Module, width: int, active: bool = True) -> nn.Module:
            last = nn.ReLU(inplace=True) if active else nn.Identity()
            return Named("conv", conv, nn.InstanceNorm2d(width), last)

        def block() -> nn.Module:
            first, second = (reflecting(4 * n, 4 * n, 3) for _ in range(2))
            return Add("block", unit(first, 4 * n), unit(second, 4 * n, False))

        def up(before: int, width: int) -> nn.Module:
            return unit(nn.ConvTranspose2d(before, width, 3, 2, 1, output_padding=1), width)

        self.initial = nn.Sequential(
            reflecting(3, n, 7, padding=3), nn.InstanceNorm2d(n), nn.ReLU(inplace=True)
        )
        self.down_blocks = nn.ModuleList([
            unit(reflecting(n, 2 * n, 3, 2), 2 * n), unit(reflecting(2 * n, 4 * n, 3, 2), 4 * n)
        ])  # fmt: skip
        self.res_blocks = nn.Sequential(*[block() for _ in range(blocks)])
        self.up_blocks = nn.ModuleList([up(4 * n, 2 * n), up(2 * n, n)])
        self.last = reflecting(n, 3, 7, padding=3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.initial(x)
        for layer in self.down_blocks:
            x = layer(x)
        x = self.res_blocks(x)
        for layer in self.up_blocks:
            x = layer(x)
        return torch.tanh(self.last(x))


def normed(conv: nn.Module, n: int, batch: bool = True, *before: nn.Module) -> nn.Module:
    return nn.Sequential(*before, conv, *([nn.BatchNorm2d(n)] if batch else []))


class UdacityBlock(nn.Module):
    def __init__(self, n: int, name: str) -> None:
        super().__init__()
        self.name = name
        for i in (1, 2):
            setattr(self, f"{name}{i}", normed(nn.Conv2d(n, n, 3, 1, 1, bias=False), n))

    def forward(self, x: Tensor) -> Tensor:
        first, second = (getattr(self, f"{self.name}{i}") for i in (1, 2))
        return second(nnf.relu(first(x))) + x


class Udacity(nn.Module):
    def __init__(
        self, n: int = 4, blocks: int = 3, batch_last: bool = False, name: str = "conv_layer"
    ) -> None:
        super().__init__()
        self.conv1 = normed(nn.Conv2d(3, n, 4, 2, 1, bias=False), n)
        self.conv2 = normed(nn.Conv2d(n, 2 * n, 4, 2, 1, bias=False), 2 * n)
        self.conv3 = normed(nn.Conv2d(2 * n, 4 * n, 4, 2, 1, bias=False), 4 * n)
        self.res_blocks = nn.Sequential(*[UdacityBlock(4 * n, name) for _ in range(blocks)])
        self.deconv1 = normed(nn.ConvTranspose2d(4 * n, 2 * n, 4, 2, 1, bias=False), 2 * n)
        self.deconv2 = normed(nn.ConvTranspose2d(2 * n, n, 4, 2, 1, bias=False), n)
        self.deconv3 = normed(nn.ConvTranspose2d(n, 3, 4, 2, 1, bias=False), 3, batch_last)

    def forward(self, x: Tensor) -> Tensor:
        for layer in (self.conv1, self.conv2, self.conv3):
            x = nnf.relu(layer(x))
        x = self.res_blocks(x)
        return torch.tanh(self.deconv3(nnf.relu(self.deconv2(nnf.relu(self.deconv1(x))))))


class TorontoBlock(nn.Module):
    def __init__(self, n: int) -> None:
        super().__init__()
        self.conv_layer = normed(nn.Conv2d(n, n, 3, 1, 1, bias=False), n)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv_layer(x)


class Toronto(nn.Module):
    def __init__(self, n: int = 4, kernel: int = 4, upsampled: bool = False, blocks: int = 0) -> None:
        super().__init__()
        padding = 1 if kernel == 4 else 2
        self.conv1 = normed(nn.Conv2d(3, n, kernel, 2, padding, bias=False), n)
        self.conv2 = normed(nn.Conv2d(n, 2 * n, kernel, 2, padding, bias=False), 2 * n)
        several = nn.Sequential(*[TorontoBlock(2 * n) for _ in range(blocks)])
        self.resnet_block = several if blocks else TorontoBlock(2 * n)
        if upsampled:
            twice = nn.Upsample(scale_factor=2)
            self.upconv1 = normed(nn.Conv2d(2 * n, n, kernel, 1, 2, bias=False), n, True, twice)
            self.upconv2 = normed(nn.Conv2d(n, 3, kernel, 1, 2, bias=False), 3, False, twice)
        else:
            self.deconv1 = normed(nn.ConvTranspose2d(2 * n, n, kernel, 2, 1, bias=False), n)
            self.deconv2 = normed(nn.ConvTranspose2d(n, 3, kernel, 2, 1, bias=False), 3, False)
        self.ups = ("upconv1", "upconv2") if upsampled else ("deconv1", "deconv2")

    def forward(self, x: Tensor) -> Tensor:
        x = nnf.relu(self.conv2(nnf.relu(self.conv1(x))))
        x = nnf.relu(self.resnet_block(x))
        first, second = (getattr(self, up) for up in self.ups)
        return torch.tanh(second(nnf.relu(first(x))))


class BesideBlock(nn.Module):
    def __init__(self, n: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(n, n, 3), nn.Conv2d(n, n, 3)
        self.conv1_norm, self.conv2_norm = nn.InstanceNorm2d(n), nn.InstanceNorm2d(n)

    def forward(self, x: Tensor) -> Tensor:
        y = nnf.relu(self.conv1_norm(self.conv1(nnf.pad(x, (1,) * 4, "reflect"))))
        return x + self.conv2_norm(self.conv2(nnf.pad(y, (1,) * 4, "reflect")))


class Beside(nn.Module):
    """znxlwm's, all layers beside each other."""

    def __init__(self, n: int = 4, blocks: int = 2) -> None:
        super().__init__()
        self.conv1, self.deconv3 = nn.Conv2d(3, n, 7), nn.Conv2d(n, 3, 7)
        self.conv2, self.conv3 = nn.Conv2d(n, 2 * n, 3, 2, 1), nn.Conv2d(2 * n, 4 * n, 3, 2, 1)
        self.resnet_blocks = nn.Sequential(*[BesideBlock(4 * n) for _ in range(blocks)])
        self.deconv1 = nn.ConvTranspose2d(4 * n, 2 * n, 3, 2, 1, 1)
        self.deconv2 = nn.ConvTranspose2d(2 * n, n, 3, 2, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = nnf.pad(x, (3,) * 4, "reflect")
        for conv in (self.conv1, self.conv2, self.conv3):
            x = nnf.relu(nnf.instance_norm(conv(x)))
        x = self.resnet_blocks(x)
        for conv in (self.deconv1, self.deconv2):
            x = nnf.relu(nnf.instance_norm(conv(x)))
        return torch.tanh(self.deconv3(nnf.pad(x, (3,) * 4, "reflect")))


class BesideJudge(nn.Module):
    def __init__(self, n: int = 4) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, n, 4, 2, 1), nn.Conv2d(n, 2 * n, 4, 2, 1)
        self.conv3, self.conv4 = nn.Conv2d(2 * n, 4 * n, 4, 2, 1), nn.Conv2d(4 * n, 8 * n, 4, 1, 1)
        self.conv5 = nn.Conv2d(8 * n, 1, 4, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = nnf.leaky_relu(self.conv1(x), 0.2)
        for conv in (self.conv2, self.conv3, self.conv4):
            x = nnf.leaky_relu(nnf.instance_norm(conv(x)), 0.2)
        return self.conv5(x)


class Padded(nn.Module):
    """A convolution behind a pad that reflects, and behind Upsample where there is one."""

    def __init__(self, before: int, n: int, kernel: int, stride: int = 1, upsample: int = 1) -> None:
        super().__init__()
        self.upsample, self.padding = upsample, kernel // 2
        self.conv2d = nn.Conv2d(before, n, kernel, stride)

    def forward(self, x: Tensor) -> Tensor:
        if self.upsample > 1:
            x = nnf.interpolate(x, scale_factor=self.upsample, mode="nearest")
        return self.conv2d(nnf.pad(x, (self.padding,) * 4, "reflect"))


class JohnsonBlock(nn.Module):
    def __init__(self, n: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = Padded(n, n, 3), Padded(n, n, 3)
        self.in1, self.in2 = (nn.InstanceNorm2d(n, affine=True) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        return self.in2(self.conv2(nnf.relu(self.in1(self.conv1(x))))) + x


class Johnson(nn.Module):
    """pytorch/examples' fast style transfer, for pictures of 0 … 255."""

    def __init__(self, n: int = 4, blocks: int = 5, transposed: bool = False) -> None:
        super().__init__()
        self.blocks = blocks
        self.conv1, self.conv2, self.conv3 = (
            Padded(3, n, 9),
            Padded(n, 2 * n, 3, 2),
            Padded(2 * n, 4 * n, 3, 2),
        )
        for i, width in enumerate((n, 2 * n, 4 * n, 2 * n, n), 1):
            setattr(self, f"in{i}", nn.InstanceNorm2d(width, affine=True))
        for i in range(1, blocks + 1):
            setattr(self, f"res{i}", JohnsonBlock(4 * n))
        for i, width in enumerate((4 * n, 2 * n), 1):
            half = width // 2
            up = nn.ConvTranspose2d(width, half, 3, 2, 1, 1) if transposed else Padded(width, half, 3, 1, 2)
            setattr(self, f"deconv{i}", up)
        self.deconv3 = Padded(n, 3, 9)

    def forward(self, x: Tensor) -> Tensor:
        for i in (1, 2, 3):
            x = nnf.relu(getattr(self, f"in{i}")(getattr(self, f"conv{i}")(x)))
        for i in range(1, self.blocks + 1):
            x = getattr(self, f"res{i}")(x)
        for i in (1, 2):
            x = nnf.relu(getattr(self, f"in{3 + i}")(getattr(self, f"deconv{i}")(x)))
        return self.deconv3(x)


class UnitJohnson(Johnson):
    """The same for pictures in [-1, 1]; values that no picture has are cut off, as when it is saved."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward((x + 1) * 127.5).clamp(0, 255) / 127.5 - 1


def patchgan(
    norm: str = "instance", ndf: int = 4, layers: int = 3, channels: int = 3, blurred: bool = False,
    zeros: bool = False, last_bias: bool = True, root: str = "model", grouped: bool = False,
) -> nn.Module:  # fmt: skip
    """CycleGAN's, CUT's (blurred), PyTorch-GAN's (zeros)."""
    make, bias = NORMS[norm]
    widths = [channels, *(ndf * min(2**i, 8) for i in range(layers + 1))]
    found: list[nn.Module] = []
    for i, (before, n) in enumerate(pairwise(widths)):
        strided = i < layers or zeros
        conv = nn.Conv2d(before, n, 4, 2 if strided and not blurred else 1, 1, bias=bias or not i)
        unit: list[nn.Module] = [conv, *([make(n)] if i else []), nn.LeakyReLU(0.2, True)]
        found += [nn.Sequential(*unit)] if grouped and i else unit
        found += [Down2(n)] if blurred and strided else []
    found += [nn.ZeroPad2d((1, 0, 1, 0))] if zeros else []
    return Named(root, *found, nn.Conv2d(widths[-1], 1, 4, 1, 1, bias=last_bias))


def pixel(norm: str = "batch", ndf: int = 4, channels: int = 3, root: str = "net") -> nn.Module:
    make, bias = NORMS[norm]
    return Named(
        root, nn.Conv2d(channels, ndf, 1), nn.LeakyReLU(0.2, True), nn.Conv2d(ndf, 2 * ndf, 1, bias=bias),
        make(2 * ndf), nn.LeakyReLU(0.2, True), nn.Conv2d(2 * ndf, 1, 1, bias=bias),
    )  # fmt: skip


class AladdinJudge(nn.Module):
    """paired: pix2pix's, which sees two pictures, has batch norm, and ends without a sigmoid."""

    def __init__(self, features: tuple[int, ...] = (4, 6, 8, 10), paired: bool = False) -> None:
        super().__init__()
        first, *others = features
        self.paired = paired
        self.initial = nn.Sequential(reflecting(6 if paired else 3, first, 4, 2), nn.LeakyReLU(0.2, True))
        layers: list[nn.Module] = []
        for before, n in pairwise([first, *others]):
            stride = 1 if n == features[-1] else 2
            conv = nn.Conv2d(before, n, 4, stride, 1, bias=not paired, padding_mode="reflect")
            norm = nn.BatchNorm2d(n) if paired else nn.InstanceNorm2d(n)
            layers.append(Named("conv", conv, norm, nn.LeakyReLU(0.2, True)))
        self.model = nn.Sequential(*layers, reflecting(features[-1], 1, 4))

    def forward(self, x: Tensor) -> Tensor:
        judged = self.model(self.initial(x))
        return judged if self.paired else torch.sigmoid(judged)


class UdacityJudge(nn.Module):
    """Toronto's, too: with a norm behind the first convolution, and without padding around the last map."""

    def __init__(self, n: int = 4, toronto: bool = False) -> None:
        super().__init__()
        widths = [3, n, 2 * n, 4 * n] if toronto else [3, n, 2 * n, 4 * n, 8 * n]
        self.convs: list[str] = []
        for i, (before, after) in enumerate(pairwise(widths), 1):
            self.convs.append(f"conv{i}")
            conv = nn.Conv2d(before, after, 4, 2, 1, bias=False)
            setattr(self, f"conv{i}", normed(conv, after, toronto or i > 1))
        last = nn.Conv2d(widths[-1], 1, 4, 1, 0 if toronto else 1, bias=False)
        self.last = f"conv{len(widths)}"
        setattr(self, self.last, normed(last, 1, False))

    def forward(self, x: Tensor) -> Tensor:
        for name in self.convs:
            x = nnf.relu(getattr(self, name)(x))
        return getattr(self, self.last)(x)


GENERATORS: dict[str, tuple[Callable[[], nn.Module], int]] = {
    "CycleGAN": (resnet, 7),
    "CycleGAN, batch norm, dropout": (lambda: resnet("batch", dropout=True), 7),
    "CycleGAN, affine": (lambda: resnet("affine"), 7),
    "CycleGAN, affine, no biases": (lambda: resnet("affine without biases"), 7),
    "CycleGAN, batch norm and biases": (lambda: resnet("batch with biases"), 7),
    "CycleGAN, tracked": (lambda: resnet("tracked"), 7),
    "CycleGAN, zero pads, dropout": (lambda: resnet(pads="zero", dropout=True), 7),
    "CycleGAN, grey": (lambda: resnet(channels=1), 7),
    "PyTorch-GAN": (lambda: resnet(up="nearest", inner="block", blocks=3), 8),
    "fork, nearest": (lambda: resnet("batch", up="nearest"), 7),
    "fork, bilinear": (lambda: resnet("batch", up="bilinear"), 7),
    "CUT": (lambda: resnet(up="blurred", down="blurred"), 7),
    "CUT, transposed up": (lambda: resnet(down="blurred"), 7),
    "CUT, no antialias": (lambda: resnet("batch", up="blurred"), 7),
    "fork, pixel shuffle": (lambda: resnet("batch", up="shuffled"), 7),
    "pix2pixHD": (lambda: resnet(levels=4), 11),
    "UPIT": (lambda: bare(resnet()), 7),
    "StarGAN": (stargan, 7),
    "Lornatang": (lambda: resnet(root="main", inner="res"), 7),
    "arnab39": (arnab, 7),
    "arnab39, batch norm, dropout": (lambda: arnab("batch", dropout=True), 7),
    "pix2pix": (unet, 9),
    "pix2pix, instance norm": (lambda: unet("instance", depth=6, dropout=False), 11),
    "arnab39's U-Net": (lambda: unet(root="unet_model"), 9),
    "PyTorch-GAN's U-Net": (LevelsUNet, 9),
    "DiscoGAN": (lambda: LevelsUNet(bias=True), 9),
    "DualGAN": (lambda: LevelsUNet(affine=True, last="transposed"), 9),
    "aladdinpersson's pix2pix": (AladdinUNet, 9),
    "deeplearning.ai": (DeepLearning, 7),
    "aladdinpersson": (Aladdin, 7),
    "Udacity": (Udacity, 8),
    "Udacity, norm last": (lambda: Udacity(blocks=1, batch_last=True, name="conv"), 6),
    "Toronto": (Toronto, 3),
    "Toronto, 5×5": (lambda: Toronto(kernel=5, upsampled=True), 3),
    "Toronto, several blocks": (lambda: Toronto(blocks=3), 3),
    "znxlwm": (Beside, 7),
    "znxlwm, no blocks": (lambda: Beside(blocks=0), 5),
    "fast style transfer": (UnitJohnson, 10),
    "fast style transfer, transposed": (lambda: UnitJohnson(transposed=True), 10),
}
"""How to make each, and how many groups of filters it has."""

DISCRIMINATORS: dict[str, Callable[[], nn.Module]] = {
    "CycleGAN": patchgan,
    "CycleGAN, batch norm, n layers": lambda: patchgan("batch", layers=2),
    "CycleGAN, no norm": lambda: patchgan("none", layers=4),
    "CycleGAN, affine, no biases": lambda: patchgan("affine without biases"),
    "CycleGAN, tracked": lambda: patchgan("tracked"),
    "pix2pix": lambda: patchgan("batch", channels=6),
    "CUT": lambda: patchgan(blurred=True),
    "PyTorch-GAN": lambda: patchgan(zeros=True),
    "huggan's pix2pix": lambda: patchgan(zeros=True, last_bias=False, channels=6),
    "pixel": pixel,
    "pixel, instance norm": lambda: pixel("instance"),
    "UPIT": lambda: bare(patchgan()),
    "Lornatang": lambda: patchgan(root="main"),
    "arnab39": lambda: patchgan(root="dis_model", grouped=True),
    "arnab39, pixel": lambda: pixel(root="dis_model"),
    "aladdinpersson": AladdinJudge,
    "aladdinpersson's pix2pix": lambda: AladdinJudge(paired=True),
    "deeplearning.ai": DeepLearningJudge,
    "Udacity": UdacityJudge,
    "Toronto": lambda: UdacityJudge(toronto=True),
    "znxlwm": BesideJudge,
}
