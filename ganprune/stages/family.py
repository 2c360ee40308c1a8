"""What a search for all sizes at once leaves: the fronts of both generators, and pairs of chosen sizes."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

from ganprune.errors import TargetError
from ganprune.figures.panels import curves
from ganprune.metrics.telling import Quality
from ganprune.pruning.cost import macs, params
from ganprune.pruning.fitness import psnr
from ganprune.pruning.genome import Layout
from ganprune.pruning.resources import Convolutions, Share
from ganprune.reporting import Reporter
from ganprune.runs import default_folder, open_run, write_json
from ganprune.search.coevolution import Population, State
from ganprune.search.front import best_within, front_of, objectives
from ganprune.settings.search import SearchSettings
from ganprune.settings.words import Domain
from ganprune.stages import finished_networks, rebuild_both, search
from ganprune.stages.job import Job, squares_of
from ganprune.stages.preparing import Prepared
from ganprune.stages.quality import measure_quality
from ganprune.stages.searching import STATE
from ganprune.storage.files import write_atomically
from ganprune.storage.plain import known_json

FRONT, DRAWN = "front.json", "front.svg"
FAR_BELOW = 0.75  # a pair of less than this part of the share that was asked for is told of


class Member(TypedDict):
    """A network of a front."""

    macs_share: float
    """Share of the original's true MACs."""
    weights_share: float
    L_DisA: float
    L_GenA: float
    L_cyc: float
    losses: float
    """L_DisA + λ L_cyc, or L_GenA's; with ``cycle`` of the settings."""
    filters: int
    speedup_by_work: float
    """How many times as fast as the original by the count of work."""
    psnr: float | None
    """dB from the original's pictures, refitted and not trained, on what ``scored_on`` of `FoundFront` says;
    None: not a bit apart."""


Members = dict[Domain, list[Member]]  # by side: the networks that no other beats in size and losses


class _Front(TypedDict):
    sides: Members


class SlimCost(TypedDict):
    """What a slim network of a pair costs."""

    macs_true: int
    params: int
    macs_share: float
    """Of the original's true MACs."""


class Pair(TypedDict):
    """Networks of a size that was asked for."""

    macs_share: float
    folder: str
    networks: dict[str, SlimCost]
    quality: Quality


class FoundFront(TypedDict):
    """What `find_front` found."""

    run: str
    front: Members
    scored_on: str  # what the dB of ``front`` are measured on: those of ``points`` are of whole pictures
    points: list[Pair]


def write_front(job: Job, state: State) -> Members:
    """Write front.json and front.svg: the networks of each side that no other beats in size and losses."""
    run, settings = job.run, job.settings.search
    if run.finished("front", [run / STATE]) and (known := known_json(run / FRONT, _Front)):
        return known["sides"]
    started, sides, lines = time.monotonic(), Members(), list[dict[str, float]]()
    for side, population in state.populations.items():
        floor = state.floor.get(side, 0.0)
        front = front_of(population, settings, floor)
        losses = objectives(front, settings, floor)[:, 1]
        layout = Layout.of(job.originals[side], settings.layout)
        counts = layout.gene_counts(front.genomes).numpy()
        work = Share(Convolutions.of_layout(layout, "work"), layout).of(counts)
        sides[side] = [
            {
                "macs_share": float(front.macs[i]), "weights_share": float(front.N[i]),
                "L_DisA": float(front.L_DisA[i]), "L_GenA": float(front.L_GenA[i]),
                "L_cyc": float(front.L_cyc[i]), "losses": float(losses[i]),
                "filters": int(front.genomes[i].sum()), "speedup_by_work": 1 / float(work[i]),
                "psnr": psnr(float(front.L_GenA[i])),
            }
            for i in range(len(front.macs))
        ]  # fmt: skip
        for point in sides[side]:
            line = {"share of MACs": point["macs_share"], f"losses {side}": point["losses"]}
            lines.append(line if point["psnr"] is None else line | {f"PSNR {side}": point["psnr"]})
    write_json(run / FRONT, {"schema": 1, "generation": state.generation, "sides": sides})
    panels = {
        f"{what} of G_{side}": {f"G_{side}": f"{key} {side}"}
        for side in sides
        for what, key in (("losses", "losses"), ("dB from the original", "PSNR"))
    }
    write_atomically(run / DRAWN, curves(lines, panels, x="share of MACs").encode())
    run.finish("front", [run / FRONT, run / DRAWN], time.monotonic() - started, [run / STATE])
    return sides


