"""Every family of generators at its full size: traced, halved, refitted, exported, timed.

    python benchmarks/families.py                                   # all of them, at 256×256
    python benchmarks/families.py --size 128 --families "CUT" "pix2pix"
    python benchmarks/families.py --blocks 2 --ngf 16 --depth 7 --size 128     # small ones, to try it

Each network is built by the code of its school (tests/models/schools.py) with random weights, and read
from its state dict by `ganprune.models`, as a file is. "Halved" keeps half of the filters of every layer.
"Lost" is the squared distance of the translations to the original's, as a share of what these vary, on
pictures that the refit has not seen; random weights are harder to refit than trained ones, whose maps
repeat each other. Times are of one interleaved run for each family, one thread: the plain export of the
original, the same after the rewrites, and the slim network. Writes docs/results/families.md and .json.
A run that was stopped goes on: families of these sizes in families.json are not measured again; delete it to
begin anew.
"""

import argparse
import json
import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import onnx
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

sys.path.insert(0, str(Path(__file__).parents[1]))

from ganprune import models
from ganprune.bench import BenchReport, BenchSettings, Candidate, bench
from ganprune.channels import graph_of
from ganprune.pruning.cost import macs, params
from ganprune.pruning.genome import Layout
from ganprune.pruning.rebuild import rebuilt
from ganprune.pruning.statistics import following, seen_by_norms
from ganprune.refit import refitted
from ganprune.storage.tables import plus_minus
from ganprune_exporters import ExportSettings, export_onnx
from ganprune_exporters.chain import plain
from tests.models.schools import (
    Aladdin,
    AladdinUNet,
    Beside,
    DeepLearning,
    LevelsUNet,
    Toronto,
    Udacity,
    UnitJohnson,
    arnab,
    bare,
    resnet,
    stargan,
    trained,
    unet,
)
from tests.refit.test_sequence import settle

RESULTS = Path(__file__).parents[1] / "docs/results"
NAMES = ("original", "rewritten", "slim")


@dataclass(frozen=True, slots=True)
class Sizes:
    """Filters of the first layer, residual blocks, and levels of a U-Net."""

    ngf: int = 64
    blocks: int = 9
    depth: int = 8


