"""Pictures: where they lie, how they are read, what training does to them, how they are shown.

sources.py      --data, or --data-a and --data-b, and where pictures may lie there
pairs.py        pictures of A and B that belong together; two in one file, side by side
folders.py      a data folder → paths of both domains; a seeded hold-out that shares no picture
reading.py      files → tensors [c, h, w]; what cannot be read is skipped or refused
rgb.py          what is stored in a picture file → grey, RGB or RGBA of 8 bits, upright; its remarks
arrays.py       NumPy's .npy files: pictures of any number of channels
values.py       uint8 ↔ [-1, 1], as CycleGAN does; resizing; what people are shown of many channels
transforms.py   CycleGAN's preprocessing modes: a fixed half, done once, and a random half
grids.py        pictures beside each other with names above, as one PNG
"""

from ganprune.images.folders import PictureFolders, find_domains, readable, split
from ganprune.images.grids import cells, grid, save_picture
from ganprune.images.reading import load_pictures, open_picture
from ganprune.images.sources import DataSource, Domain, Split
from ganprune.images.transforms import Crop, Preprocess, TrainTransform
from ganprune.images.values import as_rgb, in_channels, resized, to_float, to_tensor, to_uint8

__all__ = [
    "Crop", "DataSource", "Domain", "PictureFolders", "Preprocess", "Split", "TrainTransform", "as_rgb",
    "cells", "find_domains", "grid", "in_channels", "load_pictures", "open_picture", "readable", "resized",
    "save_picture", "split", "to_float", "to_tensor", "to_uint8",
]  # fmt: skip
