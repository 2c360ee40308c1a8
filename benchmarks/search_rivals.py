"""Co-evolution against other ways to choose filters, at the same size.

    python benchmarks/search_rivals.py CKPT DATA OUT [--size 128] [--targets 0.25,0.066] [--seeds 3]

Every method chooses both generators' filters; they then meet each other: fitness (Eq. 13) of G_A with the
chosen G_B as its partner, and the reverse, on the pictures of the search and on as many others. Cells are
kept as OUT/<method>-<target>-<seed>.json and are not computed again.

coevolution  the defaults of `compress`, K individuals a generator, T generations
separate     both populations evolved alone, the originals as partners, with as many evaluations
paper        co-evolution with the paper's operators; `VARIANTS` has others
random       the fittest of as many random genomes, the originals as partners
uniform      the same share of filters in every layer, chosen at random; in any widths, not multiples
magnitude    the same share of filters in every layer, those with the largest weights that read them
"""

import argparse
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from torch import Tensor

from ganprune.checkpoints import load_quartet
from ganprune.images import find_domains, load_pictures, split, to_float
from ganprune.images.sources import DOMAINS, Domain
from ganprune.models.cyclegan import Discriminator, Generator
from ganprune.pruning.fitness import Reduction, fitness
from ganprune.pruning.genome import Layout
from ganprune.pruning.importance import importance
from ganprune.pruning.repair import Repairer
from ganprune.pruning.resources import kept_macs, kept_weights
from ganprune.scoring import LocalScorer, ScoringInputs, ScoringSettings
from ganprune.search.coevolution import CoEvolution
from ganprune.search.settings import SearchSettings
from ganprune.storage.files import write_atomically
from ganprune.system.device import cpu_threads, resolve_precision, resolve_threads
from ganprune.training import Networks

Genomes = dict[Domain, Tensor]
"""One genome a side: bool [L]."""

PAPER: dict[str, Any] = {
    "parents": 1.0, "p_select": 0.2, "p_crossover": 0.7, "apart": 0.0,
    "mutation": "flip", "mutation_rate": 0.02,
}  # fmt: skip
VARIANTS: dict[str, dict[str, Any]] = {
    "coevolution": {},
    "separate": {"partners": "original"},
    "paper": PAPER,
    "paper-separate": PAPER | {"partners": "original"},
    "paper-informed": PAPER | {"informed": 0.5},
    "paper-layers": PAPER | {"p_genes": 0.5},
    "paper-power-law": PAPER | {"mutation_rate": None},
    "together": {"apart": 0.0},
    "long-apart": {"apart": 0.8},
    "one-parent": {"parents": 0.0625, "p_crossover": 0.0},
    "two-parents": {"parents": 0.125, "p_crossover": 0.5, "p_genes": 0.5},
    "by-layers": {"p_crossover": 0.5, "p_genes": 1.0},
}


class Bench:
    """Networks, pictures and scorers that all methods share."""

    def __init__(
        self,
        checkpoint: Path,
        data: Path,
        size: int,
        n: int,
        device: str = "cpu",
        reduction: Reduction = "mean",
    ) -> None:
        nets, folders = Networks.of(load_quartet(checkpoint)), find_domains(data)
        self.generators: dict[Domain, Generator] = {"A": nets.G_A, "B": nets.G_B}
        self.layouts: dict[Domain, Layout] = {side: Layout.of(self.generators[side]) for side in DOMAINS}
        discriminators: dict[Domain, Discriminator] = {"A": nets.D_A, "B": nets.D_B}
        settings = ScoringSettings(
            device, resolve_precision("auto", device), batch=1 if device == "cpu" else n, reduction=reduction
        )
        self._make: list[Callable[[], LocalScorer]] = []
        self.scores: dict[Domain, Tensor] = {}
        for part in (slice(0, n), slice(n, 2 * n)):
            pictures: dict[Domain, Tensor] = {}
            for side in DOMAINS:
                _, validation = split(folders, side, seed=0, holdout=2 * n)
                pictures[side] = load_pictures(validation[part], size)
                G, layout = self.generators[side], self.layouts[side]
                self.scores.setdefault(side, importance(G, layout, to_float(pictures[side])))
            inputs = ScoringInputs(self.generators, discriminators, self.layouts, pictures, settings)
            self._make.append(partial(LocalScorer, inputs))

    def scorer(self, unseen: bool = False) -> LocalScorer:
        """A new one, which knows nothing yet."""
        return self._make[unseen]()

    def together(self, found: Genomes, settings: SearchSettings, unseen: bool) -> dict[str, dict[str, float]]:
        """Both genomes, each with the other as its partner."""
        scorer, result = self.scorer(unseen), dict[str, dict[str, float]]()
        for side, other in zip(DOMAINS, reversed(DOMAINS), strict=True):
            genome, layout = found[side][None], self.layouts[side]
            s = scorer.score(side, genome, found[other])
            N = kept_weights(layout, genome)
            F = fitness(
                N, s.L_DisA, s.L_cyc, s.L_idt, gamma=settings.gamma, lambda_cycle=settings.lambda_cycle
            )
            result[side] = {
                "fitness": float(F), "N": float(N), "macs": float(kept_macs(layout, genome)),
                "L_DisA": float(s.L_DisA), "L_cyc": float(s.L_cyc), "L_GenA": float(s.L_GenA),
            }  # fmt: skip
        return result


