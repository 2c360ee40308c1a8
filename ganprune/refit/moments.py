"""Second moments of what a layer sees and should say, and the least-squares weights that follow from them.

With patches p of the input and wanted outputs y, both less their means, summed over positions and pictures:

    A = Σ p pᵀ        B = Σ y pᵀ
    W ← W + (B − W A) (A + ρ · mean(diag A) · I)⁻¹

That is ridge regression whose ridge pulls towards the weights that are there: Σ ‖y − W p‖² + ρ′ ‖W − W₀‖² is
least. An instance norm takes the mean of every picture away, so before one the means are each picture's; else
they are those of all pictures, and the bias follows from them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ganprune.refit.patches import Means

BAND = 256
"""Rows of A that are computed at once."""
RIDGE = 1e-2
"""ρ, a share of the mean of A's diagonal. ``benchmarks/refit_choices.py`` tries others."""


@dataclass(slots=True)
class Moments:
    """Sums over pictures: float64."""

    by: Means
    A: Tensor
    """[d, d], d numbers a patch; on and above its diagonal alone until `finished`."""
    B: Tensor
    """[filters, d]"""
    p: Tensor
    """Σ p, [d]; zero where means are each picture's."""
    y: Tensor
    """Σ y, [filters]; likewise."""
    count: int = 0

    @classmethod
    def none(cls, by: Means, d: int, filters: int, device: torch.device) -> "Moments":
        """Of no picture yet."""

        def zeros(*shape: int) -> Tensor:
            return torch.zeros(shape, dtype=torch.float64, device=device)

        return cls(by, zeros(d, d), zeros(filters, d), zeros(d), zeros(filters))

    def add(self, seen: Sequence[Tensor], y: Tensor) -> None:
        """Positions of one picture: patches [d, n] each, which all should give the outputs y [filters, n]."""
        n, y_mean = y.shape[1], y.mean(1, keepdim=True)
        p_means = [p.mean(1, keepdim=True) for p in seen]
        # Products of what varies within a picture are exact enough in float32, those of means are not: they
        # may be large, and are taken away again.
        p = torch.cat([p - mean for p, mean in zip(seen, p_means, strict=True)], 1)
        for start in range(0, len(p), BAND):
            band = slice(start, start + BAND)
            self.A[band, start:] += p[band] @ p[start:].T
        self.B.add_((y - y_mean).repeat(1, len(seen)) @ p.T)
        if self.by != "picture":
            y_mean = y_mean.double()
            for p_mean in p_means:
                p_mean = p_mean.double()
                self.A.add_(p_mean @ p_mean.T, alpha=n)
                self.B.add_(y_mean @ p_mean.T, alpha=n)
                self.p.add_(p_mean[:, 0], alpha=n)
                self.y.add_(y_mean[:, 0], alpha=n)
        self.count += n * len(seen)

    def finished(self) -> "Moments":
        """Of all that was added, where means are all pictures': about these."""
        n, whole = max(self.count, 1), self.A.triu() + self.A.triu(1).T
        if self.by != "all":
            return replace(self, A=whole)
        A, B = whole - torch.outer(self.p, self.p) / n, self.B - torch.outer(self.y, self.p) / n
        return replace(self, A=A, B=B)

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
