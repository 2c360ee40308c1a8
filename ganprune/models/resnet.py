"""CycleGAN's ResNet generator and its many kin: what lies around its blocks is told by numbers in names.

    family                              names                    sampling down, up
    CycleGAN                            model.N, conv_block      strided, transposed convolutions
    its forks without checkerboards     model.N, conv_block      strided, Upsample + convolution, PixelShuffle
    PyTorch-GAN, Hugging Face's huggan  model.N, block           the same
    CUT, FastCUT                        model.N, conv_block      convolutions + blur kernels (filt)
    pix2pixHD, global                   model.N, conv_block      as CycleGAN, four times
    Lornatang                           main.N, res              as CycleGAN
    arnab39                             res_model.N.0, res_block as CycleGAN
    UPIT                                N, conv_block            as CycleGAN
    StarGAN                             main.N, main             4×4, zeros around all pictures and maps

The names count every module of a ``Sequential``, norms, activations, pads and dropout too. So a place
without a tensor is a layer without weights, and how many there are says which. What the ``Sequential`` and
the layers of the blocks are called makes no difference; other names than these are told in a note.

Sources: ``networks.py`` of pytorch-CycleGAN-and-pix2pix and of contrastive-unpaired-translation;
``models.py`` of PyTorch-GAN, huggan and Lornatang/CycleGAN-PyTorch; ``arch/`` of arnab39/cycleGAN-PyTorch;
``models/cyclegan.py`` of tmabraham/UPIT; ``model.py`` of yunjey/stargan.
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
    numbered,
    rooted,
)

BILINEAR = (
    "its file does not say how maps are enlarged: taken as bilinear, as CycleGAN's answers to frequent "
    "questions have it for convolutions behind Upsample and ReflectionPad2d"
)

NEAREST = (
    "its file does not say how maps are enlarged: taken as of nearest neighbours, as PyTorch-GAN has it for "
    "convolutions behind Upsample alone"
)

ROOTS = ("", "model", "main", "res_model")
"""What the schools above call the ``Sequential``."""

INNER = ("conv_block", "block", "res", "res_block", "main")
"""What they call the layers of the blocks."""

STRANGE = (
    "names that no known school has: layers without tensors, as activations and pads, are taken as "
    "CycleGAN's; compare a picture with your own program's, and where they differ bring the module: "
    "--generator FILE.py:FACTORY"
)

FIRST_UP = 10
"""Place behind two layers that sample down, where no block says where that is."""

UPS = {"transposed": (0, 3), "upsampled": (1, 4), "padded": (2, 5), "shuffled": (0, 4)}
"""Ways of sampling up: layers without weights before the convolution, and all layers, with norm and ReLU."""


def skeleton(tensors: Tensors) -> Network | None:
    """Of a ResNet generator; None where the names are those of another network."""
    root, own = numbered(tensors)
    names = _Names(own)
    layers = _layers(names) if names.fit() else None
    if layers is None:
        return None
    network = rooted(root, layers)
    modes = {str(m.mode) for m in layers if isinstance(m, nn.Upsample)}
    network.notes = (BILINEAR,) if "bilinear" in modes else ()
    network.notes += (NEAREST,) if "nearest" in modes and names.inner != ["block"] else ()
    network.notes += () if root in ROOTS and {*names.inner} <= {*INNER} else (STRANGE,)
    return network


class _Names:
    """What the names of a file say about the layers of a ResNet generator."""

    def __init__(self, tensors: Tensors) -> None:
        self._tensors = tensors
        found = [re.fullmatch(r"(\d{1,6})\.(.+)", name, re.ASCII) for name in tensors]
        own = [(int(match[1]), match[2]) for match in found if match]
        inside = [(n, re.match(r"([A-Za-z_]\w{0,63})\.\d", rest, re.ASCII)) for n, rest in own]
        self._strange = len(own) < len(found)
        self.grouped = any(rest[0].isdigit() for _, rest in own)
        """Whether a convolution, its norm and its activation are one ``Sequential``."""
        self.inner = sorted({match[1] for _, match in inside if match})
        """What residual blocks call their layers."""
        self.gone = {n: tensors[f"{n}.{CONSTANT}"] for n, rest in own if rest == CONSTANT}
        """Places of blocks that were taken out, and what is left of them."""
        self.blocks = sorted({n for n, match in inside if match} | self.gone.keys())
        """Places of the residual blocks."""
        self.first = 0 if any(n == 0 for n, _ in own) or self._is_norm(1) else 1
        """Place of the first convolution: behind a pad, or 0 where its own zeros lie around the picture."""
        self.last = max((n for n, _ in own), default=0)
        if self.first == 0 and self._is_norm(self.last):  # the convolution behind it and its ReLU is missing
            self.last += 2
        """Place of the last convolution."""
        self.last_bias = self.first == 1 or f"{self.last}.bias" in tensors
        """Whether that has a bias; StarGAN's has none."""
        self.filts = {n for n, rest in own if rest == "filt"}
        """Places of blur kernels."""
        self.convs = convolutions(tensors)
        place = re.compile(r"(\d{1,6})(?:\.|$)", re.ASCII)
        numbers = [(int(match[1]), conv) for conv in self.convs if (match := place.match(conv))]
        behind = self.blocks[-1] if self.blocks else FIRST_UP - 1
        ups = {n: conv for n, conv in numbers if behind < n < self.last}
        self.ups = sorted(ups)
        """Places of the convolutions that sample up."""
        self.style = Style.of(tensors, [conv for n, conv in numbers if n <= behind])
        # What takes the place of transposed convolutions has biases in some forks, whatever the norm.
        self.up_style = Style(self.style.kind, Style.of(tensors, ups.values()).bias) if ups else self.style

    def fit(self) -> bool:
        """Whether it is such a network, or one that lacks a few tensors."""
        return (
            not self._strange
            and len(self.inner) <= 1
            and self.last < MOST_LAYERS * len(self._tensors)
            # A discriminator's first convolution lies at 0, too, and no block behind it.
            and (bool(self.blocks) or (self.first == 1 and self._name(1) in self.convs))
        )

    def kernel(self, place: int) -> int:
        """Height and width of the kernel of a convolution that samples down or up: 3, or 4 as StarGAN has."""
        return 4 if kernel_of(self._tensors, f"{self._name(place)}.weight", 3) == 4 else 3

    def blur(self, place: int, usual: int) -> int:
        """Height and width of the blur kernel at a place."""
        return kernel_of(self._tensors, f"{place}.filt", usual)

    def _is_norm(self, place: int) -> bool:
        weight = self._tensors.get(f"{place}.weight")
        return weight is not None and weight.ndim == 1

    def _name(self, place: int) -> str:
        return f"{place}.0" if self.grouped and place < self.last else f"{place}"


