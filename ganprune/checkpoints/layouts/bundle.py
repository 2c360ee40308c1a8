"""One file with several networks: a dict of state dicts under the names that the networks usually have.

{"G_A": {...}, "G_B": {...}, "D_A": {...}, "D_B": {...}, "optimizer_G": {...}, "epoch": 3}

Or wrapped a few times more, under ``state_dict``, ``models`` or any other name; or flat, with the network's
name before every tensor's (``nets.G_A.model.1.weight``), as PyTorch Lightning and safetensors have it.
What is no network is left aside. `CONVENTIONS` is the one table of names; under other names a generator is
told by its tensors.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from torch import Tensor

from ganprune import models
from ganprune.checkpoints.contents import WRAPPERS, flat_tensors, without_prefix
from ganprune.checkpoints.layouts.conventions import LONE, Convention, is_average, matched, plain
from ganprune.checkpoints.layouts.naming import Located
from ganprune.checkpoints.reading import about, peek, read_held
from ganprune.errors import CheckpointError
from ganprune.models import MOST_PREFIXES
from ganprune.settings.words import NetName
from ganprune.storage.tables import listed

MAX_NAMES = 8  # so many entries that are no networks are told by name

MAX_LEVELS = 64  # so many dicts are looked into

FEWEST = 4  # no generator has fewer tensors

Fits = Callable[[Mapping[str, Tensor]], bool]
"""Whether tensors are those of a user's module."""

