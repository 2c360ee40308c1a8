"""What a search needs to know of how scores are computed, and nothing else."""

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from ganprune.images.sources import Domain


@dataclass(frozen=True, slots=True)
class Scores:
    """The loss terms of a population; all float64 [K]."""

    L_DisA: Tensor
    """Eq. 5; zeros where there is no discriminator."""
    L_GenA: Tensor
    """Eq. 4; the ablation."""
    L_cyc: Tensor
    """Eq. 6, through the partner that was given; zeros where there is no generator of the other side."""
    L_idt: Tensor
    """Identity; zeros unless it was asked for."""


class Evaluator(Protocol):
    """Computes the loss terms of genomes: in this process, on several devices, or on a cluster."""

    def score(
        self, side: Domain, genomes: Tensor, partner: Tensor | None, *, identity: bool = False
    ) -> Scores:
        """Score one population against one partner.

        genomes: bool [K, L] of ``side``; partner: bool [L'] genome of the other side, or None for its
        original generator; identity: compute L_idt too, one more pass of each new genome. The result for
        a genome depends on nothing but the genome and the partner.
        """
        ...
