"""What `benchmarks/scaling.py` goes by, measured: individuals, the driver, and a check of it.

    python benchmarks/scaling_times.py measure TIMES.json [--full CKPT DATA]
    python benchmarks/scaling_times.py check TIMES.json

*measure*: CPU seconds that genomes of all sizes take in one thread, new ones and known ones that meet a new
partner, for the packaged example and, with ``--full``, for a full-size CycleGAN at 256 pixels; how they
follow from the networks' arithmetic, and how far they spread around that; and what the driver does between
two generations: breeding, repair, saving. CPU time, so that other programs on the machine change little.
*check*: real searches of 1 and 2 processes beside simulations that are given what each individual took there.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scaling import ALIGN, POPULATIONS, TARGET, MadeUp, row_of, settings_of
from simulated import SimulatedPool
from torch import Tensor

from ganprune.checkpoints import load_quartet
from ganprune.example import CHECKPOINT, EXAMPLE_SIZE, PICTURES
from ganprune.images import find_domains, load_pictures
from ganprune.images.sources import DOMAINS, Domain
from ganprune.models.cyclegan import Generator
from ganprune.pruning.genome import Layout, genome_key
from ganprune.pruning.repair import Constraints, Repairer
from ganprune.pruning.resources import kept_macs
from ganprune.runs import Run
from ganprune.scoring import LocalScorer, PoolScorer, ProcessPool, Scores, ScoringInputs, ScoringSettings
from ganprune.scoring.worker import Assignment, Reply
from ganprune.search.coevolution import CoEvolution
from ganprune.search.operators import breed
from ganprune.stages.saved import save
from ganprune.system.device import cpu_threads, keep_freed_memory, resolve_precision
from ganprune.training import Networks


@dataclass(frozen=True, slots=True)
class Subject:
    """A CycleGAN and pictures to score it on."""

    generators: Mapping[Domain, Generator]
    layouts: Mapping[Domain, Layout]
    inputs: ScoringInputs


def subject(checkpoint: Path, data: Path, size: int, n: int, precision: Any) -> Subject:
    nets, folders = Networks.of(load_quartet(checkpoint)), find_domains(data)
    generators: dict[Domain, Generator] = {"A": nets.G_A, "B": nets.G_B}
    layouts: dict[Domain, Layout] = {side: Layout.of(generators[side]) for side in DOMAINS}
    shown = {"A": load_pictures(folders.train_A[:n], size), "B": load_pictures(folders.train_B[:n], size)}
    settings = ScoringSettings(precision=precision)
    discriminators = {"A": nets.D_A, "B": nets.D_B}
    return Subject(generators, layouts, ScoringInputs(generators, discriminators, layouts, shown, settings))


def example() -> Subject:
    return subject(CHECKPOINT, PICTURES, EXAMPLE_SIZE, 6, "float32")


def genomes_of(layout: Layout, n: int, seed: int, target: float = TARGET) -> Tensor:
    """Genomes as searches have them, of at most ``target`` of the MACs: bool [n, L]."""
    generator = torch.Generator().manual_seed(seed)
    flips = torch.rand(n, layout.length, generator=generator) < target**0.5
    return Repairer(layout, Constraints(ALIGN, target))(flips, generator)


def measured(what: Subject, n: int) -> dict[str, Any]:
    """CPU seconds of individuals of side A; how they follow from shares of MACs: a + b own + c partner's."""
    scorer = LocalScorer(what.inputs)
    rows: dict[str, list[tuple[float, float, float]]] = {"new": [], "known": []}
    shares = [0.14, 0.18, 0.25, 0.4, 0.6, 0.9]
    partners = genomes_of(what.layouts["B"], 1, 0), genomes_of(what.layouts["B"], 1, 1, 0.6)
    weights = [float(kept_macs(what.layouts["B"], partner)[0]) for partner in partners]
    for i in range(n):
        genome = genomes_of(what.layouts["A"], 1, 10 + i, shares[i % len(shares)])
        own = float(kept_macs(what.layouts["A"], genome)[0])
        for turn in (i % 2, 1 - i % 2):  # the first partner meets a new genome, the other a known one
            scorer._partner("A", genome_key(partners[turn][0]))
            start = time.process_time()
            scorer.score("A", genome, partners[turn][0])
            took = time.process_time() - start
            rows["known" if turn != i % 2 else "new"].append((own, weights[turn], took))
    found: dict[str, Any] = {"individuals": n}
    for kind, values in rows.items():
        table = np.array(values[2:])  # the first ones also prepare kernels
        terms = np.column_stack([np.ones(len(table)), table[:, 0] * (kind == "new"), table[:, 1]])
        fit, *_ = np.linalg.lstsq(terms, table[:, 2], rcond=None)
        ratio = table[:, 2] / (terms @ fit)
        found[kind] = {"constant": fit[0], "own": fit[1], "partner": fit[2], "spread": float(ratio.std())}
        found[kind] |= {"mean": float(table[:, 2].mean())}
    start = time.process_time()
    LocalScorer(what.inputs)
    return found | {"originals": time.process_time() - start}


