"""Make the packaged example: draw two domains, train a small CycleGAN on them, measure what it learnt.

    python scripts/make_example.py WORK            # resumable; ten minutes on one core
    python scripts/make_example.py WORK --install  # also put the networks into ganprune/example/checkpoint

The networks are stored as float16, all four below 2 MB together. What they do is measured on the example's
test pictures: how striped the animals are before and after, and how much the rest changed.
"""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

import torch
from painter import draw_folder

from ganprune.example import CHECKPOINT, EXAMPLE_SIZE, coats
from ganprune.images import Domain, find_domains
from ganprune.models.cyclegan import Generator
from ganprune.storage.files import atomic_path
from ganprune.training import Budget, Networks, TrainSettings, train
from ganprune_cli.console import ConsoleReporter

SEED = 0
PICTURES = 400
"""Training pictures of each domain."""
RECIPE = TrainSettings(size=EXAMPLE_SIZE, ngf=16, blocks=3, ndf=16, seed=SEED)


def install(networks: Networks) -> None:
    """Write the four networks as float16, under CycleGAN's names."""
    for name, net in networks.items():
        tensors = {key: tensor.half() for key, tensor in net.state_dict().items()}
        with atomic_path(CHECKPOINT / f"latest_net_{name}.pth") as partial:
            torch.save(tensors, partial)
    size = sum(path.stat().st_size for path in CHECKPOINT.glob("*.pth"))
    print(f"{CHECKPOINT}: {size / 1e6:.2f} MB")


def main() -> None:
    """Draw, train, judge, and install where asked to."""
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("work", type=Path, help="a folder for pictures and the training")
    args.add_argument("--steps", type=int, default=8000)
    args.add_argument("--threads", type=int, default=1)
    args.add_argument("--install", action="store_true")
    opt = args.parse_args()
    torch.set_num_threads(opt.threads)
    reporter = ConsoleReporter()
    drawn = opt.work / "pictures"
    draw_folder(drawn, seed=SEED, train=PICTURES, test=0, size=EXAMPLE_SIZE)
    folders = find_domains(drawn)
    pictures: dict[Domain, tuple[Path, ...]] = {"A": folders.train_A, "B": folders.train_B}
    budget = Budget(opt.steps, "steps")
    folder = opt.work / f"training-{opt.steps}"
    trained = train(Networks.fresh(RECIPE), pictures, RECIPE, budget, folder, reporter).networks
    pair: dict[Domain, Generator] = {"A": trained.G_A, "B": trained.G_B}
    measured = {f"G_{domain}": asdict(coats(pair[domain], domain)) for domain in pair}
    print(json.dumps(measured, indent=2))
    if opt.install:
        install(trained)


if __name__ == "__main__":
    main()
