"""A slim CycleGAN generator, by itself: this file needs PyTorch and nothing else.

ganprune writes it beside ``latest_net_G_A.pth`` and ``latest_net_G_B.pth``. Widths, number of blocks and
norm are read from the file's tensors, which have the names of the network that was compressed.

    from slim_generator import load_generator
    fake_B = load_generator("latest_net_G_A.pth")(real_A)    # [n, 3, h, w] in [-1, 1]; h, w: multiples of 4

In pytorch-CycleGAN-and-pix2pix, copy this file into ``models/`` and the .pth files into
``checkpoints/<name>/``. In ``models/test_model.py`` replace ``self.netG = networks.define_G(...)`` by

    from .slim_generator import load_generator
    file = f"{opt.epoch}_net_G{opt.model_suffix}.pth"
    self.netG = load_generator(os.path.join(self.save_dir, file)).to(self.device)       # and: import os

and run ``python test.py --model test --name <name> --model_suffix _A --dataroot <folder of A>``. In
``models/cycle_gan_model.py`` the lines for netG_A and netG_B are replaced in the same way. Networks of
batch norm need ``--eval``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn


class Block(nn.Module):
    """x + norm(conv(relu(norm(conv(x))))); CycleGAN's ``name`` for the layers in it is ``conv_block``."""

    def __init__(self, name: str, first: list[nn.Module], second: list[nn.Module]) -> None:
        super().__init__()
        layers = nn.ReflectionPad2d(1), *first, nn.ReLU(inplace=True), nn.ReflectionPad2d(1), *second
        self.add_module(name, nn.Sequential(*layers))

    def forward(self, x: Tensor) -> Tensor:
        """[n, c, h, w] → [n, c, h, w]."""
        return x + next(self.children())(x)


class Removed(nn.Module):
    """Where a block was taken out: x, or x and a constant a channel."""

    def __init__(self, constant: Tensor) -> None:
        super().__init__()
        self.constant = nn.Parameter(constant)

    def forward(self, x: Tensor) -> Tensor:
        """[n, c, h, w] → [n, c, h, w]."""
        return x + self.constant if self.constant.ndim else x


class SlimGenerator(nn.Module):
    """CycleGAN's ResNet generator, of the widths that the tensors of ``state`` have."""

    def __init__(self, state: Mapping[str, Tensor]) -> None:
        super().__init__()

        def conv(key: str, stride: int = 1, padding: int = 0) -> list[nn.Module]:
            filters, inputs, kernel, _ = state[f"{key}.weight"].shape
            bias = f"{key}.bias" in state
            return [nn.Conv2d(inputs, filters, kernel, stride, padding, bias=bias), norm(filters)]

        def up(key: str) -> list[nn.Module]:
            inputs, filters, kernel, _ = state[f"{key}.weight"].shape
            bias = f"{key}.bias" in state
            layer = nn.ConvTranspose2d(inputs, filters, kernel, 2, 1, output_padding=1, bias=bias)
            return [layer, norm(filters), nn.ReLU(inplace=True)]

        def norm(filters: int) -> nn.Module:
            if "model.2.running_var" in state:
                return nn.BatchNorm2d(filters)
            affine = "model.2.weight" in state
            return nn.InstanceNorm2d(filters, affine=affine) if "model.1.bias" in state else nn.Identity()

        def block(key: str) -> nn.Module:
            if f"{key}.constant" in state:
                return Removed(state[f"{key}.constant"])
            name = next(other.split(".")[2] for other in state if other.startswith(f"{key}."))
            return Block(name, conv(f"{key}.{name}.1"), conv(f"{key}.{name}.5"))

        n = max(int(key.split(".")[1]) for key in state) - 17
        self.model = nn.Sequential(
            nn.ReflectionPad2d(3), *conv("model.1"), nn.ReLU(inplace=True),
            *conv("model.4", 2, 1), nn.ReLU(inplace=True), *conv("model.7", 2, 1), nn.ReLU(inplace=True),
            *(block(f"model.{10 + i}") for i in range(n)),
            *up(f"model.{10 + n}"), *up(f"model.{13 + n}"),
            nn.ReflectionPad2d(3), conv(f"model.{17 + n}")[0], nn.Tanh(),
        )  # fmt: skip
        self.load_state_dict(dict(state))

    def forward(self, x: Tensor) -> Tensor:
        """[n, c, h, w] in [-1, 1] → [n, c', h, w] in [-1, 1]; h and w are multiples of 4."""
        return self.model(x)


def load_generator(path: str | Path) -> SlimGenerator:
    """The generator in a .pth file that ganprune wrote, on the CPU, in eval mode."""
    return SlimGenerator(torch.load(path, map_location="cpu", weights_only=True)).eval()
