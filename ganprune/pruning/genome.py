"""Genomes: one bit a filter, 1 = keep (Eq. 9).

A `Layout` says which filters share a bit. Populations are Boolean tensors of shape [K, L]: K genomes
of L bits. All functions take whole populations.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ganprune.channels import ChannelGraph, RemovableBlock, graph_of, kept
from ganprune.errors import UsageError
from ganprune.settings.words import LayoutKind


@dataclass(frozen=True, slots=True)
class Layout:
    """Which bits of a genome belong to which filters of one generator."""

    kind: LayoutKind
    graph: ChannelGraph
    """Of the generator that is compressed."""
    genes: Mapping[str, slice]
    """Pieces of the genome that are independent of each other, in order; together all bits."""
    gene_of: Mapping[str, str]
    """Group of filters (see `ganprune.channels`) → the gene that holds its bits."""
    blocks: Mapping[str, RemovableBlock]
    """By the genes that may keep nothing: the residual block that goes with them."""

    @classmethod
    def of(cls, network: nn.Module | ChannelGraph, kind: LayoutKind = "filters") -> "Layout":
        """Lay out a genome for a generator, or for one whose channels are known.

        Raises `UsageError` for ``shared`` where a block's inner width differs from the trunk's.
        """
        graph = network if isinstance(network, ChannelGraph) else graph_of(network)
        sizes = graph.sizes
        inner = [name for name, group in graph.groups.items() if kind == "shared" and group.role == "inner"]
        if any(sizes[name] != sizes["trunk"] for name in inner):
            raise UsageError(
                f"--set layout=shared needs inner widths equal to the trunk's {sizes['trunk']}, "
                f"found {[sizes[name] for name in inner]}; use --set layout=filters"
            )
        genes: dict[str, slice] = {}
        gene_of: dict[str, str] = {}
        start = 0
        for group, width in sizes.items():
            if group in inner:
                gene_of[group] = "trunk"
                continue
            genes[group] = slice(start, start + width)
            gene_of[group] = group
            start += width
        blocks = {group: block for group, block in graph.removable.items() if group in genes}
        return cls(kind, graph, genes, gene_of, blocks)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of bits of every gene."""
        return tuple(piece.stop - piece.start for piece in self.genes.values())

    @property
    def length(self) -> int:
        """L: number of bits of a genome."""
        return sum(self.sizes)

    def gone(self, genome: Tensor) -> dict[str, RemovableBlock]:
        """Residual blocks that a genome keeps no filter of, by their groups. genome: bool [L]."""
        return {gene: block for gene, block in self.blocks.items() if not genome[self.genes[gene]].any()}

    def kept(self, genome: Tensor) -> dict[str, Tensor]:
        """Indices of the kept filters of every group. genome: bool [L] → {group: int64 [kept]}."""
        return {group: genome[self.genes[gene]].nonzero().flatten() for group, gene in self.gene_of.items()}

    def counts(self, genomes: Tensor) -> dict[str, Tensor]:
        """‖p_l‖₁: number of kept filters of every group. genomes: bool [K, L] → {group: int64 [K]}."""
        of_gene = dict(zip(self.genes, self.gene_counts(genomes).unbind(1), strict=True))
        return {group: of_gene[gene] for group, gene in self.gene_of.items()}

    def gene_counts(self, genomes: Tensor) -> Tensor:
        """Number of kept filters of every gene. genomes: bool [K, L] → int64 [K, genes]."""
        counts = [genomes[:, piece].sum(1) for piece in self.genes.values()]
        return torch.stack(counts, 1) if counts else genomes.new_zeros((len(genomes), 0), dtype=torch.int64)

    def slim_widths(self, genome: Tensor) -> dict[str, int]:
        """Number of filters of every group of the network that one genome describes. genome: bool [L]."""
        return {group: int(count) for group, count in self.counts(genome[None]).items()}

    def units(self, genome: Tensor) -> Tensor:
        """Which units of the graph a genome keeps: bool [L] → bool [units]."""
        return torch.cat(
            [genome[:0], *(genome[self.genes[self.gene_of[group]]] for group in self.graph.groups)]
        )

    def channels(self, of: NDArray[np.int64], genome: Tensor) -> Tensor:
        """Places of the channels that a genome keeps of a table of units, see `ganprune.channels`: int64."""
        return kept(of, self.units(genome))

    def bits(self, of: NDArray[np.int64], gene: str) -> NDArray[np.int64]:
        """For a table of units, the place of each one's bit in a gene; -1 for those of other genes."""
        found = np.full(len(of), -1)
        for name, group in self.graph.groups.items():
            if self.gene_of[name] == gene:
                own = (of >= group.units.start) & (of < group.units.stop)
                found[own] = of[own] - group.units.start
        return found

    def keeping(self, counts: NDArray[np.int64], scores: Tensor) -> Tensor:
        """The genome that keeps ``counts`` filters of every gene, those with the largest scores: bool [L].

        counts: int [genes]. scores: [L].
        """
        genome = torch.zeros(self.length, dtype=torch.bool)
        for piece, count in zip(self.genes.values(), counts.tolist(), strict=True):
            genome[piece.start + scores[piece].topk(count).indices] = True
        return genome

    def full(self) -> Tensor:
        """The genome that keeps every filter: bool [L]."""
        return torch.ones(self.length, dtype=torch.bool)


def pack(genomes: Tensor) -> Tensor:
    """Eight bits a byte: bool [K, L] → uint8 [K, ⌈L/8⌉]."""
    length = genomes.shape[1]
    padded = torch.nn.functional.pad(genomes.to(torch.uint8), (0, -length % 8))
    weights = 2 ** torch.arange(7, -1, -1, dtype=torch.uint8)
    return (padded.view(len(genomes), -1, 8) * weights).sum(2, dtype=torch.uint8)


def unpack(packed: Tensor, length: int) -> Tensor:
    """The reverse of `pack`: uint8 [K, ⌈L/8⌉] → bool [K, L]."""
    shifts = torch.arange(7, -1, -1, dtype=torch.uint8)
    bits = (packed[:, :, None] >> shifts) & 1
    return bits.view(len(packed), -1)[:, :length].bool()


def genome_key(genome: Tensor) -> bytes:
    """A short name of one genome for dictionaries. genome: bool [L]."""
    return pack(genome[None])[0].numpy().tobytes()


def genome_of(key: bytes, length: int) -> Tensor:
    """The reverse of `genome_key`: bool [L]."""
    return unpack(torch.frombuffer(bytearray(key), dtype=torch.uint8)[None], length)[0]
