"""What searches of many individuals cost on many workers: the real hand-out, simulated workers.

    python benchmarks/scaling_times.py measure TIMES.json    # first, see there
    python benchmarks/scaling.py TIMES.json [-o docs]

`ganprune.scoring.PoolScorer` hands out the generations of real searches, whose scores are made up, to workers
of benchmarks/simulated.py, which take as long as was measured. Prints Markdown, draws
scaling.svg and scaling.png.
"""

import argparse
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from simulated import Costs, SimulatedPool
from torch import Tensor

from ganprune.figures import to_svg
from ganprune.figures.style import look, place, series_colours, sheet, to_png
from ganprune.models.cyclegan import Generator, GeneratorWidths
from ganprune.pruning.genome import Layout, genome_key, genome_of
from ganprune.pruning.resources import kept_macs
from ganprune.scoring import PoolScorer, Scores
from ganprune.scoring.scores import Row
from ganprune.search.coevolution import CoEvolution
from ganprune.settings.search import SearchSettings
from ganprune.settings.words import DOMAINS, Domain
from ganprune.system.device import cpu_threads

WORKERS = tuple(2**i for i in range(9))
POPULATIONS = (32, 64, 128, 256, 512, 1024)
GENERATIONS = 4
TARGET, ALIGN = 0.25, 8


def settings_of(K: int, generations: int = GENERATIONS) -> SearchSettings:
    return SearchSettings(K, generations, target_macs=(TARGET, TARGET), align=ALIGN)


@cache
def row_of(side: Domain, key: bytes, partner: bytes) -> Row:
    """Losses that belong to a genome and its partner as real ones do, and otherwise to chance."""
    own = int.from_bytes(hashlib.sha256(key).digest()[:4], "big") / 2**32
    both = int.from_bytes(hashlib.sha256(key + partner).digest()[:4], "big") / 2**32
    return 0.05 + 0.02 * own, 0.0, 0.05 + 0.02 * both, 0.0


class MadeUp:
    """A scorer that computes nothing, and remembers what it was asked."""

    def __init__(self) -> None:
        self.rounds: list[tuple[Domain, Tensor, Tensor | None]] = []

    def score(self, side: Domain, genomes: Tensor, partner: Tensor | None) -> Scores:
        self.rounds.append((side, genomes, partner))
        goal = b"" if partner is None else genome_key(partner)
        rows = [row_of(side, genome_key(genome), goal) for genome in genomes]
        return Scores.of(rows)


class Times:
    """What individuals take, as it was measured; the spread around the fit belongs to the genome."""

    def __init__(self, fit: Mapping[str, Any], layouts: Mapping[Domain, Layout]) -> None:
        self._fit, self._layouts = fit, layouts
        self._shares: dict[tuple[Domain, bytes], float] = {}

    def __call__(self, side: Domain, key: bytes, partner: bytes) -> float:
        fit, other = self._fit["new"], "B" if side == "A" else "A"
        seconds = fit["constant"] + fit["own"] * self._share(side, key)
        seconds += fit["partner"] * (self._share(other, partner) if partner else 1.0)
        chance = int.from_bytes(hashlib.sha256(b"spread" + key + partner).digest()[:8], "big")
        normal = float(np.random.default_rng(chance).standard_normal())
        return max(seconds * (1 + fit["spread"] * normal), 0.1 * seconds, 1e-4)

    def _share(self, side: Domain, key: bytes) -> float:
        if (side, key) not in self._shares:
            genome = genome_of(key, self._layouts[side].length)
            self._shares[side, key] = float(kept_macs(self._layouts[side], genome[None])[0])
        return self._shares[side, key]


@dataclass(frozen=True, slots=True)
class Outcome:
    """One simulated search."""

    seconds: float
    """Of a generation, in the mean."""
    busy: float
    """Share of all workers' time that is work."""
    driver: float
    """Share of the time that the driver breeds and saves, and all workers wait."""
    messages: float
    """Share of the time that the driver sends and receives."""


