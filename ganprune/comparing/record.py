"""Finished cells: ``OUT/<name>-<seed>.json``, one each, enough to print the tables without the networks."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any, NotRequired, TypedDict, TypeVar, cast

import torch
from torch import nn

from ganprune.channels import graph_of
from ganprune.comparing.cells import SEARCH, Cell
from ganprune.errors import RunError
from ganprune.pruning.cost import macs, mebibytes, params
from ganprune.pruning.genome import Layout
from ganprune.pruning.rebuild import rebuilt
from ganprune.runs import OLDER, write_json
from ganprune.settings import KEYS
from ganprune.settings.words import DOMAINS, Domain
from ganprune.storage.plain import fits, read_json, shaped, sound

ANYWHERE = frozenset(key for key, (section, _) in KEYS.items() if section == "compute") - {"precision"}
"""Settings of the machine, such as threads: cells that differ in these alone have equal results."""
ORIGINAL = "original"
AGAIN = "delete it to run the cell again"
FEATURES, FCN, FCN_INPUT = JUDGES = ("features", "fcn", "fcn input")
"""Among what all cells share: the network of features, and that of segmentation with what it takes."""
PAPER_SIZE = 256
"""Pixels; what the paper counts arithmetic at."""
_RENAMED = {"ms": "median_ms", "speedup_in_theory": "theoretical_speedup"}
"""Figures, as an earlier ganprune called them."""
Figures = dict[Domain, dict[str, Any]]
"""By direction: KID and others by name, and what generators cost."""


class _Made(TypedDict):
    settings: dict[str, object]


class CellRecord(TypedDict):
    """What a cell came to."""

    schema: NotRequired[int]
    name: str
    seed: int
    method: NotRequired[str]
    seconds: NotRequired[float]
    stages: NotRequired[dict[str, float]]  # seconds of each
    steps: NotRequired[int | None]  # of fine-tuning
    settings: NotRequired[dict[str, object] | None]  # flat
    device: NotRequired[str]
    precision: NotRequired[str]
    sides: Figures
    made: _Made  # what its figures depend on


class OriginalRecord(TypedDict):
    """What the originals, the untouched inputs and the originals between two mirrors came to."""

    schema: NotRequired[int]
    name: NotRequired[str]
    sides: Figures
    inputs: Figures
    mirrored: NotRequired[Figures]
    made: dict[str, Any]


_Read = TypeVar("_Read", CellRecord, OriginalRecord)


@dataclass(frozen=True, slots=True)
class Records:
    """The JSON files of a comparison's folder."""

    folder: Path
    circumstances: Mapping[str, Any]
    """What all cells share, besides settings: hashes of the networks, numbers of pictures, features."""
    sides: Sequence[Domain] = DOMAINS  # generators that every cell makes slim

    def path(self, key: str) -> Path:
        """Where a cell's figures are."""
        return self.folder / f"{key}.json"

    def finished(self, cell: Cell) -> CellRecord | None:
        """What a cell came to; None where it is not done.

        Raises `RunError` for a damaged file, and for one that was made in another way.
        """
        found = self._read(cell.key, self._identity(cell), CellRecord)
        with sound(self.path(cell.key), AGAIN):
            if found is not None and (found["name"], found["seed"]) != (cell.name, cell.seed):
                raise ValueError(f"it is of {found['name']}-{found['seed']}")
        return found

    def write(self, cell: Cell, sides: Figures, facts: Mapping[str, Any]) -> None:
        """Remember a finished cell. sides: figures of each direction; facts: whatever else is known."""
        found: dict[str, Any] = {"schema": 1, "name": cell.name, "seed": cell.seed, "method": cell.method}
        found |= dict(facts) | {"sides": sides, "made": self._identity(cell)}
        write_json(self.path(cell.key), found)

    def original(self) -> OriginalRecord | None:
        """What the originals came to; see `finished`."""
        return self._read(ORIGINAL, dict(self.circumstances), OriginalRecord)

    def write_original(self, sides: Figures, inputs: Figures, mirrored: Figures) -> None:
        """Remember the figures of the originals and of both controls, see `OriginalRecord`."""
        found = {"schema": 1, "name": ORIGINAL, "sides": sides, "inputs": inputs, "mirrored": mirrored}
        write_json(self.path(ORIGINAL), found | {"made": dict(self.circumstances)})

    def _identity(self, cell: Cell) -> dict[str, Any]:
        settings = {key: value for key, value in cell.settings.to_flat().items() if key not in ANYWHERE}
        return dict(self.circumstances) | {"method": cell.method, "settings": settings}

    def _read(self, key: str, made: Mapping[str, Any], shape: type[_Read]) -> _Read | None:
        path = self.path(key)
        if not path.exists():
            return None
        with sound(path, AGAIN):
            found = shaped(read_json(path), shape)
            if found["sides"].keys() != {*self.sides} or not _finite(found["sides"]):
                raise ValueError("it is not as ganprune writes it")
        now = json.loads(json.dumps(made))
        changed = _changes(found["made"], now)
        if changed:
            raise RunError(
                f"{path} was made with {', '.join(changed)}; give that again, or use `-o` another folder; "
                "with the file deleted, the cell is run again"
            )
        return found


