"""Make the packaged example: draw two domains, train a small CycleGAN on them, measure what it learnt.

    python scripts/make_example.py WORK            # resumable; twenty-odd minutes on one core
    python scripts/make_example.py WORK --install  # also put the networks into ganprune/example/checkpoint

The networks are stored as float16, all four below 2 MB together. What they do is measured on the drawing
procedure's own ground truth: how striped the animals are before and after, and how much the rest changed.
"""

import argparse
import json
from pathlib import Path
from statistics import median

import torch

import ganprune.example
from ganprune.example import (
    EXAMPLE_SIZE,
    Domain,
    background_change,
    draw,
    scene_index,
    stripe_energy,
    write_dataset,
)
from ganprune.files import atomic_path
from ganprune.images import find_domains, to_float, to_uint8
from ganprune.networks import Generator
from ganprune.training import Budget, Networks, TrainSettings, train
from ganprune_cli.console import ConsoleReporter

SEED = 0
PICTURES = 400
"""Training pictures of each domain."""
RECIPE = TrainSettings(size=EXAMPLE_SIZE, ngf=16, blocks=3, ndf=16, seed=SEED)
CHECKPOINT = Path(ganprune.example.__file__).parent / "checkpoint"


@torch.inference_mode()
def judge(generator: Generator, domain: Domain, n: int = 40) -> dict[str, float]:
    """Medians over n unseen scenes: stripe energy before and after, change of the background."""
    before, after, change = [], [], []
    for i in range(n):
        scene = draw(SEED, scene_index("test", domain, i), domain, EXAMPLE_SIZE)
        x = torch.from_numpy(scene.picture).permute(2, 0, 1)
        y = to_uint8(generator(to_float(x)[None])[0]).permute(1, 2, 0).numpy()
        before.append(stripe_energy(scene.picture, scene.animal))
        after.append(stripe_energy(y, scene.animal))
        change.append(background_change(scene.picture, y, scene.animal))
    return {"stripes_before": median(before), "stripes_after": median(after), "background": median(change)}


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
    args.add_argument("--steps", type=int, default=20000)
    args.add_argument("--threads", type=int, default=1)
    args.add_argument("--install", action="store_true")
    opt = args.parse_args()
    torch.set_num_threads(opt.threads)
    reporter = ConsoleReporter()
    write_dataset(
        opt.work / "pictures", seed=SEED, train=PICTURES, test=40, size=EXAMPLE_SIZE, reporter=reporter
    )
    folders = find_domains(opt.work / "pictures")
    pictures: dict[Domain, tuple[Path, ...]] = {"A": folders.train_A, "B": folders.train_B}
    budget = Budget(opt.steps, "steps")
    result = train(
        Networks.fresh(RECIPE), pictures, RECIPE, budget, opt.work / f"training-{opt.steps}", reporter
    )
    print(
        json.dumps({"G_A": judge(result.networks.G_A, "A"), "G_B": judge(result.networks.G_B, "B")}, indent=2)
    )
    if opt.install:
        install(result.networks)


if __name__ == "__main__":
    main()
