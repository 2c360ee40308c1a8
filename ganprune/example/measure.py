"""What a generator does to the animals of the example's test pictures, of which masks are shipped."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from ganprune.example.stripes import Mask, background_change, stripe_energy
from ganprune.images import open_picture, to_float, to_uint8
from ganprune.images.sources import DOMAINS, Domain

HERE = Path(__file__).parent
Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Coats:
    """Medians over pictures that no training saw."""

    before: float  # `stripe_energy` of the animals as they are
    after: float  # `stripe_energy` of the animals as translated
    wanted: float  # `stripe_energy` of the animals in the other domain's pictures
    background: float  # `background_change`: what happened to everything else, 0 … 1


def coats(generator: nn.Module, domain: Domain, pictures: int = 24) -> Coats:
    """Translate test pictures of ``domain`` and measure the animals' coats before and after."""
    return coats_of({"": {domain: generator}}, pictures)[""][domain]


def coats_of(
    kinds: Mapping[str, Mapping[Domain, nn.Module]], pictures: int = 24
) -> dict[str, dict[Domain, Coats]]:
    """`coats` for several pairs of generators, on the same pictures."""
    shown = {domain: _shown(domain, pictures) for domain in DOMAINS}
    striped = {
        domain: median(stripe_energy(picture, mask) for picture, mask in pairs)
        for domain, pairs in shown.items()
    }
    return {
        kind: {
            domain: Coats(striped[domain], after, striped["B" if domain == "A" else "A"], background)
            for domain, generator in pair.items()
            for after, background in [_translated(generator, shown[domain])]
        }
        for kind, pair in kinds.items()
    }


def _shown(domain: Domain, count: int) -> list[tuple[Pixels, Mask]]:
    """Test pictures, uint8 [h, w, 3], and where their animals are, bool [h, w]."""
    found = sorted((HERE / "pictures" / f"test{domain}").iterdir())[:count]
    masks = [HERE / "masks" / f"test{domain}" / f"{path.stem}.png" for path in found]
    return [(_pixels(path), _pixels(mask)[..., 0] > 0) for path, mask in zip(found, masks, strict=True)]


def _pixels(path: Path) -> Pixels:
    return open_picture(path).permute(1, 2, 0).numpy()


@torch.inference_mode()
def _translated(generator: nn.Module, shown: list[tuple[Pixels, Mask]]) -> tuple[float, float]:
    """The medians of `stripe_energy` and of `background_change` after translation."""
    energies, changes = list[float](), list[float]()
    for picture, mask in shown:
        x = to_float(torch.from_numpy(picture).permute(2, 0, 1)[None])
        y = to_uint8(generator(x)[0]).permute(1, 2, 0).numpy()
        energies.append(stripe_energy(y, mask))
        changes.append(background_change(picture, y, mask))
    return median(energies), median(changes)
