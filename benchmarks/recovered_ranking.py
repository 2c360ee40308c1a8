"""How well recovered discriminators rank slim networks, compared with the original ones.

    python benchmarks/recovered_ranking.py CKPT RECOVERED DATA [--genomes 40] [--size 256] [--json FILE]

CKPT: a complete CycleGAN. RECOVERED: the folder that `ganprune train --discriminators-for` wrote for its
generators. For both directions, L_DisA (Eq. 5) of random genomes by both discriminators on the same
pictures, and Spearman's rank correlation of the two. Two sets of genomes: *mixed*, every one with a share of
filters of its own between 0.3 and 0.9; *search*, those that `compress` starts from, all of a quarter of the
MACs in multiples of 16.
"""

import argparse
import json
from pathlib import Path

import torch
from torch import Tensor

from ganprune.checkpoints import load_quartet
from ganprune.device import cpu_threads, resolve_precision, resolve_threads
from ganprune.evaluation import SIDES, EvaluationSettings, LocalEvaluator, Side
from ganprune.genome import Layout
from ganprune.images import find_domains
from ganprune.networks import Discriminator, Generator
from ganprune.presets import preset
from ganprune.repair import Constraints, Repairer
from ganprune.settings import CompressSettings
from ganprune.stages import search_pictures
from ganprune.training import Networks

SETS = ("mixed", "search")


def genomes_of(kind: str, layout: Layout, n: int) -> Tensor:
    """bool [n, L]."""
    generator = torch.Generator().manual_seed(0)
    mixed = kind == "mixed"
    keep = torch.linspace(0.3, 0.9, n)[:, None] if mixed else 0.5
    flips = torch.rand(n, layout.length, generator=generator) < keep
    return Repairer(layout, Constraints() if mixed else Constraints(16, 0.25))(flips, generator)


def spearman(a: Tensor, b: Tensor) -> float:
    """Correlation of ranks; float64 [n] without ties."""
    ranks = torch.stack([values.argsort().argsort().double() for values in (a, b)])
    return float(torch.corrcoef(ranks)[0, 1])


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("checkpoint", "recovered", "data"):
        args.add_argument(name, type=Path)
    args.add_argument("--genomes", type=int, default=40)
    args.add_argument("--size", type=int, default=256)
    args.add_argument("--json", type=Path)
    opt = args.parse_args()
    whole = Networks.of(load_quartet(opt.checkpoint))
    judges = {"original": whole, "recovered": Networks.of(load_quartet(opt.recovered))}
    flat = dict(preset("fast").settings) | {"size": opt.size}
    pictures = search_pictures(find_domains(opt.data), CompressSettings.from_flat(flat))
    settings = EvaluationSettings(precision=resolve_precision("auto", "cpu"))
    layouts: dict[Side, Layout] = {side: Layout.of(getattr(whole, f"G_{side}").widths) for side in SIDES}
    found: dict[str, float] = {}
    with cpu_threads(resolve_threads(None)):
        for side in SIDES:
            G: dict[Side, Generator] = {side: getattr(whole, f"G_{side}")}
            by: dict[str, LocalEvaluator] = {}
            for kind, nets in judges.items():
                D: dict[Side, Discriminator] = {side: getattr(nets, f"D_{side}")}
                by[kind] = LocalEvaluator(G, D, {side: layouts[side]}, pictures, settings)
            for name in SETS:
                genomes = genomes_of(name, layouts[side], opt.genomes)
                scores = {kind: evaluator.score(side, genomes, None) for kind, evaluator in by.items()}
                original, recovered = scores["original"].L_DisA, scores["recovered"].L_DisA
                found[f"D_{side} {name}"] = spearman(original, recovered)
                found[f"L_GenA_{side} {name}"] = spearman(original, scores["original"].L_GenA)
    for name, value in found.items():
        print(f"{name:20} {value:.3f}")
    if opt.json:
        opt.json.write_text(json.dumps({"genomes": opt.genomes, "size": opt.size} | found, indent=2) + "\n")


if __name__ == "__main__":
    main()
