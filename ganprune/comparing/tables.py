"""One row a method, means over its seeds; and what a claim comes to, seed by seed."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from statistics import mean, stdev
from types import MappingProxyType
from typing import Any

from ganprune.comparing.record import ORIGINAL, CellRecord, Figures, OriginalRecord, as_named
from ganprune.metrics.translations import MIRRORED
from ganprune.settings.words import DOMAINS, Domain
from ganprune.storage.tables import Table, csv_text, number, table_of

Timings = Mapping[str, Mapping[Domain, Mapping[str, float]]]
"""Row → side → ``median_ms``; ``speedup`` and ``speedup_margin`` where there is an original."""
Means = dict[str, Figures]
_Cell = Callable[[Figures], str]  # what a column says of a row

INPUTS = "inputs"
ARROWS: Mapping[Domain, str] = {"A": "A→B", "B": "B→A"}


def means_of(cells: Sequence[CellRecord], original: OriginalRecord, timings: Timings) -> Means:
    """By row, side and figure: means over seeds; ``n``, ``kid_low`` and ``kid_high`` say how they differ.

    The ends of intervals over pictures are means too: all seeds are judged by the same pictures, so that what
    these say is no surer with more seeds.
    """
    rows: dict[str, list[Figures]] = {ORIGINAL: [original["sides"]], INPUTS: [original["inputs"]]}
    if "mirrored" in original:  # not of an earlier ganprune
        rows[MIRRORED] = [original["mirrored"]]
    for cell in cells:
        steps = {"steps": cell.get("steps")}
        rows.setdefault(cell["name"], []).append({side: part | steps for side, part in cell["sides"].items()})
    found: Means = {}
    for name, seeds in rows.items():
        found[name] = {}
        for side in DOMAINS:
            parts = [_flat(sides[side]) for sides in seeds if side in sides]
            if not parts:
                continue
            figures = {key: _mean([part.get(key) for part in parts]) for key in parts[0]}
            kids = [part["kid"] for part in parts]
            spread = {"n": len(parts), "kid_low": min(kids), "kid_high": max(kids)}
            found[name][side] = figures | spread | dict(timings.get(name, {}).get(side, {}))
    return found


def comparison_table(means: Means, title: str) -> Table:
    """One row a method, both directions in it; columns that no row fills are left out."""
    names = list(means)

    def column(heading: str, cell: _Cell) -> tuple[str, list[str]]:
        return heading, [cell(means[name]) for name in names]

    def both(key: str, digits: int, unit: float = 1) -> _Cell:
        def cell(sides: Figures) -> str:
            values = [None if part.get(key) is None else part[key] / unit for part in sides.values()]
            return " / ".join(dict.fromkeys(number(value, digits) for value in values))

        return cell

    def one(side: Domain, tell: Callable[[Mapping[str, Any]], str]) -> _Cell:
        return lambda sides: tell(sides[side]) if side in sides else "–"

    columns = [
        ("method", names),
        column("seeds", lambda sides: str(max((part["n"] for part in sides.values()), default=0))),
        column("steps", both("steps", 0)),
        column("MACs, G", both("macs_true", 2, 1e9)),
        column("paper's count", both("macs_paper", 2, 1e9)),
        column("params, M", both("params", 2, 1e6)),
        column("ms", both("median_ms", 1)),
        column("speed-up", both("speedup", 2)),
    ]
    for side, arrow in ARROWS.items():
        columns += [
            column(f"KID {arrow}", one(side, _kid)),
            column(f"lost {arrow}", one(side, lambda part: number(part.get("lost")))),
            column(f"PSNR {arrow}", one(side, lambda part: number(part.get("psnr"), 1))),
            column(f"L_DisA {arrow}", one(side, lambda part: number(part.get("L_DisA"), 4))),
            column(f"FID {arrow}", one(side, lambda part: number(part.get("fid_test"), 1))),
            column(f"class IoU {arrow}", one(side, lambda part: number(part.get("class_iou"), 3))),
        ]
    return table_of(title, columns)


def comparison_csv(means: Means) -> str:
    """A line for each method and direction, with all figures; headings first."""
    return csv_text([{"method": name, "network": f"G_{side}"} | part
                     for name, sides in means.items() for side, part in sides.items()])  # fmt: skip


def _kid(part: Mapping[str, Any]) -> str:
    """``0.412 [0.390, 0.431]``, over pictures; with several seeds, their range behind it."""
    told = f"{part['kid']:.3f}"
    if part.get("kid_interval_low") is not None:
        told += f" [{part['kid_interval_low']:.3f}, {part['kid_interval_high']:.3f}]"
    return told if part["n"] == 1 else f"{told}, seeds {part['kid_low']:.3f} … {part['kid_high']:.3f}"


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return mean(known) if len(known) == len(values) else None


def _flat(part: Mapping[str, Any]) -> dict[str, Any]:
    """Numbers of one direction; the FCN score's three and the ends of KID's interval among the others."""
    segmented = part.get("fcn") or {}
    low, high = part.get("kid_interval") or (None, None)
    part = {**as_named(part), "kid_interval_low": low, "kid_interval_high": high}
    return {key: value for key, value in {**part, **segmented}.items()
            if value is None or (isinstance(value, int | float) and not isinstance(value, bool))}  # fmt: skip


_T = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)
"""97.5 % quantiles of Student's t for 1 … 9 degrees of freedom; beyond, the last."""