def _layers(names: _Names) -> nn.Sequential | None:
    # PyTorch-GAN pads by as many pixels as pictures have channels. Only with 3 do they keep their size, so
    # who trained it on others has changed that.
    layers = list[nn.Module]()

    def unit(style: Style, conv: nn.Module, *behind: nn.Module) -> None:
        own = [conv, *behind, style.norm(), nn.ReLU(inplace=True)]
        layers.extend([nn.Sequential(*own)] if names.grouped else own)

    layers += [nn.ReflectionPad2d(3)] * names.first
    unit(names.style, names.style.conv(7, 1, 0 if names.first else 3))
    start = names.blocks[0] if names.blocks else FIRST_UP
    blurred = any(place < start for place in names.filts)
    halved = 0
    while len(layers) < start:
        halved += 1
        unit(names.style, names.style.conv(names.kernel(len(layers)), 1 if blurred else 2, 1))
        layers += [BlurDown(names.blur(len(layers), 3))] if blurred else []
    if len(layers) != start:
        return None
    while names.blocks and len(layers) <= names.blocks[-1]:
        gone = names.gone.get(len(layers))
        block = _block(names) if gone is None else Removed.like(gone)
        if block is None:
            return None
        layers.append(block)
    how = _ups(names, len(layers))
    if how is None:
        return None
    up, end = how
    blurred, style = any(place >= len(layers) for place in names.filts), names.up_style
    while len(layers) < names.last - end:
        halved -= 1
        if up == "transposed":
            unit(style, style.up(names.kernel(len(layers))))
        elif up == "upsampled":
            layers.append(BlurUp(names.blur(len(layers), 4)) if blurred else nn.Upsample(scale_factor=2))
            unit(style, style.conv(3, 1, 1))
        elif up == "padded":
            layers += [nn.Upsample(scale_factor=2, mode="bilinear"), nn.ReflectionPad2d(1)]
            unit(style, style.conv(3))
        else:
            unit(style, style.conv(3, 1, 1), nn.PixelShuffle(2))
    if halved:
        return None  # its pictures have the size of those that come in, so one of its convolutions keeps it
    layers += [nn.ReflectionPad2d(3)] * end
    last = nn.Conv2d(1, 1, 7, 1, 0 if end else 3, bias=names.last_bias)
    return nn.Sequential(*layers, last, nn.Tanh())


def _ups(names: _Names, start: int) -> tuple[str, int] | None:
    """Which of `UPS` comes behind the blocks, and how many pads come before the last convolution."""
    for up, (before, size) in UPS.items():
        size = before + 1 if names.grouped else size
        fits = all((place - start) % size == before for place in names.ups)
        for end in (1, 0):
            if fits and names.last - end >= start and (names.last - end - start) % size == 0:
                return up, end
    return None


def _block(names: _Names) -> Residual | None:
    """A residual block: where its convolutions lie says whether it has pads, and dropout between them."""
    (name,) = names.inner or ("",)
    inside = re.compile(rf"\d+\.{name}\.(\d{{1,3}})(\.0)?", re.ASCII)
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
