"""Ask for quality: how fast a network may be that still draws as was asked for, found before any training.

By bisection over the speed-up: of each, the network that loses least by `ganprune.refit.surgeon`, refitted
from Gram matrices, draws the search's pictures. The search then makes the best of the speed that was found.
"""

import copy
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from ganprune.errors import TargetError, UsageError
from ganprune.images import in_channels, to_float, to_uint8
from ganprune.metrics.controls import decibels, lost
from ganprune.metrics.extractor import FeatureNetwork, features_of
from ganprune.metrics.loading import load_features
from ganprune.pruning.genome import Layout
from ganprune.pruning.repair import Constraints, Repairer
from ganprune.pruning.statistics import following, seen_by_norms
from ganprune.refit import as_scores, refitted_from
from ganprune.scoring.originals import grams_file, original_grams, original_removals
from ganprune.settings import CompressSettings
from ganprune.settings.words import FEATURES, FETCH_FEATURES, Domain
from ganprune.stages.job import Job, gram_pictures
from ganprune.stages.searching import CACHE, layouts
from ganprune.storage.plain import fits
from ganprune.system.device import cpu_threads, reproducible, resolve_device

FASTEST = 64.0  # no speed-up above this is tried
STEPS = 9  # halvings of the logarithm of the speed-up: the last one is of 0.8 %
_STAGE = "size"

Good = Callable[[Tensor], bool]  # whether pictures, [n, c, h, w] in [-1, 1], are as good as was asked for


def sized(job: Job) -> Job:
    """The same with the speed-ups that what was asked of quality comes to as its targets; without, as it is.

    They are kept in provenance.json. Raises `TargetError` where not even the largest network that is no
    original draws so well.
    """
    asked, known = job.settings.search.quality, job.run.provenance.get("stages", {}).get(_STAGE, {})
    if not asked:
        return job
    speeds: list[float] = known.get("speed_up", [])
    if not fits(speeds, list[float]) or len(speeds) != 2:
        resolve_device(job.resolved.device)
        started, found = time.monotonic(), dict[Domain, float]()
        with cpu_threads(job.resolved.scoring_threads):
            for side, layout in layouts(job.originals, job.settings).items():
                found[side] = _fastest(job, side, layout)
        speeds = [found.get(side, 1.0) for side in ("A", "B")]
        job.run.finish(_STAGE, [], time.monotonic() - started, speed_up=speeds)
    told = ", ".join(f"G_{side} {speeds['AB'.index(side)]:.2f} times" for side in job.settings.search.sides)
    job.reporter.info(f"{asked}: before training that allows {told} the original's speed")
    return replace(job, settings=job.settings.changed({"speed-up": speeds}))


def feature_network(
    settings: CompressSettings, device: str = "cpu", threads: int | None = None
) -> FeatureNetwork | None:
    """What ``max_lost`` is measured by; None without it. Raises as `load_features`, and `UsageError` where
    none was given."""
    if settings.search.max_lost is None:
        return None
    path = settings.pictures.lost_by or os.environ.get(FEATURES)
    if not path:
        raise UsageError(
            "--max-lost needs a network of features, found none: give --set lost-by=FILE or set "
            f"{FEATURES}; {FETCH_FEATURES}"
        )
    return load_features(path, device, threads)


def _fastest(job: Job, side: Domain, layout: Layout) -> float:
    original = copy.deepcopy(job.originals[side]).to(job.resolved.device)
    x = to_float(job.pictures[side]).to(job.resolved.device)
    seen = to_float(gram_pictures(job)[side]).to(job.resolved.device)
    gone = original_removals(original, layout, seen, job.run / CACHE, side, job.reporter)
    found = original_grams(original, layout.graph, seen, job.run / CACHE / grams_file(side), job.reporter)
    scores, costs = as_scores(gone), [removal.costs.numpy() for removal in gone.values()]

    def drawn(network: nn.Module) -> Tensor:
        return torch.cat([network(picture) for picture in x.split(1)])

    def slim(genome: Tensor) -> nn.Module:
        cut = refitted_from(found, original, layout, genome)
        return following(cut, layout, genome, norms, x.split(1))

    limits = job.settings.search.constraints(side)
    with torch.inference_mode(), reproducible(), job.reporter.task(f"sizing G_{side}", STEPS) as task:
        norms = seen_by_norms(original, x.split(1))
        good = _as_good_as_asked(job, drawn(original), job.pictures[side])
        reached = fastest_within(
            layout, limits, costs, scores, lambda genome: good(drawn(slim(genome))), task.advance
        )
    if reached is None:
        raise TargetError(
            f"G_{side}: {job.settings.search.quality} is reached by no network smaller than the original "
            "before training; ask for less, or for a speed-up or a size"
        )
    return reached


def _as_good_as_asked(job: Job, wanted: Tensor, inputs: Tensor) -> Good:
    """wanted: what the original makes of the inputs."""
    search, seen = job.settings.search, None
    network = feature_network(job.settings, job.resolved.device, job.resolved.scoring_threads)
    if network is not None:
        untouched = in_channels(inputs, wanted.shape[1])  # not as floats: they would cost grey levels
        seen = network, features_of(network, to_uint8(wanted)), features_of(network, to_uint8(untouched))

    def good(made: Tensor) -> bool:
        # Of floats in a range of 2, not of the pictures as they are written: finer near the original.
        error = float((made - wanted).double().square().mean()) * (255 / 2) ** 2
        fine = search.min_psnr is None or decibels(error) >= search.min_psnr
        if not fine or seen is None or search.max_lost is None:
            return fine
        network, of_wanted, of_inputs = seen
        return lost(features_of(network, to_uint8(made)), of_wanted, of_inputs) <= search.max_lost

    return good


def fastest_within(
    layout: Layout, limits: Constraints, costs: Sequence[np.ndarray], scores: Tensor,
    good: Callable[[Tensor], bool], advance: Callable[[], object] = lambda: None,
) -> float | None:  # fmt: skip
    """The largest speed-up whose cheapest network is good enough, up to `FASTEST`; None: there is none.

    good: of a genome, bool [L]; it is taken to hold below every speed-up that it holds at.
    """
    low, high = 1.0, FASTEST
    for _ in range(STEPS):
        speed = (low * high) ** 0.5
        try:
            repairer = Repairer(layout, replace(limits, speed_up=speed))
        except UsageError:  # no network is as fast
            high = speed
        else:
            fine = good(layout.keeping(repairer.cheapest(costs), scores))
            low, high = (speed, high) if fine else (low, speed)
        advance()
    return low if low > 1 else None
