"""How well the latency table predicts what exported slim generators take on this machine.

    python benchmarks/latency_check.py CKPT [--size N] [--networks N] [--runs N] [--json FILE]

Random slim generators of the checkpoint's G_A, whatever its architecture, every layer of a width of its own,
in multiples of 1, 8 and 16 in turns, are exported as `compress` does it and timed as `bench` does it: in one
thread, taking turns. The error is that of the predicted time against the measured median; *least* is the
least of the times, which other programs disturb least. The table is measured first, unless it is known.
"""

import argparse
import json
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from ganprune.bench import BenchSettings, Candidate, bench, this_machine
from ganprune.checkpoints import load_quartet
from ganprune.pruning.genome import Layout
from ganprune.pruning.latency import Latency
from ganprune.pruning.rebuild import rebuilt
from ganprune.pruning.repair import Constraints, Repairer
from ganprune_exporters import ExportSettings, export_onnx
from ganprune_exporters.latency import latency_table

ALIGNMENTS = (1, 8, 16)


def draw(layout: Layout, align: int, seed: int) -> torch.Tensor:
    """A genome that keeps 25 to 70 % of the filters, and of each layer up to half more or less than that."""
    generator = torch.Generator().manual_seed(seed)
    share = 0.25 + 0.45 * torch.rand(1, generator=generator)
    genome = torch.zeros(layout.length, dtype=torch.bool)
    for piece in layout.genes.values():
        keep = share * (0.5 + torch.rand(1, generator=generator))
        genome[piece] = torch.rand(piece.stop - piece.start, generator=generator) < keep
    return Repairer(layout, Constraints(align))(genome[None], generator)[0]


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("checkpoint", type=Path)
    for name, value in (("size", 256), ("networks", 20), ("runs", 20)):
        args.add_argument(f"--{name}", type=int, default=value)
    args.add_argument("--json", type=Path)
    opt = args.parse_args()
    G = load_quartet(opt.checkpoint).G_A
    assert G is not None
    layout = Layout.of(G)
    start = time.perf_counter()
    table = latency_table(G, opt.size)
    print(f"{this_machine()}; table in {time.perf_counter() - start:.0f} s")

    aligned = {f"{i:02}": ALIGNMENTS[i % len(ALIGNMENTS)] for i in range(opt.networks)}
    genomes = torch.stack([draw(layout, align, seed) for seed, align in enumerate(aligned.values())])
    predicted = Latency(table, layout).of(layout.gene_counts(genomes).numpy())
    with TemporaryDirectory() as folder:
        candidates = [Candidate(name, Path(folder) / f"{name}.onnx") for name in aligned]
        for candidate, genome in zip(candidates, genomes, strict=True):
            export_onnx(rebuilt(G, layout, genome), candidate.path, ExportSettings(opt.size))
        report = bench(candidates, BenchSettings(threads=(1,), runs=(opt.runs, opt.runs)))
    rows: list[dict[str, Any]] = []
    for (name, align), ms, timing in zip(aligned.items(), predicted.tolist(), report.timings, strict=True):
        median, least = timing.times.median, timing.times.minimum
        rows.append({"align": align, "predicted": ms, "median": median, "least": least})
        print(
            f"{name}  align {align:2}  predicted {ms:6.1f} ms  median {median:6.1f} ({ms / median - 1:+.1%})"
            f"  least {least:6.1f} ({ms / least - 1:+.1%})"
        )
    for against in ("median", "least"):
        errors = np.array([row["predicted"] / row[against] - 1 for row in rows])
        print(
            f"against the {against}: mean error {np.abs(errors).mean():.1%}, "
            f"largest {np.abs(errors).max():.1%}, bias {errors.mean():+.1%}"
        )
    if opt.json:
        opt.json.write_text(json.dumps({"made_for": dict(table.made_for), "networks": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
