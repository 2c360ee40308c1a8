"""Measures that need no second set of fakes to be read: is it a zebra, how much of the change is left, how
near are the pixels."""

import math

import torch
from torch import Tensor

from ganprune.errors import DataError
from ganprune.metrics.needs import need

RIDGE = 100.0  # weight of ‖w‖² against the squared errors of the classifier, on standardised features


def votes(a: Tensor, b: Tensor, x: Tensor) -> Tensor:
    """Whether a ridge classifier, fitted on a (−1) and b (+1), puts each of x on b's side: bool [n].

    a [m, d] and b [n, d] are features of real pictures of both domains.
    """
    need(a, b)
    need(a, x, least=1)
    train = torch.cat([a, b]).double()
    mean, sd = train.mean(0), train.std(0) + 1e-6
    z = (train - mean) / sd
    y = torch.cat([-torch.ones(len(a)), torch.ones(len(b))]).double()
    w = torch.linalg.solve(z.T @ z + RIDGE * torch.eye(z.shape[1]).double(), z.T @ y)
    return ((x.double() - mean) / sd) @ w > 0


def probe(a: Tensor, b: Tensor, x: Tensor) -> float:
    """as_b: the share of x [n, d] that looks like b rather than like a; see `votes`."""
    return float(votes(a, b, x).double().mean())


def losses(fakes: Tensor, originals: Tensor, inputs: Tensor) -> tuple[Tensor, Tensor]:
    """Squared distances to the originals of the fakes and of the inputs, a picture each: two [n].

    All are features [n, d] of the same n pictures in the same order. Raises `DataError` otherwise.
    """
    if not len(fakes) == len(originals) == len(inputs):
        raise DataError(
            f"needed pictures in pairs, found {len(fakes)} fakes, {len(originals)} by the original and "
            f"{len(inputs)} inputs; translate the same folder by both networks"
        )
    need(fakes, originals, inputs, least=1)
    x, y, z = fakes.double(), originals.double(), inputs.double()
    return (x - y).square().mean(1), (z - y).square().mean(1)


def lost(fakes: Tensor, originals: Tensor, inputs: Tensor) -> float:
    """Share of the original's translation that the fakes lack, from features [n, d] in pairs.

    Mean ‖f(fake) − f(original)‖² / mean ‖f(input) − f(original)‖²; 0: the same pictures, 1: as far away as
    the inputs. Not a number where the original changes nothing.
    """
    ours, none = losses(fakes, originals, inputs)
    return float(ours.mean() / none.mean())


def squared_errors(fakes: Tensor, originals: Tensor) -> Tensor:
    """Mean squared error of each picture, over pixels and channels. uint8 [n, c, h, w] each → float64 [n]."""
    return (fakes.double() - originals.double()).square().flatten(1).mean(1)


def absolute_errors(fakes: Tensor, originals: Tensor) -> Tensor:
    """Mean absolute error of each picture, in levels of 255: as `squared_errors`."""
    return (fakes.double() - originals.double()).abs().flatten(1).mean(1)


def decibels(error: float) -> float:
    """Peak signal-to-noise ratio of a mean squared error of 8-bit pictures: 10 log10(255² / MSE); ∞ of 0.

    On floats in [-1, 1] the same is 10 log10(4 / MSE).
    """
    return 10 * math.log10(255**2 / error) if error > 0 else math.inf


def psnr(fakes: Tensor, originals: Tensor) -> float:
    """dB of the error over all pictures: uint8 [n, c, h, w] each, as they are written.

    Of the mean error, not a mean of each picture's dB: one picture that is nearly right does not raise it.
    """
    return decibels(float(squared_errors(fakes, originals).mean()))