_Dict = Mapping[object, object]
_Around = tuple[tuple[_Dict, str], ...]
_Found = tuple[_Dict, _Around, _Dict]
"""A dict, those around it, and its entries: the dicts in it, or its tensors by how their names begin."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """What was found in a file."""

    convention: Convention  # whose names they have
    networks: Mapping[NetName, object]
    """A state dict each; in a file that was only peeked at, with tensors on the device meta."""
    entries: Mapping[NetName, str]  # what the file calls them
    others: tuple[str, ...]  # entries that are no networks


def networks_in(held: object, fits: Fits | None = None) -> Bundle | None:
    """The networks in what a file holds; None when it is no bundle.

    fits: where the generators are of a user's module. Raises CheckpointError when two entries could be the
    same network, and for several generators whose names do not tell which is which.
    """
    unnamed, averages = dict[str, _Found](), dict[str, _Found]()
    for level, around in _levels(held):
        nested = {name: value for name, value in level.items() if _is_state_dict(value)}
        averaged = any(is_average(name) for _, name in around)
        # Parts of a user's module may be called as networks are.
        whole = fits is not None and generates(next(_parts(level))[""], fits)
        for entries in (nested, *_parts(level)):
            named = matched(
                name
                for name, value in entries.items()
                if isinstance(name, str) and name and (entries is nested or not (whole or _is_layer(value)))
            )
            if named:
                return _bundle(*named, (level, around, entries))
            if averages or (unnamed and not averaged):
                continue
            for name, value in entries.items():
                if name not in WRAPPERS and generates(value, fits):
                    found = averages if averaged or is_average(str(name)) else unnamed
                    found[str(name)] = level, around, entries
    unnamed = averages or unnamed
    if "" in unnamed:  # one network by itself, with others beside it
        return None
    names = list(unnamed)
    if len(names) > 1 and fits is not None:
        told = " and ".join(names[:MAX_NAMES])
        raise CheckpointError(
            f"holds several networks that fit, {told}; save the state_dict() of one by itself"
        )
    if len(names) > 1:
        told = " and ".join(repr(name[:64]) for name in names[:MAX_NAMES])
        raise CheckpointError(
            f"holds several generators, {told}, whose names do not say which way they translate; name them "
            "G_A2B and G_B2A, or save the state_dict() of one by itself"
        )
    for name in names:
        return _bundle(LONE, {"G_A": name}, unnamed[name])
    return None


def _bundle(convention: Convention, names: dict[NetName, str], found: _Found) -> Bundle:
    level, around, entries = found
    networks: dict[NetName, object] = {ours: entries[theirs] for ours, theirs in names.items()}
    beside = [name for name, value in level.items() if not _is_tensor(value)]
    others = [name for outer, inner in around for name in outer if name != inner]
    averages = {plain(name) for name in names.values() if is_average(name)}
    left = [str(name) for name in dict.fromkeys((*others, *entries, *beside)) if name not in names.values()]
    return Bundle(convention, networks, names, tuple(name for name in left if plain(name) not in averages))


def _levels(held: object) -> Iterator[tuple[_Dict, _Around]]:
    """The dict itself, then those in it, outer ones first; each with those around it and its names there."""
    waiting = deque[tuple[object, _Around]]([(held, ())])
    for _ in range(MAX_LEVELS):
        inner, around = waiting.popleft() if waiting else (None, ())
        if isinstance(inner, list | tuple) and len(cast("Sequence[object]", inner)) <= MAX_NAMES:
            inner = {str(i): value for i, value in enumerate(cast("Sequence[object]", inner))}
        if isinstance(inner, Mapping):
            level = cast("_Dict", inner)
            yield level, around
            for name, value in level.items():  # an optimizer's dict has numbers for names
                if isinstance(name, str) and isinstance(value, Mapping | list | tuple):
                    waiting.append((value, (*around, (level, name))))


def _parts(level: Mapping[object, object]) -> Iterator[dict[object, object]]:
    """A flat state dict's tensors by the first part of their names, by the first two, and so on.

    Before all that by none: as one network.
    """
    tensors = {name: tensor for name, tensor in level.items() if isinstance(name, str) and _is_tensor(tensor)}
    yield {"": tensors}
    for depth in range(1, MOST_PREFIXES):
        parts: dict[object, object] = {}
        for name, tensor in tensors.items():
            split = name.split(".")
            if len(split) > depth:
                own = cast("dict[str, object]", parts.setdefault(".".join(split[:depth]), {}))
                own[".".join(split[depth:])] = tensor
        yield parts


def generates(value: object, fits: Fits | None = None) -> bool:
    """Whether a state dict is of a generator, by the names of its tensors. fits: as of `networks_in`."""
    while isinstance(value, Mapping) and (
        wrapper := next((name for name in WRAPPERS if isinstance(value.get(name), Mapping)), None)
    ):
        value = cast("_Dict", value)[wrapper]
    entries = cast("_Dict", value).items() if isinstance(value, Mapping) else ()
    tensors = {str(name): tensor for name, tensor in entries if isinstance(tensor, Tensor)}
    if fits is not None:
        return fits(tensors)
    return len(tensors) >= FEWEST and models.role_of(without_prefix(tensors)) == "generator"


def _is_tensor(value: object) -> bool:
    return isinstance(value, Tensor)


def _is_state_dict(value: object) -> bool:
    """Whether it is a dict that starts with a tensor, or a wrapper around one."""
    if not isinstance(value, Mapping):
        return False
    held = cast("Mapping[object, object]", value)
    return _is_tensor(next(iter(held.values()), None)) or any(name in held for name in WRAPPERS)


def _is_layer(tensors: object) -> bool:
    """Whether what begins alike is a layer, which may be called as networks are."""
    return len(cast("_Dict", tensors)) < FEWEST


@dataclass(slots=True)
class _BundleReader:
    """Gives the networks of one file out one by one; the file is read once for all of them."""

    held: dict[NetName, object] = field(default_factory=dict[NetName, object])
    entries: Mapping[NetName, str] = field(default_factory=dict[NetName, str])
    fits: Fits | None = None

    def __call__(self, path: Path, name: NetName) -> dict[str, Tensor]:
        if name not in self.held:
            held = read_held(path)
            with about(path):
                found = networks_in(held, self.fits)
                if found is None or name not in found.networks:
                    raise CheckpointError(f"does not hold {name} any more; it has changed while it was read")
            self.held, self.entries = dict(found.networks), found.entries
        with about(path, self.entries[name]):
            return flat_tensors(self.held.pop(name))


@dataclass(frozen=True, slots=True)
class BundleLayout:
    """One file that holds several networks, told by its contents."""

    title: str = "bundle"
    example: str = "one file with G_A, G_B, D_A, D_B"
    fits: Fits | None = None
    """As of `networks_in`."""

    def find(self, folder: Path, names: list[str]) -> list[Located]:
        """The bundles among the files ``names`` of ``folder``. Raises CheckpointError for a damaged file."""
        found = [(folder / name, self._opened(folder / name)) for name in names]
        return [self._located(path, bundle) for path, bundle in found if bundle]

    def _opened(self, path: Path) -> Bundle | None:
        held = peek(path)
        with about(path):
            return networks_in(held, self.fits)

    def _located(self, path: Path, bundle: Bundle) -> Located:
        notes: list[str] = []
        if averages := [entry for entry in bundle.entries.values() if is_average(entry)]:
            notes.append(f"{path.name}: averages over the training are read: {', '.join(averages)}")
        if bundle.others:
            told = listed([repr(name[:64]) for name in bundle.others], MAX_NAMES)
            notes.append(f"{path.name}: left aside what is no network of a CycleGAN: {told}")
        return Located(
            bundle.convention.bundled,
            dict.fromkeys(bundle.networks, path),
            dict.fromkeys(bundle.convention.schools[0], path),
            read=_BundleReader(fits=self.fits),
            notes=tuple(notes),
            entries=bundle.entries,
            alone=bundle.convention.alone,
        )


BUNDLE = BundleLayout()
