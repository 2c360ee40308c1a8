"""The packaged example: a small CycleGAN that adds and removes stripes, pictures, and how to tell stripes."""

from pathlib import Path

from .measure import Coats, coats, coats_of
from .stripes import background_change, stripe_energy

CHECKPOINT = Path(__file__).with_name("checkpoint")
"""The networks, as CycleGAN files; made by scripts/make_example.py."""

PICTURES = Path(__file__).with_name("pictures")
"""trainA, trainB, testA, testB: plain animals are domain A, striped ones B; made by scripts/make_pictures.py.

The networks were trained on none of them.
"""

EXAMPLE_SIZE = 96  # pixels a side of the pictures

__all__ = [
    "CHECKPOINT", "EXAMPLE_SIZE", "PICTURES", "Coats", "background_change", "coats", "coats_of",
    "stripe_energy",
]  # fmt: skip
