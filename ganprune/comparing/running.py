"""All cells of a comparison, one after the other, then one measurement of all networks together."""

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from torch import nn

from ganprune.baselines import METHODS, Method
from ganprune.bench import BenchSettings, enough_cores
from ganprune.comparing.cell_stages import ASKED, in_steps, prune
from ganprune.comparing.cells import SEARCH, Cell
from ganprune.comparing.contest import Contest, circumstances, judged_by
from ganprune.comparing.jury import Jury
from ganprune.comparing.paper import paper_table
from ganprune.comparing.record import ORIGINAL, CellRecord, Figures, Records, network_of, size_of
from ganprune.comparing.tables import Means, claims, comparison_table, means_of, verdict
from ganprune.comparing.timing import Together, known_times, time_together
from ganprune.errors import RunError, UsageError
from ganprune.exporter import default_exporter
from ganprune.metrics import FeatureNetwork, Segmenter
from ganprune.reporting import Reporter
from ganprune.runs import Run
from ganprune.stages import finished_networks, rebuild_both, search
from ganprune.stages.racing import raced
from ganprune.stages.searching import CACHE
from ganprune.storage.locking import refuse_run
from ganprune.storage.plain import as_written
from ganprune.storage.tables import Table
from ganprune.system.device import cpu_threads

CELLS = "cells"  # folder of the cells' run folders


