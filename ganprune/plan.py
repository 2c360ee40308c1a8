"""What a compression would do and about how long it would take, before it does anything."""

import copy
import statistics
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn

from ganprune.images.sources import Domain
from ganprune.models.traits import channels_of
from ganprune.pruning.cost import macs
from ganprune.scoring import cluster_workers
from ganprune.settings import CompressSettings
from ganprune.stages import Resolved
from ganprune.system.device import cpu_threads, resolve_threads

TUNE_PASSES = 7
"""A step of fine-tuning costs about so many passes there, back and through the discriminator."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The size of a search and an estimate of its time."""

    individuals: int
    """Individuals to be scored: both populations, all generations, generation 0 too."""
    pictures: int
    """Pictures that each is scored on."""
    size: int
    """Height and width of the pictures, pixels."""
    passes: int
    """Passes of one picture through a generator or discriminator, at most; known genomes need fewer."""
    seconds: float
    """Estimate for the search, from timing the originals on one picture."""
    device: str
    precision: str
    threads: int
    workers: int
    """Processes that score individuals, on this machine or on the nodes of a cluster."""
    target_macs: dict[str, float | None]
    """Share of the true MACs that each generator may keep; None: γ alone decides."""
    original_macs: dict[str, int]
    """True MACs of the originals at this size."""

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


@torch.inference_mode()
def plan(
    generators: Mapping[Domain, nn.Module],
    judges: Mapping[Domain, nn.Module],
    settings: CompressSettings,
    resolved: Resolved,
) -> Plan:
    """Size the search; times one picture through both originals, a second or two. Writes nothing.

    Joins the cluster for a moment where there is one to score on; raises `UsageError` where that fails.
    """
    search, size, n = settings.search, settings.pictures.size, settings.pictures.pictures
    scored = search.population * (search.generations + 1)
    passes, seconds, one = 0, 0.0, dict[Domain, float]()
    for side, generator in generators.items():
        share = search.constraints(side).share or 0.25  # coin flips keep about a quarter
        one[side] = _seconds_of(generator, size, resolved) * (share if side in search.sides else 1)
    for side in search.sides:
        judge = [_seconds_of(judges[side], size, resolved)] if side in judges else []
        identity = [one[side]] if search.lambda_identity > 0 else []
        each = [*one.values(), *identity, *judge]  # there, back through the partner
        passes += scored * n * len(each)
        seconds += scored * n * sum(each)
        tuning = settings.pictures.tune_steps * TUNE_PASSES * sum([*one.values(), *judge])
        seconds += scored * tuning
    # Workers beyond the cores that there are for them make nothing faster.
    compute, threads = settings.compute, resolved.scoring_threads
    workers = compute.workers or 1
    if compute.ray is not None:
        workers = cluster_workers(compute.ray, resolved.device, threads, compute.workers)
        seconds /= min(workers, search.population)
    else:
        room = max(1, resolve_threads(None) // threads)
        seconds /= 1 if resolved.device.startswith("cuda") else min(workers, room)
    return Plan(
        individuals=len(search.sides) * scored,
        pictures=n,
        size=size,
        passes=passes,
        seconds=seconds,
        device=resolved.device,
        precision=resolved.precision,
        threads=resolved.scoring_threads,
        workers=workers,
        target_macs={f"G_{side}": search.constraints(side).target_macs for side in search.sides},
        original_macs={f"G_{side}": macs(generators[side], size, size, "true") for side in search.sides},
    )


def _seconds_of(net: nn.Module, size: int, resolved: Resolved) -> float:
    """Median of three passes of one batch, a picture of it, after one that warms up."""
    dtype = torch.bfloat16 if resolved.precision == "bfloat16" else torch.float32
    twin = copy.deepcopy(net).to(resolved.device, dtype)
    channels, _ = channels_of(net)
    x = torch.zeros(resolved.batch, channels, size, size, device=resolved.device, dtype=dtype)
    times: list[float] = []
    with cpu_threads(resolved.scoring_threads):
        for _ in range(4):
            start = time.perf_counter()
            twin(x).float().mean().item()  # .item() waits for the device
            times.append(time.perf_counter() - start)
    return statistics.median(times[1:]) / resolved.batch
