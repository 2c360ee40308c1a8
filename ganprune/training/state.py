"""Everything that changes while training, in one file.

Random numbers are no part of it: they follow from the seed and the step. So does the learning rate.
"""

import pickle
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from ganprune.errors import RunError
from ganprune.files import atomic_path
from ganprune.training.networks import Networks
from ganprune.training.pool import ImagePool
from ganprune.training.settings import TrainSettings

VERSION = 1
"""Counts up when the file's content comes to mean something else."""


@dataclass(slots=True)
class TrainState:
    """The networks, their optimizers, and what both remember. `train_step` changes it in place."""

    networks: Networks
    opt_G: torch.optim.Adam | None
    """None where no generator learns."""
    opt_D: torch.optim.Adam | None
    """None where no discriminator learns."""
    pool_A: ImagePool
    """Translations to A."""
    pool_B: ImagePool
    """Translations to B."""
    step: int = 0
    """Steps done."""
    sums: dict[str, float] = field(default_factory=dict[str, float])
    """Sum of every loss since the last line of the log."""
    counted: int = 0
    """Steps since the last line of the log."""

    @classmethod
    def start(cls, networks: Networks, settings: TrainSettings) -> "TrainState":
        """A training's beginning, with copies of the networks on the settings' device."""
        placed = networks.to_train(settings.device, settings.trained)
        betas = (settings.beta1, settings.beta2)

        def adam(names: Iterable[str]) -> torch.optim.Adam | None:
            weights = [w for name, net in placed.items() if name in names for w in net.parameters()]
            weights = [weight for weight in weights if weight.requires_grad]
            return torch.optim.Adam(weights, settings.lr, betas, fused=True) if weights else None

        pools = ImagePool(settings.pool_size), ImagePool(settings.pool_size)
        return cls(placed, adam(("G_A", "G_B")), adam(("D_A", "D_B")), *pools)

    def save(self, path: Path) -> None:
        """Write everything to one file, which appears whole or not at all."""
        content = {
            "version": VERSION,
            "networks": {name: net.state_dict() for name, net in self.networks.items()},
            "opt_G": self.opt_G and self.opt_G.state_dict(),
            "opt_D": self.opt_D and self.opt_D.state_dict(),
            "pool_A": self.pool_A.pictures,
            "pool_B": self.pool_B.pictures,
            "step": self.step,
            "sums": self.sums,
            "counted": self.counted,
        }
        with atomic_path(path) as partial, partial.open("wb") as file:
            torch.save(content, file)

    def load(self, path: Path) -> None:
        """Become what was saved from networks of the same widths. Raises `RunError` for a damaged file."""
        content = _read(path)
        device = self.networks.device
        try:
            if content["version"] != VERSION:
                raise ValueError(f"version {content['version']}, needed {VERSION}")
            for name, net in self.networks.items():
                net.load_state_dict(content["networks"][name])
            for name, optimizer in (("opt_G", self.opt_G), ("opt_D", self.opt_D)):
                if optimizer is not None:
                    optimizer.load_state_dict(content[name])
            self.pool_A.pictures = [picture.to(device) for picture in content["pool_A"]]
            self.pool_B.pictures = [picture.to(device) for picture in content["pool_B"]]
            self.step, self.sums, self.counted = content["step"], content["sums"], content["counted"]
        except (KeyError, ValueError, TypeError, RuntimeError, AttributeError) as error:
            raise _damaged(path, error) from None


def _read(path: Path) -> dict[str, Any]:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, EOFError, RuntimeError, ValueError, KeyError, pickle.UnpicklingError) as error:
        raise _damaged(path, error) from None


def _damaged(path: Path, error: Exception) -> RunError:
    reason = (str(error) or type(error).__name__).splitlines()[0]
    return RunError(
        f"{path} is no training state that fits ({reason}); delete it to train from the start again"
    )
