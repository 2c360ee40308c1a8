"""Steps a second of fine-tuning against a plain PyTorch loop of the CycleGAN recipe, in one interleaved run.

    python benchmarks/training_speed.py CKPT DATA [--size 256] [--shares 0.5,0.25] [--rounds 8] [--device cpu]

The slim generators keep the same share of the largest filters in every layer. The plain loop is the recipe of
pytorch-CycleGAN-and-pix2pix as its users run it: float32, one pair of pictures a step, no work saved. Ours:

paper       `--recipe paper`, in the precision that this machine computes natively
distil      `--recipe distil`, what the originals make of the pictures being known already
first       the same in the first epoch, when the originals are run too
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch

from ganprune.checkpoints import load_quartet
from ganprune.images import find_domains, split
from ganprune.images.sources import DOMAINS, Domain
from ganprune.models.cyclegan import Discriminator, Generator
from ganprune.pruning.genome import Layout
from ganprune.pruning.rebuild import rebuilt
from ganprune.settings import FineTuneSettings
from ganprune.system.device import cpu_threads, keep_freed_memory, resolve_precision, resolve_threads
from ganprune.training import (
    Distillation,
    ImagePool,
    Networks,
    Teacher,
    Trainer,
    TrainingPictures,
    TrainSettings,
    TrainState,
)
from ganprune.training.graphs import Graphs


class Plain:
    """The recipe as one straight loop."""

    def __init__(self, nets: Networks, device: str) -> None:
        self.n = nets.to_train(device, ("G_A", "G_B", "D_A", "D_B"))
        G = [*self.n.G_A.parameters(), *self.n.G_B.parameters()]
        D = [*self.n.D_A.parameters(), *self.n.D_B.parameters()]
        self.opt_G, self.opt_D = (torch.optim.Adam(part, 2e-4, (0.5, 0.999)) for part in (G, D))
        self.pools, self.chance = (ImagePool(50), ImagePool(50)), torch.Generator().manual_seed(0)

    def step(self, A: torch.Tensor, B: torch.Tensor) -> None:
        """Both halves of one step."""
        n, mse, l1 = self.n, torch.nn.functional.mse_loss, torch.nn.functional.l1_loss
        fake_B, fake_A = n.G_A(A), n.G_B(B)
        rec_A, rec_B = n.G_B(fake_B), n.G_A(fake_A)
        for D in (n.D_A, n.D_B):
            D.requires_grad_(False)
        judged = [n.D_A(fake_B), n.D_B(fake_A)]
        loss = sum((mse(j, torch.ones_like(j)) for j in judged), torch.zeros((), device=A.device))
        loss = loss + 10 * l1(rec_A, A) + 10 * l1(rec_B, B) + 5 * l1(n.G_A(B), B) + 5 * l1(n.G_B(A), A)
        self.opt_G.zero_grad()
        loss.backward()
        self.opt_G.step()
        self.opt_D.zero_grad()
        for D, real, fake, pool in (
            (n.D_A, B, fake_B, self.pools[0]),
            (n.D_B, A, fake_A, self.pools[1]),
        ):
            D.requires_grad_(True)
            shown = pool.query(fake.detach(), self.chance)
            parts = [(D(real), 1.0), (D(shown), 0.0)]
            (0.5 * sum(mse(j, torch.full_like(j, t)) for j, t in parts)).backward()  # pyright: ignore
        self.opt_D.step()


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("checkpoint", "data"):
        args.add_argument(name, type=Path)
    args.add_argument("--size", type=int, default=256)
    args.add_argument("--shares", default="0.5,0.25")
    args.add_argument("--rounds", type=int, default=8)
    args.add_argument("--device", default="cpu")
    args.add_argument("--threads", type=int, default=resolve_threads(None))
    opt = args.parse_args()
    keep_freed_memory()
    nets = Networks.of(load_quartet(opt.checkpoint))
    folders = find_domains(opt.data)
    few = {side: split(folders, side, seed=0, holdout=8)[0][:8] for side in DOMAINS}
    precision = resolve_precision("auto", opt.device)
    base = TrainSettings(size=opt.size, precision=precision, device=opt.device)
    print(f"{opt.size}×{opt.size}, {precision}, {opt.threads} threads, medians of {opt.rounds} rounds\n")
    print("| filters kept | plain loop, s a step | paper | distil | distil, first epoch |")
    print("|--:|--:|--:|--:|--:|")
    with cpu_threads(opt.threads):
        for share in map(float, opt.shares.split(",")):
            times = measured(nets, few, base, share, opt.rounds)
            plain = times.pop("plain")
            cells = [f"{t:.3f} s, {plain / t:.2f}×" for t in times.values()]
            print(f"| {share:.0%} | {plain:.3f} | {' | '.join(cells)} |", flush=True)


def measured(
    nets: Networks, few: dict[Domain, list[Path]], base: TrainSettings, share: float, rounds: int
) -> dict[str, float]:
    """Median seconds a step of each way."""
    whole: dict[Domain, Generator] = {"A": nets.G_A, "B": nets.G_B}
    judges: dict[Domain, Discriminator] = {"A": nets.D_A, "B": nets.D_B}
    slim, teachers = dict[Domain, Generator](), dict[Domain, Teacher]()
    for side, G in whole.items():
        layout = Layout.of(G)
        genome = torch.zeros(layout.length, dtype=torch.bool)
        for piece in layout.genes.values():  # which filters they are does not change the speed
            genome[piece.start : piece.start + round(share * (piece.stop - piece.start))] = True
        slim[side] = rebuilt(G, layout, genome)
        teachers[side] = Teacher(G, layout.graph, layout.units(genome), judges[side])
    made = Networks(slim["A"], slim["B"], nets.D_A, nets.D_B)
    paper = FineTuneSettings(recipe="paper").training(base, DOMAINS)
    distil = FineTuneSettings().training(base, DOMAINS)
    assert distil.distil is not None
    data = TrainingPictures(few, distil.transform)
    plain, generator = Plain(made, base.device), torch.Generator().manual_seed(0)

    def trainer(settings: TrainSettings, distillation: Distillation | None = None) -> Trainer:
        state = TrainState.start(made, settings, distillation and distillation.adapters)
        graphs = Graphs(base.device, (net for _, net in made.items()))
        return Trainer(state, settings, distillation, graphs=graphs)

    known = Distillation(data, teachers, distil)
    cached, first = trainer(distil, known), trainer(distil, Distillation(data, teachers, distil, memory=0))
    ours = trainer(paper)
    drawn = [data.drawn(0, step, 1, generator) for step in range(rounds + 1)]
    for one in drawn:
        for side in DOMAINS:
            known.caches[side](one[side])
    real: list[dict[Domain, torch.Tensor]] = [
        {s: data.pictures(s, one[s]).to(base.device) for s in DOMAINS} for one in drawn
    ]

    ways: dict[str, Callable[[int], object]] = {
        "plain": lambda i: plain.step(real[i]["A"], real[i]["B"]),
        "paper": lambda i: ours.step(real[i], 1e-4, generator),
        "distil": lambda i: cached.step(real[i], 1e-4, generator, drawn[i]),
        "first": lambda i: first.step(real[i], 1e-4, generator, drawn[i]),
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    for i in range(rounds + 1):
        for name, way in ways.items():
            if base.device.startswith("cuda"):
                torch.cuda.synchronize()
            start = time.perf_counter()
            way(i)
            if base.device.startswith("cuda"):
                torch.cuda.synchronize()
            times[name].append(time.perf_counter() - start)
    return {name: median(values[1:]) for name, values in times.items()}


if __name__ == "__main__":
    main()