@dataclass(frozen=True, slots=True)
class Compared:
    """What a comparison came to."""

    folder: Path
    best: str | None
    """The run folder of the cell that lacks least of the original's translation, of those that are there."""
    judges: Mapping[str, str]  # see `judged_by`
    size: int
    tables: tuple[Table, ...]
    claims: tuple[str, ...]
    verdict: tuple[str, ...]
    methods: Means
    timing: Together | None
    precisions: tuple[str, ...]  # that networks were scored and fine-tuned in

    def to_json(self) -> dict[str, object]:
        """As plain values."""
        judges = {key.replace(" ", "_"): value for key, value in self.judges.items()}
        return {
            "folder": str(self.folder), "best": self.best, **judges, "size": self.size,
            "tables": [asdict(table) for table in self.tables], "claims": self.claims,
            "verdict": self.verdict, "methods": self.methods, "timing": self.timing or {},
            "precisions": self.precisions,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Cells:
    """What all cells are run with."""

    found: Contest
    records: Records
    jury: Jury
    command: str
    reporter: Reporter
    methods: Mapping[str, Method]


def finished(found: Contest, judges: Mapping[str, str]) -> Compared:
    """Tables and figures of what is there; see `compare`. judges: as `judged_by`, of the same networks.

    Raises `UsageError` where that is nothing.
    """
    folder, records = found.folder, _records(found, judges)
    if records.original() is None or not any(map(records.finished, found.comparison.cells)):
        raise nothing_finished(folder)
    return _told(found, records, known_times(folder), judges)


def nothing_finished(folder: Path) -> UsageError:
    """What is raised where there is nothing to tell."""
    return UsageError(
        f"--finished needs {ORIGINAL}.json and cells that are, found not both in {folder}; "
        "leave it out to run them"
    )


def compare(
    found: Contest,
    network: FeatureNetwork,
    segmenter: Segmenter | None,
    command: str,
    reporter: Reporter,
    methods: Mapping[str, Method] = METHODS,
) -> Compared:
    """Run what is not finished, and time all networks together. methods: rivals by name."""
    folder, judges = found.folder, judged_by(network, segmenter)
    records = _records(found, judges)
    if found.comparison.settings.bench_seconds:
        enough_cores((found.comparison.settings.bench_threads,))
    refuse_run(folder)
    with Run(folder).locked():
        jury = Jury(
            network, found.job.folders, found.size, found.job.resolved.device, folder / CACHE,
            found.comparison.settings.fid, segmenter, reporter, found.job.quartet.discriminators,
        )  # fmt: skip
        unfinished = [cell for cell in found.comparison.in_turns if records.finished(cell) is None]
        if records.original() is None:
            _judge_originals(found, records, jury)
        for i, cell in enumerate(unfinished):
            reporter.info(f"cell {cell.key}, {i + 1} of {len(unfinished)} that are left")
            _run(_Cells(found, records, jury, command, reporter, methods), cell)
        timed = _timed(found, records, reporter)
    return _told(found, records, timed, judges)


def _records(found: Contest, judges: Mapping[str, str]) -> Records:
    return Records(found.folder, circumstances(found, judges), found.sides)


def _judge_originals(found: Contest, records: Records, jury: Jury) -> None:
    with cpu_threads(found.job.resolved.threads):
        figures = jury(found.originals, found.originals)
        inputs, mirrored = jury.inputs(found.originals), jury.mirrored(found.originals)
    sizes = {side: size_of(G, G, found.size) for side, G in found.originals.items()}
    records.write_original({side: sizes[side] | figures[side] for side in figures}, inputs, mirrored)


def _run(cells: _Cells, cell: Cell) -> None:
    """One cell to its JSON: searches and rivals in the same way, but for the choice of filters.

    The run folder is one of `ganprune.compress` up to its ONNX files. Test pictures are looked at in the end.
    """
    found, records = cells.found, cells.records
    started, prepared, folder = time.monotonic(), found.jobs[cell.key], _folder(found.folder, cell)
    settled = in_steps(cell, _there(found, records).values(), folder)
    asked = {"method": cell.method, ASKED: cell.settings.tuning.budget}
    config = {**prepared.config, "settings": settled.settings.to_flat(), **asked}
    with replace(prepared, config=config).opened(folder, cells.command, cells.reporter) as job:
        if job.run.config.get("method") != cell.method:
            raise RunError(
                f"{folder} was made by the method {job.run.config.get('method')} (now {cell.method}); delete "
                "it to run the cell again, or use `-o` another folder"
            )
        if cell.method == SEARCH:
            pruned = rebuild_both(job, raced(job, search(job)))
        else:
            pruned = prune(job, cell.method, cells.methods[cell.method])
        _, slim = finished_networks(job, pruned)
    with cpu_threads(job.resolved.threads):
        figures = cells.jury(slim, found.originals)
    sides: Figures = {
        side: size_of(G, found.originals[side], found.size) | figures[side] for side, G in slim.items()
    }
    stages = job.run.provenance["stages"]
    records.write(cell, sides, {
        "seconds": round(time.monotonic() - started, 1),
        "stages": {name: stage["seconds"] for name, stage in stages.items()},
        "steps": stages.get("fine-tune", {}).get("steps", 0),
        "settings": cell.settings.to_flat(), "device": job.resolved.device,
        "precision": job.resolved.precision,
    })  # fmt: skip


def _timed(found: Contest, records: Records, reporter: Reporter) -> Together | None:
    """Milliseconds of every method's first finished seed; of those that are gone, by their widths."""
    settings, slim = found.comparison.settings, dict[str, Path | nn.Module]()
    if not settings.bench_seconds:
        return None
    for cell, record in _there(found, records).items():
        if f"{cell.name}.G_{found.sides[0]}" in slim:
            continue
        for side in found.sides:
            file = _folder(found.folder, cell) / f"G_{side}.safetensors"
            told = record["sides"][side]
            network = file if file.is_file() else network_of(told, found.originals[side])
            if network is not None:
                slim[f"{cell.name}.G_{side}"] = network
    how = BenchSettings(threads=(settings.bench_threads,), seconds=settings.bench_seconds, runs=(20, 200))
    return time_together(found, slim, how, default_exporter(), reporter)


def _there(found: Contest, records: Records) -> Mapping[Cell, CellRecord]:
    """All finished cells of the file; of those that --cells has left out, those made in the same way."""
    there = {cell: record for cell in found.comparison.cells if (record := records.finished(cell))}
    for cell in found.comparison.others:
        with suppress(RunError):
            if (record := records.finished(cell)) is not None:
                there[cell] = record
    return there


def _folder(folder: Path, cell: Cell) -> Path:
    return folder / CELLS / cell.key


def _told(found: Contest, records: Records, timed: Together | None, judges: Mapping[str, str]) -> Compared:
    with as_written(str(found.folder), "delete the JSON files of cells that are not, to run these again"):
        return _report(found, records, timed, judges)


def _report(found: Contest, records: Records, timed: Together | None, judges: Mapping[str, str]) -> Compared:
    settings, original = found.comparison.settings, records.original()
    cells = [record for cell in found.comparison.cells if (record := records.finished(cell))]
    assert original is not None
    claim = settings.claim
    means = means_of(cells, original, timed["timings"] if timed else {})
    budgets = " or ".join(dict.fromkeys(cell.settings.tuning.budget for cell in found.comparison.cells))
    title = f"{len(cells)} cells at {found.size}×{found.size}, fine-tuned for {budgets}"
    tables = [comparison_table(means, title)]
    if settings.task is not None and claim is not None:
        tables.append(paper_table(settings.task, claim, means, found.size, judges))
    return Compared(
        found.folder, _best(found, cells), judges, found.size, tuple(tables),
        () if claim is None else claims(cells, claim), () if claim is None else verdict(cells, claim),
        means, timed, tuple(sorted({str(cell["precision"]) for cell in cells if "precision" in cell})),
    )  # fmt: skip


def _best(found: Contest, cells: Sequence[CellRecord]) -> str | None:
    """See `Compared.best`."""
    folders = {str(found.folder / CELLS / f"{cell['name']}-{cell['seed']}"): cell for cell in cells}
    there = {name: cell for name, cell in folders.items() if (Path(name) / "config.toml").is_file()}

    def lacks(name: str) -> float:
        return sum(part.get("lost") or 0.0 for part in there[name]["sides"].values())

    return min(there, key=lacks, default=None)