FIGURES: Mapping[str, tuple[str, int]] = MappingProxyType({"kid": ("KID", 4), "lost": ("lost", 3)})
"""What methods are compared by, smaller is better: key → how it is called, and digits."""


def claims(cells: Sequence[CellRecord], claim: str) -> tuple[str, ...]:
    """A sentence for each other method: how its figures differ from those of ``claim``, and how surely.

    Seeds that both have are compared in pairs, because a seed decides the pictures that are held out and the
    order of training; ± is half of a 95 % interval by Student's t. With one common seed nothing is known of
    how much another would change.
    """
    sentences = list[str]()
    for name, seeds in _rivals(cells, claim):
        told = [
            f"{called} {arrow} {_told(values, digits)}"
            for key, (called, digits) in FIGURES.items()
            for side, arrow in ARROWS.items()
            if (values := _differences(cells, name, claim, key, side))
        ]
        count = "1 seed" if len(seeds) == 1 else f"{len(seeds)} seeds"
        sentences.append(f"{name} less {claim}, {count}: {'; '.join(told)}")
    return tuple(sentences)


def verdict(cells: Sequence[CellRecord], claim: str) -> tuple[str, ...]:
    """A sentence a figure: against how many methods ``claim`` is found, over those with two seeds or more.

    Every method counts once a direction. Empty where no method has two seeds in common with ``claim``.
    """
    rivals = [name for name, seeds in _rivals(cells, claim) if len(seeds) > 1]
    sentences = list[str]()
    for key, (called, _) in FIGURES.items():
        each = [values for name in rivals for side in ARROWS
                if len(values := _differences(cells, name, claim, key, side)) > 1]  # fmt: skip
        found = Counter(_sure(values) for values in each)
        if each:
            sentences.append(
                f"{claim} best by {called}: found in {found['worse']} of {len(each)} comparisons with "
                f"{' and '.join(rivals)}, the opposite in {found['better']}, "
                f"no clear difference in {found['no clear difference']} (95 % each)"
            )
    return tuple(sentences)


def _rivals(cells: Sequence[CellRecord], claim: str) -> list[tuple[str, list[int]]]:
    """Other methods, and the seeds that they have in common with ``claim``; those with none are left out."""
    ours = set(_by_seed(cells, claim))
    names = [name for name in dict.fromkeys(cell["name"] for cell in cells) if name != claim]
    return [(name, seeds) for name in names if (seeds := sorted(ours & set(_by_seed(cells, name))))]


def _differences(cells: Sequence[CellRecord], name: str, claim: str, key: str, side: Domain) -> list[float]:
    """A figure of ``name`` less that of ``claim``, a seed each; more than 0: ``claim`` is better."""
    theirs, ours = _by_seed(cells, name), _by_seed(cells, claim)
    pairs = [(theirs[s].get(side, {}).get(key), ours[s].get(side, {}).get(key))
             for s in sorted(set(theirs) & set(ours))]  # fmt: skip
    return [a - b for a, b in pairs if a is not None and b is not None]


def _told(values: Sequence[float], digits: int) -> str:
    """``+0.031 ± 0.012 (worse)``."""
    if len(values) == 1:
        return f"{values[0]:+.{digits}f}"
    return f"{mean(values):+.{digits}f} ± {_margin(values):.{digits}f} ({_sure(values)})"


def _sure(values: Sequence[float]) -> str:
    """What two differences or more say."""
    middle, margin = mean(values), _margin(values)
    return "worse" if middle > margin else "better" if middle < -margin else "no clear difference"


def _margin(values: Sequence[float]) -> float:
    """Half of the 95 % interval of the mean."""
    return _T[min(len(values) - 2, len(_T) - 1)] * stdev(values) / len(values) ** 0.5


def _by_seed(cells: Sequence[CellRecord], name: str) -> dict[int, Figures]:
    return {cell["seed"]: cell["sides"] for cell in cells if cell["name"] == name}
