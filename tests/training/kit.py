"""A CycleGAN small enough to train in a test, whose four networks and two domains all differ."""

import json
from pathlib import Path
from typing import Any

import torch

from ganprune.images import Domain
from ganprune.models.cyclegan import Discriminator, DiscriminatorWidths, Generator, GeneratorWidths, Norm
from ganprune.reporting import SILENT, Silent
from ganprune.training import Networks, TrainSettings
from tests.images.pictures import write
from tests.tiny import fill, seeded

TINY = TrainSettings(size=16, load_size=20, seed=3, pool_size=3, lr=1e-3)


def networks(norm: Norm = "instance") -> Networks:
    """Slim generators of unlike widths, discriminators of unlike depths."""
    made = Networks(
        Generator(GeneratorWidths(4, 5, 6, (3, 7), 5, 4), norm),
        Generator(GeneratorWidths(3, 4, 8, (2,), 4, 5), norm),
        Discriminator(DiscriminatorWidths((4, 6)), norm),
        Discriminator(DiscriminatorWidths((3, 5)), norm),
    )
    for seed, (_, net) in enumerate(made.items()):
        fill(net, seed)
    return made


def pictures(root: Path, A: int = 5, B: int = 3, size: int = 24) -> dict[Domain, list[Path]]:
    return {
        "A": [write(root / f"trainA/{i}.png", i, size, size) for i in range(A)],
        "B": [write(root / f"trainB/{i}.png", 100 + i, size, size) for i in range(B)],
    }


def weights(made: Networks) -> dict[str, torch.Tensor]:
    return {
        f"{name} {key}": value.clone()
        for name, net in made.items()
        for key, value in net.state_dict().items()
    }


def same_bits(one: Networks, other: Networks) -> bool:
    a, b = weights(one), weights(other)
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def log(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "train.jsonl").read_text().splitlines()]


class Interrupted(Exception):
    pass


class Interrupter(Silent):
    """Raises after ``steps`` steps of training."""

    def __init__(self, steps: int) -> None:
        self.left = steps
        self.opened: list[tuple[str, int, int]] = []

    def task(self, title: str, total: int, done: int = 0):
        self.opened.append((title, total, done))
        return self if title.startswith("training") else SILENT.task(title, total, done)

    def __enter__(self):
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def advance(self, steps: int = 1, **_: float | str) -> None:
        self.left -= steps
        if self.left == 0:
            raise Interrupted


VGG_WIDTHS = {0: (3, 4), 2: (4, 5), 5: (5, 6), 7: (6, 4), 10: (4, 5), 12: (5, 3), 14: (3, 4)}


def vgg_tensors() -> dict[str, torch.Tensor]:
    """VGG16's first tensors, with few channels."""
    generator, found = seeded(0), dict[str, torch.Tensor]()
    for place, (inputs, filters) in VGG_WIDTHS.items():
        found[f"features.{place}.weight"] = torch.randn(filters, inputs, 3, 3, generator=generator) / 4
        found[f"features.{place}.bias"] = torch.randn(filters, generator=generator) / 4
    return found
