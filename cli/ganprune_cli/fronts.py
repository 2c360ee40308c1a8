"""How ``front`` shows what it found."""

from pathlib import Path

from ganprune.metrics.telling import SlimQuality, decibels, quality_advice
from ganprune.stages.family import FoundFront
from ganprune_cli.console import print_table, say


def print_front(found: FoundFront, markdown: bool) -> None:
    """What `ganprune.stages.family.find_front` returns: a table a side, and the pairs."""
    for side, members in found["front"].items():
        terms = [term for term in ("L_DisA", "L_cyc") if any(member[term] for member in members)]
        rows = [
            (
                *(f"{member[key]:.4g}" for key in ("macs_share", "weights_share", "speedup_by_work")),
                "∞" if member["psnr"] is None else f"{member['psnr']:.1f}",
                *(f"{member[key]:.4g}" for key in ("losses", *terms)),
            )
            for member in members
        ]
        shares = ("share of MACs", "share of weights")
        headings = (*shares, "times as fast (count)", "dB, untrained", "losses", *terms)
        title = (
            f"G_{side}: the best of every size; losses: distances to the original, lower is better; "
            f"dB: on {found['scored_on']}"
        )
        print_table(title, headings, rows, markdown=markdown, left=())
        say()
    rows = [
        (
            str(Path(point["folder"]).relative_to(found["run"])),
            name,
            f"{net['macs_share']:.1%}",
            f"{net['macs_true'] / 1e9:.2f}",
            f"{net['params'] / 1e6:.3f}",
            *_quality(point["quality"]["networks"][name]),
        )
        for point in found["points"]
        for name, net in point["networks"].items()
    ]  # fmt: skip
    if rows:
        headings = ("folder", "network", "of the MACs", "MACs, G", "params, M", "PSNR, dB ↑",
                    "untouched input", "pictures")  # fmt: skip
        title = f"{found['run']}: at most as large as was asked for; PSNR to the original's whole pictures"
        print_table(title, headings, rows, markdown=markdown, left=(0, 1, 7))
    for point in found["points"]:
        if advice := quality_advice(point["quality"]):
            say(f"{point['folder']}: {advice}")


def _quality(found: SlimQuality) -> tuple[str, str, str]:
    """PSNR of a network's pictures, that of the untouched input, and the verdict."""
    return decibels(found["slim"]), decibels(found["inputs"]), found["verdict"]
