"""Subjects for rivals: small generators with a size to come to."""

from ganprune.baselines import Subject
from ganprune.models.cyclegan import Generator, GeneratorWidths, Norm, resnet_widths
from ganprune.pruning.genome import Layout, LayoutKind
from ganprune.pruning.repair import Constraints, Repairer
from tests.tiny import fill, random_pictures, seeded

WIDTHS = resnet_widths(8, 2)


def generator_of(widths: GeneratorWidths = WIDTHS, norm: Norm = "instance", seed: int = 0) -> Generator:
    """Random, in double precision."""
    net = Generator(widths, norm).double()
    fill(net, seed)
    return net.requires_grad_(False).eval()


def subject_of(
    generator: Generator,
    kind: LayoutKind = "filters",
    target: float | None = 0.3,
    align: int = 1,
    seed: int = 0,
) -> Subject:
    layout = Layout.of(generator, kind)
    repairer = Repairer(layout, Constraints(align=align, target_macs=target))
    dtype = next(generator.parameters()).dtype
    return Subject(generator, layout, random_pictures(2, 3, 16, 16, dtype=dtype), repairer, seeded(seed))
