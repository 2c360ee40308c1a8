"""Discriminators: convolutions down to a map of judgements, one a patch.

    CycleGAN, pix2pix (any depth)       model.N             4×4, stride 2, the last two 1
    CUT                                 model.N, filt       4×4, stride 1, blur kernels
    PyTorch-GAN's CycleGAN, huggan      model.N             4×4, stride 2, a pad of zeros, stride 1
    1×1 ("pixel")                       net.N               1×1
    Lornatang                           main.N              as CycleGAN
    arnab39                             dis_model.N.0       as CycleGAN, and 1×1 as above
    aladdinpersson                      initial, model.N    as CycleGAN, borders reflected, sigmoid
    University of Toronto, Udacity      conv1, conv2, …     ReLU in the place of leaky ReLU

A mean over the map that some schools take at the end has no weights; the map itself is given, as in the
paper's Eq. 5. What sees input and output together, as pix2pix's, has more channels and is built alike; see
`ganprune.models.traits.discriminator_input`.

Sources: as those of `ganprune.models.resnet` and `ganprune.models.courses`.
"""

import re
from collections import OrderedDict

from torch import nn

from ganprune.models.layers import (
    MOST_LAYERS,
    BlurDown,
    Network,
    Style,
    Tensors,
    chain,
    convolutions,
    kernel_of,
    numbers,
)

ROOTS = {"model": False, "main": False, "net": False, "dis_model": True}
"""First part of all names → whether a convolution, its norm and its activation are one ``Sequential``."""


def skeleton(tensors: Tensors) -> Network | None:
    """Of a PatchGAN of any depth, or of one that judges every pixel."""
    root = next(iter(tensors), "").partition(".")[0]
    if root not in ROOTS:
        return None
    found = [re.fullmatch(rf"{root}\.(\d{{1,6}})\.(?:[01]\.)?\w+", name, re.ASCII) for name in tensors]
    places = {int(place[1]) for place in found if place}
    if not all(found) or 0 not in places:
        return None
    last, size = max(places), 1 if ROOTS[root] else 3
    if not 4 <= last < MOST_LAYERS * len(tensors):
        return None
    ends = {f"{root}.0", f"{root}.{last}"}
    if kernel_of(tensors, f"{root}.0.weight", 4) == 1:
        style = Style.of(tensors, [conv for conv in convolutions(tensors) if conv != f"{root}.0"])
        return Network(OrderedDict({root: _pixel(style)}))
    style = Style.of(tensors, [conv for conv in convolutions(tensors) if conv not in ends])
    blurs = any(name.endswith(".filt") for name in tensors)

    def blur() -> list[nn.Module]:
        return [BlurDown(kernel_of(tensors, f"{root}.{len(layers)}.filt", 3))] if blurs else []

    layers: list[nn.Module] = [nn.Conv2d(1, 1, 4, 1 if blurs else 2, 1), _leaky()]
    layers += blur()
    while len(layers) + size <= last:
        # The last unit keeps height and width, but where zeros are put before the convolution behind it.
        samples = len(layers) + size < last
        unit = [style.conv(4, 2 if samples and not blurs else 1, 1), style.norm(), _leaky()]
        layers += [nn.Sequential(*unit)] if size == 1 else unit
        layers += blur() if samples else []
    bias = True
    if len(layers) < last:
        layers.append(nn.ZeroPad2d((1, 0, 1, 0)))
        bias = f"{root}.{last}.bias" in tensors  # PyTorch-GAN's CycleGAN has one, its pix2pix has none
    network = Network(OrderedDict({root: nn.Sequential(*layers, nn.Conv2d(1, 1, 4, 1, 1, bias=bias))}))
    network.output_first = not bias  # PyTorch-GAN's pix2pix calls it with the translation first
    return network


def _leaky() -> nn.Module:
    return nn.LeakyReLU(0.2, inplace=True)


def _pixel(style: Style) -> nn.Sequential:
    last = nn.Conv2d(1, 1, 1, bias=style.bias)
    return nn.Sequential(nn.Conv2d(1, 1, 1), _leaky(), style.conv(1), style.norm(), _leaky(), last)


def aladdinpersson(tensors: Tensors) -> Network | None:
    """Of aladdinpersson's course."""
    if {name.partition(".")[0] for name in tensors} != {"initial", "model"}:
        return None
    units = numbers(tensors, "model.{}.conv.")
    style = Style.of(tensors, [f"model.{i}.conv.0" for i in range(units)])
    layers = [
        chain(
            conv=nn.Sequential(style.conv(4, 2 if i < units - 1 else 1, 1, "reflect"), style.norm(), _leaky())
        )
        for i in range(units)
    ]
    return Network(OrderedDict(
        initial=nn.Sequential(nn.Conv2d(1, 1, 4, 2, 1, padding_mode="reflect"), _leaky()),
        model=nn.Sequential(*layers, nn.Conv2d(1, 1, 4, 1, 1, padding_mode="reflect")),
        sigmoid=nn.Sigmoid(),
    )) if units else None  # fmt: skip


SIGMOID = (
    "its file does not say whether a sigmoid comes last: taken without one, as Udacity's and later Toronto's"
)


def toronto(tensors: Tensors) -> Network | None:
    """Of the courses of Toronto and Udacity.

    Toronto's has a norm behind the first convolution and no padding around the last map, Udacity's the
    contrary.
    """
    convs = numbers(tensors, "conv{}.0.") - 1
    if convs < 3 or not all(re.match(r"conv\d+\.[01]\.", name, re.ASCII) for name in tensors):
        return None
    style = Style.of(tensors, convolutions(tensors))
    if style.kind == "none":
        return None
    layers = dict[str, nn.Module]()
    padding = 1
    for i in range(1, convs + 1):
        normed = any(name.startswith(f"conv{i}.1.") for name in tensors)
        kernel = kernel_of(tensors, f"conv{i}.0.weight", 4)
        if i == 1 and normed:
            padding = 0
        last = i == convs
        conv = style.conv(kernel, 1 if last else 2, padding if last else (kernel - 1) // 2)
        layers[f"conv{i}"] = nn.Sequential(conv, *([style.norm()] if normed else []))
        layers |= {} if last else {f"relu{i}": nn.ReLU()}
    network = Network(OrderedDict(layers))
    network.notes = (SIGMOID,) if not padding else ()
    return network
