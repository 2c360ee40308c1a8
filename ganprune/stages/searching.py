"""Algorithm 1 in a run folder: a saved state and a line of search.jsonl after every generation."""

import copy
import hashlib
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace

import numpy as np
from torch import Tensor, nn

from ganprune.figures import search_curves
from ganprune.images import readable, to_float
from ganprune.pruning.genome import Layout
from ganprune.pruning.latency import Latency, LatencyTable
from ganprune.pruning.repair import Repairer
from ganprune.pruning.resources import Resource
from ganprune.refit import as_scores
from ganprune.reporting import Reporter
from ganprune.scoring import (
    FineTuner,
    LocalScorer,
    Pool,
    PoolScorer,
    ProcessPool,
    RayPool,
    Scores,
    ScoringInputs,
    ScoringSettings,
    tuning_pictures,
)
from ganprune.scoring.originals import original_removals
from ganprune.search import SEARCHERS
from ganprune.search.coevolution import Generation, State, describe, describe_controls
from ganprune.settings import CompressSettings
from ganprune.settings.words import DOMAINS, Domain
from ganprune.stages.job import Job, Resolved, gram_pictures, scored_files, scored_pictures
from ganprune.stages.saved import HISTORY, STATE, save, saved
from ganprune.storage.files import write_atomically
from ganprune.system.device import cpu_threads, resolve_device, resolve_threads

CURVES = "search.svg"
CACHE = "cache"  # folder of what the originals make of the search's pictures; it may be deleted at any time


def layouts(generators: Mapping[Domain, nn.Module], settings: CompressSettings) -> dict[Domain, Layout]:
    """The genome layouts of the generators that evolve."""
    search = settings.search
    return {side: Layout.of(generators[side], search.layout) for side in search.sides}


def check_target(
    generators: Mapping[Domain, nn.Module],
    settings: CompressSettings,
    tables: Mapping[Domain, LatencyTable] | None = None,
) -> None:
    """Raises `UsageError` where no network of the alignment asked for is as small as the target.

    tables: of this machine's speed; without them the target in milliseconds is left out.
    """
    both = layouts(generators, settings)
    latency = _latency(both, tables)
    for side, layout in both.items():
        limits = settings.search.constraints(side)
        known = limits if latency else replace(limits, target_ms=None)
        Repairer(layout, known, latency.get(side))


def _latency(
    layouts: Mapping[Domain, Layout], tables: Mapping[Domain, LatencyTable] | None
) -> dict[Domain, Resource]:
    return {side: Latency(tables[side], layout) for side, layout in layouts.items()} if tables else {}


def search(job: Job) -> State:
    """Run Algorithm 1 or another searcher to its end, saving each generation; go on from a saved state.

    Writes state.safetensors, search.jsonl and search.svg. Raises `RunError` for a damaged state, or one
    that was made from other pictures, and `UsageError` where this machine lacks the device it was begun on.
    """
    run, settings, resolved, reporter = job.run, job.settings, job.resolved, job.reporter
    both, seen = layouts(job.originals, settings), gram_pictures(job) if settings.search.refit else {}
    pictures = scored_pictures(job)
    fingerprint = picture_hash(pictures, seen)
    state, lines = saved(run, both, settings.search, fingerprint)
    if state is not None and run.finished("search"):
        return state
    started = time.monotonic()
    if state is None or state.generation < settings.search.generations:
        resolve_device(resolved.device)
        done = 0 if state is None else state.generation + 1
        if done:
            reporter.info(f"going on with the search after generation {done - 1}")
        scored = len(both) * settings.search.population
        individuals = scored * (settings.search.generations + 1)
        workers, threads = settings.compute.workers or 1, resolved.scoring_threads
        address = settings.compute.ray
        if address is None:
            _warn_of_crowding(workers, threads, resolved.device, reporter)
        with cpu_threads(threads):
            scores, costs = _weighed(job, both, seen)
        with (
            cpu_threads(threads),
            reporter.task("search", individuals, scored * done) as task,
            ExitStack() as stack,
        ):
            inputs = ScoringInputs(
                job.originals, job.discriminators if settings.search.loss == "disa" else {}, both,
                pictures, _scoring(settings, resolved), tuner_for(job), run / CACHE, seen,
            )  # fmt: skip
            scorer: LocalScorer | PoolScorer = LocalScorer(inputs, task.advance, reporter)
            # What the original itself and untouched inputs score: in the first line of search.jsonl.
            controls: dict[Domain, Scores] = {} if done else {side: scorer.controls(side) for side in both}
            if (pool := _pool(settings, inputs, threads, reporter)) is not None:
                # What the originals make of the pictures is in the cache now: workers read it.
                scorer = stack.enter_context(PoolScorer(pool, task.advance, reporter))
            before, counted = time.monotonic(), 0
            latency = _latency(both, job.tables)
            floor = dict[Domain, float]()
            if settings.search.cycle == "excess":
                floor |= {side: float(found.L_cyc[0]) for side, found in controls.items()}
            searcher = SEARCHERS[settings.search.searcher](
                settings.search, both, scorer, scores or None, latency, costs or None, floor
            )
            for current in searcher.states(state):
                now, count = time.monotonic(), scorer.evaluations
                line = describe(current, settings.search)
                line["evaluations"], line["seconds"] = count - counted, round(now - before, 3)
                if current.generation == 0:
                    line["controls"] = {
                        side: describe_controls(settings.search, side, found, current.floor.get(side, 0.0))
                        for side, found in controls.items()
                    }
                lines.append(line)
                save(run, current, lines, fingerprint)
                task.advance(0, **_figures(line, settings.search.generations))
                state, before, counted = current, now, count
    assert state is not None
    _tell_targets(job, state, both)
    write_atomically(run / CURVES, search_curves(lines, settings.search.meet).encode())
    files = [run / STATE, run / HISTORY, run / CURVES]
    run.finish("search", files, time.monotonic() - started, pictures_sha256=fingerprint)
    return state


