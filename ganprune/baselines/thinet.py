"""ThiNet: drop the channels without which the next layer can still be computed.

Source: Luo et al., "ThiNet: A Filter Level Pruning Method for Deep Neural Network Compression", ICCV 2017.
An entry y of the next convolution's output, less its bias, is a sum over its input channels (Eq. 4):

    y = Σ_c x̂_c,   x̂_c = Σ_k W_c,k x_c,k

From m entries at random places of random filters, channels T are dropped one by one, each time the one that
leaves Σ_i (Σ_{c∈T} x̂_i,c)² smallest (Eq. 6, Algorithm 1). Then the kept ones are scaled by the least-squares
solution ŵ = argmin Σ_i (y_i − Σ_{c∉T} w_c x̂_i,c)² (Eq. 7), which goes into the next convolution's weights.
Layers are pruned from first to last, each on the maps of the network as pruned so far, and every layer keeps
the same share, as in the paper. All of it needs x̂ only through the matrix X̂ᵀX̂.

What the paper leaves open for a CycleGAN:

* The trunk's channels are read by the first convolution of every block and by the first transposed one. The
  paper leaves such channels alone; at a quarter of the size they must go too. Errors of all readers are
  added, each over its own Σ y², and each reader gets a scaling of its own.
* Entries are those of convolutions, before their norm. An instance norm would forgive a common factor and a
  shift; the fit does not know that.
* The paper trains a little after every layer; here all rivals get one fine-tuning, at the end.
"""

import copy
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as nnf

from ganprune.baselines.allocation import uniform_counts
from ganprune.baselines.subject import Pruned, Subject, of_channels, readers, scale_inputs
from ganprune.channels import Layer
from ganprune.models.watching import watched
from ganprune.pruning.rebuild import masked

SAMPLES = 256  # entries drawn a picture and reader; the paper draws 10 from each of many pictures


def thinet(subject: Subject, samples: int = SAMPLES) -> Pruned:
    """Keep, layer by layer, the channels that reconstruct the next layer best, with its scaling."""
    layout, counts = subject.layout, uniform_counts(subject.repairer, subject.chance)
    network, genome = copy.deepcopy(subject.generator), layout.full()
    for (gene, piece), count in zip(layout.genes.items(), counts.tolist(), strict=True):
        pruned, reading = masked(network, layout, genome), readers(layout, gene)
        grams = [
            by_bit(gram, layout.bits(layer.reads, gene), piece.stop - piece.start)
            for layer, gram in zip(
                reading, products(pruned, reading, subject.pictures, samples, subject.chance), strict=True
            )
        ]
        relative = torch.stack([gram / gram.sum().clamp_min(1e-12) for gram in grams])  # 1ᵀ X̂ᵀX̂ 1 = Σ y²
        dropped = greedy(relative.sum(0), piece.stop - piece.start - count)
        genome[piece.start + dropped] = False
        for layer, gram in zip(reading, grams, strict=True):
            scales = scaling(gram, genome[piece])
            scale_inputs(network, layer, of_channels(scales, layout.bits(layer.reads, gene)))
    return subject.cut(genome, network)


def by_bit(gram: Tensor, bits: NDArray[np.int64], size: int) -> Tensor:
    """X̂ᵀX̂ of a gene's bits, from that of all channels that a layer reads: [C, C] → [size, size]."""
    own = torch.from_numpy(np.flatnonzero(bits >= 0))
    place = torch.from_numpy(bits[bits >= 0])
    found = torch.zeros(size, len(own), dtype=gram.dtype).index_add_(0, place, gram[own][:, own])
    return torch.zeros(size, size, dtype=gram.dtype).index_add_(1, place, found)


def greedy(gram: Tensor, n: int) -> Tensor:
    """Algorithm 1: the n channels to drop, in their order. gram: X̂ᵀX̂, float64 [C, C] → int64 [n]."""
    dropped, shared = list[int](), torch.zeros(len(gram), dtype=gram.dtype)
    for _ in range(n):
        added = gram.diagonal() + 2 * shared  # what Σ_i (Σ_T x̂)² grows by
        added[dropped] = torch.inf
        channel = int(added.argmin())
        dropped.append(channel)
        shared = shared + gram[channel]
    return torch.tensor(dropped, dtype=torch.int64)


def scaling(gram: Tensor, kept: Tensor) -> Tensor:
    """Eq. 7: w of the kept channels, 1 for the others. gram: [C, C]; kept: bool [C] → float64 [C].

    Of several solutions the smallest.
    """
    w = torch.ones(len(gram), dtype=gram.dtype)
    right = gram[kept].sum(1)[:, None]  # X̂_keptᵀ y
    w[kept] = torch.linalg.lstsq(gram[kept][:, kept], right, driver="gelsd").solution[:, 0]
    return w


@torch.inference_mode()
def products(
    generator: nn.Module, convs: Sequence[Layer], pictures: Tensor, samples: int, chance: torch.Generator
) -> list[Tensor]:
    """X̂ᵀX̂ of each convolution over entries drawn from all pictures: float64 [C, C] each."""
    seen, found = dict[str, Tensor](), dict[str, Tensor]()
    with watched(generator, [conv.name for conv in convs], lambda name, x, _: seen.__setitem__(name, x)):
        for x in pictures.split(1):
            generator(x)
            for conv in convs:
                module = generator.get_submodule(conv.name)
                parts = contributions(module, seen[conv.name], samples, chance).double().cpu()
                product = parts.T @ parts
                found[conv.name] = found[conv.name] + product if conv.name in found else product
    return [found[conv.name] for conv in convs]


def contributions(conv: nn.Module, x: Tensor, samples: int, chance: torch.Generator) -> Tensor:
    """x̂: what each input channel adds to random entries of a convolution's output.

    x: [1, C, h, w], what goes into it → [samples, C]; a row sums up to the entry less its bias.
    """
    padded, weight, stride = _as_plain(conv, x)
    filters, _, k, _ = weight.shape
    height, width = ((n - k) // stride + 1 for n in padded.shape[2:])
    which, rows, columns = (
        torch.randint(n, (samples,), generator=chance).to(x.device) for n in (filters, height, width)
    )
    window = torch.arange(k, device=x.device)
    down = (rows * stride)[:, None, None] + window[:, None]  # [samples, k, 1]
    right = (columns * stride)[:, None, None] + window  # [samples, 1, k]
    patches = padded[0][:, down, right]  # [C, samples, k, k]
    return (patches * weight[which].transpose(0, 1)).sum((2, 3)).T


def _as_plain(conv: nn.Module, x: Tensor) -> tuple[Tensor, Tensor, int]:
    """A convolution as one without padding that is not transposed: input, weight [out, in, k, k], stride."""
    assert isinstance(conv, nn.Conv2d | nn.ConvTranspose2d)
    stride, padding = conv.stride[0], conv.padding[0]
    assert isinstance(padding, int)
    if isinstance(conv, nn.Conv2d):
        return nnf.pad(x, (padding,) * 4), conv.weight, stride
    n, channels, h, w = x.shape
    spread = x.new_zeros(n, channels, (h - 1) * stride + 1, (w - 1) * stride + 1)  # zeros between pixels
    spread[:, :, ::stride, ::stride] = x
    before = conv.kernel_size[0] - 1 - padding
    after = before + conv.output_padding[0]
    return nnf.pad(spread, (before, after, before, after)), conv.weight.transpose(0, 1).flip(2, 3), 1
