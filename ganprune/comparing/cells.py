"""What is compared: a settings file that lists cells.

[settings]                  # of `ganprune compress`, for all cells
target-macs = 0.25
budget = "5m"

[compare]                   # of the comparison itself, see `CompareSettings`
task = "horse2zebra"
claim = "co-evolution"

[cells.co-evolution]        # a search, as compress does it
seeds = [0, 1, 2]

[cells.separate]            # the same with other settings
partners = "original"

[cells.separate-annealing]  # as another cell, which it follows, but for these
like = "separate"
searcher = "annealing"

[cells.thinet]              # a rival of `ganprune.baselines`
method = "thinet"
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, cast

from ganprune.baselines import METHODS, NARROW
from ganprune.comparing.paper import TASKS
from ganprune.errors import UsageError
from ganprune.settings import KEYS, CompressSettings
from ganprune.settings.fields import check_fields, no_setting, read_fields, setting, settings_of
from ganprune.storage.plain import read_toml

SEARCH = "search"  # the method of a cell that runs `ganprune compress`'s own search
TARGETS = ("target-macs", "target-params")
"""Settings of the size; one that overrides a file's replaces the other, too."""
RESERVED = ("original", "inputs")  # rows that every comparison has
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]*")


@dataclass(frozen=True, slots=True)
class Cell:
    """One thing to do: a method with a seed."""

    name: str  # the row that it belongs to; cells of one name differ in their seed alone
    method: str  # `SEARCH`, or a name of `ganprune.baselines.METHODS`
    settings: CompressSettings  # everything else; its search's seed is the cell's

    @property
    def seed(self) -> int:
        """Of the choice of filters, the split of the pictures and the fine-tuning."""
        return self.settings.search.seed

    @property
    def key(self) -> str:
        """``name-seed``: its folder, and the name of its JSON."""
        return f"{self.name}-{self.seed}"


@dataclass(frozen=True, slots=True)
class CompareSettings:
    """The ``[compare]`` table."""

    task: str | None = None
    """The paper's task, whose figures are printed beside: a key of `ganprune.comparing.paper.TASKS`."""
    claim: str | None = None
    """The cell that is said to be best; it is compared with the others seed by seed."""
    seeds: tuple[int, ...] = no_setting((0,))
    """Of cells that name none."""
    fid: bool = False
    """FID against real test pictures, too."""
    bench_seconds: float = setting(60.0, least=0)
    """Time limit of the measurement of all networks, one after the other in turns; 0: none is made."""
    bench_threads: int = setting(1, least=1)
    """Threads of ONNX Runtime in it."""

    def __post_init__(self) -> None:
        if self.task is not None and self.task not in TASKS:
            raise UsageError(f"task must be one of {', '.join(TASKS)}, found {self.task!r}")
        check_fields(self)


@dataclass(frozen=True, slots=True)
class Comparison:
    """A settings file, read and checked."""

    cells: tuple[Cell, ...]  # in the order of the file, a seed after the other
    settings: CompareSettings = field(default_factory=CompareSettings)
    others: tuple[Cell, ...] = ()  # cells of the file that were left out, see `only`

    @property
    def in_turns(self) -> tuple[Cell, ...]:
        """In the order to run them: the first seed of every name, then the second ones, and so on.

        So whatever is finished when time is over, methods have been run as often as each other.
        """
        names = [cell.name for cell in self.cells]
        turn = {cell.key: names[:i].count(cell.name) for i, cell in enumerate(self.cells)}
        return tuple(sorted(self.cells, key=lambda cell: turn[cell.key]))

    def only(self, names: str | None) -> "Comparison":
        """The cells of --cells, names with commas between them; None: all. Raises `UsageError`."""
        if names is None:
            return self
        wanted = [name for part in names.split(",") if (name := part.strip())]
        if not wanted:
            raise UsageError("--cells needs names of cells with commas between them, found none")
        known = dict.fromkeys(cell.name for cell in self.cells)
        for name in wanted:
            if name not in known:
                raise UsageError(f"--cells {name} is not in the settings file; there are {', '.join(known)}")
        chosen, others = list[Cell](), list(self.others)
        for cell in self.cells:
            (chosen if cell.name in wanted else others).append(cell)
        return Comparison(tuple(chosen), self.settings, tuple(others))


