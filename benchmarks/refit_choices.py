"""What each choice of the refit is worth: pictures, positions, ridge, whose maps, a second sweep.

    python benchmarks/refit_choices.py CKPT DATA OUT --features FILE [--network G_A] [--target 0.2]
        [--pictures 24] [--test-pictures 24] [--generator FILE.py:FACTORY]

One network, with the widths and filters that the surgeon gives for a share of the MACs, is refitted again and
again, each time with one thing changed, and measured on test pictures as `benchmarks/refit.py` does. Last
come pictures for pictures: twice and four times as many. Writes OUT, JSON, and prints a Markdown table. Rows
that OUT has are not measured again.
"""

import json
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from unittest.mock import patch

import torch
from refit import Judge, Row, arguments, genome_of
from torch import Tensor, nn

from ganprune.channels import graph_of
from ganprune.checkpoints import Own, load_quartet
from ganprune.images import find_domains, load_pictures, to_float
from ganprune.pruning.genome import Layout
from ganprune.pruning.rebuild import rebuilt
from ganprune.pruning.repair import Constraints, Repairer
from ganprune.refit import RefitSettings, as_scores, grams, refitted, removals
from ganprune.refit.moments import Moments
from ganprune.storage.files import write_atomically
from ganprune.system.device import cpu_threads, resolve_threads


def of_maps(which: slice) -> AbstractContextManager[object]:
    """A refit by some of both kinds of maps: its own come first, then the original's."""
    whole = Moments.add

    def some(moments: Moments, seen: Sequence[Tensor], y: Tensor) -> None:
        whole(moments, seen[which], y)

    return patch.object(Moments, "add", some)


@torch.no_grad()
def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--target", type=float, default=0.2)
    parser.add_argument("--pictures", type=int, default=24, help="that the refit looks at")
    parser.add_argument("--test-pictures", type=int, default=24, help="at most")
    opt = parser.parse_args()
    rows: dict[str, Row] = json.loads(opt.out.read_text()) if opt.out.exists() else {}
    original = getattr(load_quartet(opt.ckpt, own=Own.of(opt.generator)), opt.network)
    domain, folders = opt.network[-1], find_domains(opt.data, needs=("train", "test"))
    train = folders.pictures("train", domain)
    order = torch.randperm(len(train), generator=torch.Generator().manual_seed(0))
    x = list(to_float(load_pictures([train[i] for i in order[: 4 * opt.pictures]], opt.size)).split(1))
    few = x[: opt.pictures]
    layout = Layout.of(original)
    test = load_pictures(folders.pictures("test", domain)[: opt.test_pictures], opt.size)

    with cpu_threads(resolve_threads(None)):
        judge = Judge(original, test, opt.features)
        gone = removals(original, layout, grams(original, graph_of(original), x[:8]))
        limits = Constraints(align=16, target_macs=opt.target)
        counts = Repairer(layout, limits).cheapest([removal.costs.numpy() for removal in gone.values()])
        genome = genome_of(layout, counts.tolist(), as_scores(gone))
        units, cut = layout.units(genome), rebuilt(original, layout, genome)

        def measured(
            name: str, pictures: Sequence[Tensor], how: RefitSettings | None = None, start: nn.Module = cut
        ) -> nn.Module:
            before = time.monotonic()
            network = refitted(start, original, units, pictures, how)
            rows[name] = judge(network) | {"seconds": round(time.monotonic() - before, 1)}
            write_atomically(opt.out, (json.dumps(rows, indent=2) + "\n").encode())
            print(name, rows[name], flush=True)
            return network

        n = len(few)
        if "a second sweep" not in rows:
            once = measured(f"{n} pictures, 1024 positions of each, 4096 of the last layer, ridge 0.01", few)
            measured("a second sweep", few, start=once)
        for name, which in (("its own maps alone", slice(0, 1)), ("the original's maps alone", slice(1, 2))):
            if name not in rows:
                with of_maps(which):
                    measured(name, few)
        for times in (1, 8):
            if (name := f"{times * 1024} positions of the last layer") not in rows:
                with patch("ganprune.refit.sequence.LAST", times):
                    measured(name, few)
        for name, how in (
            ("ridge 0.001", RefitSettings(ridge=1e-3)),
            ("ridge 0.1", RefitSettings(ridge=1e-1)),
            ("256 positions", RefitSettings(positions=256)),
            ("4096 positions", RefitSettings(positions=4096)),
        ):
            if name not in rows:
                measured(name, few, how)
        for times in (2, 4):
            if (name := f"{times * n} pictures") not in rows:
                measured(name, x[: times * n])
    print("\n| refit | lost | PSNR, dB | seconds |\n|---|--:|--:|--:|")
    for name, row in rows.items():
        print(f"| {name} | {row['lost']:.3f} | {row['psnr']:.2f} | {row['seconds']:.0f} |")


if __name__ == "__main__":
    main()
