"""Words that settings are made of."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from ganprune.settings.fields import Bounds

Domain = Literal["A", "B"]
"""A kind of pictures, and all that starts from it. A: what G_A (G1, X → Y) translates, with genomes p, and
judged by D_A. B: what G_B (G2, Y → X) translates, with genomes q, and judged by D_B."""
DOMAINS: tuple[Domain, Domain] = ("A", "B")
OTHER: Mapping[Domain, Domain] = MappingProxyType({"A": "B", "B": "A"})
"""G_A's fakes are pictures of B, which D_A judges."""

NetName = Literal["G_A", "G_B", "D_A", "D_B"]
"""pytorch-CycleGAN's names: G_A translates A to B, G_B back; D_A judges domain B, D_B judges A."""
NET_NAMES: tuple[NetName, ...] = ("G_A", "G_B", "D_A", "D_B")
"""The four names in their usual order."""

Precision = Literal["float32", "bfloat16"]
"""Of the networks' arithmetic."""

Preprocess = Literal["resize_and_crop", "crop", "scale_width", "scale_width_and_crop", "none"]
"""resize_and_crop: to load_size², then a random crop. crop: of the picture as it is. scale_width: to a
width of load_size. scale_width_and_crop: both. none: to the next multiples of 4."""

Reduction = Literal["mean", "sum"]
"""‖v‖² as the mean over the elements of v, or as their sum."""
Mean = Literal["arithmetic", "geometric"]

LayoutKind = Literal["filters", "shared"]
"""``filters``: every group of filters has bits of its own (2,944 for the original).
``shared``: all residual convolutions follow the trunk's bits (640), as in the authors' code."""

GanMode = Literal["lsgan", "vanilla"]
"""lsgan: squared distance of D's patch map from 1 or 0. vanilla: binary cross entropy of its logits."""

MOST_THREADS = 1024
"""More would only bring the machine down."""
MOST_PROCESSES = 64
"""That train together on one machine."""
MOST_WORKERS = 64
"""That score on one machine."""
MOST_ACTORS = 4096
"""That score on a cluster: more than any search has use for."""
SIZES = Bounds(16, 8192, multiple=4)
"""Heights and widths of pictures, pixels: below the smallest reflection padding has nothing to reflect, above
the largest a first layer of 64 filters alone takes more than 16 GiB, and CycleGAN halves them twice."""
FEATURES = "GANPRUNE_FEATURES"
"""Environment variable that stands in for a file of a network of features."""
_WEIGHTS = "https://download.pytorch.org/models/mobilenet_v2-7ebf99e0.pth"
_KEPT = "checkpoints/mobilenet_v2-7ebf99e0/mobilenet_v2-7ebf99e0.pth"
FETCH_FEATURES = f"`ganprune download --from {_WEIGHTS}` fetches one to {_KEPT}"
"""How to come by a network of features; the name of the public file holds the first digits of its SHA-256."""
