"""The packaged example's pictures: two looks of the same kind of drawn scenes, and how to tell them apart."""

from pathlib import Path

from ganprune.images.sources import Domain

from .dataset import EXAMPLE_SIZE, scene_index, write_dataset
from .measure import Coats, coats, coats_of
from .scenes import Scene, draw
from .stripes import background_change, stripe_energy

CHECKPOINT = Path(__file__).parent / "checkpoint"
"""A small CycleGAN that adds and removes stripes, as CycleGAN files; made by scripts/make_example.py."""

__all__ = [
    "CHECKPOINT",
    "EXAMPLE_SIZE",
    "Coats",
    "Domain",
    "Scene",
    "background_change",
    "coats",
    "coats_of",
    "draw",
    "scene_index",
    "stripe_energy",
    "write_dataset",
]
