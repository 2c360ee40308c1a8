"""Discriminators: convolutions down to a map of judgements, one a patch.

    CycleGAN, pix2pix (any depth)       model.N             4×4, stride 2, the last two 1
    CUT                                 model.N, filt       4×4, stride 1, blur kernels
    PyTorch-GAN's CycleGAN, huggan      model.N             4×4, stride 2, a pad of zeros, stride 1
    1×1 ("pixel")                       net.N               1×1
    Lornatang                           main.N              as CycleGAN
    arnab39                             dis_model.N.0       as CycleGAN, and 1×1 as above
    aladdinpersson                      initial, model.N    as CycleGAN, borders reflected; sigmoid
    aladdinpersson's pix2pix            the same            without the sigmoid
    deeplearning.ai                     upfeature, final    7×7, then 4×4 of stride 2, then 1×1
    znxlwm                              conv1, …            as CycleGAN
    University of Toronto, Udacity      conv1, conv2, …     ReLU in the place of leaky ReLU

What all names of the first six begin with makes no difference.

A mean over the map that some schools take at the end has no weights; the map itself is given, as in the
paper's Eq. 5. What sees input and output together, as pix2pix's, has more channels and is built alike; see
`ganprune.models.traits.discriminator_input`.

Sources: as those of `ganprune.models.resnet` and `ganprune.models.courses`.
"""

import re
from collections import OrderedDict

from torch import nn

from ganprune.models.cyclegan import InstanceNorm
from ganprune.models.layers import (
    MOST_LAYERS,
    BlurDown,
    Network,
    Style,
    Tensors,
    chain,
    convolutions,
    kernel_of,
    numbered,
    numbers,
    rooted,
)


def skeleton(tensors: Tensors) -> Network | None:
    """Of a PatchGAN of any depth, or of one that judges every pixel."""
    root, own = numbered(tensors)
    found = [re.fullmatch(r"(\d{1,6})\.(?:([01])\.)?\w+", name, re.ASCII) for name in own]
    places = {int(place[1]) for place in found if place}
    if not all(found) or 0 not in places:
        return None
    # Where a convolution, its norm and its activation are one Sequential, each is one layer here.
    last, size = max(places), 1 if any(place and place[2] for place in found) else 3
    kernel = kernel_of(own, "0.weight", 4)
    if not 4 <= last < MOST_LAYERS * len(own) or kernel not in (1, 4):
        return None
    if kernel == 1:
        return rooted(root, _pixel(Style.of(own, [conv for conv in convolutions(own) if conv != "0"])))
    style = Style.of(own, [conv for conv in convolutions(own) if conv not in ("0", f"{last}")])
    blurs = any(name.endswith(".filt") for name in own)

    def blur() -> list[nn.Module]:
        return [BlurDown(kernel_of(own, f"{len(layers)}.filt", 3))] if blurs else []

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
        bias = f"{last}.bias" in own  # PyTorch-GAN's CycleGAN has one, its pix2pix has none
    network = rooted(root, nn.Sequential(*layers, nn.Conv2d(1, 1, 4, 1, 1, bias=bias)))
    network.output_first = not bias  # PyTorch-GAN's pix2pix calls it with the translation first
    return network


def _leaky() -> nn.Module:
    return nn.LeakyReLU(0.2, inplace=True)


def _pixel(style: Style) -> nn.Sequential:
    last = nn.Conv2d(1, 1, 1, bias=style.bias)
    return nn.Sequential(nn.Conv2d(1, 1, 1), _leaky(), style.conv(1), style.norm(), _leaky(), last)


def aladdinpersson(tensors: Tensors) -> Network | None:
    """Of aladdinpersson's course: a sigmoid comes last in its CycleGAN, not in its pix2pix of batch norm."""
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
        judgement=nn.Sigmoid() if style.bias else nn.Identity(),
    )) if units else None  # fmt: skip


def deeplearning(tensors: Tensors) -> Network | None:
    """Of deeplearning.ai's course."""
    downs = numbers(tensors, "contract{}.conv1.") - 1
    if downs < 1 or {name.partition(".")[0] for name in tensors} - {
        f"contract{i + 1}" for i in range(downs)
    } != {"upfeature", "final"}:
        return None

    def down(normed: bool) -> nn.Sequential:
        conv = nn.Conv2d(1, 1, 4, 2, 1, padding_mode="reflect")
        return chain(
            conv1=conv, instancenorm=InstanceNorm(1) if normed else nn.Identity(), activation=_leaky()
        )

    return Network(OrderedDict(
        upfeature=chain(conv=nn.Conv2d(1, 1, 7, 1, 3, padding_mode="reflect")),
        **{f"contract{i}": down(i > 1) for i in range(1, downs + 1)},
        final=nn.Conv2d(1, 1, 1),
    ))  # fmt: skip


def znxlwm(tensors: Tensors) -> Network | None:
    """As CycleGAN's, its layers beside each other: conv1, conv2, conv2_norm, …"""
    convs = numbers(tensors, "conv{}.weight") - 1
    if convs < 3 or kernel_of(tensors, "conv1.weight", 4) != 4:
        return None
    normed = [f"conv{i}" for i in range(2, convs)]
    style = Style.of(tensors, normed)
    layers: dict[str, nn.Module] = {"conv1": nn.Conv2d(1, 1, 4, 2, 1), "relu1": _leaky()}
    for name in normed:
        layers |= {name: style.conv(4, 1 if name == normed[-1] else 2, 1), f"{name}_norm": style.norm()}
        layers[f"{name}_relu"] = _leaky()
    return Network(OrderedDict({**layers, f"conv{convs}": nn.Conv2d(1, 1, 4, 1, 1)}))


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
