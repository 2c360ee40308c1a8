"""What fine-tuning brings back: distillation against the plain recipe and fair controls.

    python benchmarks/fine_tuning.py CKPT DATA OUT --features FILE [--size 128] [--budget 6m]
        [--targets 0.25,0.066] [--methods ...] [--seeds 1] [--block-width F]

Every cell fine-tunes two slim generators for the same time, translates the test pictures of both domains and
scores them: KID with its spread, against real test pictures of the same --size, and the share of the
original's translation that is lost. Cells are kept as OUT/<method>-<target>-<seed>.json and are not computed
again.

distilled    genomes of a search with the defaults of `compress`, taught by the originals
plain        the same genomes by CycleGAN's recipe
random       random genomes of the same size, taught by the originals
uniform      the same share of the largest filters in every layer, taught by the originals; in the blocks that
             times their block_width
scratch      the genomes' widths with fresh weights, by CycleGAN's recipe
thinet, ...  any rival of `ganprune compare`, taught by the originals
widths       the largest filters of given widths, taught by the originals, such as
             widths:stem=16+down=48+trunk=160+inner=16+up1=64+up2=16; inner stands for all blocks and inner0 …
             for one; the target only names the cell
original     the originals themselves by CycleGAN's recipe for the same time: what further training gives
continued    the slim generators of a run, --run, trained on; the target only names the cell
variants     distilled, uniform or continued with settings changed, such as
             distilled:distil_maps=0+tune_lr=0.001, the search's too, such as distilled:width_spread=null
"""

import argparse
import copy
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save
from torch import Tensor

from ganprune.baselines import METHODS, Pruned, Subject
from ganprune.baselines.allocation import keep_best
from ganprune.checkpoints import load_generator, load_quartet, read_metadata
from ganprune.images import find_domains, load_pictures, split, to_float, to_uint8
from ganprune.images.sources import DOMAINS, Domain
from ganprune.metrics import features_of, kid, load_features, lost
from ganprune.metrics.bootstrap import kid_interval
from ganprune.models.cyclegan import Discriminator, Generator
from ganprune.pruning.cost import macs
from ganprune.pruning.genome import Layout
from ganprune.pruning.importance import importance
from ganprune.pruning.rebuild import rebuilt
from ganprune.pruning.repair import Repairer
from ganprune.pruning.resources import kept_macs
from ganprune.scoring import LocalScorer, ScoringInputs, ScoringSettings
from ganprune.search.coevolution import CoEvolution
from ganprune.search.settings import SearchSettings
from ganprune.settings import FineTuneSettings
from ganprune.storage.files import write_atomically
from ganprune.system.device import (
    cpu_threads,
    keep_freed_memory,
    reproducible,
    resolve_precision,
    resolve_threads,
)
from ganprune.training import Budget, Networks, Teacher, TrainSettings, Validation, load_vgg16, train

Genomes = dict[Domain, Tensor]
DEFAULT = "distilled,plain,random,uniform,scratch,original"


