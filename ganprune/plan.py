"""What a compression would do, stage by stage, and about how long each takes, before it does anything.

A stage's time is a count of what it does, by the job's settings, times what that takes here: `ganprune.pace`.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from torch import nn

from ganprune.bench import BenchSettings
from ganprune.models.traits import channels_of
from ganprune.pace import BETTER, QUIET, TRACES, Pace, pace_of, passes
from ganprune.pruning.cost import macs, params
from ganprune.report.showcase import SHOWN
from ganprune.scoring import cluster_workers
from ganprune.settings import CompressSettings
from ganprune.settings.words import OTHER, Domain
from ganprune.stages import Resolved, layouts
from ganprune.stages.cutting import as_many_as_fit
from ganprune.stages.job import squares_of
from ganprune.stages.quality import MOST_PICTURES
from ganprune.stages.racing import STEPS as RACE_STEPS
from ganprune.stages.racing import steps_of
from ganprune.stages.sizing import STEPS
from ganprune.system.device import resolve_threads
from ganprune.training import Budget
from ganprune.training.pictures import lessons_in

TUNE_PASSES = 7
"""A step of CycleGAN's recipe costs about so many passes there, back and through the discriminator."""
BACK = 3  # a pass there and back through a network that learns costs about so many passes there
EXPORTS = 3  # files of each slim generator: the original as it is, the original rewritten, and the slim one
CHECKED = 6  # passes of a picture that tracing and verifying a file come to
FIRST, EXPORT, WEIGHT, LOAD, REPORT = 2.0, 1.5, 1.3e-7, 0.5, 4.0
"""Seconds of a core of today: to import what exports, to write a file, for each of its weights, to start a
process that times one, and to draw the report."""


@dataclass(frozen=True, slots=True)
class Counted:
    """What the stages' times are counted from."""

    settings: CompressSettings
    resolved: Resolved
    paces: Mapping[Domain, Pace]  # of every generator that evolves
    originals: Mapping[Domain, nn.Module]
    speedup: float  # by how much workers shorten the search
    trained: int  # training pictures of the larger domain
    lacking: bool  # whether networks are trained before the search
    bench: BenchSettings | None  # how files are timed; None: not
    report: bool

    @property
    def n(self) -> int:
        """Pictures that every individual is scored on."""
        return self.settings.pictures.pictures

    def over(self, seconds: Callable[[Pace], float]) -> float:
        """Summed over the generators that evolve."""
        return sum(map(seconds, self.paces.values()))


def _recovering(c: Counted) -> float:
    if not c.lacking:
        return 0.0
    budget = Budget.parse(c.settings.recovery.recover_budget)
    steps = budget.steps(c.trained, 1)
    return budget.amount if steps is None else steps * TUNE_PASSES * c.over(lambda p: p.exact + p.judge)


def _sizing(c: Counted) -> float:
    if not c.settings.search.quality:
        return 0.0
    each = c.over(lambda p: p.cut + c.n * (p.exact + p.slim) / 2)
    return _weighing(c) + STEPS * each + c.n * c.over(lambda p: p.exact)


def _weighing(c: Counted) -> float:
    n = c.settings.pictures.gram_pictures or c.n
    return c.over(lambda p: n * p.gram + p.weigh) if c.settings.search.refit else 0.0


def _searching(c: Counted) -> float:
    search, known = c.settings.search, bool(c.settings.search.quality)
    evolved = search.partners == "evolved" and len(c.paces) > 1
    scored, seconds = search.population * (search.generations + 1), 0.0
    for side, pace in c.paces.items():
        other = c.paces.get(OTHER[side], pace)
        back = (other.slim if evolved else other.original) if search.lambda_cycle else 0.0
        each = pace.slim * (2 if search.lambda_identity else 1) + pace.judge + back
        steps = c.settings.pictures.tune_steps
        tuned = steps * TUNE_PASSES * (pace.slim + other.slim + pace.judge)
        seconds += scored * ((pace.cut if search.refit else 0.0) + c.n * each + tuned) / c.speedup
        seconds += 3 * c.n * (pace.original + pace.judge)  # the originals themselves, and the controls
    return seconds + (0.0 if known else _weighing(c))


