"""Does the score of the search tell which networks will draw well after fine-tuning?

    python benchmarks/score_quality.py CKPT DATA OUT --features FILE [--genomes 24] [--steps 300]

Draws pairs of genomes of one size and of unlike origin: random, the same share in every layer, and the best
of a search's generations. Scores each as the search does, in float32 and bfloat16, and by cheaper means;
then fine-tunes each pair and measures what is lost of the original's translation of the test pictures.
Prints Spearman's correlation of every score with that. Pairs that are done are kept and skipped; several
processes may each do a `--share`, once the pairs are drawn, and whoever comes last prints.
"""

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from fine_tuning import Bench
from recovered_ranking import spearman
from safetensors.torch import load_file, save
from torch import Tensor

from ganprune.images import to_float
from ganprune.images.sources import DOMAINS, Domain
from ganprune.pruning.fitness import fitness
from ganprune.pruning.importance import importance
from ganprune.pruning.rebuild import rebuilt
from ganprune.pruning.repair import Repairer
from ganprune.pruning.resources import kept_weights
from ganprune.scoring import LocalScorer, ScoringInputs, ScoringSettings
from ganprune.search.coevolution import CoEvolution
from ganprune.search.settings import SearchSettings
from ganprune.settings import FineTuneSettings
from ganprune.storage.files import write_atomically
from ganprune.system.device import Precision, cpu_threads, resolve_threads
from ganprune.training import Budget, Networks, Teacher, TrainSettings, Validation, train

Genomes = dict[Domain, Tensor]
TRAINED_ON = 100
"""Training pictures of each domain: few, so that the originals' lessons are soon computed."""


