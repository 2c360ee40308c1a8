"""Does the score of the search tell which shapes will draw best after training?

    python benchmarks/score_quality.py CKPT DATA OUT --features FILE [--network G_A] [--shapes 20]
        [--speed-up 4.2] [--steps 200] [--size 128] [--threads 1] [--generator FILE.py:FACTORY]

Draws shapes of equal predicted milliseconds and of unlike widths, each with the filters that are hardest to
do without; scores each as the search does; then refits and trains it as `compress` does, and measures what it
lacks of the original's translation of the test pictures. Prints Spearman's rank correlation of every score
with that. OUT, JSON, keeps what is finished: the same command goes on where it was stopped.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from refit import Judge
from torch import Tensor

from ganprune.checkpoints import Own, load_quartet
from ganprune.images import find_domains, load_pictures, split, to_float
from ganprune.pruning.fitness import losses
from ganprune.pruning.genome import Layout
from ganprune.pruning.latency import Latency, predicted
from ganprune.pruning.rebuild import rebuilt
from ganprune.pruning.repair import Constraints, Repairer
from ganprune.pruning.resources import kept_macs
from ganprune.refit import as_scores, refitted
from ganprune.scoring import LocalScorer, ScoringInputs, ScoringSettings
from ganprune.scoring.originals import original_removals
from ganprune.settings import FineTuneSettings
from ganprune.settings.search import SearchSettings
from ganprune.settings.words import DOMAINS, Domain
from ganprune.storage.files import write_atomically
from ganprune.system.device import cpu_threads, resolve_precision, resolve_threads
from ganprune.training import Budget, Networks, Teacher, TrainSettings, train
from ganprune_exporters.latency import latency_table

SPREAD = 0.5
"""Standard deviation of the logarithm of widths, of whole roles and again of each group."""


def shapes(layout: Layout, repairer: Repairer, scores: Tensor, n: int) -> list[Tensor]:
    """Genomes of unlike widths that take equally long: bool [L] each."""
    roles = [group.role for group in layout.graph.groups.values()]
    found: list[Tensor] = []
    for seed in range(n):
        random = np.random.default_rng(seed)
        of_role = {role: random.normal(0, SPREAD) for role in sorted(set(roles), key=str)}
        logs = np.array([of_role[role] + random.normal(0, SPREAD / 2) for role in roles])
        sizes, low, high = np.array(layout.sizes), 1e-3, 10.0
        for _ in range(40):
            middle = (low * high) ** 0.5
            counts = np.clip(np.rint(middle * sizes * np.exp(logs)), 1, sizes).astype(int)
            low, high = (middle, high) if repairer.used(counts) <= 1 else (low, middle)
        chance = torch.Generator().manual_seed(seed)
        counts = layout.gene_counts(repairer(layout.keeping(counts, scores)[None], chance)).numpy()[0]
        found.append(layout.keeping(counts, scores))
    return found


def spearman(a: list[float], b: list[float]) -> float:
    """Correlation of ranks, of values without ties."""
    ranks = [torch.tensor(values).argsort().argsort().double() for values in (a, b)]
    return float(torch.corrcoef(torch.stack(ranks))[0, 1])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name in ("ckpt", "data", "out"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--features", type=Path, required=True)
    parser.add_argument("--network", choices=("G_A", "G_B"), default="G_A")
    parser.add_argument("--generator", metavar="FILE.py:FACTORY")
    parser.add_argument("--shapes", type=int, default=20)
    parser.add_argument("--speed-up", type=float, default=4.2)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--pictures", type=int, default=8, help="that are scored on")
    parser.add_argument("--gram-pictures", type=int, default=24, help="that scored networks are refitted by")
    parser.add_argument("--refit-pictures", type=int, default=48)
    parser.add_argument("--test-pictures", type=int, default=1000, help="at most")
    parser.add_argument("--threads", type=int)
    opt = parser.parse_args()
    quartet = load_quartet(opt.ckpt, own=Own.of(opt.generator))
    side: Domain = opt.network[-1]
    folders = find_domains(opt.data, needs=("train", "test"))
    train_paths = {
        d: split(folders, d, seed=0, holdout=opt.pictures) for d in DOMAINS if folders.pictures("train", d)
    }
    scored = {d: load_pictures(held, opt.size) for d, (_, held) in train_paths.items()}
    grams = {d: load_pictures(rest[: opt.gram_pictures], opt.size) for d, (rest, _) in train_paths.items()}
    rest = train_paths[side][0]
    x = list(to_float(load_pictures(rest[: opt.refit_pictures], opt.size)).split(1))
    generators, judges = quartet.generators, quartet.discriminators
    layouts = {d: Layout.of(generator) for d, generator in generators.items()}
    original, layout = generators[side], layouts[side]
    rows: list[dict[str, Any]] = json.loads(opt.out.read_text()) if opt.out.exists() else []
    with cpu_threads(resolve_threads(opt.threads)):
        cheapest: dict[Domain, Tensor] = {}
        for d in layouts:
            gone = original_removals(
                generators[d], layouts[d], to_float(grams[d]), opt.out.parent / "cache", d
            )
            scores = as_scores(gone)
            table = latency_table(generators[d], opt.size)
            limit = predicted(table, layouts[d].graph.sizes) / opt.speed_up
            latency = Latency(table, layouts[d])
            repairer = Repairer(layouts[d], Constraints(align=16, target_ms=limit), latency)
            counts = repairer.cheapest([removal.costs.numpy() for removal in gone.values()])
            cheapest[d] = layouts[d].keeping(counts, scores)
            if d == side:
                ms = latency
                drawn = [cheapest[d], *shapes(layout, repairer, scores, opt.shapes - 1)]
        precision = resolve_precision("auto", "cpu")
        settings = ScoringSettings("cpu", precision, refit=True)
        inputs = ScoringInputs(generators, judges, layouts, scored, settings, gram_pictures=grams)
        scorer = LocalScorer(inputs)
        floor, preset = float(scorer.controls(side).L_cyc[0]), SearchSettings(lambda_cycle=1.0)
        judge = Judge(
            original,
            load_pictures(folders.pictures("test", side)[: opt.test_pictures], opt.size),
            opt.features,
        )
        other = next((cheapest[d] for d in layouts if d != side), None)
        for genome in drawn[len(rows) :]:
            alone, paired = (scorer.score(side, genome[None], partner) for partner in (None, other))
            units = layout.units(genome)
            slim = refitted(rebuilt(original, layout, genome), original, units, x)
            row: dict[str, Any] = {
                "widths": layout.gene_counts(genome[None])[0].tolist(),
                "macs": float(kept_macs(layout, genome[None])),
                "ms": float(ms.of(layout.gene_counts(genome[None]).numpy())[0]),
                "score": {
                    "L_GenA": float(alone.L_GenA), "L_DisA": float(alone.L_DisA),
                    "L_cyc": float(alone.L_cyc), "L_cyc, slim partner": float(paired.L_cyc),
                    "losses": float(losses(alone, preset, floor)),
                    "losses, slim partner": float(losses(paired, preset, floor)),
                },
                "refitted": judge(slim),
            }  # fmt: skip
            if opt.steps:
                row["trained"] = judge(_trained(opt, slim, quartet, side, layout, units, rest, precision))
            rows.append(row)
            write_atomically(opt.out, (json.dumps(rows, indent=1) + "\n").encode())
            print(json.dumps(row), flush=True)
    report(rows)


def _trained(
    opt: Any, slim: Any, quartet: Any, side: Domain, layout: Layout, units: Tensor, paths: Any, precision: Any
) -> Any:
    base = TrainSettings(size=opt.size, precision=precision)
    recipe = replace(FineTuneSettings(validations=0).training(base, (side,)), average=0.0)
    networks = replace(Networks.known(quartet), **{f"G_{side}": slim})
    teacher = Teacher(quartet.generators[side], layout.graph, units, quartet.discriminators.get(side))
    folders = dict.fromkeys(DOMAINS, paths)
    with TemporaryDirectory() as folder:
        result = train(
            networks, folders, recipe, Budget(opt.steps, "steps"), Path(folder), teachers={side: teacher}
        )
    return getattr(result.networks, f"G_{side}")


def report(rows: list[dict[str, Any]]) -> None:
    """Rank correlations as a Markdown table."""
    ends = {
        f"{measure}, {stage}": [row[stage][key] * sign for row in rows]
        for stage in ("refitted", "trained")
        if stage in rows[0]
        for measure, key, sign in (("lost", "lost", 1), ("distance", "psnr", -1))
    }
    found = {name: [row["score"][name] for row in rows] for name in rows[0]["score"]}
    for cycle in ("L_cyc", "L_cyc, slim partner"):
        found[f"L_DisA + {cycle}"] = [a + b for a, b in zip(found["L_DisA"], found[cycle], strict=True)]
    print("\n| score | " + " | ".join(ends) + " |\n|---|" + "--:|" * len(ends))
    for name, values in found.items():
        print(f"| {name} | " + " | ".join(f"{spearman(values, end):.2f}" for end in ends.values()) + " |")


if __name__ == "__main__":
    main()
