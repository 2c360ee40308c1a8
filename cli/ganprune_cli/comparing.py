"""How ``compare`` shows what it found, and what it would do."""

from collections import Counter
from collections.abc import Sequence

from ganprune.bench import Machine
from ganprune.comparing.contest import Outline
from ganprune.comparing.record import FCN, FCN_INPUT, FEATURES
from ganprune.comparing.running import Compared
from ganprune.comparing.timing import by_widths
from ganprune.reporting import duration
from ganprune.storage.tables import in_threads
from ganprune_cli.console import print_table, say


def print_comparison(found: Compared, markdown: bool) -> None:
    """What was found, and the protocol in words."""
    for table in found.tables:
        left = (0, 3) if table.headings[-1] == "protocol" else (0,)
        print_table(table.title, table.headings, table.rows, markdown=markdown, left=left)
        say()
    mark = "- " if markdown else ""
    say("\n".join(mark + line for line in (*found.claims, *found.verdict, *_protocol(found))))


def _protocol(found: Compared) -> list[str]:
    """What figures mean, a line each."""
    lines, timed, judges = list[str](), found.timing, found.judges
    if timed:
        how = f"{in_threads(timed['threads'])}, {found.size}×{found.size}, all in turns"
        m = timed["machine"]
        machine = Machine(m["cpu"], m["cores"], m["system"], m["onnxruntime"], m["ganprune"])
        lines = [f"ms: medians in ONNX Runtime, {how}; {machine}"]
        if gone := by_widths(timed):
            lines.append(f"ms by the widths alone, the networks were not there: {', '.join(gone)}")
    how = " or ".join(found.precisions)
    return [
        *lines,
        *([f"networks scored and fine-tuned in {how}"] if how else []),
        f"features: {judges[FEATURES]}",
        *([f"FCN score: network {judges[FCN][:12]}, fed as {judges[FCN_INPUT]}"] if FCN in judges else []),
        "MACs: true ones; the paper's count has transposed convolutions on their output grid",
        "KID [95 % over the pictures, by bootstrap], seeds least … most",
        "lost: share of the original's translation that is missing; PSNR: dB from the original's pictures; "
        "two figures in a cell: G_A / G_B",
    ]


def print_outline(found: Outline, markdown: bool) -> None:
    """What would be done."""
    rows = [
        (row["cell"], str(row["seed"]), row["method"], row["budget"],
         "finished" if row["done"] else _told(row["seconds"], [row["untimed"]]))
        for row in found["cells"]
    ]  # fmt: skip
    headings = ("cell", "seed", "method", "fine-tuning", "search and fine-tuning")
    print_table("Plan; nothing was written", headings, rows, markdown=markdown, left=(0, 2, 3, 4))
    left = [row for row in found["cells"] if not row["done"]]
    say(f"{len(left)} of {len(rows)} cells are left: {_told(found['seconds'], [r['untimed'] for r in left])}")


def _told(seconds: float, untimed: Sequence[str]) -> str:
    """``about 5 min 00 s``, and what is no time: ``about 3.0 s + 2 × 300steps``."""
    counts = Counter(budget for budget in untimed if budget)
    others = [budget if n == 1 else f"{n} × {budget}" for budget, n in counts.items()]
    known = [f"about {duration(seconds)}"] if seconds or not others else []
    return " + ".join([*known, *others])
