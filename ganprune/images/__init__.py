"""Pictures: where they lie, how they are read, what training does to them, how they are shown.

sources.py      --data, or --data-a and --data-b, and where pictures may lie there
pairs.py        pictures of A and B that belong together; two in one file, side by side
folders.py      a data folder → paths of both domains; a seeded hold-out that shares no picture
reading.py      files → uint8; what cannot be read is skipped or refused
rgb.py          what is stored in a file → RGB of 8 bits, upright; what is remarkable about it
values.py       uint8 ↔ [-1, 1], as CycleGAN does
transforms.py   CycleGAN's preprocessing modes: a fixed half, done once, and a random half
grids.py        pictures beside each other with names above, as one PNG
"""

from ganprune.images.folders import PictureFolders, find_domains, readable, split
from ganprune.images.grids import cells, grid, save_picture
from ganprune.images.reading import load_pictures, open_picture
from ganprune.images.sources import DataSource, Domain, Split
from ganprune.images.transforms import Crop, Preprocess, TrainTransform
from ganprune.images.values import to_float, to_uint8

__all__ = [
    "Crop",
    "DataSource",
    "Domain",
    "PictureFolders",
    "Preprocess",
    "Split",
    "TrainTransform",
    "cells",
    "find_domains",
    "grid",
    "load_pictures",
    "open_picture",
    "readable",
    "save_picture",
    "split",
    "to_float",
    "to_uint8",
]