class Bench:
    """Networks and pictures that all cells share."""

    def __init__(self, opt: argparse.Namespace, block_width: float = 1.0) -> None:
        self.opt, self.nets = opt, Networks.of(load_quartet(opt.checkpoint))
        self.block_width = block_width
        self.originals: dict[Domain, Generator] = {"A": self.nets.G_A, "B": self.nets.G_B}
        self.judges: dict[Domain, Discriminator] = {"A": self.nets.D_A, "B": self.nets.D_B}
        self.layouts: dict[Domain, Layout] = {side: Layout.of(self.originals[side]) for side in DOMAINS}
        folders, self.precision = find_domains(opt.data), resolve_precision("auto", opt.device)
        self.train: dict[Domain, Sequence[Path]] = {}
        self.validation: dict[Domain, Tensor] = {}
        self.test: dict[Domain, Tensor] = {}
        for side in DOMAINS:
            pictures, held_out = split(folders, side, seed=0, holdout=8)
            self.train[side] = pictures[: opt.train]
            self.validation[side] = load_pictures(held_out[:8], opt.size)
            self.test[side] = load_pictures(sorted((opt.data / f"test{side}").iterdir()), opt.size)
        self.network = load_features(opt.features)
        self.vgg = None if opt.vgg is None else load_vgg16(opt.vgg)
        self._known: dict[str, Tensor] = {}

    def features(self, name: str, pictures: Tensor) -> Tensor:
        """Of pictures that several cells need."""
        if name not in self._known:
            self._known[name] = features_of(self.network, pictures)
        return self._known[name]

    def ranks(self, side: Domain) -> Tensor:
        """Of every filter: float64 [L]."""
        return importance(self.originals[side], self.layouts[side], to_float(self.validation[side]))

    @torch.inference_mode()
    def translated(self, generator: Generator, pictures: Tensor) -> Tensor:
        """uint8 [n, 3, h, w] → the same of the other domain."""
        G, device = copy.deepcopy(generator).to(self.opt.device), self.opt.device
        with reproducible():
            return torch.cat([to_uint8(G(to_float(part).to(device))).cpu() for part in pictures.split(1)])

    def scores(self, generators: dict[Domain, Generator]) -> dict[str, dict[str, float]]:
        """KID, its spread and what is lost, of each direction."""
        found: dict[str, dict[str, float]] = {}
        for side, other in zip(DOMAINS, reversed(DOMAINS), strict=True):
            inputs, real = (self.features(s, self.test[s]) for s in (side, other))
            original = self.features(f"G_{side}", self.translated(self.originals[side], self.test[side]))
            fakes = features_of(self.network, self.translated(generators[side], self.test[side]))
            found[side] = {
                "kid": kid(fakes, real), "spread": spread(fakes, real),
                "lost": lost(fakes, original, inputs),
                "kid_original": kid(original, real), "kid_inputs": kid(inputs, real),
                "spread_original": spread(original, real),
            }  # fmt: skip
        return found

    def genomes(
        self, how: str, target: float, seed: int, changes: Mapping[str, Any] = MappingProxyType({})
    ) -> Genomes:
        """Of a search, kept in the output folder; or random ones, or the same share in every layer.

        changes: settings of the search that are not the default.
        """
        settings = SearchSettings(
            population=16, generations=15, align=16, target_macs=(target, target), seed=seed,
            **({"block_width": self.block_width} | dict(changes)),
        )  # fmt: skip
        if how == "searched":
            words = "".join(f"{key}={value}-" for key, value in sorted(changes.items()))
            path = self.opt.out / f"genomes-{words}{target:g}-{seed}.safetensors"
            if not path.exists():
                scored = ScoringSettings(
                    self.opt.device, self.precision, batch=1 if self.opt.device == "cpu" else 8
                )
                inputs = ScoringInputs(self.originals, self.judges, self.layouts, self.validation, scored)
                *_, last = CoEvolution(settings, self.layouts, LocalScorer(inputs)).states(None)
                best = {side: last.populations[side].best_genome.clone() for side in DOMAINS}
                write_atomically(path, save(best))
            loaded = load_file(path)
            return {side: loaded[side] for side in DOMAINS}
        found: Genomes = {}
        for side, layout in self.layouts.items():
            chance = torch.Generator().manual_seed(seed)
            ranks = torch.rand(layout.length, generator=chance)
            if how == "random":
                start = ranks < 0.5
            else:
                ranks, start = self.ranks(side), torch.zeros(layout.length)
                for share in torch.linspace(0.02, 1 / settings.block_width, 981).tolist():
                    genome = torch.zeros(layout.length, dtype=torch.bool)
                    for name, piece in layout.genes.items():
                        size = piece.stop - piece.start
                        part = settings.block_width if name.startswith("inner") else 1
                        fewest = min(size, settings.align)
                        kept = min(size, max(fewest, round(share * part * size)))
                        genome[piece.start + ranks[piece].topk(kept).indices] = True
                    if float(kept_macs(layout, genome[None])) <= target:
                        start = genome
            limits = settings.constraints(side)
            found[side] = Repairer(layout, limits)(start.bool()[None], chance)[0]
        return found

    def of_widths(self, groups: Mapping[str, int]) -> Genomes:
        """The largest filters of given widths."""
        found: Genomes = {}
        for side, layout in self.layouts.items():
            counts = [groups.get(gene, groups.get(gene.rstrip("0123456789"), 0)) for gene in layout.genes]
            found[side] = keep_best(self.ranks(side), np.array(counts), layout)
        return found

    def pruned(self, name: str, target: float, side: Domain, seed: int) -> Pruned:
        """What a rival makes of one generator."""
        limits = SearchSettings(align=16, target_macs=(target, target), width_spread=None).constraints(side)
        device, layout = self.opt.device, self.layouts[side]
        original = copy.deepcopy(self.originals[side]).to(device).requires_grad_(False).eval()
        pictures, chance = to_float(self.validation[side]).to(device), torch.Generator().manual_seed(seed)
        made = METHODS[name](Subject(original, layout, pictures, Repairer(layout, limits), chance))
        counts = {gene: int(n) for gene, n in layout.counts(made.genome[None]).items()}
        print(f"{name}-{target:g}-{seed}, G_{side}: {counts}", flush=True)
        return Pruned(made.genome, made.network.cpu())

    def run(self, method: str, target: float, seed: int) -> dict[str, Any]:
        """One cell."""
        kind, _, changes = method.partition(":")
        plain = kind in ("plain", "scratch", "original")
        pairs = (change.split("=") for change in changes.split("+") if change)
        values = {key: json.loads(value) for key, value in pairs}
        groups = {key: values.pop(key) for key in list(values) if kind == "widths"}
        of_search = {field.name for field in fields(SearchSettings)}
        tuning = FineTuneSettings(
            recipe="paper" if plain else "distil", **{k: v for k, v in values.items() if k not in of_search}
        )
        base = TrainSettings(size=self.opt.size, seed=seed, precision=self.precision, device=self.opt.device)
        recipe = tuning.training(base, DOMAINS)
        slim, teachers, sizes = dict(self.originals), dict[Domain, Teacher](), dict[str, float]()
        if kind == "continued":
            for side in DOMAINS:
                slim[side] = load_generator(self.opt.run / f"G_{side}.safetensors")
                sizes[side] = macs(slim[side], 4, 4, "true") / macs(self.originals[side], 4, 4, "true")
                cut = read_metadata(self.opt.run / f"pruned_G_{side}.safetensors")
                kept = torch.tensor(json.loads(cut["kept"])["trunk"])
                teachers[side] = Teacher(self.originals[side], kept, self.judges[side], self.vgg)
        elif kind in METHODS and kind not in ("random", "uniform"):
            for side, layout in self.layouts.items():
                pruned = self.pruned(kind, target, side, seed)
                sizes[side] = float(kept_macs(layout, pruned.genome[None]))
                slim[side] = pruned.network
                kept = layout.graph, layout.units(pruned.genome)
                teachers[side] = Teacher(self.originals[side], kept, self.judges[side], self.vgg)
        elif kind != "original":
            how = kind if kind in ("random", "uniform") else "searched"
            genomes = (
                self.of_widths(groups)
                if groups
                else self.genomes(how, target, seed, {k: v for k, v in values.items() if k in of_search})
            )
            for side, layout in self.layouts.items():
                sizes[side] = float(kept_macs(layout, genomes[side][None]))
                slim[side] = rebuilt(self.originals[side], layout, genomes[side])
                kept = layout.kept(genomes[side])["trunk"]
                teachers[side] = Teacher(self.originals[side], kept, self.judges[side], self.vgg)
        start = Networks(slim["A"], slim["B"], self.nets.D_A, self.nets.D_B)
        if kind == "scratch":
            fresh = Networks.fresh(base)
            start = Networks(
                _redrawn(slim["A"], base, "A"), _redrawn(slim["B"], base, "B"), fresh.D_A, fresh.D_B
            )
        folder = self.opt.out / f"{method}-{target:g}-{seed}"
        began = time.monotonic()
        result = train(
            start, self.train, recipe, Budget.parse(self.opt.budget), folder,
            teachers=None if plain else teachers,
            validation=Validation(
                self.validation, self.originals, self.judges, device=self.opt.device, precision=self.precision
            ),
        )  # fmt: skip
        seconds = time.monotonic() - began
        ends: dict[Domain, Generator] = {"A": result.networks.G_A, "B": result.networks.G_B}
        record = json.loads((folder / "train.json").read_text())
        return {
            "method": method, "target": target, "seed": seed, "macs": sizes, "steps": result.steps,
            "seconds": seconds, "seconds_per_step": record["seconds_per_step"], "best": record["best"],
            "scores": self.scores(ends),
        }  # fmt: skip