def pair_within(state: State, share: float, settings: SearchSettings) -> State:
    """The best network of each side with at most ``share`` of the MACs, as a search for one pair leaves it.

    Raises `TargetError` where the search has found none so small.
    """
    found = dict[Domain, Population]()
    for side, population in state.populations.items():
        floor = state.floor.get(side, 0.0)
        front = front_of(population, settings, floor)
        best = best_within(front, share, settings, floor)
        if best is None:
            raise TargetError(
                f"G_{side} of at most {share:g} of the MACs was asked for; the smallest that was found has "
                f"{float(front.macs.min()):.3f}; ask for larger ones, or search for more generations"
            )
        found[side] = best
    return State(state.generation, found)


def scored_on(job: Job) -> str:
    """Pictures that a search is scored on, and their mean: ``32 squares of 128×128, geometric mean``."""
    n, side = squares_of(job.settings, job.originals, job.discriminators)
    what = "pictures" if side == job.settings.pictures.size else "squares"
    return f"{n} {what} of {side}×{side}, {job.settings.pictures.gena_mean} mean"


def shares_of(text: str) -> tuple[float, ...]:
    """``0.5,0.25`` → shares of the MACs, each once, largest first. Raises `ValueError` for others."""
    shares = sorted({float(part) for part in text.split(",")}, reverse=True)
    if not all(0 < share <= 1 for share in shares):
        raise ValueError(text)
    return tuple(shares)


def find_front(
    prepared: Prepared, shares: Sequence[float], output: Path | None, command: str, reporter: Reporter
) -> FoundFront:
    """Search for all sizes; write the fronts, and the pairs of the sizes that are asked for.

    prepared: with the searcher ``front``. shares: of the originals' MACs, above 0 and at most 1. Every pair
    lies in a run folder of its own, points/<share>, fine-tuned as ``budget`` says. Raises as `search` and
    `fine_tune`, and `TargetError` where no network is as small as a share.
    """
    with prepared.opened(output or default_folder(prepared.config), command, reporter) as job:
        job.reporter.info(f"run folder: {job.run.folder}")
        state, points, size = search(job), list[Pair](), job.settings.pictures.size
        members = write_front(job, state)
        for share in shares:
            name = f"points/{share:g}"
            point = job.in_folder(open_run(job.run / name, job.run.config, command))
            pair = pair_within(state, share, job.settings.search)
            _, slim = finished_networks(point, rebuild_both(point, pair))
            costs: dict[str, SlimCost] = {
                f"G_{side}": {
                    "macs_true": (count := macs(net, size, size, "true")), "params": params(net),
                    "macs_share": count / macs(job.originals[side], size, size, "true"),
                }
                for side, net in slim.items()
            }  # fmt: skip
            for net, cost in costs.items():
                if (came := cost["macs_share"]) < FAR_BELOW * share:
                    job.reporter.warn(
                        f"{net} of {name} has {came:.1%} of the MACs, the best of up to {share:.1%} "
                        "that was found; give more --set generations, or `ganprune compress` with "
                        f"--target-macs {share:g}"
                    )
            quality = measure_quality(point, slim)
            points.append(
                {"macs_share": share, "folder": str(point.run.folder), "networks": costs, "quality": quality}
            )
        return {
            "run": str(job.run.folder), "front": members, "scored_on": scored_on(job), "points": points
        }  # fmt: skip
