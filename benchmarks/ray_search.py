"""The packaged example searched on a two-node Ray cluster of this machine, and with a node killed repeatedly.

    python benchmarks/ray_search.py [--population 12] [--generations 10] [--kills 20] [--cpus 2] [--json FILE]

*equal*: the final states of searches by `LocalScorer` and on the cluster with 1, 2 and 4 workers, bit for
bit. *overhead*: a task whose scores are known already, sent to one worker and back: what Ray takes of an
individual's time. *kills*: a search of as many generations; in each, the second node's processes get SIGKILL
after a few scores, and another node joins before the next.

The nodes are sets of processes on one machine, which share its cores: equality and overhead carry over,
speed-up does not. Prints Markdown.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


from ganprune.checkpoints import load_quartet
from ganprune.example import CHECKPOINT, EXAMPLE_SIZE, PICTURES
from ganprune.images import find_domains, load_pictures
from ganprune.presets import preset
from ganprune.pruning.genome import Layout
from ganprune.reporting import Silent
from ganprune.scoring import LocalScorer, PoolScorer, RayPool, Scorer, ScoringInputs, ScoringSettings
from ganprune.scoring.worker import Assignment
from ganprune.search.coevolution import CoEvolution, State
from ganprune.settings.search import SearchSettings
from ganprune.settings.words import DOMAINS, Domain
from ganprune.system.device import cpu_threads, resolve_threads
from ganprune.training import Networks
from tests.scoring.ray_kit import add_node, cluster_of

WAIT = 600.0
"""Seconds that workers may take to come up on a busy machine."""


class Example:
    """The packaged networks and as many of their pictures."""

    def __init__(self, pictures: int) -> None:
        nets = Networks.of(load_quartet(CHECKPOINT))
        found = find_domains(PICTURES)
        shown: dict[Domain, Tensor] = {
            "A": load_pictures(found.train_A[:pictures], EXAMPLE_SIZE),
            "B": load_pictures(found.train_B[:pictures], EXAMPLE_SIZE),
        }
        generators = {"A": nets.G_A, "B": nets.G_B}
        self.layouts: dict[Domain, Layout] = {side: Layout.of(generators[side]) for side in DOMAINS}
        discriminators = {"A": nets.D_A, "B": nets.D_B}
        self.inputs = ScoringInputs(generators, discriminators, self.layouts, shown, ScoringSettings())


@dataclass
class Heard(Silent):
    lost: int = 0
    lines: list[str] = field(default_factory=list[str])

    def warn(self, message: str) -> None:
        self.lines.append(message)
        self.lost += message.startswith("lost ")


def searched(
    example: Example,
    settings: SearchSettings,
    scorer: Scorer,
    between: Callable[[int], object] = lambda generation: None,
) -> tuple[State, float]:
    """The end of a search, and its seconds without what is done in ``between`` two generations."""
    seconds, state, search = 0.0, None, CoEvolution(settings, example.layouts, scorer)
    for generation in range(settings.generations + 1):
        between(generation)
        start = time.monotonic()
        state = search.init() if state is None else search.step(state)
        seconds += time.monotonic() - start
    assert state is not None
    return state, seconds


def same(a: State, b: State) -> bool:
    one, other = a.to_tensors(), b.to_tensors()
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def round_trips(scorer: PoolScorer, times: int) -> dict[str, float]:
    """Of a task that fails at once: milliseconds until its answer, and of the driver's own CPU time."""
    worker, waits = next(iter(scorer._workers.values())), list[float]()
    cpu = time.process_time()
    for _ in range(times):
        start = time.perf_counter()
        worker.score(Assignment("none", b"", b"")).result()  # type: ignore[arg-type]
        waits.append(1e3 * (time.perf_counter() - start))
    cpu = 1e3 * (time.process_time() - cpu) / times
    waits.sort()
    return {"least": waits[0], "tenth": waits[times // 10], "median": median(waits), "driver_cpu": cpu}


def compared(example: Example, settings: SearchSettings, cpus: int) -> dict[str, Any]:
    """Searches with any number of workers beside that of one process."""
    local = LocalScorer(example.inputs)
    before = time.process_time()
    expected, seconds = searched(example, settings, local)
    cpu = time.process_time() - before
    rows = [{"what": "one process", "seconds": seconds, "evaluations": local.evaluations, "equal": True}]
    found: dict[str, Any] = {"rows": rows, "individual_cpu_ms": 1e3 * cpu / local.evaluations}
    with cluster_of(cpus, cpus) as cluster:
        for workers in (1, 2, 4):
            with PoolScorer(RayPool(example.inputs, cluster.address, workers=workers)) as scorer:
                assert scorer.wait_for(workers, WAIT), f"{len(scorer.pids)} of {workers} workers came"
                state, seconds = searched(example, settings, scorer)
                row = {"what": f"Ray, {workers} workers", "seconds": seconds, "equal": same(state, expected)}
                rows.append(row | {"evaluations": scorer.evaluations, "copies": scorer.copies})
                if workers == 1:
                    found["overhead_ms"] = round_trips(scorer, 200)
            print(f"# {rows[-1]}", file=sys.stderr, flush=True)
    return found


def killed(example: Example, settings: SearchSettings) -> dict[str, Any]:
    """A search of which every generation loses a node, beside one in peace."""
    expected, _ = searched(example, settings, LocalScorer(example.inputs))
    heard, fuse, nodes, kills = Heard(), 0, list[Any](), 0
    with cluster_of(1) as cluster:

        def strike() -> None:
            nonlocal fuse, kills
            fuse -= 1
            if fuse == 0:
                kills += 1
                cluster.remove_node(nodes.pop(), allow_graceful=False)

        def join(generation: int) -> None:
            """A node joins and its worker comes up; the generation's fourth score then strikes."""
            nonlocal fuse
            if generation:
                nodes.append(add_node(cluster, 1))
                assert scorer.wait_for(2, WAIT), f"no worker of another node before generation {generation}"
                fuse = 4
                told = {"generation": generation, "again": scorer.again, "lost": heard.lost}
                print(f"# {told | {'copies': scorer.copies}}", file=sys.stderr, flush=True)

        with PoolScorer(RayPool(example.inputs, cluster.address), strike, heard) as scorer:
            state, _ = searched(example, settings, scorer, join)
            return {
                "kills": kills, "lost": heard.lost, "again": scorer.again,
                "copies": scorer.copies, "evaluations": scorer.evaluations,
                "equal": same(state, expected),
            }  # fmt: skip


def show(found: Mapping[str, Any]) -> None:
    if "compared" in found:
        print("| scorer | networks scored | seconds | equal to one process |\n|---|--:|--:|---|")
        for row in found["compared"]["rows"]:
            equal = "yes" if row["equal"] else "NO"
            print(f"| {row['what']} | {row['evaluations']} | {row['seconds']:.1f} | {equal} |")
        trip = found["compared"]["overhead_ms"]
        print(
            f"\nAn individual takes {found['compared']['individual_cpu_ms']:.0f} ms of CPU time. A task "
            f"without work comes back after {trip['least']:.1f} ms at best, {trip['median']:.1f} ms in the "
            f"median; {trip['driver_cpu']:.2f} ms of it is the driver's CPU time."
        )
    if "killed" in found:
        row = found["killed"]
        print("\n| nodes killed | workers lost | scored again | copies of late ones | networks | equal |")
        print("|--:|--:|--:|--:|--:|---|")
        cells = (row[name] for name in ("kills", "lost", "again", "copies", "evaluations"))
        print(f"| {' | '.join(map(str, cells))} | {'yes' if row['equal'] else 'NO'} |")


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    demo: Mapping[str, Any] = preset("demo").settings
    for name in ("population", "generations", "pictures"):
        args.add_argument(f"--{name}", type=int, default=demo[name])
    args.add_argument("--kills", type=int, default=20, help="0: only the comparison")
    args.add_argument("--cpus", type=int, default=2, help="of each node of the comparison; 0: only the kills")
    args.add_argument("--json", type=Path)
    opt = args.parse_args()
    example, share = Example(opt.pictures), tuple(demo["target-macs"])
    settings = SearchSettings(opt.population, opt.generations, target_macs=share, align=demo["align"])
    found: dict[str, Any] = {"cores": resolve_threads(None)}
    with cpu_threads(1):
        if opt.cpus:
            found["compared"] = compared(example, settings, opt.cpus)
        if opt.kills:
            longer = SearchSettings(opt.population, opt.kills, target_macs=share, align=demo["align"])
            found["killed"] = killed(example, longer)
    show(found)
    if opt.json:
        opt.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
