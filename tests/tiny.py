"""Small random networks and pictures to test with."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from ganprune.checkpoints import Quartet
from ganprune.images import PictureFolders
from ganprune.images.sources import DOMAINS, Domain
from ganprune.models.cyclegan import (
    Discriminator,
    DiscriminatorWidths,
    Generator,
    GeneratorWidths,
    resnet_widths,
)
from ganprune.pruning.genome import Layout, LayoutKind
from ganprune.runs import Run
from ganprune.scoring import ScoringInputs, ScoringSettings
from ganprune.settings import CompressSettings
from ganprune.stages import Job, Resolved

PLAIN = ScoringSettings()


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@cache
def layout_of(widths: GeneratorWidths, kind: LayoutKind = "filters") -> Layout:
    """Of CycleGAN's ResNet of these widths."""
    return Layout.of(Generator(widths), kind)


def resnet(network: nn.Module | None) -> Generator:
    """A network that is CycleGAN's ResNet, told to the type checker."""
    assert isinstance(network, Generator)
    return network


def widths_of(layout: Layout) -> GeneratorWidths:
    """The reverse of `layout_of`."""
    return _widths(layout, layout.graph.sizes)


def slim_widths(layout: Layout, genome: Tensor) -> GeneratorWidths:
    """What a genome leaves of them."""
    return _widths(layout, layout.slim_widths(genome))


def _widths(layout: Layout, groups: Mapping[str, int]) -> GeneratorWidths:
    blocks = sum(name.startswith("inner") for name in groups)
    return resnet_widths(1, blocks, layout.graph.inputs, layout.graph.outputs).with_groups(groups)


@torch.no_grad()
def fill(net: nn.Module, seed: int) -> None:
    """Normal weights of unit gain and small normal biases: no filter is dead, no tanh saturated."""
    generator = seeded(seed)
    for p in net.parameters():
        spread = 0.3 if p.dim() == 1 else p[0].numel() ** -0.5
        p.copy_(torch.randn(p.shape, generator=generator, dtype=torch.float64) * spread)


def random_generator(widths: GeneratorWidths, seed: int = 0, dtype: torch.dtype = torch.float64) -> Generator:
    net = Generator(widths).to(dtype)
    fill(net, seed)
    return net.requires_grad_(False).eval()


def random_judge(widths: DiscriminatorWidths, seed: int = 0) -> Discriminator:
    net = Discriminator(widths)
    fill(net, seed)
    return net.requires_grad_(False).eval()


def random_pictures(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    """Uniform noise in [-1, 1]."""
    return torch.rand(shape, generator=seeded(seed), dtype=dtype) * 2 - 1


def random_genomes(layout: Layout, n: int, seed: int = 0, keep: float = 0.5) -> Tensor:
    """n coin-flip genomes with the first filter of every gene always kept: bool [n, L]."""
    genomes = torch.rand(n, layout.length, generator=seeded(seed)) < keep
    for piece in layout.genes.values():
        genomes[:, piece.start] = True
    return genomes


@dataclass(frozen=True, slots=True)
class TinyGan:
    """A CycleGAN whose two halves differ in every respect, so that no mix-up goes unnoticed."""

    generators: dict[Domain, Generator]
    judges: dict[Domain, Discriminator]
    layouts: dict[Domain, Layout]
    pictures: dict[Domain, Tensor]

    def inputs(self, settings: ScoringSettings = PLAIN, **changes: Any) -> ScoringInputs:
        """What its individuals are scored by; changed."""
        given = ScoringInputs(
            self.generators, self.judges, self.layouts, self.pictures, settings, gram_pictures=self.pictures
        )
        return replace(given, **changes)


def tiny_gan(kind: LayoutKind = "filters", size: int = 32) -> TinyGan:
    widths: dict[Domain, GeneratorWidths] = {"A": resnet_widths(4, 2), "B": resnet_widths(3, 1)}
    judges = {"A": DiscriminatorWidths((4, 8, 8)), "B": DiscriminatorWidths((3, 5))}
    count = {"A": 3, "B": 2}
    return TinyGan(
        {side: random_generator(widths[side], seed, torch.float32) for seed, side in enumerate(DOMAINS)},
        {side: random_judge(judges[side], 10 + seed) for seed, side in enumerate(DOMAINS)},
        {side: layout_of(widths[side], kind) for side in DOMAINS},
        {
            side: torch.randint(
                256, (count[side], 3, size, size), generator=seeded(20 + seed), dtype=torch.uint8
            )
            for seed, side in enumerate(DOMAINS)
        },
    )


def tiny_job(run: Run, gan: TinyGan, settings: CompressSettings, **changes: Any) -> Job:
    """A job of its networks and pictures in a run folder, in float32 on one thread; changed."""
    G, D = gan.generators, gan.judges
    quartet = Quartet(G.get("A"), G.get("B"), D.get("A"), D.get("B"))
    resolved = Resolved("cpu", "float32", threads=1, batch=1)
    if "folders" not in changes:  # individuals are refitted by the pictures that there are
        settings = replace(settings, pictures=replace(settings.pictures, gram_pictures=0))
    job = Job(run, quartet, PictureFolders((), ()), gan.pictures, settings, resolved)
    return replace(job, **changes)
