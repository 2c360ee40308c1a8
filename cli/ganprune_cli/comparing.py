"""``compare``: all cells, one library call a step, then one measurement of all networks together."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ganprune.baselines import METHODS, Method
from ganprune.bench import BenchSettings, Table
from ganprune.comparing import (
    Cell,
    Comparison,
    Jury,
    Records,
    claims,
    comparison_csv,
    comparison_table,
    paper_table,
    run_cell,
)
from ganprune.comparing.record import size_of
from ganprune.comparing.tables import Found, Timings, means_of
from ganprune.device import cpu_threads
from ganprune.errors import RunError, UsageError
from ganprune.evaluation import SIDES, Side
from ganprune.example import CHECKPOINT, EXAMPLE_SIZE, write_dataset
from ganprune.files import sha256
from ganprune.images import find_domains
from ganprune.metrics import FeatureNetwork, Segmenter
from ganprune.networks import Generator
from ganprune.plan import plan
from ganprune.reporting import Reporter
from ganprune.runs import Run, open_run
from ganprune.settings import CompressSettings
from ganprune.stages import Resolved, check_target, needed_networks, search_pictures
from ganprune.stages.searching import CACHE
from ganprune.training import Budget
from ganprune_cli.console import duration, print_table
from ganprune_cli.job import Job, prepare
from ganprune_cli.timing import time_together

EXAMPLE = "example"
"""Settings file that needs no checkpoint."""
CELLS = "cells"
"""Folder of the cells' run folders."""


@dataclass(frozen=True, slots=True)
class Contest:
    """A comparison that was read and fits to a checkpoint and data."""

    comparison: Comparison
    jobs: Mapping[str, Job]
    """By cell."""
    folder: Path
    sides: tuple[Side, ...]
    """Generators that become slim; the same in all cells."""
    size: int

    @property
    def job(self) -> Job:
        """Of any cell: they share networks and pictures."""
        return next(iter(self.jobs.values()))

    @property
    def originals(self) -> dict[Side, Generator]:
        """Those that become slim."""
        return {side: self.job.generators[side] for side in self.sides}


def contest(
    checkpoint: Path, data: Path | None, comparison: Comparison, folder: Path, reporter: Reporter
) -> Contest:
    """Check all cells before any is begun. Raises as `prepare`, and `DataError` without test pictures."""
    settings = [cell.settings for cell in comparison.cells]
    job = prepare(checkpoint, data, settings[0], reporter)
    jobs = {cell.key: _with(job, cell.settings) for cell in comparison.cells}
    find_domains(Path(job.config["data"]), ("train", "test"))
    for what, found in (
        ("--direction", {s.search.direction for s in settings}),
        ("--size", {str(s.pictures.size) for s in settings}),
    ):
        if len(found) > 1:
            raise UsageError(f"all cells must have one {what}, found {' and '.join(sorted(found))}")
    first = settings[0]
    return Contest(comparison, jobs, folder, first.search.sides, first.pictures.size)


def _with(job: Job, settings: CompressSettings) -> Job:
    """The same networks and pictures with other settings, checked."""
    job.quartet.require(*needed_networks(settings))
    resolved = Resolved.of(settings.compute)
    config = {**job.config, "settings": settings.to_flat(), "resolved": asdict(resolved)}
    check_target(job.completed().generators, settings)
    return replace(job, settings=settings, resolved=resolved, config=config)


def circumstances(found: Contest, network: FeatureNetwork, segmenter: Segmenter | None) -> dict[str, Any]:
    """What all figures depend on, besides the settings of cells."""
    folders = found.job.folders
    counts = {f"{part}_{side}": len(folders.pictures(part, side)) for part in ("train", "val", "test")
              for side in SIDES}  # fmt: skip
    segmented = {} if segmenter is None else {"fcn": sha256(segmenter.path)}
    return {
        "sha256": found.job.config["sha256"], "pictures": counts, "features": network.name,
        "size": found.size, "fid": found.comparison.settings.fid,
    } | segmented  # fmt: skip


