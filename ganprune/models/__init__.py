"""Networks of the families that people have: a state dict goes in, a plain module comes out.

One file a family says which layers a network has, by the names of its tensors; `ganprune.models.fitting`
gives them the widths and the weights of the file. A module's tensors are called as in its file, so what is
made of it can be written back for the code that it came from.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from ganprune.errors import CheckpointError, Misfit, UnsupportedArchitecture
from ganprune.models import courses, patchgan, resnet, unet
from ganprune.models.fitting import fitted, shape, without_relics
from ganprune.models.layers import Network, Tensors

__all__ = [
    "DISCRIMINATORS",
    "GENERATORS",
    "Family",
    "Network",
    "read_discriminator",
    "read_generator",
    "role_of",
    "unknown",
]


@dataclass(frozen=True, slots=True)
class Family:
    """Networks of one school."""

    title: str
    """For messages, in the plural."""
    kind: str
    """One of them, in a word or two."""
    skeleton: Callable[[Tensors], Network | None]
    """Its layers, by the names of a file, made on the device meta; None for a file of another family."""
    own: Callable[[Tensors], Tensors] = dict
    """The tensors of a file that the school's own code uses."""


MOST_PREFIXES = 8
"""So many parts before all names are taken off."""

GENERATORS: tuple[Family, ...] = (
    Family("ResNets of CycleGAN, PyTorch-GAN, CUT and their forks", "ResNet", resnet.skeleton),
    Family("U-Nets of pix2pix", "U-Net", unet.skeleton),
    Family("U-Nets of PyTorch-GAN", "U-Net", unet.levels),
    Family("U-Nets of aladdinpersson's course", "U-Net", unet.aladdinpersson),
    Family("aladdinpersson's course", "aladdinpersson's", courses.aladdinpersson),
    Family("deeplearning.ai's course", "deeplearning.ai's", courses.deeplearning),
    Family("Toronto's and Udacity's courses", "G_XtoY", courses.toronto),
    Family("znxlwm's CycleGAN", "znxlwm's", courses.znxlwm),
    Family("fast style transfer", "fast style transfer", courses.johnson, courses.johnson_own),
)
"""In the order in which they are tried."""

DISCRIMINATORS: tuple[Family, ...] = (
    Family("PatchGANs and pixel discriminators", "PatchGAN", patchgan.skeleton),
    Family("aladdinpersson's course", "aladdinpersson's", patchgan.aladdinpersson),
    Family("deeplearning.ai's course", "deeplearning.ai's", patchgan.deeplearning),
    Family("Toronto's and Udacity's courses", "of G_XtoY", patchgan.toronto),
    Family("znxlwm's CycleGAN", "znxlwm's", patchgan.znxlwm),
)
"""In the order in which they are tried."""


def read_generator(tensors: Mapping[str, Tensor]) -> Network:
    """The generator that a state dict is of, whatever its widths, depth and norm.

    It is float32, on the CPU, in eval mode, without gradients, shares no memory with ``tensors``, and takes
    and gives pictures in [-1, 1]. Norms of weights must be folded in (`ganprune.checkpoints.folding`). What
    stands before all names, and running statistics that instance norm does not use, are left out.

    Raises UnsupportedArchitecture for a network of no family here, CheckpointError for tensors that are
    missing, left over, contradictory in shape, not floating point, or not finite.
    """
    return _read("generator", GENERATORS, DISCRIMINATORS, tensors)


def read_discriminator(tensors: Mapping[str, Tensor]) -> Network:
    """The discriminator that a state dict is of; as `read_generator`.

    Maps [n, c, h, w] to one judgement a patch, [n, 1, h', w'].
    """
    network = _read("discriminator", DISCRIMINATORS, GENERATORS, tensors)
    name = _last(network)
    weight = network.get_parameter(f"{name}.weight")
    if len(weight) != 1:
        raise Misfit(f"{name}.weight has shape {shape(weight)}, but a discriminator ends in 1 filter")
    return network


