"""Pieces of networks as people write them: modules and functions of maps, all of which pickle."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


class Do(nn.Module):
    """A function of maps."""

    def __init__(self, function: Callable[..., Tensor], **given: Any) -> None:
        super().__init__()
        self.function, self.given = function, given

    def forward(self, *maps: Tensor) -> Tensor:
        return self.function(*maps, **self.given)

    def extra_repr(self) -> str:
        return f"{self.function.__name__}, {self.given}"


class Blur(nn.Module):
    """A fixed kernel for every channel: repeated in the buffer, or expanded on the way."""

    def __init__(self, channels: int, expanded: bool, stride: int) -> None:
        super().__init__()
        kernel = torch.tensor([1.0, 2.0, 1.0], dtype=torch.float64)
        kernel = torch.outer(kernel, kernel)[None, None] / 16
        self.register_buffer("filt", kernel if expanded else kernel.repeat(channels, 1, 1, 1))
        self.expanded, self.stride = expanded, stride

    def forward(self, x: Tensor) -> Tensor:
        kernel = self.get_buffer("filt")
        if self.expanded:
            kernel = kernel.expand(x.shape[1], -1, -1, -1)
        return functional.conv2d(
            functional.pad(x, (1, 1, 1, 1), "reflect"), kernel, stride=self.stride, groups=x.shape[1]
        )


class Scaled(nn.Module):
    """Times a parameter of any shape that broadcasts, plus another."""

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.scale, self.shift = (nn.Parameter(torch.ones(shape, dtype=torch.float64)) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale + self.shift


class ViewedScale(nn.Module):
    """A parameter a channel that is brought into shape on the way."""

    def __init__(self, channels: int, how: str) -> None:
        super().__init__()
        self.scale, self.how = nn.Parameter(torch.ones(channels, dtype=torch.float64)), how

    def forward(self, x: Tensor) -> Tensor:
        if self.how == "view":
            return x * self.scale.view(1, -1, 1, 1)
        if self.how == "index":
            return x * self.scale[None, :, None, None]
        if self.how == "exp":
            return x * self.scale.exp()[:, None, None]
        return x + self.scale.unsqueeze(-1).unsqueeze(-1)


class Masked(nn.Module):
    """Times a picture of zeros and ones, the same for all channels."""

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        self.register_buffer(
            "mask", (torch.arange(height * width) % 3 > 0).double().view(1, 1, height, width)
        )

    def forward(self, x: Tensor) -> Tensor:
        return x * self.get_buffer("mask")


class Gate(nn.Module):
    """Squeeze and excite."""

    def __init__(self, channels: int, hidden: int, how: str) -> None:
        super().__init__()
        self.how = how
        if how == "linear":
            self.into, self.out = nn.Linear(channels, hidden), nn.Linear(hidden, channels)
        else:
            self.into, self.out = nn.Conv2d(channels, hidden, 1), nn.Conv2d(hidden, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        if self.how == "linear":
            gate = self.out(functional.relu(self.into(x.mean((2, 3)))))
            return x * torch.sigmoid(gate)[:, :, None, None]
        mean = x.mean((2, 3), keepdim=True) if self.how == "mean" else functional.adaptive_avg_pool2d(x, 1)
        return x * torch.sigmoid(self.out(functional.relu(self.into(mean))))


class Block(nn.Module):
    """Residual; it can be taken out where its own filters alone decide what it adds."""

    def __init__(self, c: int, inner: int, norm: Any, affine: bool, mode: Any) -> None:
        super().__init__()

        def conv(before: int, n: int) -> list[nn.Module]:
            layer = nn.Conv2d(before, n, 3, padding=1, padding_mode=mode, bias=affine)
            return [layer] if norm is None else [layer, norm(n, affine=affine)]

        self.layers = nn.Sequential(*conv(c, inner), nn.ReLU(), *conv(inner, c))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


class Linear(nn.Module):
    """Over channels behind a permutation, or over all of a map."""

    def __init__(self, channels: int, out: int, pixels: int = 0) -> None:
        super().__init__()
        self.linear = nn.Linear(channels * max(pixels, 1), out * max(pixels, 1))
        self.out, self.pixels = out, pixels

    def forward(self, x: Tensor) -> Tensor:
        if self.pixels:
            return self.linear(x.flatten(1)).view(len(x), self.out, *x.shape[2:])
        return self.linear(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Attention(nn.Module):
    """Between pixels, by products of matrices."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.query, self.value = nn.Conv2d(channels, channels, 1), nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        q, v = self.query(x).flatten(2), self.value(x).flatten(2)
        weights = torch.softmax(q.transpose(1, 2) @ q / math.sqrt(q.shape[1]), -1)
        return x + (v @ weights).view_as(x)


