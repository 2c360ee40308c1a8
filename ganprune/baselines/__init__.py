"""Rivals: other ways to choose filters, each written from its paper, all brought to the same size.

subject.py      what a rival is given and what it gives back
allocation.py   scores of filters → genomes of the size asked for
magnitude.py    L1 and L2 norms of filters; of the weights that read them
chance.py       random masks; the same share of every layer
trimming.py     network trimming: how often an activation is zero
slimming.py     network slimming: sparse scales behind the norms
thinet.py       ThiNet: reconstruction of the next layer, and its scaling
methods.py      all of them by name
"""

from ganprune.baselines.methods import METHODS, method
from ganprune.baselines.subject import Method, Pruned, Subject

__all__ = ["METHODS", "Method", "Pruned", "Subject", "method"]
