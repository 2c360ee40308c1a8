"""What it costs to do without filters: in which order they should go, and how many of each group.

The Optimal Brain Surgeon (Hassibi & Stork, NIPS 1992) on whole channels. Of a layer that reads a group of
filters, with A = mean of p pᵀ over the original's patches p, and the weights W refitted after every removal,
taking channel c away costs

    ΔE(c) = tr( S W_c ((A⁻¹)_cc)⁻¹ W_cᵀ )

with W_c its columns, and S the sensitivity of the picture to each filter of the layer (a diagonal, see
`ganprune.refit.gram_matrices`). So costs are squared errors of the picture, as far as it is linear: they add
up over all layers that read a group, and compare between groups. The cheapest channels go, and what is left
of W and A⁻¹ follows by

    W ← W − W_R ((A⁻¹)_RR)⁻¹ (A⁻¹)_R,:        A⁻¹ ← A⁻¹ − (A⁻¹)_:,R ((A⁻¹)_RR)⁻¹ (A⁻¹)_R,:

To take a whole residual block out is no small change, and predictions are nearly the same for all blocks of a
network, where true errors are up to 14 times apart. So that is measured.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ganprune.pruning.genome import Layout
from ganprune.pruning.rebuild import rebuilt
from ganprune.refit.gram_matrices import Gram
from ganprune.refit.moments import RIDGE, ridged
from ganprune.refit.patches import Convolution, matrix
from ganprune.reporting import SILENT, Reporter
from ganprune.system.device import reproducible

AT_ONCE = 16
"""Channels are taken away a 16th of those left at a time: more would be chosen by costs that are out of date,
fewer takes long."""
MEASURED = 4
"""Pictures that networks without a block are run on."""


@dataclass(frozen=True, slots=True)
class Removal:
    """How one gene's filters go."""

    order: Tensor
    """int64 [filters]: those that go first, first."""
    costs: Tensor
    """float64 [filters + 1]: squared error of a picture while as many filters are kept; 0 for all of them;
    for none infinite, but where that takes a residual block out."""

    @classmethod
    def unknown(cls, size: int) -> "Removal":
        """Of filters that nothing reads that is refitted: all alike, as they come."""
        costs = torch.linspace(1, 0, size + 1, dtype=torch.float64)
        costs[0] = torch.inf
        return cls(torch.arange(size).flip(0), costs)


@torch.no_grad()
@reproducible()
def removals(
    original: nn.Module,
    layout: Layout,
    found: Mapping[str, Gram],
    ridge: float = RIDGE,
    reporter: Reporter = SILENT,
    pictures: Sequence[Tensor] = (),
) -> dict[str, Removal]:
    """For every gene of a layout, while all other genes are whole. found: `grams` of the original.

    pictures: [1, channels, h, w] each, those of the Gram matrices. What it costs to take a residual block out
    is measured on the first `MEASURED` of them; predicted, where there are none.
    """
    gone = dict[str, Removal]()
    with reporter.task("weighing filters", len(layout.genes)) as task:
        for gene, size in zip(layout.genes, layout.sizes, strict=True):
            readers = readers_of(original, layout, found, gene, size, ridge)
            least = 0 if gene in layout.blocks else 1
            gone[gene] = removal_of(readers, size, least) if readers else Removal.unknown(size)
            task.advance()
    some = pictures[:MEASURED]
    should = [original(x) for x in some]
    for gene in layout.blocks if some else ():
        genome = layout.full()
        genome[layout.genes[gene]] = False
        slim = rebuilt(original, layout, genome)
        errors = [float((slim(x) - y).double().square().sum()) for x, y in zip(some, should, strict=True)]
        gone[gene].costs[0] = sum(errors) / len(some)
    return gone


def as_scores(gone: Mapping[str, Removal]) -> Tensor:
    """One number a bit (`ganprune.pruning.importance`): float64 [L], above 0, larger for what goes later."""
    return torch.cat([(removal.order.argsort() + 1).double() for removal in gone.values()])


def work_of(layout: Layout, found: Mapping[str, Gram], gene: str) -> float:
    """How much arithmetic `removals` is for one gene, in units of its own: d³ for a reader of d numbers."""
    return sum(
        float(len(found[layer.name].A)) ** 3
        for layer in layout.graph.layers
        if layer.name in found and (layout.bits(layer.reads, gene) >= 0).any()
    )