def _last(network: nn.Module) -> str:
    return [name for name, module in network.named_modules() if isinstance(module, nn.Conv2d)][-1]


def _judges(family: Family, tensors: Tensors) -> bool:
    """Whether it is such a discriminator by its names, and does not end in several filters."""
    network = _skeleton(family, tensors)
    return network is not None and len(tensors.get(f"{_last(network)}.weight", "1")) == 1


def role_of(tensors: Mapping[str, Tensor]) -> Literal["generator", "discriminator"] | None:
    """What a state dict is for, by its names; None where no family has such."""
    for named in _without_prefixes(without_relics(tensors)):
        if any(_skeleton(family, named) is not None for family in GENERATORS):
            return "generator"
        if any(_judges(family, named) for family in DISCRIMINATORS):
            return "discriminator"
    return None


def unknown(role: str, tensors: Mapping[str, Tensor], reason: str = "") -> UnsupportedArchitecture:
    """The error for a network of no family. role: generator, discriminator, or network."""
    return UnsupportedArchitecture(f"a {role} of no family that is read: {described(role, tensors, reason)}")


def described(role: str, tensors: Mapping[str, Tensor], reason: str = "") -> str:
    """Of a network that is not read: its tensors, why, what to do, what was tried. role: as of `unknown`."""
    known = {"generator": GENERATORS, "discriminator": DISCRIMINATORS}
    titles = [family.title for family in known.get(role, (*GENERATORS, *DISCRIMINATORS))]
    tried = "; ".join(dict.fromkeys(titles))
    first = ", ".join(f"{name[:48]!r} ({shape(tensor)})" for name, tensor in list(tensors.items())[:4])
    option = "discriminator" if role == "discriminator" else "generator"
    return (
        f"it has {len(tensors)} tensors, {first or 'none with weights'}, …{reason}; a network of another "
        f"kind is brought as a module of your own: --{option} FILE.py:FACTORY; tried: {tried}"
    )


def _read(role: str, families: Sequence[Family], others: Sequence[Family], tensors: Tensors) -> Network:
    own = without_relics(tensors)
    reasons = list[str]()
    for named in _without_prefixes(own):
        for family in families:
            network = _skeleton(family, named)
            if network is not None:
                try:
                    found = fitted(network, family.own(named))
                    found.family = family.kind
                    return found
                except UnsupportedArchitecture as error:
                    reasons.append(f"; taken as of {family.title}, it {error}")
    for named in _without_prefixes(own):
        if not reasons and any(_fits(family, named) for family in others):
            other = "discriminator" if role == "generator" else "generator"
            raise CheckpointError(f"holds a {other}, a {role} was needed")
    raise unknown(role, own, reasons[0] if reasons else "")


def _fits(family: Family, tensors: Tensors) -> bool:
    network = _skeleton(family, tensors)
    if network is None:
        return False
    try:
        fitted(network, family.own(tensors))
    except CheckpointError:
        return False
    return True


def _skeleton(family: Family, tensors: Tensors) -> Network | None:
    with torch.device("meta"):  # no weights are drawn, so no random state is touched
        return family.skeleton(family.own(tensors))


def _without_prefixes(tensors: Tensors) -> Iterator[dict[str, Tensor]]:
    """The same names, then without the first part that all have in common, and so on.

    Before all that with the part that a U-Net's file has twice, where whoever saved it has left one out.
    """
    named = dict(tensors)
    if any(re.match(r"model\.\d\.model\.", name, re.ASCII) for name in named):
        yield {f"model.{name}": tensor for name, tensor in named.items()}
    for _ in range(MOST_PREFIXES):
        yield named
        firsts = {name.partition(".")[0] for name in named}
        if len(firsts) > 1 or not all("." in name for name in named):
            return
        named = {name.partition(".")[2]: tensor for name, tensor in named.items()}
