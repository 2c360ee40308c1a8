"""Least squares gives back most of what cutting takes: no training step, no discriminator, no second domain.

patches.py    a convolution as a matrix of what it sees
moments.py    the formula: second moments and the weights that follow
walk.py       many pictures on their way through a network, from convolution to convolution
sequence.py   a slim network refitted layer by layer: what a compression ends in
gram_matrices.py  the original's maps in one matrix a layer: any slim network refitted without running it
surgeon.py    what it costs to do without filters: the order in which they go, and shapes
"""

from ganprune.refit.gram_matrices import Gram, grams, refitted_from
from ganprune.refit.sequence import RefitSettings, refitted
from ganprune.refit.surgeon import Removal, as_scores, removals

__all__ = [
    "Gram",
    "RefitSettings",
    "Removal",
    "as_scores",
    "grams",
    "refitted",
    "refitted_from",
    "removals",
]