def driver(what: Subject, populations: Sequence[int]) -> dict[str, list[float]]:
    """CPU seconds of the driver between two generations, both sides, by K: breeding and repair; saving."""
    found: dict[str, list[float]] = {}
    for K in populations:
        search = settings_of(K)
        state = CoEvolution(search, what.layouts, MadeUp()).init()
        start = time.process_time()
        for side, population in state.populations.items():
            generator = torch.Generator().manual_seed(K)
            children = breed(
                population.genomes, population.fitness, generator, p_select=search.p_select,
                p_crossover=search.p_crossover, mutation_rate=search.mutation_rate, parents=search.parents,
                mutation=search.operator, genes=list(what.layouts[side].genes.values()),
            )  # fmt: skip
            Repairer(what.layouts[side], search.constraints(side))(children, generator)
        bred = time.process_time()
        with tempfile.TemporaryDirectory() as folder:
            walls = list[float]()
            for _ in range(5):  # with the disk's time, so the least
                wall = time.perf_counter()
                save(Run(Path(folder)), state, [], "00" * 32)
                walls.append(time.perf_counter() - wall)
            saved = min(walls)
        found[str(K)] = [bred - start, saved]
        print(f"# K = {K}: {found[str(K)]}", file=sys.stderr, flush=True)
    return found


class Timed(ProcessPool):
    """Remembers what each individual took."""

    took: dict[tuple[Domain, bytes, bytes], float]

    def worker(self, slot: int) -> Any:
        worker = super().worker(slot)

        def timed(task: Assignment) -> Future[Reply]:
            since, future = time.monotonic(), worker.score(task)
            name = task.side, task.key, task.partner
            future.add_done_callback(lambda _: self.took.__setitem__(name, time.monotonic() - since))
            return future

        return replace(worker, score=timed)


def check(what: Subject) -> list[dict[str, float]]:
    """Real searches of 1 and 2 processes, and how long the simulation says that they took."""
    found: list[dict[str, float]] = []
    for workers in (1, 2):
        pool = Timed(what.inputs, workers=workers, threads=1)
        pool.took, asked, real = {}, MadeUp(), 0.0
        search = replace(settings_of(12, 3), target_macs=(0.35, 0.35))
        with PoolScorer(pool) as scorer:
            assert scorer.wait_for(workers, 600)
            score = scorer.score

            def watched(side: Domain, genomes: Tensor, partner: Tensor | None) -> Scores:
                nonlocal real
                asked.score(side, genomes, partner)  # noqa: B023
                start = time.monotonic()
                scores = score(side, genomes, partner)  # noqa: B023
                real += time.monotonic() - start
                return scores

            scorer.score = watched  # type: ignore[method-assign]
            list(CoEvolution(search, what.layouts, scorer).states(None))
        took = pool.took
        simulated = SimulatedPool(workers, lambda *name, took=took: took[name], row_of)
        again = PoolScorer(simulated)
        for side, genomes, partner in asked.rounds:
            again.score(side, genomes, partner)
        error = simulated.now / real - 1
        found.append({"workers": workers, "real": real, "simulated": simulated.now, "error": error})
    return found


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("step", choices=("measure", "check"))
    args.add_argument("times", type=Path)
    args.add_argument("--full", nargs=2, type=Path, metavar=("CKPT", "DATA"))
    args.add_argument("--individuals", type=int, default=40)
    opt = args.parse_args()
    keep_freed_memory()
    found: dict[str, Any] = {"subjects": {}, "ray_ms": {"send": 0.7, "receive": 0.7, "travel": 0.2}}
    if opt.times.exists():
        found |= json.loads(opt.times.read_text())
    with cpu_threads(1):
        if opt.step == "check":
            found["check"] = check(example())
            print(json.dumps(found["check"], indent=2))
        else:
            subjects = {"example": (example(), opt.individuals, "The example: 96 pixels, 6 pictures")}
            if opt.full is not None:
                precision = resolve_precision("auto", "cpu")
                title = f"Full size: 256 pixels, 8 pictures, {precision}"
                subjects["full size"] = subject(*opt.full, 256, 8, precision), opt.individuals // 4, title
            for name, (what, n, title) in subjects.items():
                widths = {side: asdict(what.generators[side].widths) for side in DOMAINS}
                made = {"title": title, "widths": widths} | measured(what, n)
                found["subjects"][name] = made | {"driver": driver(what, POPULATIONS)}
                opt.times.write_text(json.dumps(found, indent=2) + "\n")
    opt.times.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
