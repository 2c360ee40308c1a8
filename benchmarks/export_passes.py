"""How much faster each rewrite of the export makes a generator, alone and together, as Markdown.

    python benchmarks/export_passes.py                       # 64, 32 and 16 filters in the first layer
    python benchmarks/export_passes.py --ngf 64 24 --rounds 31
    python benchmarks/export_passes.py CHECKPOINT…           # one's own; the first is the baseline

All graphs are timed in one run, in turns, one thread, 1×3×size×size: medians, with the 95 % interval of their
ratio. "against the first" is the network's time against the plain export of the first network.
"""

import argparse
from pathlib import Path

import torch
from onnx import ModelProto

from ganprune.bench.machine import this_machine
from ganprune.bench.statistics import Ratio
from ganprune.checkpoints import load_generator
from ganprune.models.cyclegan import Generator, resnet_widths
from ganprune.pruning import cost
from ganprune_exporters import ExportSettings, chain
from ganprune_exporters.passes import DEFAULT, apply, rewrite
from ganprune_exporters.tuning import speedups


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("checkpoints", nargs="*", type=Path, metavar="CHECKPOINT")
    parser.add_argument("--ngf", nargs="+", type=int, default=[64, 32, 16])
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=21)
    options = parser.parse_args()
    networks = {path.stem: load_generator(path) for path in options.checkpoints} or {
        f"{n}/{2 * n}/{4 * n}": noisy(n) for n in options.ngf
    }
    rows, models = [], []
    for name, network in networks.items():
        for title, model in graphs(network, ExportSettings(options.size)).items():
            rows.append((name, title))
            models.append(model)
    against_first = dict(zip(rows, speedups(models, options.size, options.rounds), strict=True))
    print(f"{this_machine()}\n\n| network | passes | against its plain export | against the first |")
    print("|---|---|---|---|")
    for (name, title), ratio in against_first.items():
        plain = against_first[name, "none"].value
        print(f"| {name} | {title} | {ratio.value / plain:.2f} | {spelled(ratio)} |")
    first, *others = networks
    whole = true_macs(networks[first], options.size)
    for name in others:
        theory = whole / true_macs(networks[name], options.size)
        reached = against_first[name, "all"].value
        share = reached / theory
        print(f"\n{name}: {theory:.2f} times fewer MACs, {reached:.2f} times as fast, quotient {share:.2f}")


def noisy(ngf: int) -> Generator:
    """CycleGAN's generator with noise for weights: what it computes does not change how long it takes."""
    torch.manual_seed(0)
    return Generator(resnet_widths(ngf)).eval()


def graphs(network: Generator, settings: ExportSettings) -> dict[str, ModelProto]:
    plain, _ = chain.plain(network, settings)
    found = {"none": plain}
    for spec in DEFAULT:
        model, report = apply(rewrite(spec), plain)
        if report.applied:
            found[spec] = model
    return found | {"all": chain.rewritten(plain, settings)[0]}


def true_macs(network: Generator, size: int) -> int:
    return cost.macs(network, size, size, "true")


def spelled(ratio: Ratio) -> str:
    return f"{ratio.value:.2f} ({ratio.low:.2f}–{ratio.high:.2f})"


if __name__ == "__main__":
    main()
