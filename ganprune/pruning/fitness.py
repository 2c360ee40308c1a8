"""The formulas of the paper: distances (Eq. 4-6) and fitness (Eq. 11 and 13).

The paper writes ‖·‖² and does not say whether it means a sum over the elements of a picture or their
mean. The two differ by a factor of 196,608 for a 256×256 picture and 900 for its patch map, and so
give γ another meaning. `Reduction` makes the choice explicit; ``mean`` is the default.
"""

import torch
from torch import Tensor

from ganprune.settings.words import Reduction


def squared_norm(difference: Tensor, reduction: Reduction) -> Tensor:
    """‖v‖² of each picture. [n, c, h, w] → float64 [n]."""
    squares = difference.double().square().flatten(1)
    return squares.mean(1) if reduction == "mean" else squares.sum(1)


def l_gena(original: Tensor, slim: Tensor, reduction: Reduction = "mean") -> float:
    """Eq. 4: mean over pictures of ‖G1(x) − Ĝ1(x)‖². Both [n, 3, h, w] in [-1, 1]."""
    return float(squared_norm(original.float() - slim.float(), reduction).mean())


def l_disa(original: Tensor, slim: Tensor, reduction: Reduction = "mean") -> float:
    """Eq. 5: mean over pictures of ‖D1(G1(x)) − D1(Ĝ1(x))‖². Both are patch maps [n, 1, h', w']."""
    return float(squared_norm(original.float() - slim.float(), reduction).mean())


def l_cyc(back: Tensor, x: Tensor, reduction: Reduction = "mean") -> float:
    """Eq. 6: mean over pictures of ‖G2(Ĝ1(x)) − x‖². Both [n, 3, h, w] in [-1, 1]."""
    return float(squared_norm(back.float() - x.float(), reduction).mean())


def l_idt(same: Tensor, y: Tensor, reduction: Reduction = "mean") -> float:
    """Identity, for lambda-identity: mean over pictures y of the target domain of ‖Ĝ1(y) − y‖²."""
    return float(squared_norm(same.float() - y.float(), reduction).mean())


def fitness(
    N: Tensor, L_DisA: Tensor, L_cyc: Tensor, L_idt: Tensor, *,
    gamma: float, lambda_cycle: float, lambda_identity: float = 0.0,
) -> Tensor:  # fmt: skip
    """Eq. 11 and 13: F = 1 / (N + γ (L_DisA + λ L_cyc)). All float64 [K].

    A larger γ weighs pictures more against size, and so leads to *larger* networks. The ablation of
    the paper passes L_GenA in place of L_DisA. ``lambda_identity`` adds λ_idt L_idt to the sum of losses.
    A loss that is not finite gives a fitness of 0.
    """
    losses = L_DisA + lambda_cycle * L_cyc + lambda_identity * L_idt
    return torch.nan_to_num(1 / (N + gamma * losses), nan=0.0, posinf=0.0, neginf=0.0)
