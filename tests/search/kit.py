"""A search whose best answer is known: a hidden genome a side, and scores that say how far one is from it."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from ganprune.images.sources import Domain
from ganprune.models.cyclegan import resnet_widths
from ganprune.pruning.genome import Layout
from ganprune.scoring import Scores
from ganprune.search.coevolution import Population
from tests.tiny import layout_of, random_genomes, seeded

LAYOUTS: dict[Domain, Layout] = {"A": layout_of(resnet_widths(4, 2)), "B": layout_of(resnet_widths(3, 1))}


@dataclass
class Hidden:
    """A `Scorer`: L_DisA is the share of wrong bits, L_cyc that of the partner."""

    wanted: dict[Domain, Tensor] = field(
        default_factory=lambda: {side: random_genomes(LAYOUTS[side], 1, 7)[0] for side in LAYOUTS}
    )
    calls: list[tuple[Domain, int]] = field(default_factory=list)

    def score(self, side: Domain, genomes: Tensor, partner: Tensor | None) -> Scores:
        self.calls.append((side, len(genomes)))
        wrong = (genomes != self.wanted[side]).double().mean(1)
        other: Domain = "B" if side == "A" else "A"
        back = 0.0 if partner is None else float((partner != self.wanted[other]).double().mean())
        none = torch.zeros_like(wrong)
        return Scores(wrong, none, none + back, none)


NAMES = ("N", "macs", "L_DisA", "L_GenA", "L_cyc", "L_idt", "fitness")


def energies(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def population_of(genomes: Tensor, **terms: Tensor) -> Population:
    """Scored as is said; what is not said is 0."""
    none = torch.zeros(len(genomes), dtype=torch.float64)
    return Population(genomes=genomes, **{name: terms.get(name, none) for name in NAMES})


__all__ = ["LAYOUTS", "NAMES", "Hidden", "energies", "population_of", "seeded"]
