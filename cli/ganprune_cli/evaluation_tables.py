"""Tables of ``evaluate``."""

from collections.abc import Mapping, Sequence
from typing import Any

from ganprune.metrics.telling import columns_of, differences, figure
from ganprune_cli.console import print_table, say


def print_evaluation(found: Mapping[str, Any], markdown: bool) -> None:
    """What `ganprune_cli.evaluating` returns, as tables and the protocol in words."""
    if "fcn" in found:
        title = f"FCN score, {found['n_fakes']} pictures, {found['n_classes']} classes"
        _print_rows(title, [found], markdown, first=False)
        _say(f"network: {found['fcn']}, fed as {found['fcn_input']}", _sure(found))
        return
    if "directions" in found:
        for part in found["directions"]:
            first = part["rows"][0]
            size = f"{found['size']}×{found['size']}"
            title = f"{part['network']}, {part['direction']}: {first['n_fakes']} test pictures at {size}"
            title += f", against {first['n_real']} real ones" if first["n_real"] else ""
            _print_rows(title, part["rows"], markdown, first=True)
            say()
    else:
        title = f"{found['fakes']}: {found['n_fakes']} pictures, against {found['n_real']} in {found['real']}"
        _print_rows(title, [found], markdown, first=False)
    fid = [f"FID, {kind.removeprefix('fid_').replace('_', ' + ')}: {what}"
           for kind, what in found.get("fid_protocols", {}).items() if kind in _first(found)]  # fmt: skip
    _say(f"features: {found['features']}", *fid, _sure(found))


def _print_rows(title: str, rows: Sequence[Mapping[str, Any]], markdown: bool, first: bool) -> None:
    columns = columns_of(rows)
    table = [[*([row["pictures"]] if first else []), *(figure(row, key) for key in columns)] for row in rows]
    headings = [*(["pictures"] if first else []), *columns.values()]
    print_table(title, headings, table, markdown=markdown, left=(0,) if first else ())
    _say(*differences(rows))


def _first(found: Mapping[str, Any]) -> Mapping[str, Any]:
    return found["directions"][0]["rows"][0] if "directions" in found else found


def _sure(found: Mapping[str, Any]) -> str:
    return f"[…]: 95 %, bootstrap of {found['resamples']}, seed {found['seed']}" if found["resamples"] else ""


def _say(*lines: str) -> None:
    say("\n".join(line for line in lines if line))
