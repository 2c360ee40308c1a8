"""From scores of filters to a genome of the size asked for.

A method that ranks filters within their layer gets the same share of every layer; one that ranks all filters
of the network gets one threshold. Share and threshold are the largest that lie within the target, found by
bisection. What is then missing to the target, and to multiples of ``align``, is settled by the repair that a
search uses, in numbers of filters alone; which filters those are, the scores say.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ganprune.baselines.subject import Pruned, Subject
from ganprune.errors import UsageError
from ganprune.models.first_weights import GAIN, draw_weights
from ganprune.pruning.repair import Repairer

_HALVINGS = 40


def within_layers(scores: Tensor, repairer: Repairer, chance: torch.Generator) -> Tensor:
    """The best filters of every layer, the same share of each. scores: [L], larger is better → bool [L].

    Raises `UsageError` where no size is asked for.
    """
    return repairer.layout.keeping(uniform_counts(repairer, chance), scores)


def across_layers(scores: Tensor, repairer: Repairer, chance: torch.Generator) -> Tensor:
    """The best filters of the whole network, at least one a layer. scores: [L] → bool [L].

    Raises `UsageError` where no size is asked for.
    """
    layout = repairer.layout
    ranks = scores.argsort().argsort().numpy()  # a share of them is a threshold, whatever the scores' scale
    least = np.minimum(repairer.constraints.min_filters, layout.sizes)

    def counts(share: float) -> np.ndarray:
        kept = torch.from_numpy(ranks >= (1 - share) * layout.length)
        return np.maximum(layout.gene_counts(kept[None]).numpy()[0], least)

    return layout.keeping(_repaired(counts(_largest(repairer, counts)), repairer, chance), scores)


def uniform_share(repairer: Repairer) -> float:
    """The share of every layer's filters at which a network comes to its target, in multiples of ``align``.

    Raises `UsageError` where no size is asked for.
    """
    return _largest(repairer, lambda share: _uniform(share, repairer))


def uniform_counts(repairer: Repairer, chance: torch.Generator) -> np.ndarray:
    """The same share of every layer, then repaired: int [genes]. Raises `UsageError` as `uniform_share`."""
    return _repaired(_uniform(uniform_share(repairer), repairer), repairer, chance)


def _uniform(share: float, repairer: Repairer) -> np.ndarray:
    sizes, align = np.array(repairer.layout.sizes), repairer.constraints.align
    counts = np.rint(share * sizes / align).astype(int) * align
    return np.clip(counts, np.minimum(align, sizes), sizes)


def _largest(repairer: Repairer, counts: Callable[[float], np.ndarray]) -> float:
    """The largest share, 0 … 1, whose counts lie within the targets."""
    limits = repairer.constraints
    if limits.aimless:
        raise UsageError("rivals need a size to come to, found none; give speed-up or target-macs")
    if repairer.used(counts(1.0)) <= 1:
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if repairer.used(counts(middle)) <= 1 else (low, middle)
    return low


def _repaired(counts: np.ndarray, repairer: Repairer, chance: torch.Generator) -> np.ndarray:
    layout = repairer.layout
    genome = layout.keeping(counts, torch.zeros(layout.length))
    return layout.gene_counts(repairer(genome[None], chance)).numpy()[0]


def random_mask(subject: Subject) -> Pruned:
    """Every filter by a coin that falls on the side of the target, then repaired: a random first genome."""
    keep = uniform_share(subject.repairer)
    genomes = torch.rand(1, subject.layout.length, generator=subject.chance) < keep
    return subject.cut(subject.repairer(genomes, subject.chance)[0])


def uniform_widths(subject: Subject) -> Pruned:
    """The same share of every layer's filters, drawn by lot."""
    scores = torch.rand(subject.layout.length, generator=subject.chance)
    return subject.cut(within_layers(scores, subject.repairer, subject.chance))


def narrow_network(subject: Subject) -> Pruned:
    """The widths of `uniform_widths` with first weights: a narrow network, to be trained from nothing."""
    pruned = uniform_widths(subject)
    network = pruned.network.cpu()
    draw_weights(network, GAIN, subject.chance)
    return Pruned(pruned.genome, network)
