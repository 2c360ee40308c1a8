"""What the originals teach: their translations and maps of training pictures, computed once and kept.

A mirrored picture comes with the original's translation of that mirrored picture, a crop with that of the
crop. The mirror image of a translation will not do, as the original would never draw it, nor will a part of a
translation, as an instance norm's statistics are those of the whole picture. Steps come back to what was
seen, see `lesson_of`.
"""

import copy
import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import torch
from torch import Tensor, nn

from ganprune.images import Domain
from ganprune.models.channels_last import channels_last
from ganprune.models.traits import discriminator_input
from ganprune.settings.training import TrainSettings
from ganprune.training.distillation import (
    Maps,
    Teacher,
    TranslatedMaps,
    discriminator_layers,
    distillation_losses,
    make_adapters,
    with_maps,
)
from ganprune.training.perceptual import Vgg16, Window
from ganprune.training.pictures import FEW, Drawn, TrainingPictures
from ganprune.training.process_group import ALONE, ProcessGroup

_T = TypeVar("_T")
_Net = TypeVar("_Net", bound=nn.Module)


@dataclass(frozen=True, slots=True)
class _Kept:
    """What an original made of one picture, in few bytes."""

    picture: Tensor  # its translation: float16 [c, h, w]
    levels: tuple[Tensor, ...]  # its maps: uint8 [channels, h/4, w/4] each, in channels-last order
    scales: tuple[tuple[Tensor, Tensor], ...]
    """Least value and step of every channel, float32 [channels, 1, 1]: map = least + step × level."""

    @classmethod
    def of(cls, picture: Tensor, maps: Sequence[Tensor]) -> "_Kept":
        """float [c, h, w] in [-1, 1], and float [channels, h/4, w/4] each."""
        levels, scales = list[Tensor](), list[tuple[Tensor, Tensor]]()
        for one in maps:
            low, high = one.float().aminmax(dim=-1, keepdim=True)
            low, high = low.amin(-2, keepdim=True), high.amax(-2, keepdim=True)
            step = ((high - low) / 255).clamp_min(torch.finfo(torch.float32).tiny)
            nearest = ((one.float() - low) / step).round_().to(torch.uint8)
            levels.append(nearest.permute(1, 2, 0).contiguous().permute(2, 0, 1))
            scales.append((low, step))
        return cls(picture.half(), tuple(levels), tuple(scales))

    @property
    def maps(self) -> list[Tensor]:
        """float32 [h/4, w/4, channels] each: channels-last order, once they are stacked and permuted."""
        pairs = zip(self.levels, self.scales, strict=True)
        return [torch.addcmul(low, level.float(), step).permute(1, 2, 0) for level, (low, step) in pairs]

    @property
    def bytes(self) -> int:
        """That it takes."""
        parts = (self.picture, *self.levels, *(part for scale in self.scales for part in scale))
        return sum(part.numel() * part.element_size() for part in parts)


def quarter_of_memory(device: str) -> int:
    """Bytes: a quarter of this machine's memory, or of a GPU's; 2 GiB where the system does not tell."""
    if torch.device(device).type == "cuda":
        return torch.cuda.mem_get_info(device)[1] // 4
    if not hasattr(os, "sysconf"):
        return 2 << 30
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 4


class TeacherCache:
    """An original and what it has made so far. What finds no room in ``memory`` bytes is computed again."""

    def __init__(
        self, data: TrainingPictures, side: Domain, teacher: Teacher, settings: TrainSettings,
        memory: int | None = None,
    ) -> None:  # fmt: skip
        """side: the domain that the teacher translates; memory: None for a quarter of the machine's."""
        distil, device = settings.distil, settings.device
        assert distil is not None
        taps = teacher.taps(distil.places) if distil.maps else []
        self.taps = tuple(tap.module for tap in taps)
        """Modules whose maps are compared."""
        self._side: Domain = side
        self._data, self._device, self._precision = data, device, settings.precision
        self._generator = _frozen(teacher.generator, device)
        self._channels = None if distil.adapters else [tap.kept.to(device) for tap in taps]
        self._memory = quarter_of_memory(device) if memory is None else memory
        self._kept: dict[Drawn, _Kept] = {}
        self._spent, self._computed = 0.0, 0

    def ahead(self) -> tuple[float, int]:
        """Seconds that one more picture takes, and how many will be computed once and then kept; crops at
        random places never run out, but memory does.

        Judged by those computed so far, at least one.
        """
        each = self._spent / self._computed
        size = next((kept.bytes for kept in self._kept.values()), 0)
        left = (self._data.variants(self._side) or 1 << 30) - len(self._kept)
        return each, min(left, self._memory // size) if size else 0

    def __call__(self, drawn: Sequence[Drawn]) -> TranslatedMaps:
        """What the original makes of the pictures that a step sees: those channels that are compared."""
        made = [self._made(one) for one in drawn]
        maps = zip(*(one.maps for one in made), strict=True)
        return TranslatedMaps(
            torch.stack([one.picture for one in made]).float(),
            [torch.stack(same).permute(0, 3, 1, 2) for same in maps],
        )

    @torch.no_grad()
    def _made(self, drawn: Drawn) -> _Kept:
        if drawn in self._kept:
            return self._kept[drawn]
        started = time.monotonic()
        x = self._data.pictures(self._side, [drawn]).to(self._device)
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self._precision == "bfloat16"):
            picture, maps = with_maps(self._generator, x, self.taps)
        if self._channels is not None:
            maps = [m.index_select(1, kept) for m, kept in zip(maps, self._channels, strict=True)]
        made = _Kept.of(picture[0], [m[0] for m in maps])
        self._spent += time.monotonic() - started
        self._computed += 1
        if made.bytes <= self._memory:
            self._memory -= made.bytes
            self._kept[drawn] = made
        return made


