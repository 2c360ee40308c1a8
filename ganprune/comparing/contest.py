"""What is compared: a settings file that was read and fits to a checkpoint and data."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from hashlib import sha256 as hash_of
from pathlib import Path
from typing import Any, TypedDict

from torch import nn

from ganprune.checkpoints import Own
from ganprune.checkpoints.own import READERS_ALONE
from ganprune.comparing.cells import SEARCH, Cell, Comparison
from ganprune.comparing.record import FCN, FCN_INPUT, FEATURES, Records, judges_of
from ganprune.errors import UsageError
from ganprune.images import DataSource, PictureFolders, find_domains
from ganprune.metrics import FeatureNetwork, Segmenter
from ganprune.plan import plan
from ganprune.reporting import Reporter
from ganprune.settings import CompressSettings
from ganprune.settings.words import DOMAINS, Domain
from ganprune.stages import Resolved, check_target
from ganprune.stages.preparing import Prepared, check_networks, fitted, prepare
from ganprune.storage.files import sha256
from ganprune.training import Budget

EXAMPLE = "example"  # settings file that needs no checkpoint


@dataclass(frozen=True, slots=True)
class Contest:
    """A comparison that was read and fits to a checkpoint and data."""

    comparison: Comparison
    jobs: Mapping[str, Prepared]  # by cell
    folder: Path
    sides: tuple[Domain, ...]  # generators that become slim; the same in all cells
    size: int

    @property
    def job(self) -> Prepared:
        """Of any cell: they share networks and pictures."""
        return next(iter(self.jobs.values()))

    @property
    def originals(self) -> dict[Domain, nn.Module]:
        """Those that become slim."""
        return {side: self.job.quartet.generators[side] for side in self.sides}


def contest(
    checkpoint: Path, data: DataSource | None, comparison: Comparison, folder: Path, reporter: Reporter,
    own: Own = READERS_ALONE,
) -> Contest:  # fmt: skip
    """Check all cells before any is begun; what no cell asks for adapts as in a compression.

    Raises as `prepare`, and `DataError` without test pictures.
    """
    job = prepare(checkpoint, data, comparison.cells[0].settings, reporter, recovers=False, own=own)
    source = DataSource.of_config(job.config["data"])

    def fitting(cell: Cell) -> Cell:
        return replace(cell, settings=fitted(cell.settings, job.quartet, source).settings)

    cells, others = (tuple(map(fitting, some)) for some in (comparison.cells, comparison.others))
    comparison, settings = replace(comparison, cells=cells, others=others), [cell.settings for cell in cells]
    if comparison.settings.task is not None and job.quartet.options.get("direction") == "BtoA":
        raise UsageError(
            f"task {comparison.settings.task} is of a training --direction AtoB, found one of BtoA, whose "
            "domains have changed places; give a copy of the settings file without `task`"
        )
    jobs = {cell.key: _with(job, cell.settings, checkpoint, source) for cell in cells}
    find_domains(source, ("train", "test"))
    for what, found in (
        ("--direction", {s.search.direction for s in settings}),
        ("--size", {str(s.pictures.size) for s in settings}),
    ):
        if len(found) > 1:
            raise UsageError(f"all cells must have one {what}, found {' and '.join(sorted(found))}")
    first = settings[0]
    return Contest(comparison, jobs, folder, first.search.sides, first.pictures.size)


def _with(job: Prepared, settings: CompressSettings, checkpoint: Path, source: DataSource) -> Prepared:
    """The same networks and pictures with other settings, checked."""
    check_networks(job.quartet, settings, checkpoint, source, recovers=False)
    resolved = Resolved.of(settings.compute)
    config = {**job.config, "settings": settings.to_flat(), "resolved": asdict(resolved)}
    check_target(job.completed().generators, settings)
    return replace(job, settings=settings, resolved=resolved, config=config)


def judged_by(network: FeatureNetwork, segmenter: Segmenter | None) -> dict[str, str]:
    """What tells the networks that judge pictures, and how they are fed."""
    segmented = {} if segmenter is None else {FCN: sha256(segmenter.path), FCN_INPUT: segmenter.takes}
    return {FEATURES: network.name} | segmented


def circumstances(found: Contest, judges: Mapping[str, str]) -> dict[str, Any]:
    """What all figures depend on, besides the settings of cells. judges: see `judged_by`."""
    folders = found.job.folders
    counts = {f"{part}_{side}": len(folders.pictures(part, side)) for part in ("train", "val", "test")
              for side in DOMAINS}  # fmt: skip
    return {
        "sha256": found.job.config["sha256"], "pictures": counts, "test pictures": _content(folders),
        "size": found.size, "fid": found.comparison.settings.fid, **judges,
    }  # fmt: skip


def _content(folders: PictureFolders) -> str:
    """16 hexadecimal digits that change with any byte of the test pictures, and their order."""
    digest = hash_of()
    for side in DOMAINS:
        for path in folders.pictures("test", side):
            digest.update(sha256(path).encode())
    return digest.hexdigest()[:16]


def folder_of(output: Path | None, config: str) -> Path:
    """``-o``, or compare- and the name of the settings file, below runs/."""
    return output or Path("runs") / f"compare-{Path(config).stem}"


def check_sources(config: str, checkpoint: Path | None, data: DataSource | None) -> None:
    """Raises `UsageError` without a checkpoint, unless the settings file is of the example."""
    if checkpoint is not None:
        return
    if Path(config).stem != EXAMPLE:
        raise UsageError(f"CKPT is needed, only --config {EXAMPLE} goes without; give a CycleGAN run folder")
    if data is not None:
        raise UsageError("--data is of a CKPT, found none; give a CycleGAN run folder before it")


class Planned(TypedDict):
    """A cell that would be run."""

    cell: str
    seed: int
    method: str
    done: bool
    seconds: float
    untimed: str  # the budget, where it is no time
    budget: str


class Outline(TypedDict):
    """What a comparison would do."""

    cells: list[Planned]
    seconds: float  # of those that are not done


def outline(found: Contest, reporter: Reporter) -> Outline:
    """What would be done; times the originals on one picture, and writes nothing.

    Raises `RunError` for finished cells that were made in another way.
    """
    rows, pace = list[Planned](), 0.0
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