def compare(
    found: Contest,
    network: FeatureNetwork,
    segmenter: Segmenter | None,
    command: str,
    reporter: Reporter,
    methods: Mapping[str, Method] = METHODS,
) -> dict[str, Any]:
    """Run what is not finished, time all networks together, and return tables and figures as plain values."""
    folder, settings = found.folder, found.comparison.settings
    records = Records(folder, circumstances(found, network, segmenter))
    folder.mkdir(parents=True, exist_ok=True)
    with Run(folder).locked():
        jury = Jury(
            network, found.job.folders, found.size, found.job.resolved.device, folder / CACHE,
            settings.fid, segmenter, reporter,
        )  # fmt: skip
        unfinished = [cell for cell in found.comparison.cells if records.finished(cell) is None]
        if records.original() is None:
            _judge_originals(found, records, jury)
        for i, cell in enumerate(unfinished):
            reporter.info(f"cell {cell.key}, {i + 1} of {len(unfinished)} that are left")
            _run(found, cell, records, jury, command, reporter, methods)
        timed = _timed(found, records, reporter)
    cells = [record for cell in found.comparison.cells if (record := records.finished(cell))]
    original = records.original()
    assert original is not None
    return _report(found, cells, original, timed, network.name)


def _judge_originals(found: Contest, records: Records, jury: Jury) -> None:
    with cpu_threads(found.job.resolved.threads):
        figures = jury(found.originals, found.originals)
        inputs = jury.inputs(found.originals)
    sizes = {side: size_of(G, G, found.size) for side, G in found.originals.items()}
    records.write_original({side: sizes[side] | figures[side] for side in figures}, inputs)


def _run(
    found: Contest, cell: Cell, records: Records, jury: Jury, command: str, reporter: Reporter,
    methods: Mapping[str, Method],
) -> None:  # fmt: skip
    """One cell to its JSON."""
    started, job = time.monotonic(), found.jobs[cell.key]
    run = open_run(_folder(found.folder, cell), {**job.config, "method": cell.method}, command)
    if run.config.get("method") != cell.method:
        raise RunError(
            f"{run.folder} was made by the method {run.config.get('method')} (now {cell.method}); delete it "
            "to run the cell again, or use `-o` another folder"
        )
    resolved = replace(job.resolved, **run.config["resolved"])
    slim = run_cell(run, cell, job.generators, job.judges, job.folders, resolved, reporter, methods)
    with cpu_threads(resolved.threads):
        figures = jury(slim, found.originals)
    sides: dict[Side, dict[str, Any]] = {
        side: size_of(G, found.originals[side], found.size) | figures[side] for side, G in slim.items()
    }
    stages = run.provenance["stages"]
    records.write(cell, sides, {
        "seconds": round(time.monotonic() - started, 1),
        "stages": {name: stage["seconds"] for name, stage in stages.items()},
        "steps": stages.get("fine-tune", {}).get("steps", 0),
        "settings": cell.settings.to_flat(), "device": resolved.device,
    })  # fmt: skip


def _timed(found: Contest, records: Records, reporter: Reporter) -> dict[str, Any]:
    """Milliseconds of every method's first finished seed, whose networks are still there."""
    settings, first = found.comparison.settings, dict[str, Cell]()
    if not settings.bench_seconds:
        return {}
    for cell in found.comparison.cells:
        if records.finished(cell):
            first.setdefault(cell.name, cell)
    slim = {
        f"{name}.G_{side}": _folder(found.folder, cell) / f"G_{side}.safetensors"
        for name, cell in first.items()
        for side in found.sides
    }
    here = {name: file for name, file in slim.items() if file.is_file()}
    pictures = search_pictures(found.job.folders, found.job.settings)
    how = BenchSettings(threads=(settings.bench_threads,), seconds=settings.bench_seconds, maximum=200)
    return time_together(found.folder, found.originals, here, pictures, found.size, how, reporter)


def _folder(folder: Path, cell: Cell) -> Path:
    return folder / CELLS / cell.key


def _report(
    found: Contest, cells: Sequence[Found], original: Found, timed: Mapping[str, Any], features: str
) -> dict[str, Any]:
    settings = found.comparison.settings
    timings: Timings = timed.get("timings", {})
    means = means_of(cells, original, timings)
    title = f"{len(cells)} cells at {found.size}×{found.size}, fine-tuned for {_budgets(found)}"
    tables = [comparison_table(means, title)]
    if settings.task is not None and settings.claim is not None:
        tables.append(paper_table(settings.task, settings.claim, means, found.size, features))
    sentences = claims(cells, settings.claim) if settings.claim is not None else ()
    return {
        "folder": str(found.folder), "best": str(_best(found, cells)),
        "features": features, "size": found.size,
        "tables": [asdict(table) for table in tables], "claims": list(sentences),
        "methods": means, "timing": dict(timed), "csv": comparison_csv(means),
    }  # fmt: skip


