"""Tables of ``evaluate``."""

from collections.abc import Mapping, Sequence
from typing import Any

from ganprune_cli.console import print_table, say

FIGURES = {
    "fid_test": ("FID, test", 1), "fid_train_test": ("FID, train + test", 1),
    "as_b": ("as_b", 2), "lost": ("lost", 2),
}  # fmt: skip
"""Key → heading and digits."""
DISTANCES = ("L_DisA", "L_GenA", "L_cyc")
FCN = {"pixel_accuracy": "pixel accuracy", "class_accuracy": "class accuracy", "class_iou": "class IoU"}


def print_evaluation(found: Mapping[str, Any], markdown: bool) -> None:
    """What `ganprune_cli.evaluating` returns, as tables and the protocol in words."""
    if "fcn" in found:
        title = f"FCN score, {found['n_fakes']} pictures, {found['n_classes']} classes"
        row = tuple(_figure(found, name, 4) for name in FCN)
        print_table(title, tuple(FCN.values()), [row], markdown=markdown, left=())
        _say(f"network: {found['fcn']}, fed as {found['fcn_input']}", _sure(found))
        return
    if "directions" in found:
        for part in found["directions"]:
            first = part["rows"][0]
            size = f"{found['size']}×{found['size']}"
            title = (
                f"{part['network']}, {part['direction']}: {first['n_fakes']} test pictures at {size}, "
                f"against {first['n_real']} real ones"
            )
            _print_rows(title, part["rows"], markdown, first=True)
            say()
    else:
        title = f"{found['fakes']}: {found['n_fakes']} pictures, against {found['n_real']} in {found['real']}"
        _print_rows(title, [found], markdown, first=False)
    fid = [f"FID, {kind.removeprefix('fid_').replace('_', ' + ')}: {what}"
           for kind, what in found.get("fid_protocols", {}).items() if kind in _first(found)]  # fmt: skip
    _say(
        f"features: {found['features']}",
        "KID ± its standard deviation over 50 random 80 % subsets of the pictures",
        *fid,
        _sure(found),
    )


def _print_rows(title: str, rows: Sequence[Mapping[str, Any]], markdown: bool, first: bool) -> None:
    columns = ["pictures"] if first else []
    table = [[row["pictures"]] if first else [] for row in rows]

    def column(heading: str, cells: Sequence[str]) -> None:
        columns.append(heading)
        for line, cell in zip(table, cells, strict=True):
            line.append(cell)

    column("KID", [f"{row['kid']:.4f} ± {row['kid_sd']:.4f}{_interval(row, 'kid', 3)}" for row in rows])
    for name, (heading, digits) in FIGURES.items():
        if name in rows[0]:
            column(heading, [_figure(row, name, digits) for row in rows])
    for name in DISTANCES if first else ():
        column(name, ["–" if row[name] is None else f"{row[name]:.4g}" for row in rows])
    print_table(title, columns, table, markdown=markdown, left=(0,) if first else ())


def _figure(row: Mapping[str, Any], name: str, digits: int) -> str:
    return "–" if row[name] is None else f"{row[name]:.{digits}f}{_interval(row, name, digits)}"


def _interval(row: Mapping[str, Any], name: str, digits: int) -> str:
    ends = row.get(f"{name}_interval")
    if ends is None or None in ends or ends[0] == ends[1]:
        return ""
    return f" [{ends[0]:.{digits}f}, {ends[1]:.{digits}f}]"


def _first(found: Mapping[str, Any]) -> Mapping[str, Any]:
    return found["directions"][0]["rows"][0] if "directions" in found else found


def _sure(found: Mapping[str, Any]) -> str:
    return f"[…]: 95 %, bootstrap of {found['resamples']}, seed {found['seed']}" if found["resamples"] else ""


def _say(*lines: str) -> None:
    say("\n".join(line for line in lines if line))
