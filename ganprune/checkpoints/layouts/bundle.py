"""One file with several networks: a dict of state dicts under the names that the networks usually have.

{"G_A": {...}, "G_B": {...}, "D_A": {...}, "D_B": {...}, "optimizer_G": {...}, "epoch": 3}

Or wrapped once more, under ``state_dict`` or ``models``; or flat, with the network's name before every
tensor's (``nets.G_A.model.1.weight``), as PyTorch Lightning and safetensors have it. What is no network is
left aside. `CONVENTIONS` is the one table of names; under other names a generator is told by its tensors.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from torch import Tensor

from ganprune import models
from ganprune.checkpoints.contents import WRAPPERS, flat_tensors, prefix_of, without_prefix
from ganprune.checkpoints.layouts.conventions import CONVENTIONS, Convention, matched
from ganprune.checkpoints.layouts.naming import Located
from ganprune.checkpoints.reading import about, peek, read_held
from ganprune.errors import CheckpointError
from ganprune.settings.words import NetName

MAX_NAMES = 8
"""So many entries that are no networks are told by name."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """What was found in a file."""

    convention: Convention
    """Whose names they have."""
    networks: Mapping[NetName, object]
    """A state dict each; in a file that was only peeked at, with tensors on the device meta."""
    entries: Mapping[NetName, str]
    """What the file calls them."""
    others: tuple[str, ...]
    """Entries that are no networks."""


def networks_in(held: object) -> Bundle | None:
    """The networks in what a file holds; None when it is no bundle.

    Raises CheckpointError when two entries could be the same network, and for several generators whose names
    do not tell which is which.
    """
    unnamed = list[tuple[str, Mapping[object, object], list[str]]]()
    for level, around in _levels(held):
        nested = {name: value for name, value in level.items() if _is_state_dict(value)}
        for entries in (nested, _parts(level)):
            named = matched(name for name in entries if isinstance(name, str))
            inside = [name for name, value in level.items() if not _is_tensor(value)]
            others = [str(name) for name in dict.fromkeys((*around, *entries, *inside))]
            if named:
                return _bundle(*named, entries, others)
            for name, value in entries.items():
                if isinstance(name, str) and name not in WRAPPERS and _generates(value):
                    unnamed.append((name, entries, others))
    if any(name == "" for name, _, _ in unnamed):  # one network by itself, with others beside it
        return None
    if len(unnamed) > 1:
        names = " and ".join(repr(name[:64]) for name, _, _ in unnamed[:MAX_NAMES])
        raise CheckpointError(
            f"holds several generators, {names}, whose names do not say which way they translate; name them "
            "G_A2B and G_B2A, or save the state_dict() of one by itself"
        )
    for name, entries, others in unnamed:
        return _bundle(CONVENTIONS[-1], {"G_A": name}, entries, others)
    return None


def _bundle(
    convention: Convention, names: dict[NetName, str], entries: Mapping[object, object], others: list[str]
) -> Bundle:
    networks: dict[NetName, object] = {ours: entries[theirs] for ours, theirs in names.items()}
    return Bundle(convention, networks, names, tuple(name for name in others if name not in names.values()))


def _levels(held: object) -> Iterator[tuple[Mapping[object, object], list[str]]]:
    """The dict itself, then those in its wrappers, with the names of what lies around them."""
    if not isinstance(held, Mapping):
        return
    outer = cast("Mapping[object, object]", held)
    yield outer, []
    for wrapper in (*WRAPPERS, "models", "nets", "networks"):
        inner = outer.get(wrapper)
        if isinstance(inner, Mapping):
            yield cast("Mapping[object, object]", inner), [str(name) for name in outer if name != wrapper]


def _parts(level: Mapping[object, object]) -> dict[object, object]:
    """A flat state dict's tensors by the network that is named before theirs."""
    parts: dict[object, object] = {}
    for name, tensor in level.items():
        if isinstance(name, str) and _is_tensor(tensor):
            network, own = prefix_of(name)
            cast("dict[str, object]", parts.setdefault(network, {}))[own] = tensor
    return parts


def _generates(value: object) -> bool:
    """Whether a state dict is of a generator, by the names of its tensors."""
    while isinstance(value, Mapping) and (
        wrapper := next((name for name in WRAPPERS if isinstance(value.get(name), Mapping)), None)
    ):
        value = cast("Mapping[object, object]", value)[wrapper]
    entries = cast("Mapping[object, object]", value).items()
    tensors = {str(name): tensor for name, tensor in entries if isinstance(tensor, Tensor)}
    return models.role_of(without_prefix(tensors)) == "generator"


def _is_tensor(value: object) -> bool:
    return isinstance(value, Tensor)


def _is_state_dict(value: object) -> bool:
    """Whether it is a dict that starts with a tensor, or a wrapper around one."""
    if not isinstance(value, Mapping):
        return False
    held = cast("Mapping[object, object]", value)
    return _is_tensor(next(iter(held.values()), None)) or any(name in held for name in WRAPPERS)


@dataclass(slots=True)
class _BundleReader:
    """Gives the networks of one file out one by one; the file is read once for all of them."""

    held: dict[NetName, object] = field(default_factory=dict[NetName, object])
    entries: Mapping[NetName, str] = field(default_factory=dict[NetName, str])

    def __call__(self, path: Path, name: NetName) -> dict[str, Tensor]:
        if name not in self.held:
            held = read_held(path)
            with about(path):
                found = networks_in(held)
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

    def find(self, folder: Path, names: list[str]) -> list[Located]:
        """The bundles among the files ``names`` of ``folder``. Raises CheckpointError for a damaged file."""
        found = [(folder / name, self._opened(folder / name)) for name in names]
        return [self._located(path, bundle) for path, bundle in found if bundle]

    def _opened(self, path: Path) -> Bundle | None:
        held = peek(path)
        with about(path):
            return networks_in(held)

    def _located(self, path: Path, bundle: Bundle) -> Located:
        notes: list[str] = []
        if bundle.others:
            told = ", ".join(repr(name[:64]) for name in bundle.others[:MAX_NAMES])
            more = len(bundle.others) - MAX_NAMES
            notes.append(
                f"{path.name}: left aside what is no network of a CycleGAN: {told}"
                + (f" and {more} more" if more > 0 else "")
            )
        return Located(
            bundle.convention.bundled,
            dict.fromkeys(bundle.networks, path),
            dict.fromkeys(bundle.convention.schools[0], path),
            read=_BundleReader(),
            notes=tuple(notes),
            entries=bundle.entries,
            alone=bundle.convention.alone,
        )


BUNDLE = BundleLayout()
