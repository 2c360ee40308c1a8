"""Generators of courses, of znxlwm, and of the tutorial that CycleGAN's generator was made after.

    aladdinpersson's course              initial, down_blocks, res_blocks, up_blocks, last
    deeplearning.ai's course             upfeature, contract1, res0, expand2, downfeature
    University of Toronto, Udacity       conv1, res_blocks or resnet_block, deconv1 or upconv1
    Johnson's fast style transfer        conv1.conv2d, in1, res1, deconv1.conv2d or deconv1
    znxlwm's CycleGAN                    conv1, conv1_norm, resnet_blocks.0.conv1, deconv1

Sources: ``generator_model.py`` of aladdinpersson/Machine-Learning-Collection; the hand-outs of Toronto's
CSC321 and of Udacity's deep learning course, as solved in many repositories; ``transformer_net.py`` of
pytorch/examples; ``network.py`` of znxlwm/pytorch-CycleGAN.
"""

import re
from collections import OrderedDict
from functools import partial

from torch import Tensor, nn

from ganprune.channels.blocks import CONSTANT
from ganprune.models.cyclegan import InstanceNorm
from ganprune.models.layers import (
    COUNT,
    STATISTICS,
    Network,
    Residual,
    Style,
    Tensors,
    block_of,
    chain,
    convolutions,
    kernel_of,
    numbers,
)


def aladdinpersson(tensors: Tensors) -> Network | None:
    """As CycleGAN's generator, with borders reflected when going down, too."""
    parts = {name.partition(".")[0] for name in tensors}
    if (
        not {"down_blocks", "up_blocks"}
        <= parts
        <= {"initial", "down_blocks", "res_blocks", "up_blocks", "last"}
    ):
        return None
    downs, ups = numbers(tensors, "down_blocks.{}.conv."), numbers(tensors, "up_blocks.{}.conv.")
    blocks = numbers(tensors, "res_blocks.{}.")
    style = Style.of(tensors, [conv for conv in convolutions(tensors) if conv != "last"])

    def unit(conv: nn.Module, active: bool = True) -> nn.Sequential:
        return chain(
            conv=nn.Sequential(conv, style.norm(), nn.ReLU(inplace=True) if active else nn.Identity())
        )

    def block() -> Residual:
        first, second = (style.conv(3, 1, 1, "reflect") for _ in range(2))
        return Residual(OrderedDict(block=nn.Sequential(unit(first), unit(second, active=False))))

    return Network(OrderedDict(
        initial=nn.Sequential(style.conv(7, 1, 3, "reflect"), style.norm(), nn.ReLU(inplace=True)),
        down_blocks=nn.Sequential(*(unit(style.conv(3, 2, 1, "reflect")) for _ in range(downs))),
        res_blocks=nn.Sequential(*(block_of(tensors, f"res_blocks.{i}", block) for i in range(blocks))),
        up_blocks=nn.Sequential(*(unit(style.up()) for _ in range(ups))),
        last=nn.Conv2d(1, 1, 7, 1, 3, padding_mode="reflect"),
        tanh=nn.Tanh(),
    ))  # fmt: skip