def _refitting(c: Counted) -> float:
    n, size = c.settings.tuning.refit_pictures, c.settings.pictures.size
    if not n:
        return 0.0
    both = layouts(c.originals, c.settings)
    few = {side: as_many_as_fit(n, size, layout.graph) for side, layout in both.items()}
    return sum(pace.cut + TRACES * pace.exact + few[side] * pace.refit for side, pace in c.paces.items())


def _racing(c: Counted) -> float:
    """What a race costs besides the winner's own refit and steps, which are not made again."""
    n = min(c.settings.tuning.races, c.settings.search.population)
    if n < 2:
        return 0.0
    own = RACE_STEPS * math.ceil(math.log2(n))
    return (n - 1) * _refitting(c) + _training(c, steps_of(n) - own)


def _training(c: Counted, steps: int) -> float:
    tuning = c.settings.tuning
    distils, shown = tuning.recipe == "distil", steps * tuning.tune_batch
    step = c.over(lambda p: BACK * (p.slim + p.judge)) if distils else (
        TUNE_PASSES * c.over(lambda p: p.slim + p.judge))  # fmt: skip
    lessons = lessons_in(steps, tuning.distil_repeats) * tuning.tune_batch
    return shown * step + (min(lessons, c.trained) * c.over(lambda p: p.exact) if distils else 0.0)


def _tuning(c: Counted) -> float:
    tuning = c.settings.tuning
    budget = Budget.parse(tuning.budget)
    if not budget.amount:
        return 0.0
    steps = budget.steps(c.trained, tuning.tune_batch)
    seconds = budget.amount if steps is None else _training(c, steps)
    kinds = 2 if tuning.average else 1
    times = tuning.validations and tuning.validations + (tuning.recipe == "distil")  # one before all steps
    scored = times * kinds * c.n * c.over(lambda p: 2 * p.slim + p.judge)
    return seconds + scored + c.n * c.over(lambda p: p.exact + p.judge)


def _looking(c: Counted) -> float:
    shown = min(c.n, SHOWN) * c.over(lambda p: p.exact + 2 * p.exact_slim)
    return shown + MOST_PICTURES * c.over(lambda p: 2 * p.exact + p.exact_slim + 4 * p.judge)


def _exporting(c: Counted) -> float:
    weights = sum(params(c.originals[side]) for side in c.paces)
    passes = c.over(lambda p: 2 * p.exact + p.exact_slim)
    return FIRST + EXPORTS * EXPORT * len(c.paces) + 2 * WEIGHT * weights + CHECKED * passes


def _timing(c: Counted) -> float:
    if c.bench is None:
        return 0.0
    bench, a_round = c.bench, c.over(lambda p: 2 * p.exact + p.exact_slim)
    least = (bench.warmup + bench.minimum) * a_round
    return sum(max(bench.seconds, least) + EXPORTS * len(c.paces) * LOAD for _ in bench.threads)


