"""CycleGAN checkpoints: what is in them, and back again.

layouts/          where the networks of a training lie: a table, one module a layout
formats/          how a file holds tensors: a table, one module a format
reading.py        a file → tensors, or one line that says why not
contents.py       wrappers, prefixes, relics and dropout undone
own.py            a user's own modules: FILE.py:FACTORY
folding.py        spectral and weight norm, folded into the weights
norms.py          which norm a network has, and the tensors that come with it
architecture.py   tensors → a network of the widths they have
quartet.py        a folder or a file → G_A, G_B, D_A, D_B
inspection.py     what a folder or a file holds, in words and numbers
writers.py        a generator → safetensors, or CycleGAN's .pth
"""

from ganprune.checkpoints.architecture import discriminator_from_tensors, generator_from_tensors
from ganprune.checkpoints.inspection import Inspection, NetworkReport, inspect
from ganprune.checkpoints.network_file import load_generator, read_metadata
from ganprune.checkpoints.own import Own
from ganprune.checkpoints.quartet import Quartet, load_generators, load_quartet
from ganprune.checkpoints.reading import read_held, read_tensors
from ganprune.checkpoints.writers import copy_standalone, save_cyclegan_pth, save_generator
from ganprune.settings.words import NET_NAMES, NetName

__all__ = [
    "NET_NAMES", "Inspection", "NetName", "NetworkReport", "Own", "Quartet", "copy_standalone",
    "discriminator_from_tensors", "generator_from_tensors", "inspect", "load_generator", "load_generators",
    "load_quartet", "read_held", "read_metadata", "read_tensors", "save_cyclegan_pth", "save_generator",
]  # fmt: skip
