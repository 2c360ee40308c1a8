"""What a generator does to the example's animals, measured on the drawing procedure's own ground truth."""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median

import torch
from torch import nn

from ganprune.example.dataset import EXAMPLE_SIZE, scene_index
from ganprune.example.scenes import Scene, draw
from ganprune.example.stripes import background_change, stripe_energy
from ganprune.images import to_float, to_uint8
from ganprune.images.sources import DOMAINS, Domain


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


def coats(generator: nn.Module, domain: Domain, *, seed: int, scenes: int = 40) -> Coats:
    """Translate unseen scenes of ``domain`` and measure the animals' coats before and after."""
    return _measured(generator, _drawn(domain, seed, scenes))


def coats_of(
    kinds: Mapping[str, Mapping[Domain, nn.Module]], *, seed: int, scenes: int = 40
) -> dict[str, dict[Domain, Coats]]:
    """`coats` of both directions for several pairs of generators, on the same scenes."""
    drawn = {domain: _drawn(domain, seed, scenes) for domain in DOMAINS}
    return {
        kind: {domain: _measured(generator, drawn[domain]) for domain, generator in pair.items()}
        for kind, pair in kinds.items()
    }


def _drawn(domain: Domain, seed: int, scenes: int) -> list[tuple[Scene, Scene]]:
    """Scenes of a domain, each beside its look in the other domain."""
    other: Domain = "B" if domain == "A" else "A"
    indices = [scene_index("test", domain, i) for i in range(scenes)]
    return [(draw(seed, i, domain, EXAMPLE_SIZE), draw(seed, i, other, EXAMPLE_SIZE)) for i in indices]


@torch.inference_mode()
def _measured(generator: nn.Module, drawn: list[tuple[Scene, Scene]]) -> Coats:
    rows: list[tuple[float, float, float, float]] = []
    for scene, twin in drawn:
        x = torch.from_numpy(scene.picture).permute(2, 0, 1)
        y = to_uint8(generator(to_float(x)[None])[0]).permute(1, 2, 0).numpy()
        before, after, wanted = (stripe_energy(p, scene.animal) for p in (scene.picture, y, twin.picture))
        rows.append((before, after, wanted, background_change(scene.picture, y, scene.animal)))
    return Coats(*(median(column) for column in zip(*rows, strict=True)))
