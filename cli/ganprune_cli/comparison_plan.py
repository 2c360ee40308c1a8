"""``compare --dry-run``: every cell, whether it is finished, and about how long the others take."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ganprune.comparing import SEARCH, Records
from ganprune.comparing.record import judges_of
from ganprune.plan import plan
from ganprune.reporting import Reporter
from ganprune.training import Budget
from ganprune_cli.console import duration, print_table, say
from ganprune_cli.contest import Contest, circumstances


def outline(found: Contest, reporter: Reporter) -> dict[str, Any]:
    """What would be done; times the originals on one picture, and writes nothing.

    Raises `RunError` for finished cells that were made in another way.
    """
    rows, pace = list[dict[str, Any]](), 0.0
    judges = judges_of(found.folder)
    records = Records(found.folder, circumstances(found, judges), found.sides)
    for cell in found.comparison.in_turns:
        job, settings = found.jobs[cell.key], cell.settings
        budget, seconds = Budget.parse(settings.tuning.budget), 0.0
        if cell.method == SEARCH:
            if not pace:
                sketch = plan(found.originals, job.judges, settings, job.resolved)
                pace = sketch.seconds / sketch.individuals
            search = settings.search
            seconds = pace * len(search.sides) * search.population * (search.generations + 1)
        timed = budget.unit == "seconds"
        rows.append({
            "cell": cell.name, "seed": cell.seed, "method": cell.method,
            "done": records.finished(cell) is not None if judges else records.path(cell.key).is_file(),
            "seconds": seconds + (budget.amount if timed else 0.0),
            "untimed": "" if timed or not budget.amount else settings.tuning.budget,
            "budget": settings.tuning.budget,
        })  # fmt: skip
    reporter.info("times are of searches and budgets; rivals, test pictures and timing add to them")
    return {"cells": rows, "seconds": sum(row["seconds"] for row in rows if not row["done"])}


def print_outline(found: Mapping[str, Any], markdown: bool) -> None:
    """What `outline` returns."""
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