def _redrawn(generator: Generator, settings: TrainSettings, side: Domain) -> Generator:
    """The same widths with fresh weights."""
    twin = Generator(generator.widths, generator.norm)
    chance = torch.Generator().manual_seed(settings.seed * 2 + DOMAINS.index(side))
    for parameter in twin.parameters():
        if parameter.dim() > 1:
            torch.nn.init.normal_(parameter, 0.0, settings.init_gain, generator=chance)
        else:
            torch.nn.init.zeros_(parameter)
    return twin


def print_table(out: Path) -> None:
    """One row a cell, as Markdown."""
    cells = [json.loads(path.read_text()) for path in sorted(out.glob("*.json"))]
    print("| MACs | method | seed | steps | lost A→B | KID A→B | lost B→A | KID B→A |")
    print("|--:|---|--:|--:|--:|--:|--:|--:|")
    for cell in sorted(cells, key=lambda c: (-c["target"], c["method"], c["seed"])):
        parts = [
            f"{s['lost']:.3f} | {s['kid']:.3f} ± {s['spread']:.3f}"
            for s in (cell["scores"][side] for side in DOMAINS)
        ]
        row = (f"{cell['target']:g}", cell["method"], str(cell["seed"]), str(cell["steps"]), *parts)
        print(f"| {' | '.join(row)} |")
    if cells:
        for side in DOMAINS:
            s = cells[0]["scores"][side]
            print(
                f"\nG_{side}: original's KID {s['kid_original']:.3f} ± {s['spread_original']:.3f}, "
                f"untouched inputs {s['kid_inputs']:.3f}"
            )


