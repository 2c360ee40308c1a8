"""Distillation: slim generators learn to draw what the originals draw, picture by picture.

For G_A on pictures x of A, and for G_B on those of B, with G the original, Ĝ the slim one, D the original's
discriminator and h their maps of the residual trunk at a few places:

    pixels      mean |Ĝ(x) − G(x)|
    maps        mean over places of  mean (a(ĥ) − h)² / mean h²
    features    mean over D's first layers of  mean |d(Ĝ(x)) − d(G(x))| / mean |d(G(x))|
    vgg         the same over maps of VGG16, where its weights are given
    G           what D, as it is now, makes of Ĝ(x); D then learns on

Slim maps are compared with the original's channels that the genome kept, a(ĥ) = ĥ, or through a 1×1
convolution a with all of them; these adapters are trained along and then forgotten.

Sources: Hinton et al., arXiv 1503.02531; maps: Romero et al., "FitNets", ICLR 2015, and for CycleGAN Li et
al., "GAN Compression", CVPR 2020, section 3.1; features: Wang et al., "pix2pixHD", CVPR 2018, equation 4.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor, nn

from ganprune.channels import ChannelGraph, kept
from ganprune.images import Domain
from ganprune.models.watching import watched
from ganprune.settings.training import DistilSettings
from ganprune.training.perceptual import Vgg16

Maps = Callable[[Tensor], Sequence[Tensor]]
"""What a frozen network sees in pictures [n, c, h, w] in [-1, 1]: its maps of some layers."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Teacher:
    """What one slim generator learns from."""

    generator: nn.Module  # the original
    graph: ChannelGraph  # its channels
    units: Tensor  # which of its units the slim generator has kept: bool [units]
    discriminator: nn.Module | None = None
    """The original one of its translations; None where its layers are not compared."""
    vgg: Vgg16 | None = None  # None where its maps are not compared

    def taps(self, places: int) -> list["Tap"]:
        """Where maps are compared: of the trunk before the first block, after the last, evenly between."""
        found = self.graph.taps()
        return [Tap(name, len(units), kept(units, self.units)) for name, units in evenly(found, places)]


@dataclass(frozen=True, slots=True)
class Tap:
    """A module whose map is compared."""

    module: str
    channels: int  # of the original's map
    kept: Tensor  # int64: those that the slim generator has kept, in order


def evenly(items: Sequence[_T], n: int) -> list[_T]:
    """At most n of them, the last among them and, of several, the first, at even distances."""
    last = len(items) - 1
    places = {last} if n == 1 else {round(i * last / (n - 1)) for i in range(n)}
    return [items[place] for place in sorted(places)] if items else []


class TranslatedMaps(NamedTuple):
    """What a generator makes of pictures."""

    picture: Tensor  # translations: float [n, c, h, w] in [-1, 1]
    maps: Sequence[Tensor]
    """Maps of its trunk, float [n, channels, h/4, w/4] in channels-last order, one a tap."""


def with_maps(generator: nn.Module, x: Tensor, modules: Sequence[str]) -> TranslatedMaps:
    """The translation of pictures, and the maps that some modules return, in their order."""
    maps: dict[str, Tensor] = {}
    with watched(generator, modules, lambda name, _, output: maps.__setitem__(name, output)):
        made = generator(x)
    return TranslatedMaps(made, [maps[name] for name in modules])


def discriminator_layers(discriminator: nn.Module, picture: Tensor, layers: int) -> list[Tensor]:
    """The maps of a discriminator after its first activations, then its patch map; ``layers`` of them.

    What comes after the last of them is not computed.
    """
    found: list[Tensor] = []
    activations = [name for name, m in discriminator.named_modules() if isinstance(m, nn.LeakyReLU | nn.ReLU)]

    def keep(_name: str, _input: Tensor, output: Tensor) -> None:
        found.append(output)
        if len(found) == layers:
            raise _Enough

    try:
        with watched(discriminator, activations, keep):
            found.append(discriminator(picture))
    except _Enough:
        pass
    return found


class _Enough(Exception):
    """The maps that are needed are there."""


def make_adapters(teachers: Mapping[Domain, Teacher], settings: DistilSettings, device: str) -> nn.ModuleDict:
    """A 1×1 convolution a side and place, such as ``A3``, at first the embedding of the kept channels; empty
    where unused."""
    adapters = nn.ModuleDict()
    if not (settings.adapters and settings.maps):
        return adapters
    for side, teacher in teachers.items():
        for place, tap in enumerate(teacher.taps(settings.places)):
            convolution = nn.Conv2d(len(tap.kept), tap.channels, 1, bias=False)
            with torch.no_grad():
                convolution.weight.zero_()
                convolution.weight[tap.kept, torch.arange(len(tap.kept))] = 1
            adapters[f"{side}{place}"] = convolution
    return adapters.to(device)


def distillation_losses(
    side: Domain,
    student: TranslatedMaps,
    teacher: TranslatedMaps,
    settings: DistilSettings,
    seen_by: Mapping[str, Maps],
    adapters: Mapping[str, nn.Module] | nn.ModuleDict,
) -> dict[str, Tensor]:
    """The weighted terms of one side: scalars, from what both generators make of the same pictures, float32.

    The teacher's maps: all channels with adapters, else the kept ones. ``seen_by``: what compares both
    pictures besides, by the name of its weight in the settings.
    """
    s, terms = settings, dict[str, Tensor]()
    fake, wanted = student.picture, teacher.picture
    if s.pixels:
        terms[f"pixels_{side}"] = s.pixels * (fake - wanted).abs().sum() / fake.numel()
    if s.maps:
        errors: list[Tensor] = []
        for place, (found, original) in enumerate(zip(student.maps, teacher.maps, strict=True)):
            key = f"{side}{place}"
            shown = adapters[key](found) if key in adapters else found
            errors.append(_share((shown.float() - original).square(), original.square()))
        terms[f"maps_{side}"] = s.maps * torch.stack(errors).mean()
    for name, maps_of in seen_by.items():
        with torch.no_grad():
            targets = maps_of(wanted)
        pairs = ((a.float(), b.float()) for a, b in zip(maps_of(fake), targets, strict=True))
        errors = [_share((a - b).abs(), b.abs()) for a, b in pairs]
        terms[f"{name}_{side}"] = getattr(s, name) * torch.stack(errors).mean()
    return terms


def _share(errors: Tensor, sizes: Tensor) -> Tensor:
    """Mean error over mean size of each picture [n, c, h, w], then the mean over pictures: a scalar.

    So a batch's loss is the mean of its pictures' losses, however it is shared among processes.
    """
    # Sums, and not means: the gradient of a mean is in another memory order than its map, and slows down all
    # that comes before it.
    least = 1e-8 * errors[0].numel()
    return (errors.sum((1, 2, 3)) / sizes.sum((1, 2, 3)).clamp_min(least)).mean()
