"""Network slimming: scales that training makes sparse say which channels matter.

Source: Liu et al., "Learning Efficient Convolutional Networks through Network Slimming", ICCV 2017, Eq. 1:
minimise loss + λ Σ |γ| over the scales γ of batch norm, then drop the channels of the smallest γ of the whole
network, by one threshold, and keep the others' γ.

An instance norm without parameters has no scales. So one is put behind the norms for every bit of the genome:
γ = 1 is the original and γ = 0 drops the filter, as Eq. 9 of Shu et al. has it. All convolutions that write
the trunk share its scales, because the residual sums tie their channels. What is different from the paper:

* the loss is the distance to the original's pictures, mean |G_γ(x) − G(x)|: it needs no labels;
* only the scales are trained, for a few steps; the weights wait for the fine-tuning that all rivals get;
* scales stay at 0 or above. A ReLU, and a residual sum, hands such a scale on, so what is kept of them is
  folded into the weights that read the channel, and nothing is left of them in the slim network.

Where norms have weights, these count too: a bit is worth γ times their mean over its convolutions.
"""

import copy
from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ganprune.baselines.allocation import across_layers
from ganprune.baselines.subject import Pruned, Subject, of_channels, per_bit, readers, scale_inputs, writers
from ganprune.channels import Layer
from ganprune.errors import UsageError
from ganprune.models.watching import watched
from ganprune.pruning.genome import Layout


@dataclass(frozen=True, slots=True)
class SlimmingSettings:
    """How scales are trained."""

    steps: int = 100  # steps of Adam, a picture each, in turns
    lr: float = 0.01  # its learning rate: in 100 steps a scale that nothing holds comes from 1 to 0
    penalty: float = 1e-4
    """λ of Eq. 1; of the size of the paper's 1e-5 and 1e-4, which were for other losses."""

    def __post_init__(self) -> None:
        if self.steps < 1 or not self.lr > 0 or not self.penalty >= 0:
            raise UsageError(
                "slimming needs 1 step or more, a learning rate above 0 and a penalty of 0 or more, found "
                f"{self.steps}, {self.lr:g} and {self.penalty:g}"
            )


def slimming(subject: Subject, settings: SlimmingSettings | None = None) -> Pruned:
    """Keep the channels of the largest scales in the whole network; fold these into the weights."""
    scales = sparse_scales(subject.generator, subject.layout, subject.pictures, settings)
    worth = scales.double() * _norm_weights(subject.generator, subject.layout)
    genome = across_layers(worth, subject.repairer, subject.chance)
    return subject.cut(genome, folded(subject.generator, subject.layout, scales))


def sparse_scales(
    generator: nn.Module, layout: Layout, pictures: Tensor, settings: SlimmingSettings | None = None
) -> Tensor:
    """γ of every bit after training: float32 [L], 0 or more. pictures: float [n, 3, h, w]."""
    s = settings or SlimmingSettings()
    parts = pictures.split(1)
    with torch.no_grad():
        wanted = [generator(x) for x in parts]
    scales = torch.ones(layout.length, device=pictures.device, requires_grad=True)
    optimizer = torch.optim.Adam([scales], lr=s.lr)
    for step in range(s.steps):
        i = step % len(parts)
        loss = (scaled(generator, layout, scales, parts[i]) - wanted[i]).abs().mean()
        (loss + s.penalty * scales.abs().sum()).backward()  # Eq. 1
        optimizer.step()
        optimizer.zero_grad()
        with torch.no_grad():
            scales.clamp_(min=0)
    return scales.detach().cpu()


def scaled(generator: nn.Module, layout: Layout, scales: Tensor, x: Tensor) -> Tensor:
    """G_γ(x): every channel times its scale behind its norm. scales: [L]; x: [n, 3, h, w]."""

    factors = defaultdict[str, list[tuple[NDArray[np.int64], slice]]](list)
    for gene, piece in layout.genes.items():
        for layer in writers(layout, gene):
            factors[layer.norm or layer.name].append((layout.bits(layer.writes, gene), piece))

    def times(name: str, _input: Tensor, output: Tensor) -> Tensor:
        for bits, piece in factors[name]:
            output = output * of_channels(scales[piece], bits).to(output.dtype)[:, None, None]
        return output

    with watched(generator, factors, times):
        return generator(x)


def folded(generator: nn.Module, layout: Layout, scales: Tensor) -> nn.Module:
    """A copy that computes G_γ without scales: those that read a channel are multiplied. scales: [L] ≥ 0."""
    twin = copy.deepcopy(generator)
    for gene, piece in layout.genes.items():
        for layer in readers(layout, gene):
            scale_inputs(twin, layer, of_channels(scales[piece], layout.bits(layer.reads, gene)))
    return twin.requires_grad_(False).eval()


def _norm_weights(generator: nn.Module, layout: Layout) -> Tensor:
    """Mean |γ| of the norms behind each bit's convolutions; 1 where they have none. [L]."""

    def weight_of(layer: Layer) -> Tensor | None:
        norm = None if layer.norm is None else generator.get_submodule(layer.norm)
        weight = getattr(norm, "weight", None)
        return weight.detach().double().abs().cpu() if isinstance(weight, Tensor) else None

    total, count = per_bit(layout, weight_of)
    return torch.where(count > 0, total / count.clamp_min(1), 1.0)
