"""What each school calls the networks of a training: the one table for files and for entries of one file.

A discriminator has the name of the generator that it teaches in CycleGAN (D_A judges what G_A makes, so
domain B); everywhere else it has the name of the domain that it judges.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ganprune.errors import CheckpointError
from ganprune.settings.words import NET_NAMES, NetName

School = Mapping[NetName, str]  # its names for ours


def _school(*names: str) -> School:
    return dict(zip(NET_NAMES, names, strict=True))


_DOMAINS = [("A2B", "B2A", "A", "B"), ("AB", "BA", "A", "B"), ("AtoB", "BtoA", "A", "B"),
            ("X2Y", "Y2X", "X", "Y"), ("XY", "YX", "X", "Y"), ("XtoY", "YtoX", "X", "Y")]  # fmt: skip
_KINDS = [("G", "D"), ("gen", "disc"), ("gen", "dis"), ("generator", "discriminator")]


@dataclass(frozen=True, slots=True)
class Convention:
    """How some schools name their networks; see `plain` for how names are compared."""

    title: str  # of a folder of files, for messages and reports
    bundled: str  # of one file with all networks
    schools: tuple[School, ...]  # the first is the one to give as an example
    before: str = ""  # what that example has before a name
    least: int = 1  # so many networks must be there: where names say little, a few could be of another kind
    words: Mapping[str, NetName] = field(init=False, repr=False)  # every plain name, and our name for it

    def __post_init__(self) -> None:
        words = {plain(name): ours for school in self.schools for ours, name in school.items()}
        object.__setattr__(self, "words", words)

    @property
    def alone(self) -> bool:
        """Whether there is one generator, whose direction is not told."""
        return "G_B" not in self.words.values()

    def among(self, entries: Iterable[str]) -> dict[NetName, list[str]]:
        """The entries that are networks of this convention, by our names."""
        found: dict[NetName, list[str]] = {}
        for entry in entries:
            if ours := self.words.get(plain(entry)):
                found.setdefault(ours, []).append(entry)
        return found

    def spelled(self, word: str) -> School:
        """All names of the school that one of its networks' names is of."""
        return next(school for school in self.schools if plain(word) in map(plain, school.values()))


AROUND = frozenset({"module", "_orig_mod", "model", "net", "network"})
"""Modules that one network is wrapped in, which say nothing of which one it is."""


def plain(name: str) -> str:
    """``netG_A2B``, ``G_A2B`` and ``state_dict_G_A2B`` are all ``ga2b``; of ``nets.gen_ab`` the last part."""
    name = next((part for part in reversed(name.split(".")) if part not in AROUND), name)
    short = re.sub(r"[_\-. ]", "", name[:64].lower())
    for ending in ("statedict", "state", "weights", "ema", "model", "net"):
        short = short.removesuffix(ending)
    for beginning in ("statedict", "ema", "model", "net"):
        short = short.removeprefix(beginning)
    return short


LONE = Convention(
    "a lone generator", "bundle of one generator",
    tuple({"G_A": G, "D_A": D} for G, D in _KINDS), "latest_net_",
)  # fmt: skip

CONVENTIONS = (
    Convention("CycleGAN", "bundle", (_school(*NET_NAMES),), "latest_net_"),
    Convention(
        "A2B", "bundle, A2B names",
        (
            *(_school(f"{G}_{there}", f"{G}_{back}", f"{D}_{b}", f"{D}_{a}")
              for there, back, a, b in _DOMAINS for G, D in _KINDS),
            _school("generator_g", "generator_f", "discriminator_y", "discriminator_x"),  # TensorFlow's
            _school("gen_G", "gen_F", "disc_Y", "disc_X"),  # Keras's
            # aladdinpersson's, of horses (A) and zebras (B).
            _school("genz", "genh", "criticz", "critich"), _school("gen_Z", "gen_H", "disc_Z", "disc_H"),
        ),
        "net",
    ),
    LONE,
    # The paper's. CUT's F beside its G and D is no generator.
    Convention("the paper's", "bundle, the paper's names", (_school("G", "F", "D_Y", "D_X"),), least=3),
)  # fmt: skip
"""Of conventions that find equally many networks, the first is taken; one generator at least is needed."""


def matched(entries: Iterable[str]) -> tuple[Convention, dict[NetName, str]] | None:
    """The convention that knows most of some names, and which is which; None: no generator is among them.

    Averages over the training, ``netG_ema``, are taken where every generator has one. Raises CheckpointError
    where two names could be the same network.
    """
    entries = list(entries)
    found = [(convention, convention.among(entries)) for convention in CONVENTIONS]
    found = [
        (convention, known)
        for convention, known in found
        if {"G_A", "G_B"} & known.keys() and len(known) >= convention.least
    ]
    if not found:
        return None
    convention, known = max(found, key=lambda one: len(one[1]))
    average = all(any(map(is_average, known[ours])) for ours in known.keys() & {"G_A", "G_B"})
    for ours, theirs in known.items():
        known[ours] = [name for name in theirs if is_average(name) == average] or theirs
        if len(known[ours]) > 1:
            raise CheckpointError(f"both {theirs[0]!r} and {theirs[1]!r} could be {ours}; keep one of them")
    return convention, {ours: theirs[0] for ours, theirs in known.items()}


def is_average(name: str) -> bool:
    """Whether a network is the exponential moving average of one over its training."""
    return re.search(r"(?<![a-z])(?:ema|shadow)(?![a-z])", name.lower()) is not None
