"""CycleGAN's ResNet generator and its many kin: what lies around its blocks is told by numbers in names.

    family                              names                    sampling down, up
    CycleGAN                            model.N, conv_block      strided, transposed convolutions
    its forks without checkerboards     model.N, conv_block      strided, Upsample + convolution
    PyTorch-GAN, Hugging Face's huggan  model.N, block           the same
    CUT, FastCUT                        model.N, conv_block      convolutions + blur kernels (filt)
    Lornatang                           main.N, res              as CycleGAN
    arnab39                             res_model.N.0, res_block as CycleGAN

The names count every module of a ``Sequential``, norms, activations, pads and dropout too. So a place
without a tensor is a layer without weights, and how many there are says which.

Sources: ``networks.py`` of pytorch-CycleGAN-and-pix2pix and of contrastive-unpaired-translation;
``models.py`` of PyTorch-GAN, huggan and Lornatang/CycleGAN-PyTorch; ``arch/`` of arnab39/cycleGAN-PyTorch.
"""

import re
from collections import OrderedDict

from torch import nn

from ganprune.channels.blocks import CONSTANT, Removed
from ganprune.models.layers import (
    MOST_LAYERS,
    BlurDown,
    BlurUp,
    Network,
    Residual,
    Style,
    Tensors,
    convolutions,
    kernel_of,
)

ROOTS = {"model": False, "main": False, "res_model": True}
"""First part of all names → whether a convolution, its norm and its activation are one ``Sequential``."""

BILINEAR = (
    "its file does not say how maps are enlarged: taken as bilinear, as CycleGAN's answers to frequent "
    "questions have it for convolutions behind Upsample and ReflectionPad2d"
)

FIRST_UP = 10
"""Place behind two layers that sample down, where no block says where that is."""


def skeleton(tensors: Tensors) -> Network | None:
    """Of a ResNet generator; None where the names are those of another network."""
    names = [_Names(tensors, root, grouped) for root, grouped in ROOTS.items()]
    own = next((own for own in names if own.fit()), None)
    return None if own is None else _network(own)


class _Names:
    """What the names of a file say about the layers of a ResNet generator."""

    def __init__(self, tensors: Tensors, root: str, grouped: bool) -> None:
        self.root, self.grouped, self._tensors = root, grouped, tensors
        found = [re.fullmatch(rf"{root}\.(\d{{1,6}})\.(.+)", name, re.ASCII) for name in tensors]
        own = [(int(match[1]), match[2]) for match in found if match]
        inside = [(n, re.match(r"([A-Za-z_]\w{0,63})\.\d", rest, re.ASCII)) for n, rest in own]
        self._strange = len(own) < len(found)
        self.inner = sorted({match[1] for _, match in inside if match})
        """What residual blocks call their layers."""
        self.gone = {n: tensors[f"{root}.{n}.{CONSTANT}"] for n, rest in own if rest == CONSTANT}
        """Places of blocks that were taken out, and what is left of them."""
        self.blocks = sorted({n for n, match in inside if match} | self.gone.keys())
        """Places of the residual blocks."""
        self.last = max((n for n, _ in own), default=0)
        """Place of the last convolution."""
        self.filts = {n for n, rest in own if rest == "filt"}
        """Places of blur kernels."""
        self.convs = convolutions(tensors)
        place = re.compile(rf"{root}\.(\d{{1,6}})(?:\.|$)", re.ASCII)
        numbered = [(int(match[1]), conv) for conv in self.convs if (match := place.match(conv))]
        behind = self.blocks[-1] if self.blocks else FIRST_UP - 1
        ups = {n: conv for n, conv in numbered if behind < n < self.last}
        self.ups = sorted(ups)
        """Places of the convolutions that sample up."""
        self.style = Style.of(tensors, [conv for n, conv in numbered if n <= behind])
        # What takes the place of transposed convolutions has biases in some forks, whatever the norm.
        self.up_style = Style(self.style.kind, Style.of(tensors, ups.values()).bias) if ups else self.style

    def fit(self) -> bool:
        """Whether it is such a network, or one that lacks a few tensors."""
        stem = f"{self.root}.1.0" if self.grouped else f"{self.root}.1"
        return (
            not self._strange
            and len(self.inner) <= 1
            and self.last < MOST_LAYERS * len(self._tensors)
            and not any(name.startswith(f"{self.root}.0.") for name in self._tensors)
            and (bool(self.blocks) or stem in self.convs)
        )

    def blur(self, place: int, usual: int) -> int:
        """Height and width of the blur kernel at a place."""
        return kernel_of(self._tensors, f"{self.root}.{place}.filt", usual)


