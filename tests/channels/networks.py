"""Random small networks: a hypothesis strategy that mixes what people's generators are made of."""

from collections.abc import Callable

import torch
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from tests.channels import parts
from tests.channels.parts import Do
from tests.tiny import random_pictures, seeded

PICTURE = (16, 20)
"""Height and width."""
MOST = 6
"""Channels that a convolution writes."""


class Program(nn.Module):
    """Maps that follow from maps: each of a part, called with the maps of some places."""

    def __init__(self) -> None:
        super().__init__()
        self.parts = nn.ModuleList()
        self.steps: list[tuple[int, tuple[int, ...]]] = []

    def forward(self, picture: Tensor) -> Tensor:
        maps = [picture.clone()]  # as some parts work in place
        for part, places in self.steps:
            maps.append(self.parts[part](*(maps[place] for place in places)))
        return maps[-1]


class Drawn:
    """A network, and pictures for it: one to trace it with, two to compare."""

    def __init__(self, network: Program, pictures: Tensor) -> None:
        self.network, self.example, self.pictures = network, pictures[:1], pictures[1:]

    def __repr__(self) -> str:
        steps = (f"{self.network.parts[n]} of {places}" for n, places in self.network.steps)
        return f"{tuple(self.example.shape)} -> " + "; ".join(steps)


