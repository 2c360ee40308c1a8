"""The formulas of the paper: distances (Eq. 4-6), what is kept of them, and fitness (Eq. 11 and 13).

The paper writes ‖·‖² and does not say whether it means a sum over the elements of a picture or their
mean. The two differ by a factor of 196,608 for a 256×256 picture and 900 for its patch map, and so
give γ another meaning. `Reduction` makes the choice explicit; ``mean`` is the default.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import torch
from torch import Tensor

from ganprune.settings.words import Mean, Reduction

if TYPE_CHECKING:
    from ganprune.settings.search import SearchSettings


UNSEEN = (2 / 255) ** 2 / 12
"""Mean squared error of rounding a picture in [-1, 1] to 8 bits."""


def squared_norm(difference: Tensor, reduction: Reduction) -> Tensor:
    """‖v‖² of each picture. [n, c, h, w] → float64 [n]."""
    squares = difference.double().square().flatten(1)
    return squares.mean(1) if reduction == "mean" else squares.sum(1)


def l_gena(original: Tensor, slim: Tensor, reduction: Reduction = "mean", mean: Mean = "arithmetic") -> float:
    """Eq. 4: mean over pictures of ‖G1(x) − Ĝ1(x)‖². Both [n, 3, h, w] in [-1, 1].

    Errors of pictures lie far apart, so that the arithmetic mean, the paper's, is that of the few hardest.
    The geometric one weighs how many times better a network is on each, down to `UNSEEN`: else one picture
    that is drawn to the bit, as a white one may be, would make up for all others.
    """
    errors = squared_norm(original.float() - slim.float(), reduction)
    if mean == "arithmetic" or not errors.any():
        return float(errors.mean())
    least = UNSEEN * (original[0].numel() if reduction == "sum" else 1)
    return float(errors.clamp_min(least).log().mean().exp())


def psnr(L_GenA: float) -> float | None:
    """dB between pictures in a range of 2, by their mean squared distance; None: not a bit apart."""
    return 10 * math.log10(4 / L_GenA) if L_GenA > 0 else None


def l_disa(original: Tensor, slim: Tensor, reduction: Reduction = "mean") -> float:
    """Eq. 5: mean over pictures of ‖D1(G1(x)) − D1(Ĝ1(x))‖². Both are patch maps [n, 1, h', w']."""
    return float(squared_norm(original.float() - slim.float(), reduction).mean())


def l_cyc(back: Tensor, x: Tensor, reduction: Reduction = "mean") -> float:
    """Eq. 6: mean over pictures of ‖G2(Ĝ1(x)) − x‖². Both [n, 3, h, w] in [-1, 1]."""
    return float(squared_norm(back.float() - x.float(), reduction).mean())


def l_idt(same: Tensor, y: Tensor, reduction: Reduction = "mean") -> float:
    """Identity, for lambda-identity: mean over pictures y of the target domain of ‖Ĝ1(y) − y‖²."""
    return float(squared_norm(same.float() - y.float(), reduction).mean())


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
    """Identity; zeros unless `ScoringSettings.identity` asks for it."""

    @classmethod
    def of(cls, rows: Iterable[Sequence[float]]) -> Self:
        """One row an individual, terms in the order above."""
        return cls(*torch.tensor(list(rows), dtype=torch.float64).unbind(1))


def losses(scores: Scores, s: "SearchSettings", floor: float = 0.0) -> Tensor:
    """What Eq. 11 and 13 weigh against size, L_DisA + λ L_cyc: float64 [K].

    The ablation of the paper has L_GenA in place of L_DisA. ``lambda_identity`` adds λ_idt L_idt. floor:
    L_cyc of the original pair, above which it counts.
    """
    seen = scores.L_DisA if s.loss == "disa" else scores.L_GenA
    cycle = (scores.L_cyc - floor).clamp_min(0.0)
    return seen + s.lambda_cycle * cycle + s.lambda_identity * scores.L_idt


def fitness(N: Tensor, losses: Tensor, gamma: float) -> Tensor:
    """Eq. 11 and 13: F = 1 / (N + γ (L_DisA + λ L_cyc)). All float64 [K].

    A larger γ weighs pictures more against size, and so leads to *larger* networks. A loss that is not
    finite gives a fitness of 0.
    """
    return torch.nan_to_num(1 / (N + gamma * losses), nan=0.0, posinf=0.0, neginf=0.0)
