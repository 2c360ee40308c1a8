"""Everything that changes while training, in one file.

Random numbers are no part of it: they follow from the seed and the step. So does the learning rate.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn

from ganprune.checkpoints import read_held
from ganprune.errors import GanpruneError, RunError
from ganprune.models.channels_last import channels_last
from ganprune.settings.training import TrainSettings
from ganprune.storage.files import atomic_path
from ganprune.storage.plain import fits
from ganprune.training.networks import Networks, Weights
from ganprune.training.objective import ImagePool

VERSION = 2  # counts up when the file's content comes to mean something else
_COUNTS = {"step": int, "counted": int, "waited": int, "sums": dict[str, float]}


@dataclass(frozen=True, slots=True)
class Best:
    """The generator of one side that a training would end with."""

    score: float  # smaller is better
    step: int  # after how many steps
    averaged: bool  # whether it is the running average
    weights: Weights
    least: list[float] = field(default_factory=list[float])
    """L_GenA of each picture by the nearest generator so far, which may be an earlier one."""


def runs_channels_last(settings: TrainSettings) -> bool:
    """Whether the networks are trained on channels-last maps: one picture at a time on a CPU."""
    return settings.device == "cpu" and settings.batch == 1


@dataclass(slots=True)
class TrainState:
    """The networks, their optimizers, and what both remember. `Trainer` changes it in place."""

    networks: Networks
    opt_G: torch.optim.Adam | None  # None where no generator learns
    opt_D: torch.optim.Adam | None  # None where no discriminator learns
    pool_A: ImagePool  # fakes of A
    pool_B: ImagePool  # fakes of B
    adapters: nn.ModuleDict = field(default_factory=nn.ModuleDict)
    """1×1 convolutions that maps are compared through, see `ganprune.training.distillation`."""
    averages: dict[str, Weights] = field(default_factory=dict[str, Weights])
    """Running averages of the generators that learn, by name; empty: not asked for."""
    best: dict[str, Best] = field(default_factory=dict[str, Best])
    """Generators that the training would end with, by name; empty before the first validation."""
    waited: int = 0  # validations in a row that found nothing better
    step: int = 0  # steps done
    sums: dict[str, float] = field(default_factory=dict[str, float])
    """Sum of every loss since the last line of the log."""
    counted: int = 0  # steps since the last line of the log

    @classmethod
    def start(
        cls, networks: Networks, settings: TrainSettings, adapters: nn.ModuleDict | None = None
    ) -> "TrainState":
        """A training's beginning, with copies of the networks on the settings' device."""
        placed = networks.to_train(settings.device, settings.trained)
        if runs_channels_last(settings):
            for _, net in placed.items():
                channels_last(net)
        adapters = nn.ModuleDict() if adapters is None else adapters
        betas = (settings.beta1, settings.beta2)

        def adam(names: Iterable[str], others: Iterable[nn.Parameter] = ()) -> torch.optim.Adam | None:
            weights = [w for name, net in placed.items() if name in names for w in net.parameters()]
            weights = [weight for weight in (*weights, *others) if weight.requires_grad]
            return torch.optim.Adam(weights, settings.lr, betas, fused=True) if weights else None

        pools = ImagePool(settings.pool_size), ImagePool(settings.pool_size)
        opt_G, opt_D = adam(("G_A", "G_B"), adapters.parameters()), adam(("D_A", "D_B"))
        state = cls(placed, opt_G, opt_D, *pools, adapters)
        if settings.average:
            state.averages = {
                name: {key: value.clone() for key, value in net.state_dict().items()}
                for name, net in placed.items()
                if name in settings.trained and name.startswith("G")
            }
        return state

    @torch.no_grad()
    def count_step(self, decay: float) -> None:
        """One step is done; the averages follow. ``decay``: see `TrainSettings.average`."""
        self.step += 1
        keep = min(decay, self.step / (self.step + 9))
        for name, averages in self.averages.items():
            now = getattr(self.networks, name).state_dict()
            moving = [key for key, average in averages.items() if average.is_floating_point()]
            few, new = [averages[key] for key in moving], [now[key] for key in moving]
            torch._foreach_lerp_(few, new, 1 - keep)  # pyright: ignore
            for key in averages.keys() - set(moving):
                averages[key].copy_(now[key])

    def averaged(self) -> Networks:
        """The networks with the running averages in place of the generators that have one."""
        return self.networks.with_weights(self.averages)

    def chosen(self) -> Networks:
        """The networks with the generators that validation chose, as far as any were scored."""
        return self.networks.with_weights({name: best.weights for name, best in self.best.items()})

    def save(self, path: Path) -> None:
        """Write everything to one file, which appears whole or not at all."""
        content = {
            "version": VERSION, "networks": {name: net.state_dict() for name, net in self.networks.items()},
            "opt_G": self.opt_G and self.opt_G.state_dict(), "opt_D": self.opt_D and self.opt_D.state_dict(),
            "pool_A": self.pool_A.pictures, "pool_B": self.pool_B.pictures,
            "adapters": self.adapters.state_dict(), "averages": self.averages,
            "best": {name: asdict(best) for name, best in self.best.items()},
        } | {name: getattr(self, name) for name in _COUNTS}  # fmt: skip
        with atomic_path(path, over="own") as partial, partial.open("wb") as file:
            torch.save(content, file)

    def load(self, path: Path) -> None:
        """Become what was saved from networks of the same widths. Raises `RunError` for a damaged file."""
        device = self.networks.device
        try:
            content = cast(dict[str, Any], read_held(path))  # nothing of the file is run
            if content["version"] != VERSION:
                raise ValueError(f"version {content['version']}, needed {VERSION}")
            if not all(fits(content[name], shape) for name, shape in _COUNTS.items()):
                raise ValueError("its counts are none")
            for name, net in self.networks.items():
                net.load_state_dict(content["networks"][name])
            for name, optimizer in (("opt_G", self.opt_G), ("opt_D", self.opt_D)):
                if optimizer is not None:
                    optimizer.load_state_dict(content[name])
            self.adapters.load_state_dict(content["adapters"])
            self.averages = {
                name: {key: value.to(device) for key, value in weights.items()}
                for name, weights in content["averages"].items()
            }
            self.best = {name: Best(**found) for name, found in content["best"].items()}
            for restored in (self.averaged, self.chosen):
                restored()  # raises where weights do not fit
            self.pool_A.pictures = [picture.to(device) for picture in content["pool_A"]]
            self.pool_B.pictures = [picture.to(device) for picture in content["pool_B"]]
            for name in _COUNTS:
                setattr(self, name, content[name])
        except (GanpruneError, LookupError, ValueError, TypeError, RuntimeError, AttributeError) as error:
            reason = (str(error) or type(error).__name__).splitlines()[0]
            raise RunError(
                f"{path} is no training state that fits ({reason}); delete it to train from the start again"
            ) from None
