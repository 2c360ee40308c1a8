"""Scenes of plain and of striped animals, drawn by chance: what the packaged example's pictures are."""

from .dataset import draw_folder
from .scenes import Scene, draw

__all__ = ["Scene", "draw", "draw_folder"]
