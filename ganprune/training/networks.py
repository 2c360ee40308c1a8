"""The four networks of a training: complete, and either copied or made from nothing."""

import copy
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from ganprune.checkpoints import NetName, Quartet, save_cyclegan_pth
from ganprune.errors import CheckpointError, UsageError
from ganprune.images import Domain
from ganprune.models.copying import copied
from ganprune.models.cyclegan import Discriminator, DiscriminatorWidths, Generator, resnet_widths
from ganprune.models.first_weights import draw_weights
from ganprune.models.traits import channels_by_domain, smallest_picture
from ganprune.settings.training import TrainSettings
from ganprune.training.seeds import generator_for

_Net = TypeVar("_Net", bound=nn.Module)
Weights = dict[str, Tensor]  # a network's state dict


@dataclass(frozen=True, slots=True)
class Networks:
    """A whole CycleGAN."""

    G_A: nn.Module  # translates A to B
    G_B: nn.Module  # translates B to A
    D_A: nn.Module  # judges domain B
    D_B: nn.Module  # judges domain A
    absent: frozenset[NetName] = frozenset()
    """Networks that are not there: untrained ones stand in for them, which are neither used nor written."""

    @classmethod
    def of(cls, quartet: Quartet) -> "Networks":
        """The networks of a checkpoint. Raises `MissingNetwork` unless all four are there."""
        quartet.require("G_A", "G_B", "D_A", "D_B")
        assert quartet.G_A and quartet.G_B and quartet.D_A and quartet.D_B  # noqa: PT018
        return cls(quartet.G_A, quartet.G_B, quartet.D_A, quartet.D_B)

    @classmethod
    def known(cls, quartet: Quartet) -> "Networks":
        """The networks of a checkpoint, as far as it has them; see ``absent``."""
        G, D = Generator(resnet_widths(1, 1)), Discriminator(DiscriminatorWidths((1, 1)))
        there = (quartet.G_A or G, quartet.G_B or G, quartet.D_A or D, quartet.D_B or D)
        return cls(*there, frozenset(quartet.missing()))

    @classmethod
    def fresh(cls, settings: TrainSettings, channels: tuple[int, int] = (3, 3)) -> "Networks":
        """New networks of CycleGAN's architecture, by the settings' seed: normal weights, zero biases.

        channels: of the pictures of A and of B.
        """
        return cls.completed(Quartet(None, None, None, None), settings, channels)

    @classmethod
    def completed(
        cls, quartet: Quartet, settings: TrainSettings, channels: tuple[int, int] = (3, 3)
    ) -> "Networks":
        """Those of a checkpoint, and new ones in place of those that it lacks.

        A new generator is as the one that is there, if any. CycleGAN's takes its place where channels in and
        out differ, and only its own architecture can have these exchanged. channels: of the pictures of A and
        of B, where no generator says so.
        """
        known = quartet.G_A or quartet.G_B
        A, B = tuple(quartet.channels.values()) if known else channels
        widths = DiscriminatorWidths.of(settings.ndf)
        of_B, of_A = (Discriminator(replace(widths, in_channels=n)) for n in (B, A))
        return cls(
            quartet.G_A or _drawn(_partner(known, settings, A, B), "G_A", settings),
            quartet.G_B or _drawn(_partner(known, settings, B, A), "G_B", settings),
            quartet.D_A or _drawn(of_B, "D_A", settings),
            quartet.D_B or _drawn(of_A, "D_B", settings),
        )

    def items(self) -> tuple[tuple[NetName, nn.Module], ...]:
        """Names and networks that are there, in the order of CycleGAN's files."""
        return tuple((name, net) for name, net in self._all_four() if name not in self.absent)

    def _all_four(self) -> tuple[tuple[NetName, nn.Module], ...]:
        return ("G_A", self.G_A), ("G_B", self.G_B), ("D_A", self.D_A), ("D_B", self.D_B)

    @property
    def channels(self) -> dict[Domain, int]:
        """Of the pictures of each domain. Raises `ValueError` where the networks do not agree."""
        return channels_by_domain(dict(self.items()))

    @property
    def device(self) -> torch.device:
        """Where the networks are."""
        return next(self.G_A.parameters()).device

    def to_train(self, device: str, trained: Collection[NetName]) -> "Networks":
        """Copies on a device, float32; those called ``trained`` with gradients, the others in eval mode."""

        def placed(name: NetName, net: nn.Module) -> nn.Module:
            learns = name in trained
            return copied(net).to(device, torch.float32).requires_grad_(learns).train(learns)

        return Networks(*(placed(*one) for one in self._all_four()), absent=self.absent)

    def to_use(self) -> "Networks":
        """Copies on the CPU, in eval mode, without gradients."""

        def placed(net: nn.Module) -> nn.Module:
            (twin := copied(net)).zero_grad()
            return twin.to("cpu").requires_grad_(False).eval()

        return Networks(*(placed(net) for _, net in self._all_four()), absent=self.absent)

    def with_weights(self, weights: Mapping[str, Weights]) -> "Networks":
        """The same networks, but for copies with other weights of those that are named."""
        twins = {name: copied(getattr(self, name)) for name in weights}
        for name, twin in twins.items():
            twin.load_state_dict(weights[name])
        return replace(self, **twins)

    def check_channels(self) -> None:
        """Raises `CheckpointError` unless all networks see as many channels of the pictures of a domain."""
        try:
            _ = self.channels
        except ValueError as error:
            raise CheckpointError(f"{error}; give networks that fit together") from None

    def check_shortest(self, found: int) -> None:
        """Raises `UsageError` where pictures of ``found`` pixels are too small for a discriminator.

        The norm of D's last layer needs a map of more than one place.
        """
        needed = max(smallest_picture(self.D_A), smallest_picture(self.D_B))
        if found < needed:
            raise UsageError(
                f"a discriminator needs pictures of at least {needed}×{needed}, found {found} pixels; "
                "give a larger --size"
            )


def _partner(known: nn.Module | None, settings: TrainSettings, inputs: int, outputs: int) -> nn.Module:
    """A generator the other way, whose weights are not drawn yet."""
    if known is None:
        return Generator(resnet_widths(settings.ngf, settings.blocks, inputs, outputs), "instance")
    if isinstance(known, Generator):
        w = known.widths
        return Generator(replace(w, in_channels=w.out_channels, out_channels=w.in_channels), known.norm)
    if inputs != outputs:
        return Generator(resnet_widths(settings.ngf, settings.blocks, inputs, outputs))
    partner = copy.deepcopy(known)
    for module in partner.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()
    return partner


def _drawn(net: _Net, name: NetName, settings: TrainSettings) -> _Net:
    """With first weights by the settings' seed."""
    draw_weights(net, settings.init_gain, generator_for(settings.seed, "first weights", name))
    return net


def network_file(name: NetName, epoch: str = "latest") -> str:
    """What CycleGAN calls a network's file."""
    return f"{epoch}_net_{name}.pth"


def save_networks(folder: Path, networks: Networks, epoch: str = "latest") -> dict[NetName, Path]:
    """Write ``<epoch>_net_G_A.pth`` and its siblings as CycleGAN does, each whole or not at all."""
    files: dict[NetName, Path] = {name: folder / network_file(name, epoch) for name, _ in networks.items()}
    for name, net in networks.items():
        save_cyclegan_pth(files[name], net)
    return files