def packaged() -> dict[str, Path]:
    """Settings files that come with ganprune, by name."""
    folder = Path(str(files("ganprune.comparing") / "settings"))
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def read_comparison(
    source: str, given: Mapping[str, object] | None = None, methods: Collection[str] = METHODS
) -> Comparison:
    """The comparison of a file, or of a packaged one by its name.

    given: flat settings that override ``[settings]``, None where unset; what a cell says for itself stands.
    methods: names of rivals that cells may have.
    Raises `UsageError` for a missing or malformed file, unknown keys and values out of range.
    """
    path = Path(source)
    if not path.is_file():
        known = packaged()
        if source not in known:
            raise UsageError(f"--config {source} is no file, and none of the packaged {', '.join(known)}")
        path = known[source]
    try:
        table = read_toml(path)
    except ValueError as error:
        raise UsageError(f"--config {source} is no TOML file: {error}") from None
    unknown = set(table) - {"settings", "compare", "cells"}
    if unknown:
        raise UsageError(f"{source}: unknown table {min(unknown)!r}; there are settings, compare and cells")
    common = _table(table, "settings", source)
    over = {key.replace("_", "-"): value for key, value in (given or {}).items() if value is not None}
    for target in TARGETS if any(map(over.__contains__, TARGETS)) else ():
        common.pop(target, None)
    common |= over
    comparing = _compare_settings(_table(table, "compare", source), source)
    cells = list[Cell]()
    tables = _table(table, "cells", source)
    for name in tables:
        cells += _cells(name, _followed(name, tables, source), common, comparing, methods, source)
    if not cells:
        raise UsageError(f"{source} lists no cells; add [cells.NAME] tables, see docs/rivals.md")
    if comparing.claim is not None and comparing.claim not in {cell.name for cell in cells}:
        raise UsageError(f"{source}: claim must name a cell, found {comparing.claim!r}")
    return Comparison(tuple(cells), comparing)


def _table(table: Mapping[str, Any], name: str, source: str) -> dict[str, Any]:
    found = table.get(name, {})
    if not isinstance(found, dict):
        raise UsageError(f"{source}: [{name}] must be a table, found {found!r}")
    return dict(cast(dict[str, Any], found))


def _compare_settings(table: dict[str, Any], source: str) -> CompareSettings:
    known = [*settings_of(CompareSettings), "seeds"]
    for key in table:
        if key not in known:
            raise UsageError(f"{source}: unknown key {key!r} of [compare]; there are {', '.join(known)}")
    seeds = _seeds(table["seeds"], source) if "seeds" in table else (0,)
    try:
        return CompareSettings(**read_fields(CompareSettings, table), seeds=seeds)
    except UsageError as error:
        raise UsageError(f"{source}: {str(error).removeprefix('--set ')}") from None


def _seeds(value: object, source: str) -> tuple[int, ...]:
    seeds = cast(list[Any], value) if isinstance(value, list) else [value]
    if not seeds or any(isinstance(seed, bool) or not isinstance(seed, int) for seed in seeds):
        raise UsageError(f"{source}: seeds must be whole numbers, found {value!r}")
    return tuple(dict.fromkeys(cast(list[int], seeds)))


def _followed(name: str, tables: Mapping[str, object], source: str, via: tuple[str, ...] = ()) -> object:
    """A cell's table; what it does not say itself, the cell that it is ``like`` says."""
    own = tables[name]
    if not isinstance(own, dict) or "like" not in own:
        return own
    own = dict(cast(dict[str, Any], own))
    other = own.pop("like")
    if not isinstance(other, str) or other not in tables or other in (name, *via):
        raise UsageError(
            f"{source}: cell {name}: like must name another cell, which is not like this one, found {other!r}"
        )
    whole = _followed(other, tables, source, (name, *via))
    return dict(cast(dict[str, Any], whole)) | own if isinstance(whole, dict) else whole


def _cells(
    name: str,
    cell: object,
    common: Mapping[str, Any],
    comparing: CompareSettings,
    methods: Collection[str],
    source: str,
) -> list[Cell]:
    where = f"{source}: cell {name}"
    if not isinstance(cell, dict):
        raise UsageError(f"{where} must be a table, found {cell!r}")
    if not _NAME.fullmatch(name) or name in RESERVED:
        raise UsageError(f"{where} needs another name: letters, digits and -_.+, none of {RESERVED}")
    own = dict(cast(dict[str, Any], cell))
    method = own.pop("method", SEARCH)
    if method not in (SEARCH, *methods):
        raise UsageError(f"{where}: method must be one of {SEARCH}, {', '.join(methods)}, found {method!r}")
    seeds = _seeds(own.pop("seeds", list(comparing.seeds)), where)
    flat = dict(common) | own | ({"refit-pictures": 0} if method == NARROW else {})
    for key in ("seed", "target-ms", "recover-discriminators"):
        if key in flat:
            raise UsageError(f"{where}: {key} {_INSTEAD[key]}")
    if flat.get("searcher") == "front":
        raise UsageError(f"{where}: searcher front finds a family of sizes, not one; run `ganprune front`")
    try:
        made = [CompressSettings.from_flat(flat | {"seed": seed}, where, {*flat, "seed"}) for seed in seeds]
    except UsageError as error:
        raise UsageError(str(error) if str(error).startswith(where) else f"{where}: {error}") from None
    search = made[0].search
    if method != SEARCH and search.aimless:
        raise UsageError(f"{where}: rivals need a size to come to; give speed-up or target-macs")
    return [Cell(name, method, settings) for settings in made]


_INSTEAD = {
    "seed": "is not for comparisons; give seeds = [0, 1, 2]",
    "target-ms": "is not for comparisons; give target-macs, and milliseconds are measured",
    "recover-discriminators": "is not for comparisons; first run `ganprune train --discriminators-for`",
}
assert _INSTEAD.keys() <= KEYS.keys()
