"""How ``front`` shows what it found."""

from typing import Any

from ganprune_cli.console import print_table, say


def print_front(found: dict[str, Any], markdown: bool) -> None:
    """What `ganprune.stages.fronts.find_front` returns: a table a side, and the pairs."""
    for side, members in found["front"].items():
        rows = [
            (
                *(f"{member[key]:.4g}" for key in ("macs", "speed_up")),
                "∞" if member["psnr"] is None else f"{member['psnr']:.1f}",
                *(f"{member[key]:.4g}" for key in ("losses", "L_DisA", "L_cyc", "N")),
            )
            for member in members
        ]
        headings = (
            "share of MACs",
            "times as fast (count)",
            "dB, untrained",
            "losses",
            "L_DisA",
            "L_cyc",
            "N",
        )
        print_table(f"G_{side}: no network found is both smaller and nearer", headings, rows,
                    markdown=markdown, left=())  # fmt: skip
        say()
    rows = [
        (point["folder"], name, f"{net['macs_true'] / 1e9:.2f}", f"{net['params'] / 1e6:.3f}")
        for point in found["points"]
        for name, net in point["networks"].items()
    ]
    if rows:
        headings = ("folder", "network", "MACs, G", "params, M")
        print_table("Slim generators", headings, rows, markdown=markdown, left=(0, 1))