class Tied(nn.Module):
    """Two convolutions of one weight."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first, self.second = (nn.Conv2d(channels, channels, 3, padding=1) for _ in range(2))
        self.second.weight = self.first.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.second(torch.relu(self.first(x)))


class Functional(nn.Module):
    """A convolution without a module of its own."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.kernel = nn.Parameter(torch.ones(out, channels, 3, 3))
        self.offset = nn.Parameter(torch.ones(out))

    def forward(self, x: Tensor) -> Tensor:
        return functional.conv2d(x, self.kernel, bias=self.offset, padding=1)


def added(x: Tensor, y: Tensor) -> Tensor:
    return x + y


def added_in_place(x: Tensor, y: Tensor) -> Tensor:
    x = x * 1.0
    x += y
    return x


def added_weighed(x: Tensor, y: Tensor) -> Tensor:
    return torch.add(x, y, alpha=0.5)


def multiplied(x: Tensor, y: Tensor) -> Tensor:
    return x * torch.tanh(y)


def larger(x: Tensor, y: Tensor) -> Tensor:
    return torch.maximum(x, y)


def largest(x: Tensor, y: Tensor) -> Tensor:
    return torch.max(x, y)


def chosen(x: Tensor, y: Tensor) -> Tensor:
    return torch.where(x > 0.1234, x, y)


def blended(x: Tensor, y: Tensor) -> Tensor:
    return torch.lerp(x, y, 0.3)


SUMS = (added, added_in_place, added_weighed, multiplied, larger, largest, chosen, blended)


def joined(*maps: Tensor, dim: int) -> Tensor:
    return torch.cat(maps, dim)


def joined_to_list(*maps: Tensor, dim: int) -> Tensor:
    return torch.cat(tensors=[*maps], dim=dim)


def scaled(x: Tensor) -> Tensor:
    return 2 - x * 0.5 / 3


def halved_in_place(x: Tensor) -> Tensor:
    x = x + 0.25
    x *= 0.5
    return x


def spread(x: Tensor) -> Tensor:
    """A dropped channel is not zero behind it."""
    return torch.cos(x) + x.clamp(-2, 2).exp()


def pooled(x: Tensor) -> Tensor:
    return functional.max_pool2d(x, 2)


def doubled(x: Tensor) -> Tensor:
    return x + x


def normalised_pixels(x: Tensor) -> Tensor:
    """Over height and width, by hand."""
    mean, var = x.mean((2, 3), keepdim=True), x.var((-2, -1), keepdim=True, unbiased=False)
    return (x - mean) / torch.sqrt(var + 1e-3)


def normalised_rows(x: Tensor) -> Tensor:
    return x / (x.norm(dim=-1, keepdim=True) + 1)


def normalised_whole(x: Tensor) -> Tensor:
    return x / (x.norm() / math.sqrt(x.numel()) + 1)


def largest_in_row(x: Tensor) -> Tensor:
    return x - x.max(3, keepdim=True)[0]


def smallest_in_row(x: Tensor) -> Tensor:
    return x - x.min(dim=-1, keepdim=True).values


def cropped(x: Tensor) -> Tensor:
    return x[:, :, 1:-1, 1:-1]


def cropped_rows(x: Tensor) -> Tensor:
    return x[..., 1:, :]


def narrowed(x: Tensor) -> Tensor:
    return x.narrow(-1, 1, x.shape[-1] - 2)


def flattened_and_back(x: Tensor) -> Tensor:
    return (x.flatten(2) * 2).view(x.shape[0], x.shape[1], x.shape[2], x.shape[3])


def flattened_mean(x: Tensor) -> Tensor:
    return x - x.flatten(2).mean(-1)[:, :, None, None]


def gated(x: Tensor) -> Tensor:
    value, gate = x.chunk(2, 1)
    return value * torch.sigmoid(gate)


def gated_linear_unit(x: Tensor) -> Tensor:
    return functional.glu(x, dim=1)


