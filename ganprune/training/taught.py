"""Steps of a training in which originals teach: their lessons, adapters and judges in one place.

The two generators then learn independently of each other. On a CPU both halves of a step are computed at
once, each on half of the threads: slim networks keep one core busy, and two of them badly.
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch
from torch import Tensor, nn

from ganprune.images import Domain
from ganprune.models.channels_last import channels_last
from ganprune.models.traits import discriminator_input
from ganprune.training.distillation import Teacher, Window, judged_layers, make_adapters
from ganprune.training.graphs import Graphs
from ganprune.training.lessons import Lessons, quarter_of_memory
from ganprune.training.networks import Networks
from ganprune.training.perceptual import Vgg16
from ganprune.training.pictures import Drawn, TrainingPictures
from ganprune.training.settings import TrainSettings
from ganprune.training.state import TrainState
from ganprune.training.step import MapsOfPair, distil_step
from ganprune.training.team import ALONE, Team

_T = TypeVar("_T")
_Net = TypeVar("_Net", bound=nn.Module)


class AtOnce:
    """Calls a function for every side: at once, on equal shares of the CPU threads, if there are enough."""

    def __init__(self, sides: Sequence[Domain], device: str) -> None:
        self._sides, threads = tuple(sides), torch.get_num_threads()
        self._pool: ThreadPoolExecutor | None = None
        if device == "cpu" and len(self._sides) > 1 and threads >= len(self._sides):
            share = threads // len(self._sides)
            # The number is each thread's own, but PyTorch also takes it for that of later threads.
            self._pool = ThreadPoolExecutor(
                len(self._sides), initializer=torch.set_num_threads, initargs=(share,)
            )
        self.width = 1 if self._pool is None else len(self._sides)
        """How many calls run at a time."""

    def __call__(self, function: Callable[[Domain], _T]) -> dict[Domain, _T]:
        """What the function returns, by side. Raises what it raises."""
        if self._pool is None:
            return {side: function(side) for side in self._sides}
        return dict(zip(self._sides, self._pool.map(function, self._sides), strict=True))


class Taught:
    """What a training by ``settings.distil`` needs besides its state."""

    def __init__(
        self,
        data: TrainingPictures,
        students: Networks,
        teachers: Mapping[Domain, Teacher],
        settings: TrainSettings,
        memory: int | None = None,
        team: Team = ALONE,
    ) -> None:
        """memory: bytes of lessons that are kept, None for a quarter of the machine's, or a share of it.

        Raises `ValueError` unless there is a teacher for each generator that learns, and no other.
        """
        assert settings.distil is not None
        sides = {name[-1] for name in settings.trained if name in ("G_A", "G_B")}
        if set(teachers) != sides:
            raise ValueError("distillation needs a teacher for each generator that learns, and no other")
        self._settings, self._team, device = settings, team, settings.device
        self.adapters = make_adapters(teachers, settings.distil, device)
        room = (quarter_of_memory(device) // team.size if memory is None else memory) // len(teachers)
        self.lessons: dict[Domain, Lessons] = {
            side: Lessons(data, side, teacher, settings.distil, device, settings.precision, room)
            for side, teacher in teachers.items()
        }
        self._judges: dict[Domain, nn.Module] = {
            side: _frozen(teacher.judge, device)
            for side, teacher in teachers.items()
            if teacher.judge is not None and settings.distil.features
        }
        self._vgg: dict[Domain, Vgg16] = {
            side: _frozen(teacher.vgg, device)
            for side, teacher in teachers.items()
            if teacher.vgg is not None and settings.distil.vgg
        }
        self._at_once = AtOnce(tuple(teachers), device)
        self._window = Window(settings.distil.vgg_window, device)
        self._graphs = Graphs(device, (net for _, net in students.items()))

    def step(
        self,
        state: TrainState,
        drawn: Mapping[Domain, Sequence[Drawn]],
        real: Mapping[Domain, Tensor],
        lr: float,
        generator: torch.Generator,
    ) -> dict[str, float]:
        """See `distil_step`; ``real`` are the pictures that were drawn."""
        self._window.move(state.step)
        seen_by: dict[Domain, dict[str, MapsOfPair]] = {side: self._comparing(side) for side in self.lessons}
        return distil_step(
            state, real, self.lessons, drawn, seen_by, self._settings, lr, generator,
            self._at_once, self._team, self._graphs,
        )  # fmt: skip

    def steps_in(self, seconds: float, pace: float) -> tuple[float, float]:
        """How many steps fit into ``seconds``, and what one takes once its lessons are known.

        ``pace``: seconds a step whose lessons are all computed, as in the first epoch.
        """
        ahead = [lessons.ahead() for lessons in self.lessons.values()]
        once = sum(count for _, count in ahead)
        each = sum(seconds for seconds, _ in ahead) / len(ahead) / self._at_once.width
        a_step = self._settings.batch // self._team.size * len(ahead)
        known = max(pace - a_step * each, pace / 20)
        if seconds / pace * a_step <= once:  # it ends before all are computed
            return seconds / pace, pace
        return ((seconds - once * each) / known, known) if once else (seconds / pace, pace)

    def _comparing(self, side: Domain) -> dict[str, MapsOfPair]:
        """What compares the original's picture with its student's, besides their pixels."""
        found: dict[str, MapsOfPair] = {}
        distil = self._settings.distil
        assert distil is not None
        if side in self._judges:
            judge = self._judges[side]
            found["features"] = lambda x, y: judged_layers(
                judge, discriminator_input(judge, x, y), distil.layers
            )
        if side in self._vgg:
            vgg = self._vgg[side]
            found["vgg"] = lambda x, y: vgg(self._window(y))
        return found


def _frozen(net: _Net, device: str) -> _Net:
    twin = copy.deepcopy(net).to(device, torch.float32).eval().requires_grad_(False)
    return channels_last(twin) if device == "cpu" else twin
