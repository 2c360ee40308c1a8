"""What every process of a training has: the pictures, the state, and how a step is made.

Rank 0 drives its own replica, see `ganprune.training.loop`; the others `follow` it.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import Tensor

from ganprune.images import Domain
from ganprune.training.budget import learning_rate
from ganprune.training.chance import generator_for
from ganprune.training.distillation import Teacher
from ganprune.training.graphs import Graphs
from ganprune.training.networks import Networks
from ganprune.training.pictures import Drawn, TrainingPictures
from ganprune.training.record import STATE
from ganprune.training.settings import TrainSettings
from ganprune.training.state import TrainState
from ganprune.training.step import train_step
from ganprune.training.taught import Taught
from ganprune.training.team import STOP, Team


class Replica:
    """An unfinished training as one process sees it."""

    def __init__(
        self,
        networks: Networks,
        data: TrainingPictures,
        settings: TrainSettings,
        teachers: Mapping[Domain, Teacher],
        team: Team,
    ) -> None:
        self._data, self._settings, self._team = data, settings, team
        self.taught = Taught(data, networks, teachers, settings, team=team) if settings.distil else None
        """What the originals teach; None by the CycleGAN recipe."""
        self.state = TrainState.start(networks, settings, self.taught and self.taught.adapters)
        """At the beginning; `TrainState.load` goes on from a file."""
        self._graphs = Graphs(settings.device, (net for _, net in networks.items()))

    def step(self, steps: int | None) -> tuple[dict[str, float], float]:
        """Make the next of ``steps`` steps; None: their number is not known yet.

        Returns what `train_step` does, and the learning rate.
        """
        state, settings, team = self.state, self._settings, self._team
        lr = learning_rate(settings.lr, state.step, steps, settings.decay)
        generator = generator_for(settings.seed, "step", state.step)
        batch = self._data.drawn(settings.seed, state.step, settings.batch, generator)
        share = team.share(settings.batch)
        drawn: dict[Domain, list[Drawn]] = {side: parts[share] for side, parts in batch.items()}
        real: dict[Domain, Tensor] = {
            side: self._data.pictures(side, parts).to(settings.device) for side, parts in drawn.items()
        }
        if self.taught is None:
            return train_step(state, real["A"], real["B"], settings, lr, generator, team, self._graphs), lr
        return self.taught.step(state, drawn, real, lr, generator), lr


def follow(
    networks: Networks,
    pictures: Mapping[Domain, Sequence[Path]],
    settings: TrainSettings,
    folder: Path,
    teachers: Mapping[Domain, Teacher],
    team: Team,
) -> None:
    """Be one of the processes that rank 0 leads: make every step with it, until there are no more.

    Arguments and errors are those of `ganprune.training.train`; nothing is written.
    """
    data = TrainingPictures(pictures, settings.transform, paired=settings.paired, channels=networks.channels)
    replica = Replica(networks, data, settings, teachers, team)
    steps = team.told()
    if steps != STOP:
        replica.state.load(folder / STATE)  # rank 0 saved it before its first step, and waits in that step
    while steps != STOP:
        replica.step(steps or None)
        steps = team.told()
