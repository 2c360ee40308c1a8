"""Refit in sequence: layer by layer, each on the maps that the slim network itself has by then.

And, half and half, on those that it should have, the original's: p̂ and p of the same positions are both asked
to give y. Its own maps alone carry errors that a fit mistakes for the pictures'
(``benchmarks/refit_choices.py`` compares the two).
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ganprune.channels import ChannelGraph, kept
from ganprune.errors import UsageError
from ganprune.pruning.statistics import Spread, follow, running
from ganprune.refit.moments import RIDGE, Moments, least_squares
from ganprune.refit.patches import (
    Convolution,
    matrix,
    means,
    norm_of,
    patches,
    put_matrix,
    refittable,
)
from ganprune.refit.walk import Walk
from ganprune.reporting import SILENT, Reporter
from ganprune.system.device import reproducible

LAST = 4
"""Times as many positions of the last convolution: as a rule it has most weights a filter, and no later layer
makes up for its errors. Measured: docs/results/refit.md."""


@dataclass(frozen=True, slots=True)
class RefitSettings:
    """What a refit looks at."""

    positions: int = 1024
    """Positions of each picture's map that a layer is fitted to, drawn at random; all, where it has fewer.
    `LAST` times as many of the last layer."""
    ridge: float = RIDGE
    """ρ, see `ganprune.refit.moments`."""
    seed: int = 0
    """Of the positions."""

    def __post_init__(self) -> None:
        if self.positions < 1:
            raise UsageError(f"positions a picture must be 1 or more, found {self.positions}")
        if not 0 < self.ridge < float("inf"):
            raise UsageError(f"the ridge of a refit must be more than 0, found {self.ridge:g}")


@torch.no_grad()
@reproducible()
def refitted(
    slim: nn.Module,
    original: nn.Module,
    units: Tensor,
    pictures: Sequence[Tensor],
    settings: RefitSettings | None = None,
    reporter: Reporter = SILENT,
) -> nn.Module:
    """A copy of ``slim`` whose convolutions say, as well as they can, what the original's say.

    Every convolution in forward order is fitted by least squares; its target is the original's output before
    the norm, of the filters that it kept.

    slim: the same modules as ``original`` with fewer channels. units: which it keeps of those of the
    original's `ChannelGraph`, bool [units]. pictures: float32 [1, channels, h, w] each, on the networks'
    device. Raises `ValueError` without pictures.
    """
    if not pictures:
        raise ValueError("a refit needs at least one picture")
    settings = settings or RefitSettings()
    slim = copy.deepcopy(slim).float().eval()
    original, there = original.float().eval(), dict(slim.named_modules())
    graph = ChannelGraph.trace(original, pictures[0])
    # Of a residual block that was taken out nothing is left to fit.
    layers = {name: layer for name, layer in refittable(original, graph).items() if name in there}
    source, fitted = Walk(original, pictures, layers), Walk(slim, pictures, layers)
    generator = torch.Generator().manual_seed(settings.seed)
    last = len(fitted.convolutions) - 1
    with reporter.task("refit", len(fitted.convolutions)) as task:
        for number, name in enumerate(fitted.convolutions):
            conv, norm = there[name], norm_of(slim, graph, name)
            assert isinstance(conv, Convolution)
            by, padded, W = means(conv, norm), conv.padding_mode != "zeros", matrix(conv)
            inputs, filters = (
                kept(of, units).to(W.device) for of in (layers[name].reads, layers[name].writes)
            )
            moments = Moments.none(by, W.shape[1], W.shape[0], W.device)
            positions = settings.positions * (LAST if number == last else 1)
            follows = isinstance(norm, nn.BatchNorm2d) and norm.running_mean is not None
            should = _Spread.none(W) if follows else None
            for i in range(len(pictures)):
                should_see = source.before(number, i)[0][inputs]
                wanted = source.on(number, i)[0].flatten(1)
                if should is not None:
                    should.add(wanted[filters])
                order = torch.randperm(wanted.shape[1], generator=generator)
                places = order[:positions].to(W.device)
                maps = fitted.before(number, i)[0], should_see
                moments.add([patches(conv, x, places, padded) for x in maps], wanted[:, places][filters])
            _fit(conv, moments.finished(), settings.ridge)
            if should is not None:
                does = _Spread.none(W)
                for i in range(len(pictures)):
                    does.add(fitted.output(number, i)[0].flatten(1))
                whole = norm_of(original, graph, name)
                assert isinstance(norm, nn.BatchNorm2d)
                assert isinstance(whole, nn.BatchNorm2d)
                m, s2 = running(whole)
                follow(norm, (m[filters], s2[filters]), should.known(), does.known())
            for i in range(len(pictures)):
                fitted.on(number, i)
            task.advance()
    return slim


def _fit(conv: Convolution, moments: Moments, ridge: float) -> None:
    W = least_squares(matrix(conv).double(), moments.A, moments.B, ridge)
    put_matrix(conv, W.to(conv.weight.dtype))
    if conv.bias is not None and moments.by == "all":
        conv.bias.copy_(moments.bias(W))


@dataclass(slots=True)
class _Spread:
    """Of maps, a channel each: float64 sums."""

    total: Tensor
    squares: Tensor
    n: int = 0

    @classmethod
    def none(cls, W: Tensor) -> "_Spread":
        """Of no map yet that a convolution's filters make."""
        return cls(W.new_zeros(len(W), dtype=torch.float64), W.new_zeros(len(W), dtype=torch.float64))

    def add(self, maps: Tensor) -> None:
        """maps: [channels, positions]."""
        values = maps.double()
        self.n += values.shape[1]
        self.total += values.sum(1)
        self.squares += values.square().sum(1)

    def known(self) -> Spread:
        """Mean and variance."""
        mean = self.total / self.n
        return mean, (self.squares / self.n - mean.square()).clamp_min(0)
