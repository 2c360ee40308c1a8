"""One file with several networks: a dict of state dicts under the names that the networks usually have.

{"G_A": {...}, "G_B": {...}, "D_A": {...}, "D_B": {...}, "optimizer_G": {...}, "epoch": 3}

Or wrapped once more, under ``state_dict`` or ``models``; or flat, with the network's name before every
tensor's (``G_A.model.1.weight``), as PyTorch Lightning and safetensors have it. What is no network is
left aside. `CONVENTIONS` is the one table of names.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from torch import Tensor

from ganprune.checkpoints.contents import PREFIXES, WRAPPERS, flat_tensors, without_prefixes
from ganprune.checkpoints.layouts.naming import Located, NetName
from ganprune.checkpoints.reading import about, peek, read_held
from ganprune.errors import CheckpointError

SUFFIXES = (".pth", ".pt", ".ckpt", ".tar", ".pkl", ".bin", ".safetensors")
"""Files that are looked into where a folder is given; a file that is given may have any name."""

MAX_NAMES = 8
"""So many entries that are no networks are told by name."""

_GENERATORS, _JUDGES = ("g", "gen", "generator"), ("d", "dis", "disc", "discriminator")


def _spellings(kinds: tuple[str, ...], *directions: str) -> frozenset[str]:
    return frozenset(kind + direction for kind in kinds for direction in directions)


@dataclass(frozen=True, slots=True)
class Convention:
    """What one school calls its networks, see `_plain` for how names are compared."""

    title: str
    """Name for messages and reports."""
    names: Mapping[NetName, frozenset[str]]
    """Its names for ours."""


CONVENTIONS = (
    Convention(  # a discriminator has the name of the generator that it teaches: D_A judges B
        "bundle",
        {"G_A": frozenset({"ga"}), "G_B": frozenset({"gb"}),
         "D_A": frozenset({"da"}), "D_B": frozenset({"db"})},
    ),
    Convention(  # a discriminator has the name of the domain that it judges: D_B judges B
        "bundle, A2B names",
        {"G_A": _spellings(_GENERATORS, "a2b", "ab", "atob"),
         "G_B": _spellings(_GENERATORS, "b2a", "ba", "btoa"),
         "D_A": _spellings(_JUDGES, "b"), "D_B": _spellings(_JUDGES, "a")},
    ),
    Convention("bundle of one generator", {"G_A": frozenset(_GENERATORS)}),
)  # fmt: skip
"""Of conventions that find equally many networks, the first is taken; one generator at least is needed."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """What was found in a file."""

    title: str
    """Of the convention."""
    networks: Mapping[NetName, object]
    """A state dict each; in a file that was only peeked at, with tensors on the device meta."""
    entries: Mapping[NetName, str]
    """What the file calls them."""
    others: tuple[str, ...]
    """Entries that are no networks."""


def networks_in(held: object) -> Bundle | None:
    """The networks in what a file holds; None when it is no bundle.

    Raises CheckpointError when two entries could be the same network.
    """
    for level, around in _levels(held):
        nested = {name: value for name, value in level.items() if _is_state_dict(value)}
        for entries in (nested, _parts(level)):
            title, names = _matched(entries)
            if names:
                inside = [name for name, value in level.items() if not _is_tensor(value)]
                others = dict.fromkeys(str(name) for name in (*around, *entries, *inside))
                return Bundle(
                    title,
                    {ours: entries[theirs] for ours, theirs in names.items()},
                    names,
                    tuple(name for name in others if name not in names.values()),
                )
    return None


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
    """A flat state dict's tensors by the part of their names before the first dot."""
    tensors = {name: value for name, value in level.items() if isinstance(name, str) and _is_tensor(value)}
    parts: dict[object, object] = {}
    for name, tensor in without_prefixes(tensors, (*PREFIXES, "model.")).items():
        first, _, rest = name.partition(".")
        cast("dict[str, object]", parts.setdefault(first, {}))[rest] = tensor
    return parts


def _matched(entries: Mapping[object, object]) -> tuple[str, dict[NetName, str]]:
    """The title of the convention that knows most of the entries, and which is which; none: no bundle."""
    plain = {entry: _plain(entry) for entry in entries if isinstance(entry, str)}
    best: tuple[str, dict[NetName, list[str]]] = "", {}
    for convention in CONVENTIONS:
        known: dict[NetName, list[str]] = {}
        for name, spellings in convention.names.items():
            if found := [entry for entry, word in plain.items() if word in spellings]:
                known[name] = found
        if len(known) > len(best[1]) and any(name.startswith("G") for name in known):
            best = convention.title, known
    for name, found in best[1].items():
        if len(found) > 1:
            raise CheckpointError(f"both {found[0]!r} and {found[1]!r} could be {name}; keep one of them")
    return best[0], {name: found[0] for name, found in best[1].items()}


def _plain(name: str) -> str:
    """``netG_A2B``, ``G_A2B`` and ``G_A2B_state_dict`` are all ``ga2b``."""
    plain = name[:64].lower().replace("_", "").replace("-", "")
    for ending in ("statedict", "state", "weights", "model", "net"):
        plain = plain.removesuffix(ending)
    for beginning in ("model", "net"):
        plain = plain.removeprefix(beginning)
    return plain


def _is_tensor(value: object) -> bool:
    return isinstance(value, Tensor)


def _is_state_dict(value: object) -> bool:
    """Whether it is a dict that starts with a tensor, or a wrapper around one."""
    if not isinstance(value, Mapping):
        return False
    held = cast("Mapping[object, object]", value)
    return _is_tensor(next(iter(held.values()), None)) or any(name in held for name in WRAPPERS)


@dataclass(slots=True)
class _Reader:
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
        convention = next(one for one in CONVENTIONS if one.title == bundle.title)
        if len(convention.names) == 1:
            notes.append(f"{path.name} holds one generator alone ({bundle.entries['G_A']}), taken as G_A")
        return Located(
            bundle.title,
            dict.fromkeys(bundle.networks, path),
            dict.fromkeys(convention.names, path),
            read=_Reader(),
            notes=tuple(notes),
            entries=bundle.entries,
        )


BUNDLE = BundleLayout()
