"""How far scores of the same individuals lie apart on CPUs with other instructions.

    python benchmarks/unlike_hardware.py [--individuals 12]

The packaged example, one thread. PyTorch and oneDNN are told to do without some of this CPU's instructions,
as if it were an older one. Prints Markdown: the largest difference of each loss term, relative to it.
"""

import argparse
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import torch
from scaling_times import example, genomes_of

from ganprune.scoring import LocalScorer, ScoringSettings
from ganprune.system.device import cpu_threads

TERMS = ("L_DisA", "L_GenA", "L_cyc")
LIKE: dict[str, dict[str, str]] = {
    "this CPU": {},
    "AVX-512 without bfloat16 and AMX": {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE"},
    "AVX2": {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"},
    "SSE4.1": {"ONEDNN_MAX_CPU_ISA": "SSE41", "ATEN_CPU_CAPABILITY": "default"},
}
PRECISIONS = ("float32", "bfloat16")


def scores(n: int) -> dict[str, list[list[float]]]:
    what, found = example(), dict[str, list[list[float]]]()
    P, q = genomes_of(what.layouts["A"], n, 1), genomes_of(what.layouts["B"], 1, 2)[0]
    for precision in PRECISIONS:
        inputs = replace(what.inputs, settings=ScoringSettings(precision=precision))
        terms = LocalScorer(inputs).score("A", P, q)
        found[precision] = [getattr(terms, name).tolist() for name in TERMS]
    return found


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--individuals", type=int, default=12)
    args.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    opt = args.parse_args()
    if opt.worker:
        with cpu_threads(1):
            print(json.dumps(scores(opt.individuals)))
        return
    words = [sys.executable, str(Path(__file__)), "--worker", "--individuals", str(opt.individuals)]
    found = {
        name: json.loads(subprocess.run(words, env=os.environ | more, check=True, capture_output=True).stdout)
        for name, more in LIKE.items()
    }
    print(f"| instead of this CPU | {' | '.join(f'{p}, {t}' for p in PRECISIONS for t in TERMS)} |")
    print(f"|---|{'--:|' * len(PRECISIONS) * len(TERMS)}")
    for name in list(LIKE)[1:]:
        cells = list[str]()
        for precision in PRECISIONS:
            one, other = (torch.tensor(found[key][precision]) for key in ("this CPU", name))
            cells += [f"{value:.1e}" for value in ((other - one) / one).abs().amax(1).tolist()]
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