STAGES: Mapping[str, tuple[str, Callable[[Counted], float]]] = {
    "recover": ("training the networks that the checkpoint lacks", _recovering),
    "size": ("how fast a network may be that draws as asked for", _sizing),
    "search": ("which filters to keep", _searching),
    "race": ("which of the best individuals trains best", _racing),
    "refit": ("the kept filters make up for the others, by least squares", _refitting),
    "fine-tune": ("training the slim networks", _tuning),
    "pictures": ("what original and slim network draw, and how far apart that is", _looking),
    "export": ("ONNX files, each verified", _exporting),
    "timing": ("slim networks against originals in ONNX Runtime", _timing),
    "report": ("one page on the run", lambda c: REPORT if c.report else 0.0),
}
"""By name, in order: what each does, and its seconds. Those that take none are not in a plan."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The stages of a job, the size of its search, and an estimate of its time."""

    stages: Mapping[str, float]  # seconds, by their names in `STAGES`
    individuals: int  # individuals to be scored: both populations, all generations, generation 0 too
    pictures: int  # pictures of a domain, or squares of such, that each is scored on
    scored_size: int  # their height and width, pixels
    size: int  # height and width of the pictures, pixels
    device: str
    precision: str
    threads: int
    workers: int  # processes that score individuals, on this machine or on the nodes of a cluster
    target_macs: dict[str, float | None]
    """Share of the true MACs that each generator may keep; None: γ alone decides."""
    original_macs_true: dict[str, int]
    """True MACs of the originals at this size."""
    busy: str = ""
    """Why the times are guesses; empty on an idle machine."""
    timing_seconds: float = 0.0
    """Seconds that timing this machine took for the plan; a job does it, too, before its first stage."""
    seconds: float = field(init=False)
    """Seconds of timing this machine and of all stages."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "seconds", self.timing_seconds + sum(self.stages.values()))

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def plan(
    generators: Mapping[Domain, nn.Module], judges: Mapping[Domain, nn.Module], settings: CompressSettings,
    resolved: Resolved, *, trained: int = 0, lacking: bool = False, bench: BenchSettings | None = None,
    report: bool = False,
) -> Plan:  # fmt: skip
    """Count what a job does and time its parts, some seconds for full-size networks. Writes nothing.

    trained: training pictures of the larger domain. lacking: networks are trained first. bench, report:
    whether files are timed and a report is drawn. Joins the cluster for a moment where there is one to score
    on; raises `UsageError` where that fails.
    """
    search, size = settings.search, settings.pictures.size
    both, paces, known = layouts(generators, settings), dict[Domain, Pace](), dict[str, Pace]()
    for side, layout in both.items():
        judge = judges.get(side) if search.loss == "disa" else None
        kind = f"{generators[side]} {judge} {search.constraints(side)}"
        if kind not in known:
            limits = search.constraints(side)
            known[kind] = pace_of(generators[side], judge, limits, layout, settings, resolved)
        paces[side] = known[kind]
    compute, threads = settings.compute, resolved.scoring_threads
    workers = compute.workers or 1
    if compute.ray is not None:
        workers = cluster_workers(compute.ray, resolved.device, threads, compute.workers)
        speedup = min(workers, search.population)
    else:  # workers beyond the cores that there are for them make nothing faster
        room = max(1, resolve_threads(None) // threads)
        speedup = 1 if resolved.device.startswith("cuda") else min(workers, room)
    counted = Counted(settings, resolved, paces, generators, speedup, trained, lacking, bench, report)
    seconds = {name: count(counted) for name, (_, count) in STAGES.items()}
    pictures, scored_size = squares_of(settings, generators, judges)
    return Plan(
        stages={name: value for name, value in seconds.items() if value},
        individuals=len(search.sides) * search.population * (search.generations + 1),
        pictures=pictures,
        scored_size=scored_size,
        size=size,
        device=resolved.device,
        precision=resolved.precision,
        threads=threads,
        workers=workers,
        target_macs={f"G_{side}": search.constraints(side).target_macs for side in search.sides},
        original_macs_true={f"G_{side}": macs(generators[side], size, size, "true") for side in search.sides},
    )


def better_threads(
    generators: Mapping[Domain, nn.Module], settings: CompressSettings, resolved: Resolved
) -> tuple[Resolved, str]:
    """One thread for scoring or all, whichever is faster here where nobody asked; and why times are guesses.

    All, unless one is clearly faster, as on small pictures and on machines that others use. Training keeps
    all: it has work for several. The second value is empty on an idle machine.
    """
    if resolved.device != "cpu":
        return resolved, ""
    side, size = settings.search.sides[0], settings.pictures.size
    channels, _ = channels_of(generators[side])
    alone = replace(resolved, worker_threads=1)
    one, got = passes(generators[side], channels, size, alone)
    if settings.compute.threads is None and resolved.scoring_threads > 1:
        several, share = passes(generators[side], channels, size, resolved)
        got = min(got, share)
        resolved = alone if one < BETTER * several else resolved
    return resolved, "" if got > QUIET else f"this program gets {got:.0%} of a core that it asks for"