def simulate(
    rounds: Sequence[tuple[Domain, Tensor, Tensor | None]],
    workers: int,
    times: Times,
    between: float,
    costs: Costs,
    startup: float,
) -> Outcome:
    """Hand out a search's generations; the mean over all but the first, which has other partners."""
    work = 0.0

    def seconds(side: Domain, key: bytes, partner: bytes) -> float:
        nonlocal work
        took = times(side, key, partner)
        work += took
        return took

    pool = SimulatedPool(workers, seconds, row_of, costs, patience=2.0, now=startup)
    scorer = PoolScorer(pool)
    begun, tasks = 0.0, 0
    for i, (side, genomes, partner) in enumerate(rounds):
        if i == 2:
            begun, work, tasks = pool.now, 0.0, sum(len(worker.tasks) for worker in pool.all)
        pool.now += between / 2
        scorer.score(side, genomes, partner)
    generations = (len(rounds) - 2) / 2
    total = pool.now - begun
    tasks = sum(len(worker.tasks) for worker in pool.all) - tasks
    messages = tasks * (costs.send + costs.receive)
    return Outcome(
        total / generations, work / (workers * total), between * generations / total, messages / total
    )


def draw(panels: Mapping[str, Mapping[str, Mapping[int, float]]], folder: Path) -> None:
    """Efficiency over the number of workers, which doubles from tick to tick: a panel a subject."""
    width = 400.0
    with look():
        figure = sheet(width * len(panels), 280, "Efficiency of simulated searches")
        for i, (name, curves) in enumerate(panels.items()):
            axes = place(figure, i * width + 50, 50, width - 80, 170)
            axes.set_title(f"Efficiency: {name}", loc="left", weight="bold", fontsize=14, pad=28)
            for label, colour in series_colours(curves).items():
                axes.plot(*zip(*curves[label].items(), strict=True), ".-", color=colour, label=label)
            axes.set_xscale("log", base=2)
            axes.set_xticks(WORKERS, list(map(str, WORKERS)))
            axes.set_ylim(0, 1.02)
            axes.set(xlabel="workers", ylabel="speed-up / workers")
            axes.grid(axis="y")
            axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=4)
    (folder / "scaling.svg").write_text(to_svg(figure))
    (folder / "scaling.png").write_bytes(to_png(figure))


def report(times: Mapping[str, Any], folder: Path) -> None:
    """Tables on stdout, the plot into ``folder``."""
    costs = Costs(*(1e-3 * times["ray_ms"][name] for name in ("send", "receive", "travel")))
    panels: dict[str, dict[str, dict[int, float]]] = {}
    for name, made in times["subjects"].items():
        layouts = {side: Layout.of(Generator(load_widths(made["widths"][side]))) for side in DOMAINS}
        lines: dict[str, dict[int, float]] = {}
        print(f"\n### {made['title']}\n")
        print(f"| K | {' | '.join(f'{w} workers' for w in WORKERS)} |\n|--:|{'--:|' * len(WORKERS)}")
        best: list[str] = []
        for K in POPULATIONS:
            asked = MadeUp()
            list(CoEvolution(settings_of(K), layouts, asked).states(None))
            between = sum(made["driver"][str(K)])
            clock = Times(made, layouts)
            found = {w: simulate(asked.rounds, w, clock, between, costs, made["originals"]) for w in WORKERS}
            one = found[1].seconds
            speed = {w: one / outcome.seconds for w, outcome in found.items()}
            lines[f"K = {K}"] = {w: value / w for w, value in speed.items()}
            print(
                f"| {K} | "
                + " | ".join(f"{o.seconds:.2f} s ({speed[w]:.1f}×)" for w, o in found.items())
                + " |",
                flush=True,
            )
            useful = max((w for w in WORKERS if speed[w] / w >= 0.5), default=1)
            o = found[useful]
            best.append(
                f"| {K} | {useful} | {speed[useful]:.0f}× | {o.busy:.0%} | {o.driver:.1%} | "
                f"{o.messages:.1%} |"
            )
        print(
            "\n| K | most workers at half efficiency | speed-up there | workers busy | "
            "driver between generations | messages |"
        )
        print("|--:|--:|--:|--:|--:|--:|")
        print("\n".join(best))
        panels[name] = {f"K = {K}": lines[f"K = {K}"] for K in (32, 128, 512, 1024)}
    draw(panels, folder)


def load_widths(values: Mapping[str, Any]) -> Any:
    return GeneratorWidths(**{key: tuple(v) if isinstance(v, list) else v for key, v in values.items()})


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("times", type=Path)
    args.add_argument("-o", "--output", type=Path, default=Path("docs"))
    opt = args.parse_args()
    with cpu_threads(1):
        report(json.loads(opt.times.read_text()), opt.output)


if __name__ == "__main__":
    main()
