"""The packaged example's pictures: two looks of the same kind of drawn scenes, and how to tell them apart."""

from .dataset import EXAMPLE_SIZE, scene_index, write_dataset
from .scenes import Domain, Scene, draw
from .stripes import background_change, stripe_energy

__all__ = [
    "EXAMPLE_SIZE",
    "Domain",
    "Scene",
    "background_change",
    "draw",
    "scene_index",
    "stripe_energy",
    "write_dataset",
]