def candidates(bench: Bench, n: int, target: float) -> list[tuple[str, Genomes]]:
    """A third each: random, the same share in every layer, and the best of a search's generations.

    Kept in the output folder: several processes must not each search for them.
    """
    path = bench.opt.out / "candidates.safetensors"
    if path.exists():
        loaded = load_file(path)
        keys = [key.removesuffix(" A") for key in loaded if key.endswith(" A")]
        kinds = sorted(keys, key=lambda key: int(key.split()[0]))
        return [(key.split()[1], {side: loaded[f"{key} {side}"] for side in DOMAINS}) for key in kinds]
    settings = SearchSettings(population=16, generations=15, align=16, target_macs=(target, target), seed=7)
    found: list[tuple[str, Genomes]] = []
    for i in range(n // 3):
        found.append(("random", bench.genomes("random", target, 100 + i)))
    for i in range(n // 3):
        pair: Genomes = {}
        for side, layout in bench.layouts.items():
            chance = torch.Generator().manual_seed(i)
            ranks = importance(bench.originals[side], layout, to_float(bench.validation[side]))
            ranks = ranks + i / 4 * ranks.std() * torch.randn(ranks.shape, generator=chance)
            limits = replace(settings.constraints(side), align=1)
            start = torch.zeros(layout.length, dtype=torch.bool)
            for piece in layout.genes.values():
                size = piece.stop - piece.start
                start[piece.start + ranks[piece].topk(max(1, round(target**0.5 * size))).indices] = True
            pair[side] = Repairer(layout, limits)(start[None], chance)[0]
        found.append(("uniform", pair))
    states = list(CoEvolution(settings, bench.layouts, scorer(bench, "bfloat16")).states(None))
    for state in states[:: max(1, len(states) // (n - len(found)))][: n - len(found)]:
        found.append(("search", {side: state.populations[side].best_genome.clone() for side in DOMAINS}))
    tensors = {f"{i} {kind} {side}": pair[side] for i, (kind, pair) in enumerate(found) for side in DOMAINS}
    write_atomically(path, save(tensors))
    return found


def scorer(bench: Bench, precision: Precision) -> LocalScorer:
    settings = ScoringSettings(bench.opt.device, precision, batch=1 if bench.opt.device == "cpu" else 8)
    return LocalScorer(
        ScoringInputs(bench.originals, bench.judges, bench.layouts, bench.validation, settings)
    )


def cheap_scores(bench: Bench, pairs: Sequence[tuple[str, Genomes]]) -> dict[str, dict[Domain, list[float]]]:
    """Every score of every pair, smaller is better; the partner is the original."""
    found: dict[str, dict[Domain, list[float]]] = {}

    def add(name: str, side: Domain, values: Tensor) -> None:
        found.setdefault(name, {"A": [], "B": []})[side] = values.double().tolist()

    for side in DOMAINS:
        layout = bench.layouts[side]
        genomes = torch.stack([pair[side] for _, pair in pairs])
        ranks = importance(bench.originals[side], layout, to_float(bench.validation[side]))
        add("weights dropped", side, -(genomes * ranks).sum(1))
        for precision in ("float32", "bfloat16"):
            s = scorer(bench, precision).score(side, genomes, None)
            F = fitness(
                kept_weights(layout, genomes), s.L_DisA, s.L_cyc, s.L_idt, gamma=10.0, lambda_cycle=10.0
            )
            add(f"1 / fitness, {precision}", side, 1 / F)
            for name in ("L_DisA", "L_GenA", "L_cyc"):
                add(f"{name}, {precision}", side, getattr(s, name))
    return found


def tuned(bench: Bench, pair: Genomes, steps: int, folder: Path) -> dict[str, dict[str, float]]:
    """What fine-tuning of one pair comes to: distances after a tenth of the steps and at the end."""
    base = TrainSettings(size=bench.opt.size, precision=bench.precision, device=bench.opt.device)
    recipe = replace(FineTuneSettings(validations=10).training(base, DOMAINS), average=0.0)
    slim = {side: rebuilt(bench.originals[side], bench.layouts[side], pair[side]) for side in DOMAINS}
    teachers: dict[Domain, Teacher] = {
        side: Teacher(
            bench.originals[side],
            bench.layouts[side].kept(pair[side])["trunk"],
            bench.judges[side],
            bench.vgg,
        )
        for side in DOMAINS
    }
    result = train(
        Networks(slim["A"], slim["B"], bench.nets.D_A, bench.nets.D_B), bench.train, recipe,
        Budget(steps, "steps"), folder, teachers=teachers,
        validation=Validation(
            bench.validation, bench.originals, bench.judges,
            device=bench.opt.device, precision=bench.precision,
        ),
    )  # fmt: skip
    early = json.loads((folder / "validation.jsonl").read_text().splitlines()[0])
    scores = bench.scores({"A": result.networks.G_A, "B": result.networks.G_B})
    return {side: scores[side] | {"early": early[f"L_GenA_{side}"]} for side in DOMAINS}


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("checkpoint", "data", "out"):
        args.add_argument(name, type=Path)
    args.add_argument("--features", type=Path, required=True)
    args.add_argument("--vgg", type=Path, help="compare pictures by VGG16's maps too")
    args.add_argument("--size", type=int, default=128)
    args.add_argument("--genomes", type=int, default=24)
    args.add_argument("--steps", type=int, default=300)
    args.add_argument("--target", type=float, default=0.25)
    args.add_argument("--device", default="cpu")
    args.add_argument("--threads", type=int, default=resolve_threads(None))
    args.add_argument("--share", default="0/1", help="1/3: every third pair, from the second")
    args.set_defaults(train=TRAINED_ON)
    opt = args.parse_args()
    with cpu_threads(opt.threads):
        bench = Bench(opt)
        pairs = candidates(bench, opt.genomes, opt.target)
        cheap = cheap_scores(bench, pairs)
        part, parts = map(int, opt.share.split("/"))
        for i, (kind, pair) in enumerate(pairs):
            path = opt.out / f"pair-{i}.json"
            if i % parts != part or path.exists():
                continue
            before = {name: {side: values[side][i] for side in DOMAINS} for name, values in cheap.items()}
            cell = {"kind": kind, "before": before} | tuned(bench, pair, opt.steps, opt.out / f"pair-{i}")
            write_atomically(path, json.dumps(cell).encode())
            print(
                f"{path.stem} ({kind}): " + ", ".join(f"{cell[s]['lost']:.3f}" for s in DOMAINS), flush=True
            )
    done = [path for i in range(len(pairs)) if (path := opt.out / f"pair-{i}.json").exists()]
    if len(done) == len(pairs):
        report([json.loads(path.read_text()) for path in done])


def correlation(a: Sequence[float], b: Sequence[float]) -> float:
    """Spearman's."""
    return spearman(torch.tensor(a, dtype=torch.float64), torch.tensor(b, dtype=torch.float64))


def report(ends: Sequence[dict[str, Any]]) -> None:
    """Correlations as a Markdown table, and how the origins compare."""
    of: Callable[[str, Domain], list[float]] = lambda name, side: [end[side][name] for end in ends]  # noqa: E731
    cheap: dict[str, dict[Domain, list[float]]] = {
        name: {side: [end["before"][name][side] for end in ends] for side in DOMAINS}
        for name in ends[0]["before"]
    }
    cheap["L_GenA after a tenth of the steps"] = {side: of("early", side) for side in DOMAINS}
    print("| score before fine-tuning | G_A, with lost | with KID | G_B, with lost | with KID |")
    print("|---|--:|--:|--:|--:|")
    for name, values in cheap.items():
        cells = [f"{correlation(values[s], of(end, s)):.2f}" for s in DOMAINS for end in ("lost", "kid")]
        print(f"| {name} | {' | '.join(cells)} |")
    print()
    for kind in dict.fromkeys(end["kind"] for end in ends):
        lost = [[e[s]["lost"] for e in ends if e["kind"] == kind] for s in DOMAINS]
        print(
            kind, ", ".join(f"G_{s}: lost {sum(v) / len(v):.3f}" for s, v in zip(DOMAINS, lost, strict=True))
        )
    for loss in ("L_DisA", "L_GenA", "L_cyc", "1 / fitness"):
        pairs = [(cheap[f"{loss}, float32"][s], cheap[f"{loss}, bfloat16"][s]) for s in DOMAINS]
        print(f"{loss}: float32 against bfloat16", ", ".join(f"{correlation(*pair):.3f}" for pair in pairs))


if __name__ == "__main__":
    main()
