"""What a comparison would do: every cell, whether it is finished, and how long the others take."""

from typing import Any

from ganprune.comparing.cells import SEARCH
from ganprune.comparing.contest import Contest, circumstances
from ganprune.comparing.record import Records, judges_of
from ganprune.plan import plan
from ganprune.reporting import Reporter
from ganprune.training import Budget


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
                sketch = plan(found.originals, job.quartet.discriminators, settings, job.resolved)
                pace = sketch.stages["search"] / sketch.individuals
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
