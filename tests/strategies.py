"""Hypothesis strategies: generators of any widths, and their genomes."""

import torch
from hypothesis import strategies as st
from torch import Tensor

from ganprune.models.cyclegan import GeneratorWidths
from ganprune.pruning.genome import Layout, LayoutKind
from tests.tiny import layout_of


@st.composite
def generator_widths(
    draw: st.DrawFn, kind: LayoutKind = "filters", most: int = 6, blocks: int = 3
) -> GeneratorWidths:
    """1 … ``most`` filters in every group, up to ``blocks`` residual blocks, 1 … 4 picture channels."""
    width = st.integers(1, most)
    trunk = draw(width)
    inner = st.just(trunk) if kind == "shared" else width
    return GeneratorWidths(
        stem=draw(width),
        down=draw(width),
        trunk=trunk,
        inner=tuple(draw(st.lists(inner, max_size=blocks))),
        up1=draw(width),
        up2=draw(width),
        in_channels=draw(st.integers(1, 4)),
        out_channels=draw(st.integers(1, 4)),
    )


@st.composite
def layouts(draw: st.DrawFn, most: int = 6, blocks: int = 3) -> Layout:
    """Both kinds."""
    kind = draw(st.sampled_from(("filters", "shared")))
    return layout_of(draw(generator_widths(kind, most, blocks)), kind)


@st.composite
def genomes(draw: st.DrawFn, layout: Layout, least: int = 1, without_blocks: bool = True) -> Tensor:
    """Any bits, but at least ``least`` kept in every gene (or all of a smaller one): bool [L].

    without_blocks: or none of a gene whose residual block goes with it.
    """
    bits: list[bool] = []
    for gene, piece in layout.genes.items():
        size = piece.stop - piece.start
        kept = draw(st.sets(st.integers(0, size - 1), min_size=min(least, size)))
        if without_blocks and gene in layout.blocks and draw(st.booleans()):
            kept = set[int]()
        bits += [i in kept for i in range(size)]
    return torch.tensor(bits, dtype=torch.bool)
