"""Network trimming: a filter whose activation is mostly zero adds little.

Source: Hu et al., "Network Trimming", arXiv 1607.03250, Eq. 1: APoZ of channel c of a layer is the share of
zeros in its map behind the ReLU, over all places of all pictures. Filters are ranked within their layer, and
those with the most zeros go. The paper trims one standard deviation above a layer's mean, layer by layer with
training between; here every layer keeps the same share, so that the size is the one asked for.

A ReLU stands behind every convolution but the last of each block. So a channel of the trunk is judged where
it is rectified, behind the third convolution; later sums have no zeros.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ganprune.baselines.allocation import within_layers
from ganprune.baselines.subject import Pruned, Subject, writers
from ganprune.pruning.genome import Layout


def trimming(subject: Subject) -> Pruned:
    """Keep the filters of every layer that are least often zero."""
    scores = 1 - apoz(subject.generator, subject.layout, subject.pictures)
    return subject.cut(within_layers(scores, subject.repairer, subject.chance))


@torch.inference_mode()
def apoz(generator: nn.Module, layout: Layout, pictures: Tensor) -> Tensor:
    """Eq. 1: share of zeros of every bit's activations. float [n, 3, h, w] → float64 [L].

    Where several rectified maps share a bit, the mean over them.
    """
    layers = [layer for gene in layout.genes for layer in writers(layout, gene)]
    modules = dict(generator.named_modules())
    watched = {
        layer.activation: modules[layer.activation]
        for layer in layers
        if layer.activation and isinstance(modules[layer.activation], nn.ReLU)
    }
    zeros = _zeros(generator, watched, pictures)
    found = list[Tensor]()
    for gene, piece in layout.genes.items():
        total = torch.zeros(2, piece.stop - piece.start, dtype=torch.float64)
        for layer in writers(layout, gene):
            if layer.activation in watched:
                bits = torch.from_numpy(layout.bits(layer.writes, gene))
                each = torch.stack([zeros[layer.activation], torch.ones_like(zeros[layer.activation])])
                total.index_add_(1, bits[bits >= 0], each[:, bits >= 0])
        found.append(total[0] / total[1].clamp_min(1))
    return torch.cat(found)


def _zeros(generator: nn.Module, relus: Mapping[str, nn.Module], pictures: Tensor) -> dict[str, Tensor]:
    """Share of zeros behind each module, by channel: float64 [channels]."""
    zeros: dict[str, Tensor] = {}

    def watch(name: str) -> torch.utils.hooks.RemovableHandle:
        def count(_module: nn.Module, _inputs: object, output: Tensor) -> None:
            share = (output == 0).double().mean((0, 2, 3)).cpu() / len(pictures)
            zeros[name] = zeros[name] + share if name in zeros else share

        return relus[name].register_forward_hook(count)

    handles = [watch(name) for name in relus]
    try:
        for x in pictures.split(1):
            generator(x)
    finally:
        for handle in handles:
            handle.remove()
    return zeros
