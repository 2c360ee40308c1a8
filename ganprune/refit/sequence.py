"""Refit in sequence: layer by layer, each on the maps that the slim network itself has by then.

And, half and half, on those that it should have, the original's: p̂ and p of the same positions are both asked
to give y. Its own maps alone carry errors that a fit mistakes for the pictures'
(``benchmarks/refit_choices.py`` compares the two).
"""

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ganprune.channels import ChannelGraph, kept
from ganprune.errors import UsageError
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


@dataclass(frozen=True, slots=True)
class RefitSettings:
    """What a refit looks at."""

    positions: int = 1024
    """Positions of each picture's map that a layer is fitted to, drawn at random; all, where it has fewer."""
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
    with reporter.task("refit", len(fitted.convolutions)) as task:
        for number, name in enumerate(fitted.convolutions):
            conv, norm = there[name], norm_of(slim, graph, name)
            assert isinstance(conv, Convolution)
            by, padded, W = means(conv, norm), conv.padding_mode != "zeros", matrix(conv)
            inputs, filters = (
                kept(of, units).to(W.device) for of in (layers[name].reads, layers[name].writes)
            )
            moments = Moments.none(by, W.shape[1], W.shape[0], W.device)
            for i in range(len(pictures)):
                should_see = source.before(number, i)[0][inputs]
                wanted = source.on(number, i)[0].flatten(1)
                order = torch.randperm(wanted.shape[1], generator=generator)
                places = order[: settings.positions].to(W.device)
                maps = fitted.before(number, i)[0], should_see
                moments.add([patches(conv, x, places, padded) for x in maps], wanted[:, places][filters])
            _fit(conv, moments.finished(), settings.ridge)
            if isinstance(norm, nn.BatchNorm2d) and norm.running_mean is not None:
                _take_statistics(norm, (fitted.output(number, i) for i in range(len(pictures))))
            for i in range(len(pictures)):
                fitted.on(number, i)
            task.advance()
    return slim


def _fit(conv: Convolution, moments: Moments, ridge: float) -> None:
    W = least_squares(matrix(conv).double(), moments.A, moments.B, ridge)
    put_matrix(conv, W.to(conv.weight.dtype))
    if conv.bias is not None and moments.by == "all":
        conv.bias.copy_(moments.bias(W))


def _take_statistics(norm: nn.BatchNorm2d, maps: Iterable[Tensor]) -> None:
    """Running statistics of the maps [1, channels, h, w] that pass a batch norm, all of them one batch."""
    n, total, squares = 0, torch.tensor(0.0), torch.tensor(0.0)
    for one in maps:
        values = one[0].flatten(1).double()
        n, total, squares = n + values.shape[1], total + values.sum(1), squares + values.square().sum(1)
    mean = total / n
    assert norm.running_mean is not None
    assert norm.running_var is not None
    norm.running_mean.copy_(mean)
    norm.running_var.copy_((squares / n - mean.square()).clamp_min(0) * (n / max(n - 1, 1)))
