"""What each step gives back of what cutting takes, before any training, on test pictures.

    python benchmarks/refit.py CKPT DATA OUT --features FILE [--network G_A] [--targets 0.25] [--runs RUN …]
        [--generator FILE.py:FACTORY]

Rows for each share of the MACs: layers all alike and cut, with the filters of the largest importance; the
same refitted; the surgeon's filters in those widths; the surgeon's widths too, refitted from Gram matrices,
and in sequence; and, as controls, random filters in the surgeon's widths, the untouched input, and the
original conjugated by a mirror, an equally good picture. DATA has trainA, trainB, testA, testB. Refits look
at training pictures of the domain that the network translates, scores are of test pictures. Of runs of
`ganprune compress` the networks are measured as the search's was cut, refitted and trained. Writes OUT, JSON,
and prints a Markdown table. Rows that OUT has are not measured again.
"""

import argparse
import json
import time
from pathlib import Path

import torch
from torch import Tensor

from ganprune.channels import graph_of
from ganprune.checkpoints import Own, load_generator, load_quartet
from ganprune.images import find_domains, load_pictures, to_float, to_uint8
from ganprune.metrics import features_of, load_features
from ganprune.metrics.controls import lost
from ganprune.pruning.cost import macs
from ganprune.pruning.genome import Layout
from ganprune.pruning.importance import importance
from ganprune.pruning.rebuild import rebuilt
from ganprune.pruning.repair import Constraints, Repairer
from ganprune.refit import as_scores, grams, refitted, refitted_from, removals
from ganprune.storage.files import write_atomically
from ganprune.system.device import cpu_threads, resolve_threads

Row = dict[str, float]


class Judge:
    """Scores of networks against the original on the same test pictures."""

    def __init__(self, original: torch.nn.Module, pictures: Tensor, features: Path) -> None:
        self._features, self._x = load_features(features), to_float(pictures)
        self.wanted = self._through(original)
        self._of_inputs = features_of(self._features, pictures)
        self._of_wanted = features_of(self._features, to_uint8(self.wanted))

    def __call__(self, network: torch.nn.Module) -> Row:
        return self.of(self._through(network))

    def mirrored(self, network: torch.nn.Module) -> Row:
        made = [network(x.flip(-1)[None])[0].flip(-1) for x in self._x]
        return self.of(torch.stack(made))

    def inputs(self) -> Row:
        # Their own features: written as 8 bits again, as translations are, some would lose a level.
        return self.of(self._x) | {"lost": float(lost(self._of_inputs, self._of_wanted, self._of_inputs))}

    def of(self, made: Tensor) -> Row:
        error = (made - self.wanted).square().mean()
        share = lost(features_of(self._features, to_uint8(made)), self._of_wanted, self._of_inputs)
        return {"lost": float(share), "psnr": float(10 * torch.log10(4 / error))}

    def _through(self, network: torch.nn.Module) -> Tensor:
        return torch.cat([network(x[None]) for x in self._x])


def genome_of(layout: Layout, counts: list[int], scores: Tensor) -> Tensor:
    """The best filters of every gene: bool [L]."""
    genome = torch.zeros(layout.length, dtype=torch.bool)
    for piece, count in zip(layout.genes.values(), counts, strict=True):
        genome[piece.start + scores[piece].topk(count).indices] = True
    return genome


