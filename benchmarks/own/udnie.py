"""Johnson's fast style transfer as ml5 publishes it: a generator that no reader of ganprune knows."""

import torch
from torch import Tensor, nn
from torch.nn.functional import pad, relu


class Layer(nn.Module):
    """Convolution and norm; borders are zeros, fewer of them at the left and the top."""

    def __init__(self, inputs: int, filters: int, kernel: int, stride: int = 1, up: bool = False) -> None:
        super().__init__()
        convolution = nn.ConvTranspose2d if up else nn.Conv2d
        self.conv = convolution(inputs, filters, kernel, stride, bias=False)
        self.norm = nn.InstanceNorm2d(filters, eps=1e-3, affine=True)
        self.before = kernel - stride

    def forward(self, x: Tensor) -> Tensor:
        if isinstance(self.conv, nn.ConvTranspose2d):
            return self.norm(self.conv(x)[:, :, :-1, :-1])
        first = self.before // 2
        return self.norm(self.conv(pad(x, (first, self.before - first, first, self.before - first))))


class Block(nn.Module):
    def __init__(self, filters: int) -> None:
        super().__init__()
        self.a, self.b = Layer(filters, filters, 3), Layer(filters, filters, 3)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.b(relu(self.a(x)))


class Style(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.down = nn.ModuleList([Layer(3, 32, 9), Layer(32, 64, 3, 2), Layer(64, 128, 3, 2)])
        self.blocks = nn.Sequential(*(Block(128) for _ in range(5)))
        self.up = nn.ModuleList([Layer(128, 64, 3, 2, up=True), Layer(64, 32, 3, 2, up=True)])
        self.last = Layer(32, 3, 9)

    def forward(self, x: Tensor) -> Tensor:
        """[n, 3, h, w] in [-1, 1], both ways; inside it is 0 … 255."""
        x = (x + 1) * 127.5
        for layer in self.down:
            x = relu(layer(x))
        x = self.blocks(x)
        for layer in self.up:
            x = relu(layer(x))
        x = torch.tanh(self.last(x)) * 150 + 127.5
        return x.clamp(0, 255) / 127.5 - 1
