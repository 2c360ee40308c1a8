"""Kernel Inception distance: how far two sets of features are apart, without bias.

Source: Bińkowski et al., "Demystifying MMD GANs", ICLR 2018 (arXiv 1801.01401), equation 4 and section 4:
the unbiased estimator of the squared maximum mean discrepancy under the kernel (x·y / d + 1)³.
"""

from dataclasses import dataclass

from torch import Tensor

from ganprune.metrics.needs import need


@dataclass(frozen=True, slots=True)
class Kernels:
    """Kernel values of fakes and real pictures among themselves and between them, float64."""

    within_fakes: Tensor  # [m, m]
    within_real: Tensor  # [n, n]
    between: Tensor  # [m, n]

    @classmethod
    def of(cls, fakes: Tensor, real: Tensor) -> "Kernels":
        """From features [m, d] and [n, d]. Raises `DataError` for fewer than two of either."""
        need(fakes, real)
        x, y = fakes.double(), real.double()
        return cls(kernel(x, x), kernel(y, y), kernel(x, y))

    def mmd(self, of_fakes: Tensor | None = None, of_real: Tensor | None = None) -> float:
        """The squared discrepancy of all, or of pictures that count as often as is said: [m] and [n].

        Pairs of a picture with itself are left out, however often it counts.
        """
        u = self.between.new_ones(self.between.shape[0]) if of_fakes is None else of_fakes.double()
        v = self.between.new_ones(self.between.shape[1]) if of_real is None else of_real.double()
        return float(_pairs(self.within_fakes, u) + _pairs(self.within_real, v)
                     - 2 * (u @ self.between @ v) / (u.sum() * v.sum()))  # fmt: skip


def kernel(x: Tensor, y: Tensor) -> Tensor:
    """k(x, y) = (x·y / d + 1)³ of all pairs. [m, d], [n, d] → [m, n]."""
    return (x @ y.T / x.shape[1] + 1) ** 3


def kid(fakes: Tensor, real: Tensor) -> float:
    """Unbiased squared MMD of features [m, d] and [n, d]; near 0, and also below, where both are alike."""
    return Kernels.of(fakes, real).mmd()


def _pairs(k: Tensor, weights: Tensor) -> Tensor:
    """Mean of k over pairs of two different pictures, each as often as its weights say."""
    own = weights.square()
    total = weights.sum() ** 2 - own.sum()
    return (weights @ k @ weights - own @ k.diagonal()) / total
