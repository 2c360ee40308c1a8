"""How much of the scores of individuals that are nearly alike is chance, by the pictures they are scored on.

    python benchmarks/score_noise.py CKPT DATA OUT STATE.safetensors … [--network G_A] [--size 128]
        [--generator FILE.py:FACTORY]

STATE.safetensors are of searches of that checkpoint, in run folders or in cells of `ganprune compare`. Their
individuals are refitted from Gram matrices of 24 training pictures, and their errors, Eq. 4, measured one by
one on 60 test pictures, on 32 other training pictures, and on 128 squares of half the height and width, out
of as many. Prints Spearman's rank correlation of scores of a few pictures with what the test pictures say,
the mean of many draws. OUT, JSON, keeps what is measured: the same command goes on where it was stopped.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load_file
from score_quality import spearman
from torch import Tensor

from ganprune.checkpoints import Own, load_quartet
from ganprune.images import find_domains, load_pictures, to_float
from ganprune.pruning.fitness import squared_norm
from ganprune.pruning.genome import Layout, genome_key
from ganprune.refit import grams, refitted_from
from ganprune.search.coevolution import State
from ganprune.storage.files import write_atomically
from ganprune.system.device import cpu_threads, resolve_threads

GRAM, TEST, WHOLE, SQUARES = 24, 60, 32, 128
DRAWS = 500
MEANS: dict[str, Callable[[Tensor], Tensor]] = {
    "arithmetic": lambda errors: errors.mean(1),
    "geometric": lambda errors: errors.log().mean(1),
}


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name in ("ckpt", "data", "out"):
        parser.add_argument(name, type=Path)
    parser.add_argument("states", type=Path, nargs="+")
    parser.add_argument("--network", choices=("G_A", "G_B"), default="G_A")
    parser.add_argument("--generator", metavar="FILE.py:FACTORY")
    parser.add_argument("--size", type=int, default=128)
    opt = parser.parse_args()
    side = opt.network[-1]
    original = getattr(load_quartet(opt.ckpt, own=Own.of(opt.generator)), opt.network)
    layout, folders = Layout.of(original), find_domains(opt.data, needs=("train", "test"))
    states = [State.from_tensors(load_file(path)).populations[side] for path in opt.states]
    genomes = {genome_key(genome).hex(): genome for state in states for genome in state.genomes}
    random, files = torch.Generator().manual_seed(0), folders.pictures("train", side)
    order = torch.randperm(len(files), generator=random)[: GRAM + WHOLE + SQUARES].tolist()
    x = to_float(load_pictures([files[i] for i in order], opt.size))
    half = opt.size // 2
    corners = torch.randint(half + 1, (SQUARES, 2), generator=random).tolist()
    parts = {
        "test": list(to_float(load_pictures(folders.pictures("test", side)[:TEST], opt.size)).split(1)),
        "whole": list(x[GRAM : GRAM + WHOLE].split(1)),
        "squares": [
            one[:, :, i : i + half, j : j + half].contiguous()
            for one, (i, j) in zip(x[GRAM + WHOLE :].split(1), corners, strict=True)
        ],
    }
    rows: dict[str, dict[str, list[float]]] = json.loads(opt.out.read_text()) if opt.out.exists() else {}
    with cpu_threads(resolve_threads(None)):
        found = grams(original, layout.graph, x[:GRAM].split(1))
        should = {part: [original(picture) for picture in pictures] for part, pictures in parts.items()}
        for key in (key for key in genomes if key not in rows):
            slim = refitted_from(found, original, layout, genomes[key])
            rows[key] = {
                part: [
                    float(squared_norm(slim(picture) - wanted, "mean"))
                    for picture, wanted in zip(pictures, should[part], strict=True)
                ]
                for part, pictures in parts.items()
            }
            write_atomically(opt.out, (json.dumps(rows) + "\n").encode())
            print(f"{len(rows)} of {len(genomes)}", flush=True)
    report({part: torch.tensor([row[part] for row in rows.values()]).double() for part in parts}, random)


def report(errors: dict[str, Tensor], random: torch.Generator) -> None:
    """errors: of each part, [individuals, pictures]; those twice as far as the median one are left out."""
    typical = errors["test"].mean(1)
    near = typical < 2 * typical.median()
    errors = {part: values[near] for part, values in errors.items()}
    ratios = errors["test"].log() - errors["test"].log().mean(0)
    print(f"\n{int(near.sum())} individuals; the error of one picture by that of the individuals' mean,")
    print(f"standard deviation of the logarithm: {float(ratios.std(1).mean()):.2f} from picture to picture,")
    print(f"{float(ratios.mean(1).std()):.2f} from individual to individual")
    print("\n| scored on | mean | test, arithmetic | test, geometric |\n|---|---|--:|--:|")
    for part, n in (("whole", 8), ("squares", 32), ("whole", 32), ("squares", 128)):
        for name, mean in MEANS.items():
            some = [torch.randperm(errors[part].shape[1], generator=random)[:n] for _ in range(DRAWS)]
            scores = [mean(errors[part][:, drawn]).tolist() for drawn in some]
            cells = [
                sum(spearman(score, end(errors["test"]).tolist()) for score in scores) / DRAWS
                for end in MEANS.values()
            ]
            print(f"| {n} {part} | {name} | " + " | ".join(f"{cell:.2f}" for cell in cells) + " |")


if __name__ == "__main__":
    main()
