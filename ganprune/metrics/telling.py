"""Rows of `ganprune evaluate` in words, the same on the screen and in a report."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NotRequired, TypedDict

from ganprune.storage.tables import Table

COLUMNS: Mapping[str, tuple[str, str]] = MappingProxyType({
    "kid": ("KID", ".4f"), "fid_test": ("FID, test", ".1f"), "fid_train_test": ("FID, train + test", ".1f"),
    "as_b": ("as_b", ".2f"), "lost": ("lost", ".3f"), "psnr": ("PSNR, dB", ".1f"),
    "truth_psnr": ("PSNR to truth, dB", ".1f"), "truth_l1": ("L1 to truth", ".1f"),
    "pixel_accuracy": ("pixel accuracy", ".4f"), "class_accuracy": ("class accuracy", ".4f"),
    "class_iou": ("class IoU", ".4f"),
    "L_DisA": ("L_DisA", ".4g"), "L_GenA": ("L_GenA", ".4g"), "L_cyc": ("L_cyc", ".4g"),
})  # fmt: skip
"""Key of a row → heading and format."""

WORSE = "worse than no translation"  # a verdict, see `verdict`

Row = Mapping[str, Any]  # what `ganprune.metrics.PictureScores.to_json` returns, and whatever else is known


class Direction(TypedDict):
    """What `ganprune evaluate` found of one generator."""

    network: str
    direction: str
    rows: list[dict[str, Any]]


class Evaluation(TypedDict):
    """What evaluation.json holds, as far as it is read again."""

    directions: list[Direction]
    features: str
    resamples: NotRequired[int]


class Distances(TypedDict):
    """Of pictures to those of the original, means over all of them; see `ganprune.stages.quality`."""

    psnr: float | None
    L_GenA: float
    L_DisA: NotRequired[float]
    lost: NotRequired[float]


SlimQuality = TypedDict(
    "SlimQuality",
    {"number": int, "verdict": str, "slim": Distances, "inputs": Distances, "original, mirrored": Distances},
)
"""One slim network: on how many pictures, the verdict, and what it is seen beside."""


class Quality(TypedDict):
    """What quality.json holds."""

    schema: NotRequired[int]
    pictures: str
    networks: dict[str, SlimQuality]
    advice: NotRequired[str]  # see `quality_advice`


def verdict(rows: Mapping[str, Mapping[str, Any]]) -> str:
    """In words, by PSNR to the original's pictures, and by nothing that has to be chosen.

    Close: no further from the original than that is from itself between two mirrors, an equally good picture.
    Else worse than no translation: as far as the untouched input is, or further; or visibly different.
    """
    slim, nothing, mirrored = (rows[name]["L_GenA"] for name in ("slim", "inputs", "original, mirrored"))
    if slim <= mirrored:
        return "close to the original"
    return WORSE if slim >= nothing else "visibly different"


def columns_of(rows: Sequence[Row]) -> dict[str, str]:
    """Those columns that any row fills: key → heading. A lone generator has no D, and so no L_DisA."""
    return {key: heading for key, (heading, _) in COLUMNS.items()
            if any(figure(row, key) != "–" for row in rows)}  # fmt: skip


def figure(row: Row, key: str, sign: str = "") -> str:
    """``0.152 [0.121, 0.190]``; ``∞`` for the PSNR of the same pictures, ``–`` for what is not known."""
    if row.get(key) is None:
        return "∞" if key in ("psnr", "truth_psnr") and key in row else "–"
    how, ends = sign + COLUMNS[key][1], row.get(f"{key}_interval")
    told = f"{float(row[key]):{how}}"
    if ends is None or None in ends or ends[0] == ends[1]:
        return told
    return f"{told} [{float(ends[0]):{how}}, {float(ends[1]):{how}}]"


def differences(rows: Sequence[Row]) -> list[str]:
    """``slim less original, the same pictures: KID +0.0123 [+0.0041, +0.0210]``, a line a pair of rows."""
    found = list[str]()
    for row in rows:
        for other, figures in row.get("less", {}).items():
            keys = ["kid"] if other == "original" else ["kid", "lost"]  # lost of the original is 0
            told = [f"{COLUMNS[key][0]} {figure(figures, key, '+')}" for key in keys if key in figures]
            if told:
                found.append(
                    f"{row.get('pictures', 'fakes')} less {other}, the same pictures: {', '.join(told)}"
                )
    return found


def quality_table(found: Quality) -> Table:
    """What quality.json holds: slim pictures beside the original's, with their controls and the verdicts."""
    disa = any("L_DisA" in network["slim"] for network in found["networks"].values())
    rows = list[tuple[str, ...]]()
    for name, network in found["networks"].items():
        mirrored = (f"original_{name}, mirrored", network["original, mirrored"])
        for label, of in ((name, network["slim"]), mirrored, ("input, untouched", network["inputs"])):
            seen = [f"{of['L_DisA']:.4f}" if "L_DisA" in of else "–"] if disa else []
            said = network["verdict"] if label == name else "–"
            rows.append((label, decibels(of), f"{of['L_GenA']:.4f}", *seen, said))
    numbers = {network["number"] for network in found["networks"].values()}
    title = f"Pictures against the original's, on {max(numbers)} {found['pictures']} pictures"
    headings = ("network", "PSNR, dB ↑", "L_GenA ↓", *(["L_DisA ↓"] if disa else []), "verdict")
    return Table(title, headings, tuple(rows))


def decibels(of: Distances) -> str:
    """PSNR of one row of quality.json; ``∞`` where not a bit is apart."""
    return "∞" if of["psnr"] is None else f"{of['psnr']:.1f}"


def quality_advice(found: Quality) -> str:
    """What to do about slim networks of quality.json that draw something else; empty where none does."""
    verdicts = {name: network["verdict"] for name, network in found["networks"].items()}
    bad = [name for name, said in verdicts.items() if said == WORSE]
    apart = [name for name, said in verdicts.items() if said == "visibly different"]
    mend = "train longer (--budget), keep more (a smaller --speed-up), or ask for quality (--min-psnr 32)"
    if bad:
        told = "draws" if len(bad) == 1 else "draw"
        told += " pictures that are further from the original's than the untouched input is: no use yet"
        return f"{' and '.join(bad)} {told}; {mend}"
    return f"to bring {' and '.join(apart)} nearer the original: {mend}" if apart else ""
