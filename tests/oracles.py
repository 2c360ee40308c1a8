"""Other ways to compute the same thing: slow, plain, and written without the code under test."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as nnf
from torch.utils.flop_counter import FlopCounterMode

from ganprune.models.cyclegan import Generator, GeneratorWidths

State = Mapping[str, Tensor]


def translate(state: State, x: Tensor, blocks: int, kept: Mapping[str, Tensor] | None = None) -> Tensor:
    """CycleGAN's ResNet generator, one functional call a layer.

    ``kept`` maps a group to the indices of its kept filters; the others' channels are zeroed after the
    norm, as Eq. 9 has it.
    """

    def norm(h: Tensor, group: str) -> Tensor:
        h = nnf.instance_norm(h)
        if kept is None:
            return h
        mask = torch.zeros(h.shape[1], dtype=h.dtype)
        mask[kept[group]] = 1
        return h * mask[:, None, None]

    def tensors(name: str) -> tuple[Tensor, Tensor]:
        return state[f"model.{name}.weight"], state[f"model.{name}.bias"]

    def reflect(h: Tensor, pixels: int) -> Tensor:
        return nnf.pad(h, (pixels,) * 4, mode="reflect")

    h = nnf.relu(norm(nnf.conv2d(reflect(x, 3), *tensors("1")), "stem"))
    h = nnf.relu(norm(nnf.conv2d(h, *tensors("4"), stride=2, padding=1), "down"))
    h = nnf.relu(norm(nnf.conv2d(h, *tensors("7"), stride=2, padding=1), "trunk"))
    for i in range(blocks):
        inside = nnf.relu(norm(nnf.conv2d(reflect(h, 1), *tensors(f"{10 + i}.conv_block.1")), f"inner{i}"))
        h = h + norm(nnf.conv2d(reflect(inside, 1), *tensors(f"{10 + i}.conv_block.5")), "trunk")
    up = {"stride": 2, "padding": 1, "output_padding": 1}
    h = nnf.relu(norm(nnf.conv_transpose2d(h, *tensors(f"{10 + blocks}"), **up), "up1"))
    h = nnf.relu(norm(nnf.conv_transpose2d(h, *tensors(f"{13 + blocks}"), **up), "up2"))
    return torch.tanh(nnf.conv2d(reflect(h, 3), *tensors(f"{17 + blocks}")))


def judge(state: State, y: Tensor, layers: int) -> Tensor:
    """CycleGAN's PatchGAN with ``layers`` convolutions before the last one."""

    def conv(h: Tensor, place: int, stride: int) -> Tensor:
        return nnf.conv2d(h, state[f"model.{place}.weight"], state[f"model.{place}.bias"], stride, padding=1)

    h = nnf.leaky_relu(conv(y, 0, 2), 0.2)
    for i in range(1, layers):
        h = nnf.leaky_relu(nnf.instance_norm(conv(h, 3 * i - 1, 1 if i == layers - 1 else 2)), 0.2)
    return conv(h, 3 * layers - 1, 1)


def squared(difference: Tensor, reduction: str = "mean") -> float:
    """‖v‖² of every picture, one at a time, then their mean."""
    total = 0.0
    for picture in difference.double():
        square = float((picture * picture).sum())
        total += square / picture.numel() if reduction == "mean" else square
    return total / len(difference)


def counted_weights(net: nn.Module) -> int:
    """Numbers in all weight tensors, biases left out."""
    return sum(p.numel() for name, p in net.named_parameters() if name.endswith("weight"))


def counted_macs(widths: GeneratorWidths, height: int, width: int) -> int:
    """Multiply-accumulates that PyTorch's own counter sees in one pass; nothing is computed."""
    with torch.device("meta"):
        net, x = Generator(widths), torch.empty(1, widths.in_channels, height, width)
    with FlopCounterMode(display=False) as counter:
        net(x)
    flops = counter.get_total_flops()
    assert flops % 2 == 0
    return flops // 2
