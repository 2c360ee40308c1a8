"""How ``demo`` shows what it measured."""

from collections.abc import Mapping
from typing import Any

from ganprune_cli.console import print_table


def print_coats(coats: Mapping[str, Any], markdown: bool) -> None:
    """How striped the animals are, before and after."""
    rows: list[tuple[str, ...]] = []
    for side, task in (("A", "G_A adds stripes"), ("B", "G_B removes stripes")):
        for kind, pair in coats.items():
            coat = pair[side]
            figures = (f"{coat[key]:.3f}" for key in ("before", "after", "wanted", "background"))
            rows.append((f"{task}, {kind}", *figures))
    headings = ("what", "stripes before", "after", "wanted", "change elsewhere")
    print_table("Coats of unseen animals, medians (0 = plain)", headings, rows, markdown=markdown)
