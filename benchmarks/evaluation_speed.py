"""How fast individuals are scored, against the published way of scoring and against the machine.

    python benchmarks/evaluation_speed.py CKPT DATA [--size N] [--pictures N] [--individuals N] [--repeats N]
        [--device cuda --batch 16]

*published*: what the authors' code does for each individual: the dense networks with zeroed filters, in
float32, one picture at a time, the original's translation and D's judgement of it computed anew. *ours*:
`LocalScorer`, new genomes and a new partner in every repeat, so that nothing is known beforehand. All take
turns in one process. Genomes are those that `compress` starts from.

The machine's best rate is that of the largest residual convolution alone, on a batch, in the same precision
and with as many threads. A score's rate counts the multiply-accumulates of the slim networks and of D.
"""

import argparse
import copy
import json
import time
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn

from ganprune.checkpoints import load_quartet
from ganprune.images import find_domains, load_pictures, to_float
from ganprune.images.sources import Domain
from ganprune.models.cyclegan import Discriminator, Generator
from ganprune.pruning import cost
from ganprune.pruning.fitness import l_cyc, l_disa, l_gena
from ganprune.pruning.genome import Layout
from ganprune.pruning.rebuild import masked
from ganprune.pruning.repair import Constraints, Repairer
from ganprune.pruning.resources import kept_macs
from ganprune.scoring import LocalScorer, Scores, ScoringInputs, ScoringSettings
from ganprune.system.device import cpu_threads, reproducible, resolve_threads
from ganprune.training import Networks

SIDE: Domain = "A"


def draw(layout: Layout, n: int, seed: int) -> Tensor:
    """Genomes of a quarter of the MACs, in multiples of 16: bool [n, L]."""
    generator = torch.Generator().manual_seed(seed)
    flips = torch.rand(n, layout.length, generator=generator) < 0.5
    return Repairer(layout, Constraints(16, 0.25))(flips, generator)


@torch.inference_mode()
def published(
    nets: Networks, layouts: dict[Domain, Layout], genomes: Tensor, partner: Tensor, x: Tensor
) -> Scores:
    """Eq. 4-6 by dense networks with zeroed filters, one picture at a time, nothing remembered."""
    back = masked(nets.G_B, layouts["B"], partner)
    rows: list[Tensor] = []
    for genome in genomes:
        slim, terms = masked(nets.G_A, layouts["A"], genome), list[tuple[float, float, float, float]]()
        for picture in x.split(1):
            original, translated = nets.G_A(picture), slim(picture)
            seen = l_disa(nets.D_A(original), nets.D_A(translated))
            terms.append((seen, l_gena(original, translated), l_cyc(back(translated), picture), 0.0))
        rows.append(torch.tensor(terms, dtype=torch.float64).mean(0))
    return Scores(*torch.stack(rows).unbind(1))


def judge_macs(D: Discriminator, size: int) -> int:
    """Multiply-accumulates of one judgement, counted while it runs on the meta device."""
    counted = 0

    def count(module: nn.Module, _: object, output: Tensor) -> None:
        nonlocal counted
        assert isinstance(module, nn.Conv2d)
        counted += module.weight.numel() * output.shape[2] * output.shape[3]

    with torch.device("meta"):
        twin = Discriminator(D.widths)
        for module in twin.modules():
            if isinstance(module, nn.Conv2d):
                module.register_forward_hook(count)
        twin(torch.empty(1, D.widths.in_channels, size, size))
    return counted


