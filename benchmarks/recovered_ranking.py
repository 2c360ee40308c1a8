"""How well recovered discriminators rank slim networks, compared with the original ones.

    python benchmarks/recovered_ranking.py CKPT DATA RECOVERED… [--genomes 40] [--size 256] [--json FILE]

CKPT: a complete CycleGAN. RECOVERED: folders that `ganprune train --discriminators-for` wrote for its
generators. For both directions, L_DisA (Eq. 5) of random genomes by every discriminator on the same
pictures, and Spearman's rank correlation with that by the original one; beside it that of L_GenA (Eq. 4),
which needs no discriminator. Two sets of genomes: *mixed*, every one with a share of filters of its own
between 0.3 and 0.9; *search*, those that `compress` starts from, all of a quarter of the MACs in multiples
of 16, which are much harder to tell apart.
"""

import argparse
import copy
import json
from pathlib import Path

import torch
from torch import Tensor

from ganprune.checkpoints import load_quartet
from ganprune.images import find_domains, to_float
from ganprune.images.sources import DOMAINS
from ganprune.models.cyclegan import Discriminator, Generator
from ganprune.presets import preset
from ganprune.pruning.fitness import l_disa, l_gena
from ganprune.pruning.genome import Layout
from ganprune.pruning.rebuild import rebuilt
from ganprune.pruning.repair import Constraints, Repairer
from ganprune.settings import CompressSettings
from ganprune.stages import search_pictures
from ganprune.system.device import cpu_threads, resolve_precision, resolve_threads
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


@torch.inference_mode()
def losses(G: Generator, judges: dict[str, Discriminator], genomes: Tensor, x: Tensor) -> dict[str, Tensor]:
    """L_DisA by every discriminator, and L_GenA: float64 [n] each."""
    layout = Layout.of(G)

    def run(net: Generator | Discriminator, pictures: Tensor) -> Tensor:
        return torch.cat([net(picture) for picture in pictures.split(1)])

    original = run(G, x)
    seen = {name: run(D, original) for name, D in judges.items()}
    rows: list[list[float]] = []
    for genome in genomes:
        slim = run(rebuilt(G, layout, genome), x)
        rows.append(
            [l_disa(seen[name], run(D, slim)) for name, D in judges.items()] + [l_gena(original, slim)]
        )
    return dict(zip([*judges, "L_GenA"], torch.tensor(rows, dtype=torch.float64).unbind(1), strict=True))


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("checkpoint", type=Path)
    args.add_argument("data", type=Path)
    args.add_argument("recovered", type=Path, nargs="+")
    args.add_argument("--genomes", type=int, default=40)
    args.add_argument("--size", type=int, default=256)
    args.add_argument("--json", type=Path)
    opt = args.parse_args()
    folders = {"original": opt.checkpoint} | {str(path): path for path in opt.recovered}
    networks = {name: Networks.of(load_quartet(path)) for name, path in folders.items()}
    flat = dict(preset("fast").settings) | {"size": opt.size}
    pictures = search_pictures(find_domains(opt.data), CompressSettings.from_flat(flat))
    dtype = torch.bfloat16 if resolve_precision("auto", "cpu") == "bfloat16" else torch.float32
    found: dict[str, dict[str, float]] = {}
    with cpu_threads(resolve_threads(None)):
        for side in DOMAINS:
            G: Generator = copy.deepcopy(getattr(networks["original"], f"G_{side}")).to(dtype)
            judges: dict[str, Discriminator] = {
                name: copy.deepcopy(getattr(nets, f"D_{side}")).to(dtype) for name, nets in networks.items()
            }
            x = to_float(pictures[side]).to(dtype)
            for kind in SETS:
                genomes = genomes_of(kind, Layout.of(G), opt.genomes)
                by = losses(G, judges, genomes, x)
                for name, values in by.items():
                    found.setdefault(name, {})[f"D_{side} {kind}"] = spearman(by["original"], values)
    for name, values in found.items():
        print(f"{name:24}" + "".join(f"  {key} {value:6.3f}" for key, value in values.items()))
    if opt.json:
        opt.json.write_text(json.dumps({"genomes": opt.genomes, "size": opt.size} | found, indent=2) + "\n")


if __name__ == "__main__":
    main()