def _network(names: _Names) -> Network | None:
    # PyTorch-GAN pads by as many pixels as pictures have channels. Only with 3 do they keep their size, so
    # who trained it on others has changed that.
    layers: list[nn.Module] = [nn.ReflectionPad2d(3)]

    def unit(style: Style, conv: nn.Module) -> None:
        own = [conv, style.norm(), nn.ReLU(inplace=True)]
        layers.extend([nn.Sequential(*own)] if names.grouped else own)

    unit(names.style, names.style.conv(7))
    start = names.blocks[0] if names.blocks else FIRST_UP
    blurred = any(place < start for place in names.filts)
    while len(layers) < start:
        unit(names.style, names.style.conv(3, 1 if blurred else 2, 1))
        layers += [BlurDown(names.blur(len(layers), 3))] if blurred else []
    if len(layers) != start:
        return None
    while names.blocks and len(layers) <= names.blocks[-1]:
        gone = names.gone.get(len(layers))
        block = _block(names) if gone is None else Removed.like(gone)
        if block is None:
            return None
        layers.append(block)
    before = _before_ups(names, len(layers))
    if before is None:
        return None
    blurred, style = any(place >= len(layers) for place in names.filts), names.up_style
    while len(layers) < names.last - 1:
        if before == 0:
            unit(style, style.up())
        elif before == 1:
            layers.append(BlurUp(names.blur(len(layers), 4)) if blurred else nn.Upsample(scale_factor=2))
            unit(style, style.conv(3, 1, 1))
        else:
            layers += [nn.Upsample(scale_factor=2, mode="bilinear"), nn.ReflectionPad2d(1)]
            unit(style, style.conv(3))
    layers += [nn.ReflectionPad2d(3), nn.Conv2d(1, 1, 7), nn.Tanh()]
    network = Network(OrderedDict({names.root: nn.Sequential(*layers)}))
    network.notes = (BILINEAR,) if before == 2 else ()
    return network


def _before_ups(names: _Names, start: int) -> int | None:
    """How many layers without weights come before each convolution that samples up.

    None: a transposed convolution. One: Upsample, or a blur. Two: Upsample and a pad.
    """
    for before in range(3):
        size = before + (1 if names.grouped else 3)
        fits = all((place - start) % size == before for place in names.ups)
        if fits and (names.last - 1 - start) % size == 0:
            return before
    return None


def _block(names: _Names) -> Residual | None:
    """A residual block: where its convolutions lie says whether it has pads, and dropout between them."""
    (name,) = names.inner or ("",)
    inside = re.compile(rf"{names.root}\.\d+\.{name}\.(\d{{1,3}})(\.0)?", re.ASCII)
    places = sorted({int(match[1]) for conv in names.convs if (match := inside.fullmatch(conv))})
    if len(places) != 2 or places[0] > 1:
        return None
    pads, style = places[0], names.style
    first, second = (style.conv(3, 1, 1 - pads) for _ in range(2))
    unit = [first, style.norm(), nn.ReLU(inplace=True)]
    layers = [nn.ReflectionPad2d(1)] * pads
    layers += [nn.Sequential(*unit)] if names.grouped else unit
    if places[1] == len(layers) + pads + 1:
        layers += [nn.Identity()]  # dropout, which does nothing in eval mode
    layers += [nn.ReflectionPad2d(1)] * pads
    if places[1] != len(layers):
        return None
    return Residual(OrderedDict({name: nn.Sequential(*layers, second, style.norm())}))
