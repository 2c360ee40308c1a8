"""CycleGAN's networks as its own code puts them together, and one functional call a layer."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as nnf

from ganprune.models.cyclegan import Norm

_NORMS: dict[Norm, Callable[[int], nn.Module]] = {
    "instance": lambda channels: nn.InstanceNorm2d(channels, affine=False, track_running_stats=False),
    "affine-instance": lambda channels: nn.InstanceNorm2d(channels, affine=True),
    "batch": nn.BatchNorm2d,
    "none": lambda channels: nn.Identity(),
}


class _Block(nn.Module):
    def __init__(self, channels: int, norm: Norm, dropout: bool) -> None:
        super().__init__()
        bias = norm.endswith("instance")
        layers: list[nn.Module] = [nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3, bias=bias)]
        layers += [_NORMS[norm](channels), nn.ReLU(True)]
        if dropout:
            layers += [nn.Dropout(0.5)]
        layers += [nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3, bias=bias), _NORMS[norm](channels)]
        self.conv_block = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv_block(x)


class Reference(nn.Module):
    """A network whose tensors are called ``model.…``."""

    def __init__(self, layers: list[nn.Module]) -> None:
        super().__init__()
        self.model = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)


def resnet(ngf: int, blocks: int, norm: Norm, dropout: bool = False, channels: int = 3) -> Reference:
    """``--netG resnet_<blocks>blocks --ngf N --norm …``, with dropout or with ``--no_dropout``."""
    bias = norm.endswith("instance")
    layers: list[nn.Module] = [nn.ReflectionPad2d(3), nn.Conv2d(channels, ngf, 7, bias=bias)]
    layers += [_NORMS[norm](ngf), nn.ReLU(True)]
    for width in (ngf, 2 * ngf):
        layers += [nn.Conv2d(width, 2 * width, 3, stride=2, padding=1, bias=bias)]
        layers += [_NORMS[norm](2 * width), nn.ReLU(True)]
    layers += [_Block(4 * ngf, norm, dropout) for _ in range(blocks)]
    for width in (4 * ngf, 2 * ngf):
        layers += [nn.ConvTranspose2d(width, width // 2, 3, stride=2, padding=1, output_padding=1, bias=bias)]
        layers += [_NORMS[norm](width // 2), nn.ReLU(True)]
    return Reference([*layers, nn.ReflectionPad2d(3), nn.Conv2d(ngf, channels, 7), nn.Tanh()])


def patchgan(ndf: int, layers: int, norm: Norm, channels: int = 3) -> Reference:
    """``--netD n_layers --n_layers_D N --ndf N --norm …``; three layers are ``basic``."""
    widths = [ndf * min(2**i, 8) for i in range(layers + 1)]
    found: list[nn.Module] = [nn.Conv2d(channels, ndf, 4, stride=2, padding=1), nn.LeakyReLU(0.2, True)]
    for i in range(1, layers + 1):
        stride = 2 if i < layers else 1
        found += [nn.Conv2d(widths[i - 1], widths[i], 4, stride, 1, bias=norm.endswith("instance"))]
        found += [_NORMS[norm](widths[i]), nn.LeakyReLU(0.2, True)]
    return Reference([*found, nn.Conv2d(widths[-1], 1, 4, stride=1, padding=1)])


def normed(state: Mapping[str, Tensor], key: str, h: Tensor, norm: Norm) -> Tensor:
    """What the norm called ``key`` makes of a map, in eval mode."""
    if norm == "instance":
        return nnf.instance_norm(h)
    if norm == "affine-instance":
        weight, bias = (state[f"{key}.{part}"].view(-1, 1, 1) for part in ("weight", "bias"))
        return nnf.instance_norm(h) * weight + bias
    if norm == "none":
        return h
    weight, bias, mean, variance = (
        state[f"{key}.{part}"] for part in ("weight", "bias", "running_mean", "running_var")
    )
    shape = (1, -1, 1, 1)
    scaled = (h - mean.view(shape)) / (variance.view(shape) + 1e-5).sqrt()
    return scaled * weight.view(shape) + bias.view(shape)


def translated(
    state: Mapping[str, Tensor], x: Tensor, norm: Norm, kept: Mapping[str, Tensor] | None = None
) -> Tensor:
    """A generator of any widths and norm, from its tensors alone.

    ``kept`` maps a group to the indices of its kept filters; the others' channels are zeroed after the
    norm, as Eq. 9 has it.
    """
    blocks = sum(name.endswith("conv_block.1.weight") for name in state)

    def after(h: Tensor, key: str, group: str) -> Tensor:
        parent, _, number = key.rpartition(".")
        h = normed(state, f"{parent}.{int(number) + 1}", h, norm)
        mask = torch.ones(h.shape[1], dtype=h.dtype)
        if kept is not None:
            mask = torch.zeros_like(mask).index_fill(0, kept[group], 1)
        return h * mask[:, None, None]

    def conv(h: Tensor, key: str, group: str, **how: int) -> Tensor:
        return after(nnf.conv2d(h, state[f"{key}.weight"], state.get(f"{key}.bias"), **how), key, group)

    def up(h: Tensor, key: str, group: str) -> Tensor:
        weight, bias = state[f"{key}.weight"], state.get(f"{key}.bias")
        return nnf.relu(after(nnf.conv_transpose2d(h, weight, bias, 2, 1, 1), key, group))

    def reflect(h: Tensor, pixels: int) -> Tensor:
        return nnf.pad(h, (pixels,) * 4, mode="reflect")

    h = nnf.relu(conv(reflect(x, 3), "model.1", "stem"))
    h = nnf.relu(conv(h, "model.4", "down", stride=2, padding=1))
    h = nnf.relu(conv(h, "model.7", "trunk", stride=2, padding=1))
    for i in range(blocks):
        inside = nnf.relu(conv(reflect(h, 1), f"model.{10 + i}.conv_block.1", f"inner{i}"))
        h = h + conv(reflect(inside, 1), f"model.{10 + i}.conv_block.5", "trunk")
    h = up(up(h, f"model.{10 + blocks}", "up1"), f"model.{13 + blocks}", "up2")
    last = f"model.{17 + blocks}"
    return torch.tanh(nnf.conv2d(reflect(h, 3), state[f"{last}.weight"], state[f"{last}.bias"]))


def judged(state: Mapping[str, Tensor], y: Tensor, norm: Norm) -> Tensor:
    """A PatchGAN of any widths and norm, from its tensors alone."""
    places = sorted({int(name.split(".")[1]) for name, tensor in state.items() if tensor.ndim == 4})

    def conv(h: Tensor, place: int) -> Tensor:
        stride = 1 if place in places[-2:] else 2
        weight, bias = state[f"model.{place}.weight"], state.get(f"model.{place}.bias")
        return nnf.conv2d(h, weight, bias, stride, padding=1)

    h = nnf.leaky_relu(conv(y, 0), 0.2)
    for place in places[1:-1]:
        h = nnf.leaky_relu(normed(state, f"model.{place + 1}", conv(h, place), norm), 0.2)
    return conv(h, places[-1])