class AtOnce:
    """Calls a function for every side, on a CPU at once, each on as many threads: one slim network keeps
    one core busy, and two of them badly."""

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


class Distillation:
    """What a training by ``settings.distil`` needs besides its state: one teacher a side, and what compares.

    The two generators learn independently of each other: see ``each_side``.
    """

    def __init__(
        self, data: TrainingPictures, teachers: Mapping[Domain, Teacher], settings: TrainSettings,
        memory: int | None = None, group: ProcessGroup = ALONE,
    ) -> None:  # fmt: skip
        """memory: bytes of what teachers made that are kept, None for a quarter of the machine's, or a share.

        Raises `ValueError` unless there is a teacher for each side that learns, and no other.
        """
        assert settings.distil is not None
        if set(teachers) != {name[-1] for name in settings.trained}:
            raise ValueError("distillation needs a teacher for each side that learns, and no other")
        self._distil, device = settings.distil, settings.device
        self._share = settings.batch // group.size
        self.adapters = make_adapters(teachers, settings.distil, device)
        """Trained along with the generators, see `TrainState.start`."""
        room = (quarter_of_memory(device) // group.size if memory is None else memory) // len(teachers)
        self.caches: dict[Domain, TeacherCache] = {
            side: TeacherCache(data, side, teacher, settings, room) for side, teacher in teachers.items()
        }
        self.each_side = AtOnce(tuple(teachers), device)
        self._window = Window(settings.distil.vgg_window, device)
        self._seen_by: dict[Domain, dict[str, Callable[[Tensor, Tensor], Sequence[Tensor]]]] = {
            side: {} for side in teachers
        }
        """What compares pictures, by the name of its weight: maps of an input and what is made of it."""
        for side, teacher in teachers.items():
            if teacher.discriminator is not None and settings.distil.features:
                D, layers = _frozen(teacher.discriminator, device), settings.distil.layers
                self._seen_by[side]["features"] = partial(_discriminator_maps, D, layers)
            if teacher.vgg is not None and settings.distil.vgg:
                self._seen_by[side]["vgg"] = partial(self._vgg_maps, _frozen(teacher.vgg, device))

    def begin(self, step: int) -> None:
        """Before a step's terms are computed."""
        self._window.move(step)

    def terms(
        self, side: Domain, picture: Tensor, student: TranslatedMaps, teacher: TranslatedMaps
    ) -> dict[str, Tensor]:
        """See `distillation_losses`; ``picture`` is what both have translated."""
        seen_by: dict[str, Maps] = {name: partial(see, picture) for name, see in self._seen_by[side].items()}
        return distillation_losses(side, student, teacher, self._distil, seen_by, self.adapters)

    def steps_in(self, seconds: float, pace: float, made: int) -> float:
        """How many more steps fit into ``seconds``, after ``made`` ones, all of which gave new lessons.

        ``pace``: seconds a step in which the teachers make everything, as in those.
        """
        ahead = [cache.ahead() for cache in self.caches.values()]
        a_step, repeats = self._share * len(ahead), self._distil.repeats
        once = sum(count for _, count in ahead) / a_step
        if not once:  # what teachers make finds no room
            return seconds / pace
        each = a_step * sum(seconds for seconds, _ in ahead) / len(ahead) / self.each_side.width
        known = max(pace - each, pace / 20)
        lessons = once + made
        few, steps = min(FEW, lessons), 0.0
        for most, takes in (  # see `lessons_in`
            (few - made, pace),
            (few * repeats - max(few, made), known),
            ((lessons - few) * repeats, known + each / repeats),
            (math.inf, known),
        ):
            fit = max(min(most, seconds / takes), 0.0)
            steps, seconds = steps + fit, seconds - fit * takes
        return steps

    def _vgg_maps(self, vgg: Vgg16, picture: Tensor, made: Tensor) -> list[Tensor]:
        del picture
        return vgg(self._window(made))


def _discriminator_maps(D: nn.Module, layers: int, picture: Tensor, made: Tensor) -> list[Tensor]:
    return discriminator_layers(D, discriminator_input(D, picture, made), layers)


def _frozen(net: _Net, device: str) -> _Net:
    twin = copy.deepcopy(net).to(device, torch.float32).eval().requires_grad_(False)
    return channels_last(twin) if device == "cpu" else twin
