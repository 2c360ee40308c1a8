"""What a generator does to the example's animals, measured on the drawing procedure's own ground truth."""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median

import torch

from ganprune.example.dataset import EXAMPLE_SIZE, scene_index
from ganprune.example.scenes import Domain, draw
from ganprune.example.stripes import background_change, stripe_energy
from ganprune.images import to_float, to_uint8
from ganprune.networks import Generator


@dataclass(frozen=True, slots=True)
class Coats:
    """Medians over scenes that no training saw."""

    before: float
    """`stripe_energy` of the animals as drawn."""
    after: float
    """`stripe_energy` of the animals as translated."""
    wanted: float
    """`stripe_energy` of the same animals as drawn in the other domain."""
    background: float
    """`background_change`: what happened to everything else, 0 … 1."""


@torch.inference_mode()
def coats(generator: Generator, domain: Domain, *, seed: int, scenes: int = 40) -> Coats:
    """Translate unseen scenes of ``domain`` and measure the animals' coats before and after."""
    other: Domain = "B" if domain == "A" else "A"
    rows: list[tuple[float, float, float, float]] = []
    for i in range(scenes):
        index = scene_index("test", domain, i)
        scene, twin = (draw(seed, index, look, EXAMPLE_SIZE) for look in (domain, other))
        x = torch.from_numpy(scene.picture).permute(2, 0, 1)
        y = to_uint8(generator(to_float(x)[None])[0]).permute(1, 2, 0).numpy()
        before, after, wanted = (stripe_energy(p, scene.animal) for p in (scene.picture, y, twin.picture))
        rows.append((before, after, wanted, background_change(scene.picture, y, scene.animal)))
    return Coats(*(median(column) for column in zip(*rows, strict=True)))


def coats_of(kinds: Mapping[str, Mapping[Domain, Generator]], *, seed: int) -> dict[str, dict[Domain, Coats]]:
    """`coats` of both directions for several pairs of generators."""
    return {
        kind: {domain: coats(generator, domain, seed=seed) for domain, generator in pair.items()}
        for kind, pair in kinds.items()
    }