def best_rate(G: Generator, size: int, precision: torch.dtype, pictures: int, device: str) -> float:
    """Multiply-accumulates a second of the largest residual convolution, on a batch: the best of ten runs."""
    trunk, side = G.widths.trunk, size // 4
    conv = nn.Conv2d(trunk, trunk, 3, padding=1).to(device, precision)
    conv = conv.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    x = torch.randn(pictures, trunk, side, side, dtype=precision, device=device)
    x = x.to(memory_format=torch.channels_last)
    with torch.inference_mode(), reproducible():
        times: list[float] = []
        for _ in range(10):
            start = time.perf_counter()
            conv(x)
            if device != "cpu":
                torch.cuda.synchronize()
            times.append(time.perf_counter() - start)
    return pictures * conv.weight.numel() * side * side / min(times[2:])


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("checkpoint", type=Path)
    args.add_argument("data", type=Path)
    for name, value in (("size", 256), ("pictures", 8), ("individuals", 3), ("repeats", 5)):
        args.add_argument(f"--{name}", type=int, default=value)
    args.add_argument("--threads", type=int, default=resolve_threads(None))
    args.add_argument("--device", default="cpu")
    args.add_argument("--batch", type=int, default=1, help="pictures a forward pass, of ours")
    args.add_argument("--json", type=Path)
    opt = args.parse_args()
    nets = Networks.of(load_quartet(opt.checkpoint))
    folders = find_domains(opt.data)
    pictures: dict[Domain, Tensor] = {
        "A": load_pictures(folders.train_A[: opt.pictures], opt.size),
        "B": load_pictures(folders.train_B[: opt.pictures], opt.size),
    }
    layouts: dict[Domain, Layout] = {"A": Layout.of(nets.G_A), "B": Layout.of(nets.G_B)}
    generators: dict[Domain, Generator] = {"A": nets.G_A, "B": nets.G_B}
    discriminators: dict[Domain, Discriminator] = {"A": nets.D_A, "B": nets.D_B}
    x = to_float(pictures[SIDE]).to(opt.device)
    dense = Networks(*(copy.deepcopy(net).to(opt.device) for _, net in nets.items()))
    dtypes = {"float32": torch.float32, "bfloat16": torch.bfloat16}

    with cpu_threads(opt.threads):
        inputs = ScoringInputs(generators, discriminators, layouts, pictures)
        scorers = {
            name: LocalScorer(replace(inputs, settings=ScoringSettings(opt.device, name, opt.batch)))
            for name in ("float32", "bfloat16")
        }
        times: dict[str, list[float]] = {"published": []} | {name: [] for name in scorers}
        macs = 0.0
        for repeat in range(opt.repeats):
            genomes = draw(layouts["A"], opt.individuals, 2 * repeat)
            partner = draw(layouts["B"], 1, 2 * repeat + 1)[0]
            start = time.perf_counter()
            expected = published(dense, layouts, genomes[:1], partner, x)
            times["published"].append(time.perf_counter() - start)
            for name, scorer in scorers.items():
                start = time.perf_counter()
                found = scorer.score(SIDE, genomes, partner)
                times[name].append((time.perf_counter() - start) / opt.individuals)
                if name == "float32":
                    torch.testing.assert_close(found.L_DisA[0], expected.L_DisA[0], rtol=1e-3, atol=1e-6)
            share = float(kept_macs(layouts["A"], genomes).mean())
            share_back = float(kept_macs(layouts["B"], partner[None])[0])
            whole = [cost.macs(G, opt.size, opt.size, "true") for G in generators.values()]
            macs += share * whole[0] + share_back * whole[1] + judge_macs(nets.D_A, opt.size)
        rates = {
            name: best_rate(nets.G_A, opt.size, dtypes[name], opt.pictures, opt.device) for name in scorers
        }
    report: dict[str, Any] = {"size": opt.size, "pictures": opt.pictures, "threads": opt.threads}
    per_score = opt.pictures * macs / opt.repeats
    for name, values in times.items():
        ratios = [a / b for a, b in zip(times["published"], values, strict=True)]
        report[name] = {"seconds": median(values), "per_second": 1 / median(values), "faster": median(ratios)}
        line = f"{name:10} {median(values):7.3f} s an individual   {median(ratios):5.2f}x"
        if name in rates:
            rate = per_score / median(values)
            line += f"   {rate / 1e9:6.1f} of {rates[name] / 1e9:6.1f} GMAC/s: {rate / rates[name]:.0%}"
            report[name] |= {"macs_per_second": rate, "best": rates[name], "share": rate / rates[name]}
        print(line)
    if opt.json:
        opt.json.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
