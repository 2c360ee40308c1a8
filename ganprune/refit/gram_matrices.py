"""What the original's own maps say, computed once: enough to refit any slim network without running it.

The original's convolution is linear in its patches, y = W p + b. So the moments that `least_squares` needs
for the kept inputs I and filters O of any slim network are pieces of one matrix a layer, A = Σ p pᵀ over the
original's patches:

    W ← W[O, I] + W[O, ¬I] A[¬I, I] (A[I, I] + ρ · mean(diag A[I, I]) · I)⁻¹

That is one solve a layer. It takes the maps that reach a layer for the original's, which holds while most
filters are kept.
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn

from ganprune.channels import ChannelGraph, kept
from ganprune.pruning.genome import Layout
from ganprune.pruning.rebuild import rebuilt
from ganprune.refit.moments import RIDGE, Moments, ridged
from ganprune.refit.patches import Convolution, matrix, means, patches, put_matrix, refittable
from ganprune.refit.sequence import RefitSettings
from ganprune.reporting import SILENT, Reporter
from ganprune.system.device import reproducible

_Module = TypeVar("_Module", bound=nn.Module)


POSITIONS = 256
"""Positions of each picture's map, by default: the same work is better spent on more pictures than on all
positions of a few."""
FELT = 8
"""Pictures that sensitivities are estimated on: a pass back takes twice as long as one there."""


@dataclass(frozen=True, slots=True)
class Gram:
    """Of one convolution of the original."""

    A: Tensor
    """float32 [d, d], d = channels · kernel height · kernel width: mean of p pᵀ, centred as `Moments` are."""
    mean: Tensor
    """float32 [d]: mean patch; zero before an instance norm."""
    sensitivity: Tensor
    """float64 [filters]: squared error of a picture for a unit of it in each filter's map, see `grams`."""


@reproducible()
def grams(
    original: nn.Module,
    graph: ChannelGraph,
    pictures: Sequence[Tensor],
    settings: RefitSettings | None = None,
    reporter: Reporter = SILENT,
) -> dict[str, Gram]:
    """By the name of each convolution. pictures: float32 [1, channels, h, w] each, on the network's device.

    A filter's sensitivity is E ‖vᵀ ∂G(x)/∂y‖² with random signs v (Hutchinson's estimate of the squared norm
    of the Jacobian), summed over the filter's map y: one pass back for each of the first `FELT` pictures.

    Raises `ValueError` without pictures.
    """
    if not pictures:
        raise ValueError("Gram matrices need at least one picture")
    settings = settings or RefitSettings(positions=POSITIONS)
    random = torch.Generator().manual_seed(settings.seed)
    net = copy.deepcopy(original).float().eval().requires_grad_(False)
    watched = {
        name: _Watched(net, name, layer.norm, settings.positions, random)
        for name, layer in refittable(net, graph).items()
    }
    with torch.enable_grad(), reporter.task("looking at the original's maps", len(pictures)) as task:
        for i, picture in enumerate(pictures):
            x = picture.clone().requires_grad_(i < FELT)
            out = net(x)
            if x.requires_grad:
                signs = torch.randint(0, 2, out.shape, generator=random).to(out) * 2 - 1
                torch.autograd.grad(out, x, signs)
            task.advance()
    return {name: one.gram() for name, one in watched.items()}


class _Watched:
    """A convolution, and what is found of it while pictures pass, there and back."""

    def __init__(
        self, net: nn.Module, name: str, norm: str | None, positions: int, random: torch.Generator
    ) -> None:
        conv = net.get_submodule(name)
        assert isinstance(conv, Convolution)
        after = None if norm is None else net.get_submodule(norm)
        self._positions, self._random = positions, random
        device, (filters, d) = conv.weight.device, matrix(conv).shape
        self._moments = Moments.none(means(conv, after), d, 0, device)
        self._sensitivity, self._felt = torch.zeros(filters, dtype=torch.float64, device=device), 0
        conv.register_forward_hook(self._see)

    def _see(self, conv: nn.Module, inputs: tuple[Tensor], y: Tensor) -> None:
        assert isinstance(conv, Convolution)
        places = torch.randperm(y[0, 0].numel(), generator=self._random)[: self._positions].to(y.device)
        p = patches(conv, inputs[0][0].detach(), places)
        self._moments.add([p], p[:0])
        if y.requires_grad:
            y.register_hook(self._feel)

    def _feel(self, gradient: Tensor) -> None:
        self._sensitivity += gradient[0].square().sum((1, 2))
        self._felt += 1

    def gram(self) -> Gram:
        """Of all pictures that have passed."""
        moments, n = self._moments.finished(), self._moments.count
        return Gram((moments.A / n).float(), (moments.p / n).float(), self._sensitivity / max(self._felt, 1))


@torch.no_grad()
def refitted_from(
    found: Mapping[str, Gram],
    original: _Module,
    layout: Layout,
    genome: Tensor,
    ridge: float = RIDGE,
) -> _Module:
    """The slim generator of a genome, each layer refitted as if the original's maps reached it.

    found: `grams` of the original. genome: bool [L]. Batch norms keep the original's statistics, see
    `ganprune.pruning.statistics`.
    """
    slim, units = rebuilt(original, layout, genome), layout.units(genome)
    there = dict(slim.named_modules())
    for layer in layout.graph.layers:
        if layer.name not in found or layer.name not in there:  # of a block that is taken out
            continue
        module, source = there[layer.name], original.get_submodule(layer.name)
        assert isinstance(module, Convolution)
        assert isinstance(source, Convolution)
        gram, whole = found[layer.name], matrix(source)
        whole = whole[kept(layer.writes, units).to(whole.device)]
        columns = torch.arange(whole.shape[1], device=whole.device)
        columns = columns.view(len(layer.reads), -1)[kept(layer.reads, units).to(whole.device)].flatten()
        rest = torch.ones(whole.shape[1], dtype=torch.bool, device=whole.device)
        rest[columns] = False
        AI = gram.A[columns]
        A = ridged(AI[:, columns], ridge)
        factor = torch.linalg.cholesky(A)
        W = whole[:, columns] + torch.cholesky_solve(AI[:, rest] @ whole[:, rest].T, factor).T
        put_matrix(module, W)
        norm = None if layer.norm is None else slim.get_submodule(layer.norm)
        if module.bias is not None and means(module, norm) == "all":
            module.bias += whole @ gram.mean - W @ gram.mean[columns]
    return slim
