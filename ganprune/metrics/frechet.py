"""Fréchet distance of two sets of features, as of two normal distributions.

Source: Heusel et al., "GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium",
NIPS 2017 (arXiv 1706.08500), equation 6: ‖μ₁ − μ₂‖² + Tr(Σ₁ + Σ₂ − 2 (Σ₁ Σ₂)^½). With covariances of
n − 1, as the authors' code has.
"""

import torch
from torch import Tensor

from ganprune.metrics.needs import need


def fid(fakes: Tensor, real: Tensor) -> float:
    """The Fréchet distance of features [m, d] and [n, d], in float64.

    It grows as pictures get fewer: compare only figures from as many pictures. Computed without a matrix
    root: with Σ₁ = XᵀX and Σ₂ = YᵀY, Tr (Σ₁ Σ₂)^½ is the sum of the singular values of X Yᵀ. So it is exact
    where there are fewer pictures than features, too.
    """
    need(fakes, real)
    x, y = _centred(fakes), _centred(real)
    means = (fakes.double().mean(0) - real.double().mean(0)).square().sum()
    root = torch.linalg.svdvals(_small(x) @ _small(y).T).sum()
    return max(0.0, float(means + x.square().sum() + y.square().sum() - 2 * root))


def _centred(features: Tensor) -> Tensor:
    """X with XᵀX the covariance. [n, d] → float64 [n, d]."""
    x = features.double()
    return (x - x.mean(0)) / (len(x) - 1) ** 0.5


def _small(x: Tensor) -> Tensor:
    """R with RᵀR = XᵀX, and at most d rows."""
    return torch.linalg.qr(x, mode="r").R if len(x) > x.shape[1] else x
