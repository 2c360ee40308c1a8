"""A tiny CycleGAN whose slim generators learn from the originals."""

import torch
from torch import Tensor

from ganprune.images import Domain
from ganprune.models.cyclegan import Discriminator, DiscriminatorWidths, Generator, Norm, resnet_widths
from ganprune.pruning.genome import Layout
from ganprune.pruning.rebuild import rebuilt
from ganprune.training import (
    Budget,
    Distillation,
    DistilSettings,
    Networks,
    Teacher,
    Trainer,
    TrainingPictures,
    TrainSettings,
    TrainState,
    Validation,
)
from tests.tiny import fill, random_pictures, seeded

DOMAINS: tuple[Domain, ...] = ("A", "B")
DISTIL = DistilSettings(places=2)
SETTINGS = TrainSettings(
    size=16, seed=3, pool_size=3, lr=2e-3, beta1=0.9, decay=0.9, trained=("G_A", "G_B"), distil=DISTIL
)
STEPS = Budget(12, "steps")


class Gan:
    """A CycleGAN of two blocks, and slim generators cut out of it."""

    def __init__(self, norm: Norm = "instance") -> None:
        self.whole: dict[Domain, Generator] = {side: Generator(resnet_widths(4, 2), norm) for side in DOMAINS}
        self.discriminators: dict[Domain, Discriminator] = {
            side: Discriminator(DiscriminatorWidths((4, 6))) for side in DOMAINS
        }
        self.slim: dict[Domain, Generator] = {}
        self.teachers: dict[Domain, Teacher] = {}
        for seed, side in enumerate(DOMAINS):
            fill(self.whole[side], seed)
            fill(self.discriminators[side], 10 + seed)
            layout = Layout.of(self.whole[side])
            genome = torch.rand(layout.length, generator=seeded(seed)) < 0.6
            for piece in layout.genes.values():
                genome[piece.start] = True
            self.slim[side] = rebuilt(self.whole[side], layout, genome)
            self.teachers[side] = Teacher(
                self.whole[side], layout.graph, layout.units(genome), self.discriminators[side]
            )

    @property
    def networks(self) -> Networks:
        return Networks(self.slim["A"], self.slim["B"], self.discriminators["A"], self.discriminators["B"])

    def trainer(
        self,
        data: TrainingPictures,
        settings: TrainSettings,
        teachers: dict[Domain, Teacher] | None = None,
    ) -> Trainer:
        """The slim generators learn from the originals."""
        distillation = Distillation(data, teachers or self.teachers, settings)
        state = TrainState.start(self.networks, settings, distillation.adapters)
        return Trainer(state, settings, distillation)

    def validation(self) -> Validation:
        held_out: dict[Domain, Tensor] = {
            side: random_pictures(2, 3, 16, 16, seed=70 + i) for i, side in enumerate(DOMAINS)
        }
        return Validation(held_out, self.whole, self.discriminators)