def deeplearning(tensors: Tensors) -> Network | None:
    """As CycleGAN's generator, with borders reflected everywhere, and neither norm nor ReLU behind the first
    convolution. Its way up begins at expand2."""
    downs, ups = numbers(tensors, "contract{}.conv1.") - 1, numbers(tensors, "expand{}.conv1.") - 1
    parts = {name.partition(".")[0] for name in tensors}
    named = {f"contract{i}" for i in range(1, downs + 1)} | {f"expand{i}" for i in range(2, ups + 1)}
    if downs < 1 or ups < 2 or not {"upfeature", "downfeature"} <= parts - named:
        return None

    def reflected(kernel: int, stride: int = 1) -> nn.Conv2d:
        return nn.Conv2d(1, 1, kernel, stride, kernel // 2, padding_mode="reflect")

    def unit(conv: nn.Module) -> nn.Sequential:
        return chain(conv1=conv, instancenorm=InstanceNorm(1), activation=nn.ReLU())

    def block() -> Residual:
        layers = OrderedDict(unit(reflected(3)).named_children())
        return Residual(OrderedDict(**layers, conv2=reflected(3), behind=InstanceNorm(1)))

    blocks = max(numbers(tensors, f"res{{}}.{part}") for part in ("conv1.", CONSTANT))
    return Network(OrderedDict(
        upfeature=chain(conv=reflected(7)),
        **{f"contract{i}": unit(reflected(3, 2)) for i in range(1, downs + 1)},
        **{f"res{i}": block_of(tensors, f"res{i}", block) for i in range(blocks)},
        **{
            f"expand{i}": unit(nn.ConvTranspose2d(1, 1, 3, 2, 1, output_padding=1)) for i in range(2, ups + 1)
        },
        downfeature=chain(conv=reflected(7)),
        tanh=nn.Tanh(),
    ))  # fmt: skip


_BLOCK = re.compile(
    r"(?P<blocks>\w+?)(?:\.\d{1,6})?\.(?:(?P<conv>[A-Za-z_]\w*)\.[01]\.\w+|constant)", re.ASCII
)
"""A tensor in a residual block: res_blocks.0.conv_layer1.0.weight, resnet_block.conv_layer.1.bias; or what is
left of one: res_blocks.0.constant."""


def toronto(tensors: Tensors) -> Network | None:
    """4×4 convolutions down, residual blocks, 4×4 transposed or Upsample and convolutions up; batch norm.

    Udacity's blocks have two convolutions, and their sums go on as they are. Toronto's have one, and a ReLU
    comes behind the last of them.
    """
    ups = {up: numbers(tensors, f"{up}{{}}.{place}.") - 1 for up, place in (("deconv", 0), ("upconv", 1))}
    up = max(ups, key=ups.__getitem__)
    downs = numbers(tensors, "conv{}.0.") - 1
    inside = [match for name in tensors if (match := _BLOCK.fullmatch(name))]
    names, convs = (
        {match["blocks"] for match in inside},
        sorted({match["conv"] or "" for match in inside} - {""}),
    )
    style = Style.of(tensors, convolutions(tensors))
    if ups[up] < 1 or downs < 1 or len(names) != 1 or len(convs) > 2 or style.kind == "none":
        return None  # without a tensor of norms, nothing says whether there are instance norms
    levels, (name,) = max(downs, ups[up]), names

    def stage(name: str, conv: nn.Module, *before: nn.Module) -> nn.Sequential:
        behind = f"{name}.{len(before) + 1}."
        normed = any(tensor.startswith(behind) for tensor in tensors)
        return nn.Sequential(*before, conv, *([style.norm()] if normed else []))

    def block(name: str) -> Residual:
        first, *second = ((conv, stage(f"{name}.{conv}", style.conv(3, 1, 1))) for conv in convs)
        return Residual(OrderedDict([first, *([("relu", nn.ReLU())] if second else []), *second]))

    layers = dict[str, nn.Module]()
    for i in range(1, levels + 1):
        kernel = kernel_of(tensors, f"conv{i}.0.weight", 4)
        layers[f"conv{i}"] = stage(f"conv{i}", style.conv(kernel, 2, (kernel - 1) // 2))
        layers[f"relu{i}"] = nn.ReLU()
    several = numbers(tensors, f"{name}.{{}}.")
    each = [f"{name}.{i}" for i in range(several)] or [name]
    blocks = [block_of(tensors, one, partial(block, one)) for one in each]
    layers[name] = nn.Sequential(*blocks) if several else blocks[0]
    layers |= {"relu": nn.ReLU()} if len(convs) == 1 else {}
    for i in range(1, levels + 1):
        if up == "deconv":
            layers[f"deconv{i}"] = stage(f"deconv{i}", style.up(4))
        else:
            kernel = kernel_of(tensors, f"upconv{i}.1.weight", 5)
            conv = style.conv(kernel, 1, kernel // 2)
            layers[f"upconv{i}"] = stage(f"upconv{i}", conv, nn.Upsample(scale_factor=2))
        layers[f"active{i}"] = nn.ReLU() if i < levels else nn.Tanh()
    return Network(OrderedDict(layers))


def znxlwm(tensors: Tensors) -> Network | None:
    """As CycleGAN's generator, its layers beside each other: conv1, conv1_norm, conv2, …, deconv1, …"""
    downs, ups = numbers(tensors, "conv{}.weight") - 1, numbers(tensors, "deconv{}.weight") - 1
    blocks = numbers(tensors, "resnet_blocks.{}.")
    if downs < 2 or ups != downs or kernel_of(tensors, "conv1.weight", 7) != 7:
        return None
    style = Style.of(tensors, [conv for conv in convolutions(tensors) if conv != f"deconv{ups}"])

    def block() -> Residual:
        conv1, conv2 = style.conv(3), style.conv(3)
        return Residual(OrderedDict(
            pad1=nn.ReflectionPad2d(1), conv1=conv1, conv1_norm=style.norm(), relu=nn.ReLU(),
            pad2=nn.ReflectionPad2d(1), conv2=conv2, conv2_norm=style.norm(),
        ))  # fmt: skip

    layers: dict[str, nn.Module] = {"pad1": nn.ReflectionPad2d(3)}
    each = {f"conv{i}": style.conv(3, 2, 1) if i > 1 else style.conv(7) for i in range(1, downs + 1)}
    for name, conv in (each | {f"deconv{i}": style.up() for i in range(1, ups)}).items():
        if name == "deconv1" and blocks:
            found = [block_of(tensors, f"resnet_blocks.{i}", block) for i in range(blocks)]
            layers["resnet_blocks"] = nn.Sequential(*found)
        layers |= {name: conv, f"{name}_norm": style.norm(), f"{name}_relu": nn.ReLU()}
    layers |= {"pad2": nn.ReflectionPad2d(3), f"deconv{ups}": nn.Conv2d(1, 1, 7), "tanh": nn.Tanh()}
    return Network(OrderedDict(layers))


class _FromBytes(nn.Module):
    """[-1, 1] → [0, 255]."""

    def forward(self, input: Tensor) -> Tensor:
        """Any shape."""
        return (input + 1) * 127.5


class _ToUnit(nn.Module):
    """[0, 255] → [-1, 1]; values beyond are cut off, as when a picture is saved."""

    def forward(self, input: Tensor) -> Tensor:
        """Any shape."""
        return input.clamp(0, 255) / 127.5 - 1


def johnson_own(tensors: Tensors) -> Tensors:
    """The tensors without the statistics that PyTorch before 0.4 saved, and that instance norm did not use.

    Files published then hold them. Instance norm that keeps statistics and uses them counts batches, too.
    """
    if any(name.endswith(COUNT) for name in tensors):
        return tensors
    return {name: tensor for name, tensor in tensors.items() if name.rpartition(".")[2] not in STATISTICS}


def johnson(tensors: Tensors) -> Network | None:
    """Fast style transfer: 9×9 at both ends, borders reflected, affine instance norm, Upsample or transposed
    convolutions."""
    downs, ups = numbers(tensors, "conv{}.conv2d.") - 1, numbers(tensors, "deconv{}.conv2d.") - 1
    blocks = numbers(tensors, "res{}.") - 1
    if downs < 1 or ups < 1:
        return None
    style = Style.of(tensors, convolutions(tensors))

    def conv(kernel: int, stride: int = 1, upsampled: bool = False) -> nn.Sequential:
        layers: dict[str, nn.Module] = {"upsample_layer": nn.Upsample(scale_factor=2)} if upsampled else {}
        layers |= {"reflection_pad": nn.ReflectionPad2d(kernel // 2), "conv2d": style.conv(kernel, stride)}
        return nn.Sequential(OrderedDict(layers))

    def block() -> Residual:
        return Residual(OrderedDict(
            conv1=conv(3), in1=style.norm(), relu=nn.ReLU(), conv2=conv(3), in2=style.norm()
        ))  # fmt: skip

    layers: dict[str, nn.Module] = {"bytes": _FromBytes()}
    for i in range(1, downs + 1):
        layers |= {
            f"conv{i}": conv(3, 2) if i > 1 else conv(9),
            f"in{i}": style.norm(),
            f"relu{i}": nn.ReLU(),
        }
    layers |= {f"res{i}": block_of(tensors, f"res{i}", block) for i in range(1, blocks + 1)}
    for i in range(1, ups):
        number = downs + i
        layers |= {
            f"deconv{i}": style.up() if f"deconv{i}.weight" in tensors else conv(3, upsampled=True),
            f"in{number}": style.norm(),
            f"relu{number}": nn.ReLU(),
        }
    network = Network(OrderedDict({**layers, f"deconv{ups}": conv(9), "unit": _ToUnit()}))
    network.value_range = (0.0, 255.0)
    return network
