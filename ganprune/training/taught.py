"""Steps of a training in which originals teach: their lessons, adapters and judges in one place."""

import copy
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from ganprune.channels_last import channels_last
from ganprune.images import Domain
from ganprune.networks import Discriminator, Generator
from ganprune.training.distillation import Teacher, make_adapters
from ganprune.training.lessons import Lesson, Lessons
from ganprune.training.networks import Networks
from ganprune.training.pictures import Drawn, TrainingPictures
from ganprune.training.settings import TrainSettings
from ganprune.training.state import TrainState
from ganprune.training.step import distil_step


class Taught:
    """What a training by ``settings.distil`` needs besides its state."""

    def __init__(
        self,
        data: TrainingPictures,
        students: Networks,
        teachers: Mapping[Domain, Teacher],
        settings: TrainSettings,
    ) -> None:
        """Raises `ValueError` unless there is a teacher for each generator that learns, and no other."""
        assert settings.distil is not None
        sides = {name[-1] for name in settings.trained if name in ("G_A", "G_B")}
        if set(teachers) != sides:
            raise ValueError("distillation needs a teacher for each generator that learns, and no other")
        self._settings, self._batch, device = settings, settings.batch, settings.device
        slim: dict[Domain, Generator] = {"A": students.G_A, "B": students.G_B}
        self.adapters = make_adapters(slim, teachers, settings.distil, device)
        self._lessons = Lessons(data, teachers, settings.distil, device, settings.precision)
        self._judges: dict[Domain, Discriminator] = {
            side: _frozen(teacher.judge, device)
            for side, teacher in teachers.items()
            if teacher.judge is not None and settings.distil.features
        }

    def step(
        self,
        state: TrainState,
        drawn: Mapping[Domain, Sequence[Drawn]],
        real: Mapping[Domain, Tensor],
        lr: float,
        generator: torch.Generator,
    ) -> dict[str, float]:
        """See `distil_step`; ``real`` are the pictures that were drawn."""
        lessons: dict[Domain, Lesson] = {
            side: self._lessons(side, drawn[side]) for side in self._lessons.teachers
        }
        return distil_step(
            state, real, lessons, self._lessons.places, self._judges, self._settings, lr, generator
        )

    def steps_in(self, seconds: float, pace: float) -> tuple[float, float]:
        """How many steps fit into ``seconds``, and what one takes once its lessons are known.

        ``pace``: seconds a step whose lessons are all computed, as in the first epoch.
        """
        each, once = self._lessons.ahead()
        a_step = self._batch * len(self._lessons.teachers)
        known = max(pace - a_step * each, pace / 20)
        if seconds / pace * a_step <= once:  # it ends before all are computed
            return seconds / pace, pace
        return ((seconds - once * each) / known, known) if once else (seconds / pace, pace)


def _frozen(net: Discriminator, device: str) -> Discriminator:
    twin = copy.deepcopy(net).to(device, torch.float32).eval().requires_grad_(False)
    return channels_last(twin) if device == "cpu" else twin
