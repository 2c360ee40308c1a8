"""How much each filter matters, judged by weights alone: a start for the search, and a baseline.

An instance norm gives every channel unit variance, however large the weights of its own filter are. What a
channel adds to later layers is then set by the weights that read it, so its score is the norm of those.
Batch norm scales its channels by its weights; without norms, a filter's own weights count.
"""

import torch
from torch import Tensor

from ganprune.genome import Layout
from ganprune.networks import Generator, generator_convs


def importance(generator: Generator, layout: Layout) -> Tensor:
    """Score of every bit: float64 [L], > 0, comparable within a gene only; its mean over each gene is 1."""
    state = generator.state_dict()
    squares = {
        gene: torch.zeros(size, dtype=torch.float64)
        for gene, size in zip(layout.genes, layout.sizes, strict=True)
    }
    gains = {gene: torch.zeros_like(square) for gene, square in squares.items()}
    for conv in generator_convs(layout.widths.blocks):
        weight = state[f"{conv.key}.weight"].double().square()
        inputs, filters = (0, 1) if conv.transposed else (1, 0)  # [in, out, k, k] or [out, in, k, k]
        if conv.source is not None:
            squares[layout.gene_of[conv.source]] += weight.transpose(0, inputs).flatten(1).sum(1).cpu()
        if conv.target is not None:
            own = torch.ones(weight.shape[filters], dtype=torch.float64)
            if generator.norm == "batch":
                own = state[f"{conv.norm_key}.weight"].double().square().cpu()
            elif generator.norm == "none":
                own = weight.transpose(0, filters).flatten(1).sum(1).cpu()
            gains[layout.gene_of[conv.target]] += own
    scores = [(squares[gene] * gains[gene]).sqrt() for gene in layout.genes]
    return torch.cat([(score + 1e-12) / (score + 1e-12).mean() for score in scores])