def judges_of(folder: Path) -> dict[str, str]:
    """What a folder's cells were judged by, see `contest.judged_by`; empty without originals.

    Raises `RunError` where the file is damaged.
    """
    path = folder / f"{ORIGINAL}.json"
    if not path.exists():
        return {}
    with sound(path, AGAIN):
        made = read_json(path)["made"]
        return {key: str(made[key]) for key in JUDGES if key in made}


def as_named(part: Mapping[str, Any]) -> dict[str, Any]:
    """Figures of one direction, those of an earlier ganprune by their names of today."""
    return {_RENAMED.get(key, key): value for key, value in part.items()}


def _finite(sides: Figures) -> bool:
    """Whether KID and all numbers that there are of all directions are finite."""
    values = [value for part in sides.values() for value in part.values()]
    known = all(fits(part.get("kid"), float) for part in sides.values())
    return known and all(isfinite(cast(float, value)) for value in values if fits(value, float))


def size_of(generator: nn.Module, original: nn.Module, size: int) -> dict[str, Any]:
    """What a generator costs, also over the original: parameters, MiB, MACs at ``size`` and as the paper; and
    its widths, see `network_of`."""
    w, whole = graph_of(generator), graph_of(original)
    true, paper = (macs(w, size, size, convention) for convention in ("true", "paper"))
    at_256, whole_256 = (macs(net, PAPER_SIZE, PAPER_SIZE, "paper") for net in (w, whole))
    numbers = params(generator)
    return {
        "widths": w.sizes,
        "params": numbers, "mebibytes": mebibytes(numbers), "compression": params(original) / numbers,
        "macs_true": true, "macs_paper": paper, "theoretical_speedup": macs(whole, size, size, "true") / true,
        "macs_paper_256": at_256, "ratio_paper_256": whole_256 / at_256,
    }  # fmt: skip


def network_of(part: Mapping[str, Any], original: nn.Module) -> nn.Module | None:
    """A generator of the widths that a cell's record tells for one direction, cut out of the original.

    It takes as long as the cell's own. None where the record, of an earlier ganprune, has no widths. Raises
    `RunError` for widths that no network slimmed from ``original`` has.
    """
    layout = Layout.of(original)
    widths, whole = part.get("widths"), layout.graph.sizes
    if widths is None:
        return None
    known = fits(widths, dict[str, int]) and all(count > 0 for count in widths.values())
    counts = dict.fromkeys(layout.blocks, 0) | widths if known else {}  # of blocks taken out nothing is told
    if counts.keys() != whole.keys() or not all(counts[group] <= most for group, most in whole.items()):
        raise RunError(
            f"a finished cell has the widths {_short(widths)}, wanted is a number of filters for each of "
            f"{', '.join(whole)}, at most the original's; delete the cell's JSON file to run it again"
        )
    first = [torch.arange(most) < counts[group] for group, most in whole.items()]
    return rebuilt(original, layout, torch.cat(first))


def _changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs, as one can read it; of settings that an older ganprune did not know, those of searches
    that were otherwise then."""
    found = list[str]()
    for key in sorted({*before, *now} - {"settings"}):
        if before.get(key) != now.get(key):
            found.append(f"{key} {_short(before.get(key))} (now {_short(now.get(key))})")
    old, new = before.get("settings", {}), now.get("settings", {})
    if before.get("method") == SEARCH:
        old = dict(OLDER) | old
    found += [f"{key} = {_short(old[key])} (now {_short(new[key])})"
              for key in new if key in old and old[key] != new[key]]  # fmt: skip
    return found


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