def evolved(bench: Bench, settings: SearchSettings) -> Genomes:
    """The end of a search."""
    search = CoEvolution(settings, bench.layouts, bench.scorer(), bench.scores)
    *_, last = search.states(None)
    return {side: last.populations[side].best_genome for side in DOMAINS}


def random(bench: Bench, settings: SearchSettings) -> Genomes:
    """The fittest of as many random genomes as a search scores."""
    n = settings.population * (settings.generations + 1)
    *_, last = CoEvolution(
        replace(settings, population=n, generations=0), bench.layouts, bench.scorer()
    ).states(None)
    return {side: last.populations[side].best_genome for side in DOMAINS}


def uniform(bench: Bench, settings: SearchSettings, *, by_scores: bool) -> Genomes:
    """The same share of filters in every layer, as large as the target allows."""
    found: Genomes = {}
    for side, layout in bench.layouts.items():
        generator = torch.Generator().manual_seed(settings.seed)
        scores = bench.scores[side] if by_scores else torch.rand(layout.length, generator=generator)
        limits = replace(settings.constraints(side), align=1)  # free widths come nearest to uniform
        assert limits.target_macs is not None
        best = torch.zeros(layout.length, dtype=torch.bool)
        for share in torch.linspace(0.02, 1, 981).tolist():
            genome = torch.zeros(layout.length, dtype=torch.bool)
            for piece in layout.genes.values():
                size = piece.stop - piece.start
                genome[piece.start + scores[piece].topk(max(1, round(share * size))).indices] = True
            if float(kept_macs(layout, genome[None])) <= limits.target_macs:
                best = genome
        found[side] = Repairer(layout, limits)(best[None], generator)[0]
    return found


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("checkpoint", "data", "out"):
        args.add_argument(name, type=Path)
    for name, value in (
        ("size", 128),
        ("pictures", 8),
        ("population", 16),
        ("generations", 15),
        ("seeds", 3),
        ("threads", resolve_threads(None)),
    ):
        args.add_argument(f"--{name}", type=int, default=value)
    args.add_argument("--targets", default="0.25,0.066")
    args.add_argument("--device", default="cpu")
    args.add_argument("--align", type=int, default=16)
    args.add_argument("--methods", default="coevolution,separate,random,uniform,magnitude")
    opt = args.parse_args()
    bench = Bench(opt.checkpoint, opt.data, opt.size, opt.pictures, opt.device)
    methods: Mapping[str, Callable[[Bench, SearchSettings], Genomes]] = {
        **{
            name: lambda b, s, changes=changes: evolved(b, replace(s, **changes))
            for name, changes in VARIANTS.items()
        },
        "random": random,
        "uniform": partial(uniform, by_scores=False),
        "magnitude": partial(uniform, by_scores=True),
    }
    for target in map(float, opt.targets.split(",")):
        for seed in range(opt.seeds):
            settings = SearchSettings(
                population=opt.population, generations=opt.generations, align=opt.align,
                target_macs=(target, target), seed=seed,
            )  # fmt: skip
            for name in opt.methods.split(","):
                path = opt.out / f"{name}-{target:g}-{seed}.json"
                if path.exists():
                    continue
                start = time.monotonic()
                with cpu_threads(opt.threads):
                    found = methods[name](bench, settings)
                    seconds = time.monotonic() - start
                    cell = {
                        "seen": bench.together(found, settings, unseen=False),
                        "unseen": bench.together(found, settings, unseen=True),
                        "seconds": seconds,
                    }
                write_atomically(path, json.dumps(cell, indent=1).encode())
                print(f"{path.stem}: {seconds:.0f} s", flush=True)
    print_table(opt.out)


def print_table(out: Path) -> None:
    """Means over seeds, both directions together, as Markdown; in brackets the seeds' least and greatest."""
    rows: dict[tuple[str, str], list[tuple[float, ...]]] = {}
    for path in sorted(out.glob("*.json")):
        method, target, _ = path.stem.rsplit("-", 2)
        cell = json.loads(path.read_text())
        values = tuple(
            mean(cell[part][side][key] for side in DOMAINS)
            for part in ("seen", "unseen")
            for key in ("fitness", "L_DisA", "L_cyc")
        )
        rows.setdefault((target, method), []).append(values)
    print("| MACs | method | seeds | fitness | L_DisA | L_cyc | fitness, other pictures | L_DisA | L_cyc |")
    print("|--:|---|--:|--:|--:|--:|--:|--:|--:|")
    for (target, method), cells in sorted(rows.items(), key=lambda row: (-float(row[0][0]), row[0][1])):
        columns = [f"{mean(column):.4f}" for column in zip(*cells, strict=True)]
        for i in (0, 3):  # both fitnesses
            columns[i] += f" ({min(cell[i] for cell in cells):.4f}-{max(cell[i] for cell in cells):.4f})"
        print(f"| {target} | {method} | {len(cells)} | " + " | ".join(columns) + " |")


if __name__ == "__main__":
    main()