@torch.no_grad()
def readers_of(
    original: nn.Module, layout: Layout, found: Mapping[str, Gram], gene: str, size: int, ridge: float = RIDGE
) -> list["_Reader"]:
    """The layers that read one gene's filters, as they are before any is taken away."""
    readers = list[_Reader]()
    for layer in layout.graph.layers:
        bits = torch.from_numpy(layout.bits(layer.reads, gene))
        if layer.name not in found or not (bits >= 0).any():
            continue
        module, gram = original.get_submodule(layer.name), found[layer.name]
        assert isinstance(module, Convolution)
        W = matrix(module).double() * gram.sensitivity.sqrt()[:, None]
        # Columns of the gene's filters first, each filter's together, then those that stay.
        order = torch.where(bits >= 0, bits, size).argsort(stable=True)
        own = int((bits >= 0).sum())
        if own % size or not (bits[order[:own]] == torch.arange(own) // (own // size)).all():
            continue  # filters that are not all read alike
        columns = (order[:, None] * layer.taps + torch.arange(layer.taps)).flatten().to(W.device)
        A = gram.A.double()[columns][:, columns]
        readers.append(_Reader.of(W[:, columns], A, layer.taps * own // size, size, ridge))
    return readers


@torch.no_grad()
def removal_of(readers: Sequence["_Reader"], size: int, least: int) -> Removal:
    """Take away all of ``size`` channels but the ``least``, those that cost least first."""
    names, order = torch.arange(size), list[int]()
    costs = torch.full((size + 1,), float("inf"), dtype=torch.float64)
    costs[size] = 0
    while len(names) > least:
        each = torch.stack([reader.costs() for reader in readers]).sum(0).cpu()
        n = min(max(1, len(names) // AT_ONCE), len(names) - least)
        by_cost = each.argsort()
        out, left = by_cost[:n], by_cost[n:].sort().values
        device = readers[0].W.device
        steps = [reader.without(out.to(device), left.to(device)) for reader in readers]
        together, before = sum(cost for _, cost in steps), float(costs[len(names)])
        # What went at once cost more, or less, than the sum of each alone: shared out in proportion.
        shares = each[out].clamp_min(0).cumsum(0)
        shares = shares / shares[-1].clamp_min(1e-300)
        costs[len(names) - n : len(names)] = (before + together * shares).flip(0)
        readers, order, names = [reader for reader, _ in steps], order + names[out].tolist(), names[left]
    return Removal(torch.tensor([*order, *names.tolist()]), costs)


@dataclass(slots=True)
class _Reader:
    """A layer that reads the channels that are left."""

    W: Tensor
    """[filters, channels · taps + others], weighed by sensitivities; the others are of channels that stay."""
    inverse: Tensor
    """A⁻¹ of the columns that are left."""
    taps: int
    """Weights a filter of the reader has for each channel that may go: kernel height · width."""
    channels: int
    """How many of these are left."""

    @classmethod
    def of(cls, W: Tensor, A: Tensor, taps: int, channels: int, ridge: float) -> "_Reader":
        """Before anything is taken away."""
        return cls(W, torch.cholesky_inverse(torch.linalg.cholesky(ridged(A, ridge))), taps, channels)

    def costs(self) -> Tensor:
        """ΔE of each channel that is left: [channels]."""
        n, k = self.channels, self.taps
        inverse, W = self.inverse[: n * k, : n * k], self.W[:, : n * k]
        own = inverse.reshape(n, k, n, k).diagonal(dim1=0, dim2=2).permute(2, 0, 1)  # [n, k, k]
        columns = W.reshape(-1, n, k).permute(1, 2, 0)  # [n, k, filters]
        return (columns * torch.linalg.solve(own, columns)).sum((1, 2))

    def without(self, gone: Tensor, left: Tensor) -> tuple["_Reader", float]:
        """After channels ``gone`` were taken away, and what that cost; both are places among those left."""
        taps = torch.arange(self.taps, device=self.W.device)
        R, K = ((part[:, None] * self.taps + taps).flatten() for part in (gone, left))
        others = torch.arange(self.channels * self.taps, self.W.shape[1], device=self.W.device)
        rest = torch.cat([K, others])
        rows, columns = self.inverse[R], self.W[:, R]
        solved = torch.linalg.solve(rows[:, R], torch.cat([rows[:, rest], columns.T], 1))
        step, cost = solved[:, : len(rest)], float((columns.T * solved[:, len(rest) :]).sum())
        W = torch.addmm(self.W[:, rest], columns, step, alpha=-1)
        inverse = torch.addmm(self.inverse[rest][:, rest], rows[:, rest].T, step, alpha=-1)
        return _Reader(W, inverse, self.taps, len(left)), cost
