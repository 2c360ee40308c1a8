"""Ask for quality: how fast a network may be that still draws as was asked for, found before any training.

By bisection over the speed-up: of each, the network that loses least by `ganprune.refit.surgeon`, refitted
from Gram matrices, draws the search's pictures. The search then makes the best of the speed that was found.
"""

import copy
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from ganprune.errors import TargetError, UsageError
from ganprune.images import to_float
from ganprune.images.sources import Domain
from ganprune.pruning.genome import Layout
from ganprune.pruning.rebuild import recalibrated
from ganprune.pruning.repair import Constraints, Repairer
from ganprune.refit import as_scores, refitted_from
from ganprune.scoring.originals import grams_file, original_grams, original_removals
from ganprune.stages.job import Job
from ganprune.stages.searching import CACHE, layouts
from ganprune.storage.plain import NUMBER, fits
from ganprune.system.device import cpu_threads, resolve_device

FASTEST = 64.0
"""No speed-up above this is tried."""
STEPS = 9
"""Halvings of the logarithm of the speed-up: the last one is of 0.8 %."""
_STAGE = "size"


def sized(job: Job) -> Job:
    """The same with the speed-ups that ``min-psnr`` comes to as its targets; without it, as it is.

    They are kept in provenance.json. Raises `TargetError` where not even the largest network that is no
    original draws so well.
    """
    least, known = job.settings.search.min_psnr, job.run.provenance.get("stages", {}).get(_STAGE, {})
    if least is None:
        return job
    speeds: list[float] = known.get("speed_up", [])
    if not fits(speeds, [NUMBER]) or len(speeds) != 2:
        resolve_device(job.resolved.device)
        started, found = time.monotonic(), dict[Domain, float]()
        with cpu_threads(job.resolved.scoring_threads):
            for side, layout in layouts(job.originals, job.settings).items():
                found[side] = _fastest(job, side, layout, least)
        speeds = [found.get(side, 1.0) for side in ("A", "B")]
        job.run.finish(_STAGE, [], time.monotonic() - started, speed_up=speeds)
    told = ", ".join(f"G_{side} {speeds['AB'.index(side)]:.2f} times" for side in job.settings.search.sides)
    job.reporter.info(f"--min-psnr {least:g}: before training that allows {told} the original's speed")
    return replace(job, settings=job.settings.changed({"speed-up": speeds}))


def _fastest(job: Job, side: Domain, layout: Layout, least: float) -> float:
    original = copy.deepcopy(job.originals[side]).to(job.resolved.device)
    x = to_float(job.pictures[side]).to(job.resolved.device)
    gone = original_removals(original, layout, x, job.run / CACHE, side, job.reporter)
    found = original_grams(original, layout.graph, x, job.run / CACHE / grams_file(side), job.reporter)
    scores, costs = as_scores(gone), [removal.costs.numpy() for removal in gone.values()]

    def draw(genome: Tensor) -> nn.Module:
        return recalibrated(refitted_from(found, original, layout, genome), x.split(1))

    limits = job.settings.search.constraints(side)
    with torch.inference_mode(), job.reporter.task(f"sizing G_{side}", STEPS) as task:
        wanted = [original(picture) for picture in x.split(1)]
        reached = fastest_within(
            layout, limits, costs, scores,
            lambda genome: _psnr(draw(genome), x.split(1), wanted) >= least, task.advance,
        )  # fmt: skip
    if reached is None:
        raise TargetError(
            f"G_{side}: --min-psnr {least:g} is reached by no network smaller than the original before "
            "training; ask for less, or for a speed-up or a size"
        )
    return reached


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


def _psnr(slim: nn.Module, pictures: Sequence[Tensor], wanted: Sequence[Tensor]) -> float:
    """dB, of a range of 2, over all pictures together."""
    errors = [(slim(x) - y).double().square().mean() for x, y in zip(pictures, wanted, strict=True)]
    error = float(torch.stack(errors).mean())
    return math.inf if error == 0 else 10 * math.log10(4 / error)