def spread(fakes: Tensor, real: Tensor) -> float:
    """Half of KID's 95 % interval, of 200 resamples."""
    interval = kid_interval(fakes, real, 200, torch.Generator().manual_seed(0))
    return (interval.high - interval.low) / 2


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("checkpoint", "data", "out"):
        args.add_argument(name, type=Path)
    args.add_argument("--features", type=Path, required=True)
    args.add_argument("--vgg", type=Path, help="compare pictures by VGG16's maps too")
    args.add_argument("--run", type=Path, help="the run folder that `continued` goes on from")
    args.add_argument("--block-width", type=float, default=1.0, help="as of `compress`")
    args.add_argument("--train", type=int, help="training pictures of each domain; all without")
    args.add_argument("--size", type=int, default=128)
    args.add_argument("--device", default="cpu")
    args.add_argument("--budget", default="6m")
    args.add_argument("--targets", default="0.25,0.066")
    args.add_argument("--methods", default=DEFAULT)
    args.add_argument("--seeds", type=int, default=1)
    args.add_argument("--threads", type=int, default=resolve_threads(None))
    opt = args.parse_args()
    keep_freed_memory()
    with cpu_threads(opt.threads):
        bench = Bench(opt, opt.block_width)
        for target in map(float, opt.targets.split(",")):
            for seed in range(opt.seeds):
                for method in opt.methods.split(","):
                    share = 1.0 if method == "original" else target  # whole, so one cell for all targets
                    path = opt.out / f"{method}-{share:g}-{seed}.json"
                    if not path.exists():
                        cell = bench.run(method, share, seed)
                        write_atomically(path, json.dumps(cell, indent=1).encode())
                        lost_now = {s: round(v["lost"], 3) for s, v in cell["scores"].items()}
                        print(f"{path.stem}: {cell['seconds']:.0f} s, lost {lost_now}", flush=True)
    print_table(opt.out)


if __name__ == "__main__":
    main()
