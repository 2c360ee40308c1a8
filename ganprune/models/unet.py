"""U-Nets: a convolution down and one up a level, and what the level above sees beside its own maps.

    pix2pix's ``unet_128``, ``unet_256``, any depth    model.model.1.model.3. …
    arnab39's                                          unet_model.model.1.model.3. …
    PyTorch-GAN's and huggan's pix2pix, DiscoGAN       down1.model.0, up1.model.0, final.2
    PyTorch-GAN's DualGAN                              the same, final.0
    aladdinpersson's pix2pix                           initial_down.0, down1.conv.0, up1.conv.0, final_up.0

Sources: ``networks.py`` of pytorch-CycleGAN-and-pix2pix, ``arch/generators.py`` of arnab39/cycleGAN-PyTorch,
``modeling_pix2pix.py`` of huggan, ``models.py`` of PyTorch-GAN, ``generator_model.py`` (pix2pix) of
aladdinpersson/Machine-Learning-Collection.
"""

import re
from collections import OrderedDict

import torch
from torch import Tensor, nn

from ganprune.models.layers import Network, Skip, Style, Tensors, chain, convolutions, numbers

DEEPEST = 16
"""Most levels: pictures of more have heights and widths of 65,536 pixels at least."""

_NAME = re.compile(r"(?:(model|unet_model)\.)?model((?:\.\d\.model)*)\.\d\.\w+", re.ASCII)


def skeleton(tensors: Tensors) -> Network | None:
    """Of pix2pix's U-Net of any depth."""
    found = [_NAME.fullmatch(name) for name in tensors]
    roots = {match[1] for match in found if match}
    depth = max((match[2].count("model") for match in found if match), default=0) + 1
    if not all(found) or len(roots) != 1 or not 2 <= depth <= DEEPEST:
        return None
    (root,) = roots
    first = f"{root}.model" if root else "model"
    # The last convolution has a bias whatever comes before.
    style = Style.of(tensors, [conv for conv in convolutions(tensors) if conv != f"{first}.3"])
    level = chain(model=nn.Sequential(
        nn.LeakyReLU(0.2), style.conv(4, 2, 1),
        nn.ReLU(), style.up(4), style.norm(),
    ))  # fmt: skip
    for _ in range(depth - 2):
        level = chain(model=nn.Sequential(
            nn.LeakyReLU(0.2), style.conv(4, 2, 1), style.norm(),
            Skip(OrderedDict(level.named_children())),
            nn.ReLU(), style.up(4), style.norm(),
        ))  # fmt: skip
    outermost = chain(model=nn.Sequential(
        style.conv(4, 2, 1), Skip(OrderedDict(level.named_children())),
        nn.ReLU(), nn.ConvTranspose2d(1, 1, 4, 2, 1), nn.Tanh(),
    ))  # fmt: skip
    return Network(OrderedDict({root: outermost} if root else dict(outermost.named_children())))


class _Levels(Network):
    """A U-Net whose levels lie beside each other: down1, down2, …, up1, up2, …, final."""

    def forward(self, input: Tensor) -> Tensor:
        """[n, c, h, w] → [n, c', h, w]; h and w are multiples of 2 to the number of levels down."""
        read = list[Tensor]()  # what each level down reads: what the level up beside it is put in front of
        for name, layer in self.named_children():
            if name.startswith("up"):
                input = torch.cat([layer(input), read.pop()], 1)
            else:
                read.append(input)
                input = layer(input)
        return input


def levels(tensors: Tensors) -> Network | None:
    """Of PyTorch-GAN's U-Nets of any depth.

    Of its pix2pix the instance norm has no tensors, and the convolutions have no biases but for the last one.
    """
    downs, ups = (numbers(tensors, f"{way}{{}}.model.0.weight") - 1 for way in ("down", "up"))
    depth = max(downs, ups + 1)
    if min(downs, ups) < 1 or depth > DEEPEST:
        return None
    style = Style.of(tensors, [f"down{i}.model.0" for i in range(1, depth + 1)], bare="instance")
    levels_down = {
        f"down{i}": chain(model=nn.Sequential(
            style.conv(4, 2, 1), *[style.norm()] * (1 < i < depth), nn.LeakyReLU(0.2)
        ))
        for i in range(1, depth + 1)
    }  # fmt: skip
    back = {
        f"up{i}": chain(model=nn.Sequential(style.up(4), style.norm(), nn.ReLU())) for i in range(1, depth)
    }
    up: list[nn.Module] = [
        nn.Upsample(scale_factor=2),
        nn.ZeroPad2d((1, 0, 1, 0)),
        nn.Conv2d(1, 1, 4, padding=1),
    ]
    if "final.0.weight" in tensors:  # DualGAN's
        up = [nn.ConvTranspose2d(1, 1, 4, 2, 1)]
    return _Levels(OrderedDict({**levels_down, **back, "final": nn.Sequential(*up, nn.Tanh())}))


def aladdinpersson(tensors: Tensors) -> Network | None:
    """Of aladdinpersson's course, of any depth: borders reflected on the way down."""
    downs, ups = (numbers(tensors, f"{way}{{}}.conv.") - 1 for way in ("down", "up"))
    depth = max(downs, ups - 1)
    if min(downs, ups) < 1 or depth > DEEPEST:
        return None
    style = Style.of(tensors, [conv for conv in convolutions(tensors) if ".conv." in conv])

    def unit(conv: nn.Module, active: nn.Module) -> nn.Sequential:
        return chain(conv=nn.Sequential(conv, style.norm(), active))

    return _Levels(OrderedDict(
        initial_down=nn.Sequential(nn.Conv2d(1, 1, 4, 2, 1, padding_mode="reflect"), nn.LeakyReLU(0.2)),
        **{f"down{i}": unit(style.conv(4, 2, 1, "reflect"), nn.LeakyReLU(0.2)) for i in range(1, depth + 1)},
        bottleneck=nn.Sequential(nn.Conv2d(1, 1, 4, 2, 1), nn.ReLU()),
        **{f"up{i}": unit(style.up(4), nn.ReLU()) for i in range(1, depth + 2)},
        final_up=nn.Sequential(nn.ConvTranspose2d(1, 1, 4, 2, 1), nn.Tanh()),
    ))  # fmt: skip