def _best(found: Contest, cells: Sequence[Found]) -> Path:
    """The run folder of the cell with the smallest KID, both directions together."""
    best = min(cells, key=lambda cell: sum(part["kid"] for part in cell["sides"].values()))
    return found.folder / CELLS / f"{best['name']}-{best['seed']}"


def _budgets(found: Contest) -> str:
    budgets = dict.fromkeys(cell.settings.tuning.budget for cell in found.comparison.cells)
    return " or ".join(budgets)


def print_comparison(found: Mapping[str, Any], markdown: bool) -> None:
    """What `compare` returns, and the protocol in words."""
    for values in found["tables"]:
        table = Table(**values)
        left = (0, 3) if table.headings[-1] == "protocol" else (0,)
        print_table(table.title, table.headings, table.rows, markdown=markdown, left=left)
        print()
    print("\n".join([
        *found["claims"],
        f"features: {found['features']}",
        "KID ± its standard deviation over 50 random 80 % subsets of the pictures, [least, most] of seeds",
        "lost: share of the original's translation that is missing; two figures in a cell: G_A / G_B",
    ]))  # fmt: skip


def outline(found: Contest, reporter: Reporter) -> dict[str, Any]:
    """What would be done: every cell, whether it is finished, and about how long the others take."""
    rows, seconds, pace = list[dict[str, Any]](), 0.0, dict[str, float]()
    for cell in found.comparison.cells:
        job, settings = found.jobs[cell.key], cell.settings
        done = (found.folder / f"{cell.key}.json").is_file()
        estimate = _budget_seconds(settings)
        if cell.method == "search":
            if "search" not in pace:
                sketch = plan(found.originals, job.judges, settings, job.resolved)
                pace["search"] = sketch.seconds / sketch.individuals
            search = settings.search
            individuals = len(search.sides) * search.population * (search.generations + 1)
            estimate += pace["search"] * individuals
        rows.append({"cell": cell.name, "seed": cell.seed, "method": cell.method, "done": done,
                     "seconds": estimate, "budget": settings.tuning.budget})  # fmt: skip
        seconds += 0.0 if done else estimate
    reporter.info("times are of searches and budgets; rivals, test pictures and timing add to them")
    return {"cells": rows, "seconds": seconds}


def _budget_seconds(settings: CompressSettings) -> float:
    budget = Budget.parse(settings.tuning.budget)
    return budget.amount if budget.unit == "seconds" else 0.0


def print_outline(found: Mapping[str, Any], markdown: bool) -> None:
    """What `outline` returns."""
    rows = [
        (row["cell"], str(row["seed"]), row["method"], row["budget"],
         "finished" if row["done"] else f"about {duration(row['seconds'])}")
        for row in found["cells"]
    ]  # fmt: skip
    headings = ("cell", "seed", "method", "fine-tuning", "search and fine-tuning")
    print_table("Plan; nothing was written", headings, rows, markdown=markdown, left=(0, 2, 3, 4))
    print(f"all that is left: about {duration(found['seconds'])}")


def folder_of(output: Path | None, config: str) -> Path:
    """``-o``, or compare/ and the name of the settings file."""
    return output or Path("runs") / f"compare-{Path(config).stem}"


def example(config: str, drawn: Path, reporter: Reporter) -> tuple[Path, Path]:
    """The packaged checkpoint, and its pictures, which are drawn into a folder.

    Raises `UsageError` for a settings file that is not of the example.
    """
    if Path(config).stem != EXAMPLE:
        raise UsageError(f"CKPT is needed, only --config {EXAMPLE} goes without; give a CycleGAN run folder")
    write_dataset(drawn, seed=1, train=200, test=24, size=EXAMPLE_SIZE, reporter=reporter)
    return CHECKPOINT, drawn


def only(comparison: Comparison, names: str | None) -> Comparison:
    """The cells of --cells, a list with commas; all without."""
    wanted: Iterable[str] = () if names is None else (name.strip() for name in names.split(","))
    chosen = [name for name in wanted if name]
    return comparison.only(chosen) if names is not None else comparison
