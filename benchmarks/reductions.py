"""The size that γ and λ alone lead to, with ‖v‖² as a mean over elements and as a sum.

    python benchmarks/reductions.py CKPT DATA OUT [--size 128] [--pictures 4] [--population 16]
        [--generations 60] [--cells mean:10,sum:10,mean:0.1] [--seeds 1]

No target and no alignment: only Eq. 13 decides how many filters stay. A cell is a reduction and a γ; λ is 10.
Prints what both generators keep after a quarter, half and all of the generations, and which keeps more.
Cells are kept as OUT/<reduction>-<gamma>-<seed>.json and are not computed again.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any, get_args

from search_rivals import Bench

from ganprune.images.sources import DOMAINS
from ganprune.pruning.fitness import Reduction
from ganprune.search.coevolution import CoEvolution, State
from ganprune.search.settings import SearchSettings
from ganprune.storage.files import write_atomically
from ganprune.system.device import cpu_threads, resolve_threads


def line(state: State) -> dict[str, Any]:
    """The best of both sides in one generation."""
    found: dict[str, Any] = {"generation": state.generation}
    for side in DOMAINS:
        population = state.populations[side]
        names = ("fitness", "N", "macs", "L_DisA", "L_cyc")
        found[side] = {name: float(getattr(population, name)[population.best]) for name in names}
        found[side]["mean_macs"] = float(population.macs.mean())
    return found


def print_table(out: Path) -> None:
    print("| ‖v‖² | γ | seed | generation | MACs of G_A | of G_B | γ·losses of G_A, its N | keeps more |")
    print("|---|--:|--:|--:|--:|--:|--:|---|")
    for path in sorted(out.glob("*.json")):
        reduction, gamma, seed = path.stem.rsplit("-", 2)
        lines = json.loads(path.read_text())["lines"]
        for i in sorted({0, len(lines) // 4, len(lines) // 2, len(lines) - 1}):
            a, b = (lines[i][side] for side in DOMAINS)
            losses = 1 / a["fitness"] - a["N"]
            print(
                f"| {reduction} | {gamma} | {seed} | {lines[i]['generation']} | {a['macs']:.3f} | "
                f"{b['macs']:.3f} | {losses:.3g}, {a['N']:.2f} | G_{'A' if a['macs'] > b['macs'] else 'B'} |"
            )


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("checkpoint", "data", "out"):
        args.add_argument(name, type=Path)
    for name, value in (
        ("size", 128), ("pictures", 4), ("population", 16), ("generations", 60), ("seeds", 1),
        ("threads", resolve_threads(None)),
    ):  # fmt: skip
        args.add_argument(f"--{name}", type=int, default=value)
    args.add_argument("--device", default="cpu")
    args.add_argument("--cells", default="mean:10,sum:10,mean:0.1")
    opt = args.parse_args()
    for seed in range(opt.seeds):
        for cell in opt.cells.split(","):
            name, gamma = cell.split(":")
            reduction = next(r for r in get_args(Reduction) if r == name)
            path = opt.out / f"{name}-{gamma}-{seed}.json"
            if path.exists():
                continue
            bench = Bench(opt.checkpoint, opt.data, opt.size, opt.pictures, opt.device, reduction)
            settings = SearchSettings(
                population=opt.population, generations=opt.generations, gamma=float(gamma), seed=seed
            )
            start = time.monotonic()
            with cpu_threads(opt.threads):
                search = CoEvolution(settings, bench.layouts, bench.scorer())
                lines = [line(state) for state in search.states(None)]
            result = {"lines": lines, "seconds": time.monotonic() - start}
            write_atomically(path, json.dumps(result, indent=1).encode())
            print(f"{path.stem}: {result['seconds']:.0f} s", flush=True)
    print_table(opt.out)


if __name__ == "__main__":
    main()
