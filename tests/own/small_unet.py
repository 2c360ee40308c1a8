"""A user's file: a generator that no reader knows, with skips, resampling, and tensors of odd names."""

import torch
from torch import Tensor, nn
from torch.nn import functional as nnf


def unit(inputs: int, filters: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, filters, 3, stride, 1, padding_mode="reflect", bias=False),
        nn.InstanceNorm2d(filters), nn.ELU(),
    )  # fmt: skip


class SmallUNet(nn.Module):
    def __init__(self, channels: int = 3) -> None:
        super().__init__()
        self.enter, self.deep = unit(channels, 8), unit(8, 12, 2)
        self.bottom, self.rise = unit(12, 16, 2), unit(16 + 12, 12)
        self.out = nn.Conv2d(12 + 8, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        near = self.enter(x)
        far = self.deep(near)
        up = nnf.interpolate(self.bottom(far), scale_factor=2, mode="bilinear")
        up = nnf.interpolate(self.rise(torch.cat([up, far], 1)), scale_factor=2)
        return torch.tanh(self.out(torch.cat([up, near], 1)))


class Judge(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.see, self.think, self.tell = (
            nn.Conv2d(3, 6, 4, 2, 1),
            nn.Conv2d(6, 6, 1),
            nn.Conv2d(6, 1, 4, 1, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.tell(nnf.elu(self.think(nnf.elu(self.see(x)))))


def grouped() -> nn.Module:
    net = SmallUNet()
    net.deep[1] = nn.GroupNorm(2, 12, affine=False)
    return net


def broken() -> nn.Module:
    raise RuntimeError("no weights here")


def number() -> int:
    return 3
