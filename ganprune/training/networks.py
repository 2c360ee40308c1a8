"""The four networks of a training: complete, and either copied or made from nothing."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TypeVar

import torch
from torch import nn

from ganprune.checkpoints import Quartet
from ganprune.files import atomic_path
from ganprune.networks import Discriminator, DiscriminatorWidths, Generator, resnet_widths
from ganprune.training.chance import generator_for
from ganprune.training.settings import TrainSettings

_Net = TypeVar("_Net", bound=nn.Module)


@dataclass(frozen=True, slots=True)
class Networks:
    """A whole CycleGAN."""

    G_A: Generator
    """Translates A to B."""
    G_B: Generator
    """Translates B to A."""
    D_A: Discriminator
    """Judges domain B."""
    D_B: Discriminator
    """Judges domain A."""

    @classmethod
    def of(cls, quartet: Quartet) -> "Networks":
        """The networks of a checkpoint. Raises `MissingNetwork` unless all four are there."""
        quartet.require("G_A", "G_B", "D_A", "D_B")
        assert quartet.G_A and quartet.G_B and quartet.D_A and quartet.D_B  # noqa: PT018
        return cls(quartet.G_A, quartet.G_B, quartet.D_A, quartet.D_B)

    @classmethod
    def fresh(cls, settings: TrainSettings) -> "Networks":
        """New networks of CycleGAN's architecture, by the settings' seed: normal weights, zero biases."""
        widths = resnet_widths(settings.ngf, settings.blocks)
        judge = DiscriminatorWidths(tuple(settings.ndf * factor for factor in (1, 2, 4, 8)))
        networks = cls(Generator(widths), Generator(widths), Discriminator(judge), Discriminator(judge))
        for name, net in networks.items():
            generator = generator_for(settings.seed, "first weights", name)
            for parameter in net.parameters():
                if parameter.dim() == 1:
                    nn.init.zeros_(parameter)
                else:
                    nn.init.normal_(parameter, 0.0, settings.init_gain, generator=generator)
        return networks

    def items(self) -> tuple[tuple[str, Generator | Discriminator], ...]:
        """Names and networks, in the order of CycleGAN's files."""
        return (("G_A", self.G_A), ("G_B", self.G_B), ("D_A", self.D_A), ("D_B", self.D_B))

    def generator_parameters(self) -> Iterator[nn.Parameter]:
        """Weights of G_A, then of G_B."""
        return chain(self.G_A.parameters(), self.G_B.parameters())

    def discriminator_parameters(self) -> Iterator[nn.Parameter]:
        """Weights of D_A, then of D_B."""
        return chain(self.D_A.parameters(), self.D_B.parameters())

    def to_train(self, device: str) -> "Networks":
        """Copies on a device, float32, with gradients."""

        def placed(net: _Net) -> _Net:
            return copy.deepcopy(net).to(device, torch.float32).requires_grad_(True).train()

        return Networks(placed(self.G_A), placed(self.G_B), placed(self.D_A), placed(self.D_B))

    def to_use(self) -> "Networks":
        """Copies on the CPU, in eval mode, without gradients."""

        def placed(net: _Net) -> _Net:
            for parameter in (twin := copy.deepcopy(net)).parameters():
                parameter.grad = None
            return twin.to("cpu").requires_grad_(False).eval()

        return Networks(placed(self.G_A), placed(self.G_B), placed(self.D_A), placed(self.D_B))


def save_networks(folder: Path, networks: Networks, epoch: str = "latest") -> dict[str, Path]:
    """Write ``<epoch>_net_G_A.pth`` and its three siblings as CycleGAN does, each whole or not at all."""
    files = {name: folder / f"{epoch}_net_{name}.pth" for name, _ in networks.items()}
    for name, net in networks.items():
        tensors = {key: tensor.detach().cpu().clone() for key, tensor in net.state_dict().items()}
        with atomic_path(files[name]) as partial, partial.open("wb") as file:
            torch.save(tensors, file)
    return files
