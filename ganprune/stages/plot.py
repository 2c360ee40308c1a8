"""How a search went, as a picture."""

from collections.abc import Mapping, Sequence
from typing import Any

from ganprune.figures.panels import curves
from ganprune.images.sources import DOMAINS

_PANELS = {
    "fitness, Eq. 13": {"best": "fitness", "mean": "mean_fitness"},
    "L_DisA": {"best": "L_DisA"},
    "L_cyc": {"best": "L_cyc"},
    "share of MACs": {"best": "macs", "mean": "mean_macs"},
    "diversity": {"all": "diversity"},
}


def search_curves(lines: Sequence[Mapping[str, Any]]) -> str:
    """SVG of the lines of search.jsonl: the best and the mean of both sides over the generations."""
    flat = [
        {"generation": float(line["generation"])}
        | {f"{key} {side}": float(value) for side in DOMAINS for key, value in line.get(side, {}).items()}
        for line in lines
    ]
    panels = {
        title: {f"G_{side} {label}": f"{key} {side}" for side in DOMAINS for label, key in drawn.items()}
        for title, drawn in _PANELS.items()
    }
    return curves(flat, panels, x="generation")
