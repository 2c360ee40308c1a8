"""Filters by lot: what any method must beat at the same size with the same fine-tuning."""

import torch

from ganprune.baselines.allocation import uniform_share, within_layers
from ganprune.baselines.subject import Pruned, Subject


def random_mask(subject: Subject) -> Pruned:
    """Every filter by a coin that falls on the side of the target, then repaired: a random first genome."""
    keep = uniform_share(subject.repairer)
    genomes = torch.rand(1, subject.layout.length, generator=subject.chance) < keep
    return subject.cut(subject.repairer(genomes, subject.chance)[0])


def uniform_widths(subject: Subject) -> Pruned:
    """The same share of every layer's filters, drawn by lot."""
    scores = torch.rand(subject.layout.length, generator=subject.chance)
    return subject.cut(within_layers(scores, subject.repairer, subject.chance))
