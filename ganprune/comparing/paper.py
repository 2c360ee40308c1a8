"""The paper's own figures, and ours beside them.

Source: Shu et al., "Co-Evolutionary Compression for Unpaired Image Translation", ICCV 2019, Tables 1-3 and
the paragraph on runtime. All at 256×256 in float32. What the paper calls FLOPs are multiply-accumulates with
transposed convolutions counted on their output grid; its FID is Inception's, against real test pictures.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from ganprune.settings.words import Domain
from ganprune.storage.tables import Table, number

FCN = ("pixel_accuracy", "class_accuracy", "class_iou")  # columns of Table 2


@dataclass(frozen=True, slots=True)
class PaperRow:
    """What the paper says of one generator."""

    name: str  # as the paper calls it
    mebibytes: float  # Table 1, "Memory"
    compression: float  # r_c
    mega_macs: int  # "FLOPs", millions
    speedup: float  # r_s
    fid: tuple[float, float, float] | None = None  # Table 3: original, ThiNet, ours
    fcn: tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]] | None = None
    """Table 2: original, ThiNet, ours, each as `FCN`."""
    milliseconds: tuple[float, float] | None = None  # original, ours, on an Intel Xeon E5-2690


TASKS: Mapping[str, Mapping[Domain, PaperRow]] = MappingProxyType({
    "horse2zebra": {
        "A": PaperRow("horse2zebra", 10.16, 4.27, 13448, 4.23, (74.04, 189.28, 96.15), None, (2260, 730)),
        "B": PaperRow("zebra2horse", 10.00, 4.34, 13060, 4.35, (148.81, 184.88, 157.90)),
    },
    "summer2winter": {
        "A": PaperRow("summer2winter", 7.98, 5.44, 11064, 5.14, (79.12, 81.06, 78.58)),
        "B": PaperRow("winter2summer", 7.61, 5.70, 10994, 5.17, (73.31, 80.17, 79.16)),
    },
    "cityscapes": {
        "A": PaperRow("cityscapes-A2B", 8.98, 4.84, 12977, 4.38),
        "B": PaperRow("cityscapes-B2A", 12.26, 3.54, 16445, 3.46, None,
                      ((0.538, 0.172, 0.121), (0.218, 0.089, 0.054), (0.542, 0.212, 0.131))),
    },
})  # fmt: skip

KINDS = ("original", "ThiNet", "co-evolution")  # whom Tables 2 and 3 tell of
TABLE_2 = (43.42, 10.88, 12.26)  # memory of these in Table 2
THINET = "thinet"  # the cell that the paper's ThiNet stands beside


def paper_table(
    task: str, claim: str, means: Mapping[str, Mapping[Domain, Mapping[str, Any]]], size: int,
    judges: Mapping[str, str],
) -> Table:  # fmt: skip
    """The paper's figures of a task, and beside them those of the cell ``claim``.

    means: by cell, side and figure, as `ganprune.comparing.tables.means_of` returns them. judges: names of
    the networks of ``features`` and ``fcn``, and its ``fcn input``.
    """
    rows = list[tuple[str, ...]]()

    def add(what: str, paper: str, ours: str, protocol: str) -> None:
        rows.append((what, paper, ours, protocol))

    for side, row in TASKS[task].items():
        ours, found = means.get(claim, {}).get(side, {}), row.name
        counted = "weights and biases, float32"
        add(f"{found}, memory (Table 1)", f"{row.mebibytes:.2f} MiB, {row.compression:.2f}×",
            _pair(ours, "mebibytes", "compression", " MiB"), counted)  # fmt: skip
        giga = {**ours, "giga": ours["macs_paper_256"] / 1e9} if ours else {}
        add(f"{found}, “FLOPs” (Table 1)", f"{row.mega_macs / 1e3:.2f} G, {row.speedup:.2f}×",
            _pair(giga, "giga", "ratio_paper_256", " G"), "MACs at 256×256, the paper's count")  # fmt: skip
        for i, cell in enumerate(("original", THINET, claim)) if row.fid else ():
            assert row.fid is not None
            value = means.get(cell, {}).get(side, {}).get("fid_test")
            ours_by = f"{judges['features']}, {size}×{size}, test"
            if value is None:
                ours_by = "not measured, it needs fid = true and the cell"
            add(f"{found}, FID, {KINDS[i]} (Table 3)", f"{row.fid[i]:.2f}", number(value),
                f"paper: Inception, 256×256, test; ours: {ours_by}")  # fmt: skip
        for i, cell in enumerate(("original", THINET, claim)) if row.fcn else ():
            assert row.fcn is not None
            scored = means.get(cell, {}).get(side, {})
            known = [scored.get(name) for name in FCN]
            ours_by = "not measured, it needs --fcn and the cell"
            if None not in known:
                ours_by = f"network {judges['fcn'][:12]}, fed as {judges['fcn input']}, {size}×{size}"
            what = f"{found}, FCN score, {KINDS[i]} of {TABLE_2[i]:.2f} MB (Table 2)"
            figures = "pixel accuracy / class accuracy / class IoU"
            add(what, _fcn(row.fcn[i]), _fcn(known), f"{figures}; paper: FCN-8s, 256×256; ours: {ours_by}")
        if row.milliseconds is not None:
            before, after = row.milliseconds
            whole, slim = (means.get(c, {}).get(side, {}).get("median_ms") for c in ("original", claim))
            ms = "–" if not whole or not slim else f"{whole:.1f} → {slim:.1f} ms, {whole / slim:.1f}×"
            add(f"{found}, runtime", f"{before:.0f} → {after:.0f} ms, {before / after:.1f}×", ms,
                f"paper: Xeon E5-2690, 256×256; ours: this machine, {size}×{size}")  # fmt: skip
    title = f"The paper's figures of {task}, and ours ({claim})"
    return Table(title, ("what", "paper", "ours", "protocol"), tuple(rows))


def _pair(found: Mapping[str, Any], value: str, ratio: str, unit: str) -> str:
    return f"{found[value]:.2f}{unit}, {found[ratio]:.2f}×" if found else "–"


def _fcn(values: Sequence[float | None]) -> str:
    return " / ".join(number(value, 3) for value in values)