class Builder:
    """Adds part after part to a network whose maps' shapes are known."""

    padding_modes: tuple[str, ...] = ("zeros", "reflect", "circular")

    def __init__(self, draw: st.DrawFn, shape: tuple[int, int, int]) -> None:
        self.draw, self.program, self.shapes = draw, Program(), [shape]

    def pick(self, *of: object) -> object:
        return self.draw(st.sampled_from(of))

    def yes(self) -> bool:
        return self.draw(st.booleans())

    def place(self) -> int:
        """Mostly the last map."""
        return self.draw(st.sampled_from([len(self.shapes) - 1] * 3 + list(range(len(self.shapes)))))

    def alike(self, key: Callable[[tuple[int, int, int]], object]) -> tuple[int, int]:
        """The last map, and one of the same ``key``, which may be itself."""
        last = len(self.shapes) - 1
        fit = [i for i, shape in enumerate(self.shapes) if key(shape) == key(self.shapes[last])]
        return last, self.draw(st.sampled_from(fit))

    def add(self, part: nn.Module, *places: int) -> None:
        """A new part."""
        self.program.parts.append(part)
        self.again(len(self.program.parts) - 1, *places)

    def again(self, number: int, *places: int) -> None:
        """A part that is there."""
        part = self.program.parts[number].double().eval()
        with torch.no_grad():
            out = part(*(torch.zeros(1, *self.shapes[i], dtype=torch.float64) for i in places))
        self.program.steps.append((number, places))
        self.shapes.append(tuple(out.shape[1:]))  # pyright: ignore[reportArgumentType]

    # One of a kind

    def width(self) -> int:
        return self.draw(st.integers(1, MOST))

    def convolution(self) -> None:
        i = self.place()
        c, h, w = self.shapes[i]
        dilation = self.draw(st.integers(1, 2)) if min(h, w) > 6 else 1
        k, stride = self.draw(st.sampled_from((1, 3))), self.draw(st.integers(1, 2 if min(h, w) > 4 else 1))
        mode = self.draw(st.sampled_from(self.padding_modes))
        padding = dilation * (k // 2)
        self.add(
            nn.Conv2d(
                c,
                self.width(),
                k,
                stride,
                padding,
                dilation,
                bias=self.yes(),
                padding_mode=mode,  # pyright: ignore[reportArgumentType]
            ),
            i,
        )

    def transposed(self) -> None:
        i = self.place()
        c, h, w = self.shapes[i]
        if max(h, w) > 24:
            return
        k, out = self.draw(st.sampled_from(((3, 1), (4, 0), (2, 0))))
        self.add(nn.ConvTranspose2d(c, self.width(), k, 2, 0 if k == 2 else 1, out, bias=self.yes()), i)

    def depthwise(self) -> None:
        i = self.place()
        c, h, w = self.shapes[i]
        if self.yes() or max(h, w) > 24:
            self.add(nn.Conv2d(c, c, 3, padding=1, groups=c, bias=self.yes()), i)
        else:
            self.add(nn.ConvTranspose2d(c, c, 2, 2, groups=c, bias=self.yes()), i)

    def grouped(self) -> None:
        i = self.place()
        c = self.shapes[i][0]
        groups = next((n for n in (2, 3) if c % n == 0), 1)
        out = groups * self.draw(st.integers(1, 2))
        if self.yes():
            self.add(nn.Conv2d(c, out, 3, padding=1, groups=groups, bias=self.yes()), i)
        else:
            self.add(nn.ConvTranspose2d(c, out, 3, padding=1, groups=groups, bias=self.yes()), i)

    def norm(self) -> None:
        i = self.place()
        c, h, w = self.shapes[i]
        if h * w < 2:
            return
        affine, tracked = self.yes(), self.yes()
        self.add(
            self.draw(
                st.sampled_from(
                    (
                        nn.InstanceNorm2d(c, affine=affine, track_running_stats=tracked),
                        nn.BatchNorm2d(c, affine=affine, track_running_stats=tracked),
                        nn.GroupNorm(1 if c % 2 else 2, c, affine=affine),
                        nn.LayerNorm([c, h, w], elementwise_affine=affine),
                    )
                )
            ),
            i,
        )

    def activation(self) -> None:
        i, inplace = self.place(), self.yes()
        c = self.shapes[i][0]
        kinds = (
            nn.ReLU(inplace), nn.LeakyReLU(0.2, inplace), nn.Tanh(), nn.Sigmoid(), nn.GELU(),
            nn.ELU(1, inplace),
            nn.Softplus(), nn.PReLU(), nn.PReLU(c), nn.SiLU(), nn.Hardswish(), nn.Dropout(), nn.Dropout2d(),
            Do(functional.leaky_relu, negative_slope=0.1), Do(torch.tanh),
        )  # fmt: skip
        self.add(self.draw(st.sampled_from(kinds)), i)

    def pad(self) -> None:
        i = self.place()
        _, h, w = self.shapes[i]
        if max(h, w) > 24 or min(h, w) < 4:
            return
        kinds = (
            nn.ReflectionPad2d(1), nn.ReplicationPad2d((1, 0, 2, 1)), nn.ZeroPad2d((1, 0, 1, 0)),
            nn.ConstantPad2d(1, 1.5), Do(functional.pad, pad=(1, 1, 1, 1), mode="reflect"),
            Do(functional.pad, pad=(1, 2)), Do(functional.pad, pad=(-1, 0, 0, -1)),
            Do(functional.pad, pad=(0, 1, 1, 0), value=0.5),
        )  # fmt: skip
        self.add(self.draw(st.sampled_from(kinds)), i)

    def resampled(self) -> None:
        i = self.place()
        c, h, w = self.shapes[i]
        if min(h, w) < 4:
            return
        kinds: list[nn.Module] = [
            nn.MaxPool2d(2), nn.AvgPool2d(3, 2, 1), nn.AdaptiveAvgPool2d((4, 4)), nn.AdaptiveMaxPool2d(3),
            Do(parts.pooled), Do(functional.adaptive_avg_pool2d, output_size=(5, 4)),
        ]  # fmt: skip
        if max(h, w) <= 24:
            kinds += [
                nn.Upsample(scale_factor=2),
                Do(functional.interpolate, scale_factor=2, mode="bilinear", align_corners=True),
                Do(functional.interpolate, size=(9, 7)),
                Do(functional.interpolate, scale_factor=1.5, mode="bicubic"),
            ]  # fmt: skip
        if c % 4 == 0 and max(h, w) <= 24:
            kinds += [nn.PixelShuffle(2)] * 8
        if c <= 3 and h % 2 == w % 2 == 0:
            kinds += [nn.PixelUnshuffle(2)] * 4
        self.add(self.draw(st.sampled_from(kinds)), i)

    def blur(self) -> None:
        i = self.place()
        if min(self.shapes[i][1:]) > 3:
            stride = self.draw(st.integers(1, 2))
            self.add(parts.Blur(self.shapes[i][0], self.yes(), stride), i)

    def scale(self) -> None:
        i = self.place()
        c, h, w = self.shapes[i]
        shapes = ((), (1,), (1, c, 1, 1), (c, 1, 1), (c, h, w), (1, 1, h, w), (h, w), (1, c, h, 1), (w,))
        kinds = [parts.Scaled(*shape) for shape in shapes]
        kinds += [parts.Masked(h, w)] + [parts.ViewedScale(c, how) for how in ("view", "index", "exp", "")]
        self.add(self.draw(st.sampled_from(kinds)), i)

    def function(self) -> None:
        i = self.place()
        if min(self.shapes[i][1:]) > 3:
            self.add(Do(self.draw(st.sampled_from(parts.PLAIN))), i)

    def gate(self) -> None:
        i = self.place()
        how = self.draw(st.sampled_from(("pool", "mean", "linear")))
        self.add(parts.Gate(self.shapes[i][0], self.draw(st.integers(1, 3)), how), i)

    def block(self) -> None:
        i = self.place()
        c, h, w = self.shapes[i]
        norm = self.draw(st.sampled_from((None, nn.InstanceNorm2d, nn.BatchNorm2d)))
        mode = self.draw(st.sampled_from(("zeros", "reflect")))
        if min(h, w) > 2:
            self.add(parts.Block(c, self.width(), norm, self.yes(), mode), i)

    def total(self) -> None:
        self.add(Do(self.draw(st.sampled_from(parts.SUMS))), *self.alike(lambda shape: shape))

    def concatenation(self) -> None:
        one, other = self.alike(lambda shape: shape[1:])
        if self.shapes[one][0] + self.shapes[other][0] > 12:
            return
        joined = self.draw(st.sampled_from((parts.joined, parts.joined_to_list)))
        places = self.draw(st.sampled_from(((one, other), (other, one))))
        self.add(Do(joined, dim=self.draw(st.sampled_from((1, -3)))), *places)

    def wide_concatenation(self) -> None:
        one, other = self.alike(lambda shape: shape[:2])
        if self.shapes[one][2] + self.shapes[other][2] <= 40:
            self.add(Do(parts.joined, dim=self.draw(st.sampled_from((3, -1)))), one, other)

    def pieces(self) -> None:
        i = self.place()
        c, h, _ = self.shapes[i]
        if c % 2 == 0:
            kinds = (parts.gated, parts.gated_linear_unit, parts.split, parts.split_off)
            self.add(Do(self.draw(st.sampled_from(kinds))), i)
        elif h % 2 == 0:
            self.add(Do(parts.rows_chunked), i)

    def repeated(self) -> None:
        """A part that was used before."""
        i = self.place()
        c = self.shapes[i][0]
        fit = [
            n
            for n, part in enumerate(self.program.parts)
            if (isinstance(part, nn.Conv2d | nn.ConvTranspose2d) and part.in_channels == c)
            or (isinstance(part, nn.InstanceNorm2d | nn.BatchNorm2d) and part.num_features == c)
        ]
        if fit and 4 < max(self.shapes[i][1:]) <= 24 and min(self.shapes[i][1:]) > 2:
            self.again(self.draw(st.sampled_from(fit)), i)

    def odd(self) -> None:
        i = self.place()
        c, h, w = self.shapes[i]
        kinds = [Do(function) for function in parts.ODD]
        kinds += [parts.Linear(c, self.width()), parts.Attention(c), parts.Tied(c)]
        kinds += [parts.Functional(c, self.width())]
        for alike, functions in ((h == w, parts.SQUARE), (c == h, parts.TALL), (c == w, parts.WIDE)):
            kinds += [Do(function) for function in functions] * 10 * alike
        if h * w <= 36:
            kinds.append(parts.Linear(c, 2, h * w))
        if c % 2 == 0:
            kinds.append(Do(parts.shuffled))
        if c <= 4 and h * w <= 400 and 2 * c <= 12:
            self.add(self.draw(st.sampled_from(kinds)), i)

    def computed_weight(self) -> None:
        i = self.place()
        conv = nn.Conv2d(self.shapes[i][0], self.width(), 3, padding=1)
        self.add(nn.utils.parametrizations.weight_norm(conv), i)

    def last(self, channels: int) -> None:
        self.add(nn.Conv2d(self.shapes[-1][0], channels, 1, bias=self.yes()), len(self.shapes) - 1)
        if self.yes():
            self.add(nn.Tanh(), len(self.shapes) - 1)


UNDERSTOOD = (
    Builder.convolution, Builder.convolution, Builder.convolution, Builder.transposed, Builder.depthwise,
    Builder.norm, Builder.activation, Builder.activation, Builder.pad, Builder.resampled, Builder.blur,
    Builder.scale, Builder.function, Builder.gate, Builder.block, Builder.total, Builder.total,
    Builder.concatenation, Builder.wide_concatenation, Builder.pieces, Builder.repeated,
)  # fmt: skip
EVERYTHING = (*UNDERSTOOD, Builder.grouped, Builder.odd, Builder.odd, Builder.odd, Builder.computed_weight)


@st.composite
def programs(
    draw: st.DrawFn,
    kinds: tuple[Callable[..., None], ...] = EVERYTHING,
    most: int = 9,
    builds: type[Builder] = Builder,
) -> Drawn:
    """1 … 5 channels in and out, up to ``most`` parts; float64, random weights, eval mode."""
    builder = builds(draw, (draw(st.integers(1, 5)), *PICTURE))
    builder.convolution()
    for kind in draw(st.lists(st.sampled_from(kinds), max_size=most)):
        kind(builder)
    if draw(st.booleans()):
        builder.convolution()
    builder.last(draw(st.integers(1, 5)))
    net, seed = builder.program.double(), draw(st.integers(0, 1000))
    random = seeded(seed)
    for p in net.parameters():
        spread = 0.3 if p.ndim < 2 else p[0].numel() ** -0.5
        p.data.copy_(torch.randn(p.shape, generator=random, dtype=torch.float64) * spread)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d | nn.InstanceNorm2d) and module.running_mean is not None:
            module.running_mean.copy_(torch.linspace(-0.5, 0.5, module.num_features))
            assert module.running_var is not None
            module.running_var.copy_(torch.linspace(0.5, 2, module.num_features))
    pictures = random_pictures(3, builder.shapes[0][0], *PICTURE, seed=seed)
    return Drawn(net.requires_grad_(False).eval(), pictures)