def families(s: Sizes) -> Mapping[str, Callable[[], nn.Module]]:
    """The schools' networks, by the names that docs/checkpoints.md has."""
    wide = {"ngf": s.ngf, "blocks": s.blocks}
    few = {"n": s.ngf, "blocks": min(s.blocks, 6)}
    levels = {"width": s.ngf, "depth": min(s.depth, 7)}
    return {
        "CycleGAN": lambda: resnet(**wide),
        "CycleGAN, batch norm, dropout": lambda: resnet("batch", dropout=True, **wide),
        "CycleGAN, affine": lambda: resnet("affine", **wide),
        "fork, nearest": lambda: resnet("batch", up="nearest", **wide),
        "fork, bilinear": lambda: resnet("batch", up="bilinear", **wide),
        "fork, pixel shuffle": lambda: resnet("batch", up="shuffled", **wide),
        "PyTorch-GAN": lambda: resnet(up="nearest", inner="block", **wide),
        "pix2pixHD": lambda: resnet(levels=4, **wide),
        "UPIT": lambda: bare(resnet(**wide)),
        "StarGAN": lambda: stargan(labels=5, **few),
        "CUT": lambda: resnet(up="blurred", down="blurred", **wide),
        "Lornatang": lambda: resnet(root="main", inner="res", **wide),
        "arnab39": lambda: arnab(**wide),
        "pix2pix": lambda: unet(ngf=s.ngf, depth=s.depth),
        "arnab39's U-Net": lambda: unet(ngf=s.ngf, depth=s.depth, root="unet_model"),
        "PyTorch-GAN's U-Net": lambda: LevelsUNet(**levels),
        "DiscoGAN": lambda: LevelsUNet(bias=True, **levels),
        "DualGAN": lambda: LevelsUNet(affine=True, last="transposed", **levels),
        "aladdinpersson's pix2pix": lambda: AladdinUNet(s.ngf, s.depth - 2),
        "deeplearning.ai": lambda: DeepLearning(s.ngf, s.blocks),
        "aladdinpersson": lambda: Aladdin(s.ngf, s.blocks),
        "Udacity": lambda: Udacity(**few),
        "Toronto": lambda: Toronto(s.ngf, blocks=few["blocks"]),
        "znxlwm": lambda: Beside(s.ngf, s.blocks),
        "fast style transfer": lambda: UnitJohnson(max(s.ngf // 2, 1)),
        "fast style transfer, transposed": lambda: UnitJohnson(max(s.ngf // 2, 1), transposed=True),
    }


@dataclass(frozen=True, slots=True)
class Row:
    """What was found of one family."""

    family: str
    params: int
    slim_params: int
    gmacs: float
    slim_gmacs: float
    lost_cut: float
    lost_refitted: float
    largest_difference: float
    """Of the slim file to PyTorch, in the range [-1, 1]."""
    milliseconds: dict[str, float]
    over_original: tuple[float, float]
    """Times as fast, and plus or minus."""
    over_rewritten: tuple[float, float]


def pictures(n: int, size: int, channels: int, seed: int) -> list[Tensor]:
    """Smooth colours with noise on them: float32 [1, channels, size, size] in [-1, 1] each."""
    random = torch.Generator().manual_seed(seed)
    coarse = torch.rand(n, channels, 8, 8, generator=random) * 2 - 1
    smooth = interpolate(coarse, size=(size, size), mode="bicubic")
    noise = 0.1 * torch.randn(smooth.shape, generator=random)
    return list((smooth + noise).clamp(-1, 1).split(1))


@torch.inference_mode()
def lost(slim: nn.Module, original: nn.Module, shown: list[Tensor]) -> float:
    """Mean squared distance of translations, over their variance."""
    wanted = torch.cat([original(x) for x in shown])
    made = torch.cat([slim(x) for x in shown])
    return float(
        (made - wanted).square().mean() / (wanted - wanted.mean((0, 2, 3), keepdim=True)).square().mean()
    )


def measured(name: str, make: Callable[[], nn.Module], size: int, settings: BenchSettings) -> tuple[Row, str]:
    """One family's row, and the machine in words."""
    original = models.read_generator(trained(make).state_dict())
    graph = graph_of(original)
    to_fit, unseen = (pictures(8, size, graph.inputs, seed) for seed in (1, 2))
    settle(original, torch.cat(to_fit))  # batch norms know their maps, as after a training
    layout = Layout.of(original, "filters")
    genome = torch.cat([torch.arange(n) < (n + 1) // 2 for n in layout.sizes])
    cut, units = rebuilt(original, layout, genome), layout.units(genome)
    cut = following(cut, layout, genome, seen_by_norms(original, to_fit), to_fit)
    slim = refitted(cut, original, units, to_fit)
    export = ExportSettings(size=size)
    with TemporaryDirectory() as folder:
        files = {kind: Path(folder) / f"{kind}.onnx" for kind in NAMES}
        onnx.save(plain(original, export)[0], files["original"])
        export_onnx(original, files["rewritten"], export, pictures=torch.cat(unseen[:2]))
        report = export_onnx(slim, files["slim"], export, pictures=torch.cat(unseen[:2]))
        candidates = [
            Candidate("original", files["original"]),
            Candidate("rewritten", files["rewritten"], "original"),
            Candidate("slim", files["slim"], "original", "rewritten"),
        ]
        timed: BenchReport = bench(candidates, settings)
    times = {timing.network: timing for timing in timed.timings}
    over, rewritten = times["slim"].speedup, times["slim"].over_rewritten
    assert over is not None
    assert rewritten is not None
    return Row(
        name, params(original), params(slim),
        macs(original, size, size, "true") / 1e9, macs(slim, size, size, "true") / 1e9,
        lost(cut, original, unseen), lost(slim, original, unseen), report.max_abs,
        {kind: times[kind].times.median for kind in NAMES},
        (over.value, over.margin), (rewritten.value, rewritten.margin),
    ), timed.header()  # fmt: skip


def page(rows: list[Row], command: str, machine: str, size: int) -> str:
    """docs/results/families.md."""
    lines = [
        "# Every family, halved",
        f"Generators of full size with random weights, at {size}×{size}. Every layer keeps half of its",
        "filters and is refitted by least squares on 8 made-up pictures; *lost* is the squared distance",
        "to the original's translations of 8 others, as a share of what these vary. All files agree with",
        "PyTorch. Times: one thread, the plain export of the original, the same after the rewrites, and",
        "the slim network, in one interleaved run for each family.",
        "",
        f"    {command}",
        "",
        f"{machine}.",
        "",
        "| family | params, M | GMACs | halved | lost, cut | lost, refitted | original, ms | rewritten, ms "
        "| slim, ms | over original | over rewritten |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for row in rows:
        cells = (
            row.family, f"{row.params / 1e6:.2f}", f"{row.gmacs:.2f}", f"{row.slim_gmacs / row.gmacs:.3f}",
            f"{row.lost_cut:.2f}", f"{row.lost_refitted:.2f}",
            *(f"{row.milliseconds[kind]:.1f}" for kind in NAMES),
            f"{plus_minus(*row.over_original)}×", f"{plus_minus(*row.over_rewritten)}×",
        )  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    full = Sizes()
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--size", type=int, default=256)
    args.add_argument("--ngf", type=int, default=full.ngf)
    args.add_argument("--blocks", type=int, default=full.blocks)
    args.add_argument("--depth", type=int, default=full.depth)
    args.add_argument("--families", nargs="+")
    args.add_argument("--runs", type=int, default=15)
    args.add_argument("--seconds", type=float, default=60.0)
    args.add_argument("--out", type=Path, default=RESULTS)
    opt = args.parse_args()
    sizes = Sizes(opt.ngf, opt.blocks, opt.depth)
    known = families(sizes)
    chosen = opt.families or list(known)
    if unknown := [name for name in chosen if name not in known]:
        args.error(f"--families must be of {', '.join(known)}, found {unknown[0]}")
    settings = BenchSettings(threads=(1,), runs=(opt.runs,), seconds=opt.seconds, size=opt.size)
    rows, machine = list[Row](), ""
    kept = opt.out / "families.json"
    before = json.loads(kept.read_text()) if kept.exists() else {}
    if before.get("size") == opt.size and before.get("sizes", asdict(full)) == asdict(sizes):
        rows, machine = [Row(**row) for row in before["rows"]], before["machine"]
        chosen = [name for name in chosen if name not in {row.family for row in rows}]
    command = shlex.join(["python", "benchmarks/families.py", *sys.argv[1:]])
    opt.out.mkdir(parents=True, exist_ok=True)
    for name in chosen:
        row, machine = measured(name, known[name], opt.size, settings)
        rows.append(row)
        print(f"{name}: {plus_minus(*row.over_original)}×, lost {row.lost_refitted:.3f}", flush=True)
        found = {"machine": machine, "size": opt.size, "sizes": asdict(sizes)}
        kept.write_text(json.dumps(found | {"rows": [asdict(row) for row in rows]}, indent=2) + "\n")
    (opt.out / "families.md").write_text(page(rows, command, machine, opt.size))


if __name__ == "__main__":
    main()