def arguments(doc: str | None) -> argparse.ArgumentParser:
    """What networks, pictures and features to look at, and where to."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ckpt", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--features", type=Path, required=True)
    parser.add_argument("--network", choices=("G_A", "G_B"), default="G_A")
    parser.add_argument("--generator", metavar="FILE.py:FACTORY")
    parser.add_argument("--size", type=int, default=256)
    return parser


@torch.no_grad()
def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--targets", type=float, nargs="*", default=[0.5, 0.25, 1 / 15])
    parser.add_argument("--runs", type=Path, nargs="*", default=[])
    parser.add_argument("--pictures", type=int, default=48, help="that refits look at")
    parser.add_argument("--test-pictures", type=int, default=1000, help="at most")
    opt = parser.parse_args()
    rows: dict[str, Row] = json.loads(opt.out.read_text()) if opt.out.exists() else {}
    own = Own.of(opt.generator)
    original = getattr(load_quartet(opt.ckpt, own=own), opt.network)
    domain, folders = opt.network[-1], find_domains(opt.data, needs=("train", "test"))
    test = load_pictures(folders.pictures("test", domain)[: opt.test_pictures], opt.size)
    order = torch.randperm(len(folders.pictures("train", domain)), generator=torch.Generator().manual_seed(0))
    chosen = [folders.pictures("train", domain)[i] for i in order[: opt.pictures]]
    x = list(to_float(load_pictures(chosen, opt.size)).split(1))
    layout = Layout.of(original)

    def measured(name: str, network: torch.nn.Module | None, seconds: float = 0.0) -> None:
        if name not in rows:
            row = judge.inputs() if network is None else judge(network)
            if network is not None:
                row["macs"] = _macs(network) / _macs(original)
            rows[name] = row | {"seconds": round(seconds, 1)}
            write_atomically(opt.out, (json.dumps(rows, indent=2) + "\n").encode())
            print(name, rows[name], flush=True)

    def in_sequence(genome: Tensor) -> torch.nn.Module:
        return refitted(rebuilt(original, layout, genome), original, layout.units(genome), x)

    with cpu_threads(resolve_threads(None)):
        judge = Judge(original, test, opt.features)
        measured("the untouched input", None)
        if "the original, conjugated by a mirror" not in rows:
            rows["the original, conjugated by a mirror"] = judge.mirrored(original)
        for run in opt.runs:
            for kind, name in (("pruned_", "cut"), ("refitted_", "refitted"), ("", "trained")):
                path = run / f"{kind}{opt.network}.safetensors"
                if path.exists():
                    measured(f"run {run.name}, {name}", load_generator(path, own))
        before = time.monotonic()
        found = grams(original, graph_of(original), x[:8]) if opt.targets else {}
        gone = removals(original, layout, found) if opt.targets else {}
        weighing = time.monotonic() - before
        weights = importance(original, layout, torch.cat(x[:8]))
        for target in opt.targets:
            scores = as_scores(gone)
            limits = Constraints(align=16, target_macs=target)
            repairer = Repairer(layout, limits)
            legal = [list(range(16, size + 1, 16)) for size in layout.sizes]
            share = repairer.uniform_share()
            alike = [
                min(n, key=lambda c, s=size: abs(c - share * s))
                for n, size in zip(legal, layout.sizes, strict=True)
            ]
            cheapest = repairer.cheapest([removal.costs.numpy() for removal in gone.values()]).tolist()
            random = torch.rand(layout.length, generator=torch.Generator().manual_seed(0))
            start = f"{target:.3g}: "
            plain = genome_of(layout, alike, weights)
            measured(start + "layers alike, by weights, cut", rebuilt(original, layout, plain))
            for name, genome in (
                ("layers alike, by weights, refitted", plain),
                ("layers alike, by the surgeon, refitted", genome_of(layout, alike, scores)),
                ("the surgeon's widths, random filters, refitted", genome_of(layout, cheapest, random)),
                ("the surgeon's widths and filters, refitted", genome_of(layout, cheapest, scores)),
            ):
                if start + name not in rows:
                    before = time.monotonic()
                    network = in_sequence(genome)
                    measured(start + name, network, time.monotonic() - before)
            best = genome_of(layout, cheapest, scores)
            measured(start + "the same, cut", rebuilt(original, layout, best))
            before = time.monotonic()
            network = refitted_from(found, original, layout, best)
            measured(start + "the same, refitted from Gram matrices", network, time.monotonic() - before)
            rows[start + "the surgeon's widths and filters, refitted"]["widths"] = cheapest  # type: ignore[assignment]
            rows[start + "the surgeon's widths and filters, refitted"]["weighing"] = round(weighing, 1)
            write_atomically(opt.out, (json.dumps(rows, indent=2) + "\n").encode())
    print("\n| network | MACs | lost | PSNR, dB | seconds |\n|---|--:|--:|--:|--:|")
    for name, row in rows.items():
        share = f"{row['macs']:.3f}" if "macs" in row else ""
        print(f"| {name} | {share} | {row['lost']:.3f} | {row['psnr']:.2f} | {row.get('seconds', ''):} |")


def _macs(network: torch.nn.Module) -> int:
    return macs(network, 256, 256, "true")


if __name__ == "__main__":
    main()