def split(x: Tensor) -> Tensor:
    value, gate = torch.split(x, x.shape[1] // 2, dim=1)
    return value * torch.sigmoid(gate)


def rows_chunked(x: Tensor) -> Tensor:
    upper, lower = x.chunk(2, 2)
    return upper + lower


PLAIN = (
    scaled, halved_in_place, spread, doubled, normalised_pixels, normalised_rows, largest_in_row,
    smallest_in_row, cropped, cropped_rows, narrowed, flattened_and_back, flattened_mean,
)  # fmt: skip


# What is not understood: channels that change places, or that act on each other


def flipped(x: Tensor) -> Tensor:
    return x.flip(1)


def rolled(x: Tensor) -> Tensor:
    return torch.roll(x, 1, 1)


def multiplied_by_einsum(x: Tensor) -> Tensor:
    return torch.einsum("nchw,ndhw->nchw", x, x)


def softened(x: Tensor) -> Tensor:
    return torch.softmax(x, 1)


def without_mean(x: Tensor) -> Tensor:
    return x - x.mean(1, keepdim=True)


def without_norm(x: Tensor) -> Tensor:
    return x / (x.norm(2, 1, keepdim=True) + 1)


def without_mean_at_all(x: Tensor) -> Tensor:
    return x - x.mean()


def shuffled(x: Tensor) -> Tensor:
    n, c, h, w = x.shape
    return x.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)


def first_half(x: Tensor) -> Tensor:
    return x[:, : (x.shape[1] + 1) // 2]


def first_alone(x: Tensor) -> Tensor:
    return x + x[:, 0:1]


def first_one(x: Tensor) -> Tensor:
    return x + x[:, 0].unsqueeze(1)


def narrowed_channels(x: Tensor) -> Tensor:
    return x.narrow(1, 0, (x.shape[1] + 1) // 2)


def selected(x: Tensor) -> Tensor:
    return x.index_select(1, torch.arange(x.shape[1]).flip(0))


def set_in_place(x: Tensor) -> Tensor:
    x = x * 1.0
    x[:, 0] = 0.5
    return x


def summed_up(x: Tensor) -> Tensor:
    return torch.cumsum(x, 1)


def transposed_plane(x: Tensor) -> Tensor:
    return x + x.transpose(2, 3)


def turned(x: Tensor) -> Tensor:
    return x.mT


def transposed_channels(x: Tensor) -> Tensor:
    return x.transpose(1, 2)


def largest_channel(x: Tensor) -> Tensor:
    return x + x.max(1, keepdim=True)[0]


def rows_as_channels(x: Tensor) -> Tensor:
    return x + x.flatten(2).mean(-2)[:, None].view(x.shape[0], 1, *x.shape[2:])


def counted(x: Tensor) -> Tensor:
    return x.reshape(x.shape[0], -1).view(x.shape)


def padded_channels(x: Tensor) -> Tensor:
    return functional.pad(x, (0, 0, 0, 0, 1, 2))


def cropped_channels(x: Tensor) -> Tensor:
    return functional.pad(x, (0, 0, 0, 0, 0, -1)) if x.shape[1] > 1 else x * 1


def unbound(x: Tensor) -> Tensor:
    return torch.stack(list(x.unbind(1)), 1)


def split_off(x: Tensor) -> Tensor:
    parts = torch.split(x, [1, x.shape[1] - 1], 1)
    return torch.cat([parts[1], parts[0]], 1)


def repeated(x: Tensor) -> Tensor:
    return x.repeat(1, 2, 1, 1)


def repeated_each(x: Tensor) -> Tensor:
    return x.repeat_interleave(2, 1)


def copied(x: Tensor) -> Tensor:
    y = torch.zeros_like(x)
    y.copy_(x.flip(1))
    return y


def rows_in_the_place_of_channels(x: Tensor) -> Tensor:
    """Of a map with as many channels as columns: what is paired is not what it seems."""
    return x + x.mean(1)[:, :, None]


def columns_in_the_place_of_channels(x: Tensor) -> Tensor:
    """[C] beside [n, C, h, C]: broadcasting lines up channels with columns."""
    return x * x.mean((2, 3))[0]


ODD = (
    flipped, rolled, multiplied_by_einsum, softened, without_mean, without_norm, without_mean_at_all,
    normalised_whole, first_half, first_alone, first_one, narrowed_channels, selected, set_in_place,
    summed_up, largest_channel, rows_as_channels, counted, padded_channels, cropped_channels, unbound,
    repeated, repeated_each, copied,
)  # fmt: skip
SQUARE = (transposed_plane, turned)
"""Of maps as high as they are wide, where shapes agree as if nothing had happened."""
TALL = (transposed_channels, rows_in_the_place_of_channels)
"""Of maps with as many channels as rows."""
WIDE = (columns_in_the_place_of_channels,)
"""Of maps with as many channels as columns."""
