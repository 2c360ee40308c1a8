"""Second moments of what a layer sees and should say, and the least-squares weights that follow from them.

With patches p of the input and wanted outputs y, both less their means, summed over positions and pictures:

    A = Σ p pᵀ        B = Σ y pᵀ
    W ← W + (B − W A) (A + ρ · mean(diag A) · I)⁻¹

That is ridge regression whose ridge pulls towards the weights that are there: Σ ‖y − W p‖² + ρ′ ‖W − W₀‖² is
least. An instance norm takes the mean of every picture away, so before one the means are each picture's; else
they are those of all pictures, and the bias follows from them.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

BAND = 256
"""Rows of A that are computed at once."""
RIDGE = 1e-3
"""ρ, a share of the mean of A's diagonal. GRAIL (CPAL 2026) uses the same for linear layers."""


@dataclass(slots=True)
class Moments:
    """Sums over pictures: float64."""

    A: Tensor
    """[d, d], d numbers a patch."""
    B: Tensor
    """[filters, d]"""
    p: Tensor
    """Σ p, [d]; zero where means are each picture's."""
    y: Tensor
    """Σ y, [filters]; likewise."""
    count: int = 0

    @classmethod
    def none(cls, d: int, filters: int, device: torch.device) -> "Moments":
        """Of no picture yet."""

        def zeros(*shape: int) -> Tensor:
            return torch.zeros(shape, dtype=torch.float64, device=device)

        return cls(zeros(d, d), zeros(filters, d), zeros(d), zeros(filters))

    def add(self, p: Tensor, y: Tensor, per_picture: bool) -> None:
        """Positions of one picture: patches [d, n], wanted outputs [filters, n]."""
        n, p_mean, y_mean = p.shape[1], p.mean(1, keepdim=True), y.mean(1, keepdim=True)
        p, y = p - p_mean, y - y_mean
        # Products of what varies within a picture are exact enough in float32, those of means are not: they
        # may be large, and are taken away again.
        for start in range(
            0, len(p), BAND
        ):  # p pᵀ is symmetric: what is left of its diagonal is not computed
            band = slice(start, start + BAND)
            product = p[band] @ p[start:].T
            self.A[band, start:] += product
            self.A[start + BAND :, band] += product[:, BAND:].T
        self.B.add_(y @ p.T)
        if not per_picture:
            p_mean, y_mean = p_mean.double(), y_mean.double()
            self.A.add_(p_mean @ p_mean.T, alpha=n)
            self.B.add_(y_mean @ p_mean.T, alpha=n)
            self.p.add_(p_mean[:, 0], alpha=n)
            self.y.add_(y_mean[:, 0], alpha=n)
        self.count += n

    def centred(self) -> "Moments":
        """About the means of all pictures."""
        n = max(self.count, 1)
        A, B = self.A - torch.outer(self.p, self.p) / n, self.B - torch.outer(self.y, self.p) / n
        return Moments(A, B, self.p, self.y, self.count)

    def bias(self, W: Tensor) -> Tensor:
        """What has to be added to W p so that it is right in the mean: [filters]."""
        return (self.y - W @ self.p) / max(self.count, 1)


def ridged(A: Tensor, ridge: float = RIDGE) -> Tensor:
    """A + ρ · mean(diag A) · I. All-zero A becomes the identity."""
    strength = ridge * A.diagonal().mean()
    return A + torch.eye(len(A), dtype=A.dtype, device=A.device) * (strength if strength > 0 else 1.0)


def least_squares(W: Tensor, A: Tensor, B: Tensor, ridge: float = RIDGE) -> Tensor:
    """The formula above: W [filters, d], A [d, d], B [filters, d] of centred patches → [filters, d]."""
    factor = torch.linalg.cholesky(ridged(A, ridge))
    return W + torch.cholesky_solve((B - W @ A).T, factor).T
