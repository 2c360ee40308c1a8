"""Running statistics of batch norms: a slim network's become to its maps what the original's are to its own.

Those that it was cut with are of maps to which dropped filters still added. Its maps' own would not do: an
original that learnt from a picture at a time has others than its maps', and what it draws follows from them.
"""

from collections.abc import Iterable, Mapping
from typing import TypeVar

import torch
from torch import Tensor, nn

from ganprune.channels import kept
from ganprune.models.watching import watched
from ganprune.pruning.genome import Layout

_Module = TypeVar("_Module", bound=nn.Module)

Spread = tuple[Tensor, Tensor]
"""Mean and variance of maps, a channel each: float64."""
MOST_SHRINK = 1e4
"""Times that a filter's variance may be less, or more; beyond that it says nothing."""


def running(norm: nn.BatchNorm2d) -> Spread:
    """Its running statistics."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    return norm.running_mean.double(), norm.running_var.double()


def followed(known: Spread, should: Spread, does: Spread) -> Spread:
    """Running statistics m̂, ŝ² that are to the slim maps ŷ what the original's m, s² are to its own, y.

    m̂ = mean(ŷ) + (m − mean(y)) · r,  ŝ² = s² r²,  r² = var(ŷ) / var(y): so (ŷ − m̂) / ŝ has the mean and the
    variance of (y − m) / s. known: m and s²; should: of y; does: of ŷ.
    """
    (m, s2), (mean, var), (now, after) = known, should, does
    share = (after / var).nan_to_num(1.0).clamp(1 / MOST_SHRINK, MOST_SHRINK)
    return now + (m - mean) * share.sqrt(), s2 * share


def follow(norm: nn.BatchNorm2d, known: Spread, should: Spread, does: Spread) -> None:
    """Give a norm the statistics that are `followed`."""
    mean, var = followed(known, should, does)
    assert norm.running_mean is not None
    assert norm.running_var is not None
    norm.running_mean.copy_(mean)
    norm.running_var.copy_(var)


@torch.no_grad()
def seen_by_norms(network: nn.Module, pictures: Iterable[Tensor]) -> dict[str, list[Spread]]:
    """What each batch norm sees of each picture, by its name. pictures: batches [n, channels, h, w]."""
    seen: dict[str, list[Spread]] = {name: [] for name in _norms(network)}
    if seen:
        with watched(network, seen, lambda name, x, _: seen[name].extend(_each(x))):
            for x in pictures:
                network(x)
    return seen


@torch.no_grad()
def following(
    slim: _Module,
    layout: Layout,
    genome: Tensor,
    seen: Mapping[str, list[Spread]],
    pictures: Iterable[Tensor],
) -> _Module:
    """The slim network itself, as it was cut, with running statistics that follow the original's.

    seen: `seen_by_norms` of the original on the same pictures. While these pass, each norm follows for every
    picture alone, so that later ones see nearly the maps that they should, however many pictures there are in
    a batch; in the end it follows for all of them together.
    """
    units, norms = layout.units(genome), _norms(slim)
    cuts = {cut.tensor: cut.units for cut in layout.graph.cuts}
    found: dict[str, list[Spread]] = {name: [] for name in norms}

    def should(name: str, pictures: slice) -> Spread:
        cut = cuts.get(f"{name}.running_mean")
        mean, var = _stacked(seen[name][pictures])
        index = slice(None) if cut is None else kept(cut, units).to(mean.device)
        return mean[:, index], var[:, index]

    def see(name: str, x: Tensor, _: Tensor) -> Tensor:
        norm, done, own = norms[name], len(found[name]), _each(x)
        found[name] += own
        mean, var = followed(running(norm), should(name, slice(done, done + len(x))), _stacked(own))
        weight, bias = (norm.weight, norm.bias) if norm.affine else (1, 0)
        scale = (var + norm.eps).rsqrt() * weight
        shift = bias - mean * scale
        exact = torch.promote_types(x.dtype, torch.float32)
        scale, shift = (of.to(exact)[:, :, None, None] for of in (scale, shift))
        return torch.addcmul(shift, x.to(exact), scale).to(x.dtype)

    with watched(slim, norms, see):
        for x in pictures if norms else ():
            slim(x)
    for name, own in found.items():
        if own:
            wanted = _pooled(should(name, slice(None)))
            follow(norms[name], running(norms[name]), wanted, _pooled(_stacked(own)))
    return slim


def _norms(network: nn.Module) -> dict[str, nn.BatchNorm2d]:
    modules = network.named_modules()
    return {name: m for name, m in modules if isinstance(m, nn.BatchNorm2d) and m.running_mean is not None}


def _each(x: Tensor) -> list[Spread]:
    """Of each picture's map. [n, channels, h, w] → [channels] each."""
    exact = x.to(torch.promote_types(x.dtype, torch.float32))
    var, mean = torch.var_mean(exact, (2, 3), correction=0)
    return list(zip(mean.double(), var.double(), strict=True))


def _stacked(each: list[Spread]) -> Spread:
    """[channels] of n pictures → [n, channels]."""
    means, variances = zip(*each, strict=True)
    return torch.stack(means), torch.stack(variances)


def _pooled(each: Spread) -> Spread:
    """Of all pictures together, whose maps are of one size: [n, channels] → [channels]."""
    mean, var = each
    return mean.mean(0), var.mean(0) + mean.var(0, correction=0)