def _weighed(
    job: Job, layouts: Mapping[Domain, Layout], seen: Mapping[Domain, Tensor]
) -> tuple[dict[Domain, Tensor], dict[Domain, list[np.ndarray]]]:
    """How hard each filter is to do without, and what it costs to keep few of a gene; see `CoEvolution`.

    seen: the pictures of the Gram matrices, of each side; nothing of a side that has none."""
    scores, costs = dict[Domain, Tensor](), dict[Domain, list[np.ndarray]]()
    for side, pictures in seen.items():
        original = copy.deepcopy(job.originals[side]).to(job.resolved.device)
        x = to_float(pictures).to(job.resolved.device)
        gone = original_removals(original, layouts[side], x, job.run / CACHE, side, job.reporter)
        scores[side], costs[side] = as_scores(gone), [removal.costs.numpy() for removal in gone.values()]
    return scores, costs


def tuner_for(job: Job) -> FineTuner | None:
    """What fine-tunes every individual before it is scored; None where no steps are asked for."""
    steps = job.settings.pictures.tune_steps
    if not steps:
        return None
    seed, holdout = job.settings.search.seed, job.settings.pictures.pictures
    scored = {path for files in scored_files(job).values() for path in files}
    chosen = tuning_pictures(readable(job.folders), seed=seed, holdout=holdout, scored=scored)
    return FineTuner(job.discriminators, chosen, job.recipe, steps, job.quartet.channels)


def _pool(settings: CompressSettings, inputs: ScoringInputs, threads: int, reporter: Reporter) -> Pool | None:
    """Where individuals are scored; None: in this process."""
    address, workers = settings.compute.ray, settings.compute.workers
    if address is not None:
        return RayPool(inputs, address, workers=workers, threads=threads, reporter=reporter)
    return ProcessPool(inputs, workers=workers, threads=threads) if workers and workers > 1 else None


def _tell_targets(job: Job, state: State, layouts: Mapping[Domain, Layout]) -> None:
    """Say what the best genomes came to, and where that is not within 2 % below a target."""
    search, latency = job.settings.search, _latency(layouts, job.tables)
    for side, layout in layouts.items():
        repairer = Repairer(layout, search.constraints(side), latency.get(side))
        for option, amount, met in repairer.outcome(state.populations[side].best_genome):
            line = f"G_{side}: {amount}, {option}"
            if met:
                job.reporter.info(line)
            else:
                job.reporter.warn(
                    f"{line}: no nearer in steps of --set align={search.align}; a smaller one comes nearer"
                )


def picture_hash(*pictures: Mapping[Domain, Tensor]) -> str:
    """SHA-256 of the pixels of all sides, as far as they are there."""
    digest = hashlib.sha256()
    for part in pictures:
        for side in sorted(part):
            digest.update(repr(tuple(part[side].shape)).encode())
            digest.update(part[side].numpy().tobytes())
    return digest.hexdigest()


def _scoring(settings: CompressSettings, resolved: Resolved) -> ScoringSettings:
    search, pictures = settings.search, settings.pictures
    return ScoringSettings(
        resolved.device, resolved.precision, resolved.batch, pictures.reduction, pictures.gena_mean,
        search.refit, identity=search.lambda_identity > 0, cycle=search.lambda_cycle > 0,
    )  # fmt: skip


def _warn_of_crowding(workers: int, threads: int, device: str, reporter: Reporter) -> None:
    cores = resolve_threads(None)
    if device == "cpu" and workers > 1 and workers * threads > cores:
        reporter.warn(
            f"--workers {workers} of {threads} threads each share {cores} cores, which is no faster; "
            "a run keeps the threads that it was begun with"
        )


def _figures(line: Generation, generations: int) -> dict[str, float | str]:
    """What a search shows beside its progress; search.jsonl has the rest."""
    best = [(side, one["fitness"]) for side in DOMAINS if (one := line.get(side))]
    fitness = " and ".join(f"{value:.4g} (G_{side})" for side, value in best)
    return {"generation": f"{line['generation']} of {generations}", "fitness": f"{fitness}, higher is better"}
