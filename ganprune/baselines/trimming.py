"""Network trimming: a filter whose activation is mostly zero adds little.

Source: Hu et al., "Network Trimming", arXiv 1607.03250, Eq. 1: APoZ of channel c of a layer is the share of
zeros in its map behind the ReLU, over all places of all pictures. Filters are ranked within their layer, and
those with the most zeros go. The paper trims one standard deviation above a layer's mean, layer by layer with
training between; here every layer keeps the same share, so that the size is the one asked for.

A ReLU stands behind every convolution but the last of each block. So a channel of the trunk is judged where
it is rectified, behind the third convolution; later sums have no zeros.
"""

import torch
from torch import Tensor, nn

from ganprune.baselines.allocation import within_layers
from ganprune.baselines.subject import Pruned, Subject, per_bit, writers
from ganprune.models.watching import watched
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
    zeros, modules = dict[str | None, Tensor](), dict(generator.named_modules())
    relus = {layer.activation for gene in layout.genes for layer in writers(layout, gene) if layer.activation}

    def count(name: str, _input: Tensor, output: Tensor) -> None:
        share = (output == 0).double().mean((0, 2, 3)).cpu() / len(pictures)
        zeros[name] = zeros[name] + share if name in zeros else share

    with watched(generator, [name for name in relus if isinstance(modules[name], nn.ReLU)], count):
        for x in pictures.split(1):
            generator(x)
    total, maps = per_bit(layout, lambda layer: zeros.get(layer.activation))
    return total / maps.clamp_min(1)
