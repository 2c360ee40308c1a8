"""What the originals make of the training pictures, computed once a picture and kept.

Cuts and mirror images are taken of the kept maps. So a slim generator that sees a cut or a mirrored picture
is shown the same part of the original's translation of the whole, which costs nothing.
"""

import copy
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ganprune.channels_last import channels_last
from ganprune.device import Precision
from ganprune.images import Domain, to_float
from ganprune.networks import DOWNSAMPLING, Generator
from ganprune.training.distillation import DistilSettings, Teacher, trunk_places, with_maps
from ganprune.training.pictures import Drawn, TrainingPictures


@dataclass(frozen=True, slots=True)
class Lesson:
    """What an original made of a batch."""

    picture: Tensor
    """Translations: float32 [n, 3, h, w] in [-1, 1]."""
    maps: list[Tensor]
    """Maps of its trunk, [n, channels, h/4, w/4], one a place."""


def quarter_of_memory() -> int:
    """Bytes: a quarter of this machine's memory."""
    return (
        os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 4 if hasattr(os, "sysconf") else 2 << 30
    )


class Lessons:
    """The teachers, and what they have said. What finds no room in ``memory`` bytes is computed again."""

    def __init__(
        self,
        data: TrainingPictures,
        teachers: Mapping[Domain, Teacher],
        settings: DistilSettings,
        device: str,
        precision: Precision,
        memory: int | None = None,
    ) -> None:
        self.teachers, self.settings = teachers, settings
        self.places: dict[Domain, tuple[int, ...]] = {
            side: trunk_places(teacher.generator.widths.blocks, settings.places) if settings.maps else ()
            for side, teacher in teachers.items()
        }
        self._data, self._device, self._precision = data, device, precision
        self._memory = quarter_of_memory() if memory is None else memory
        self._generators = {side: _placed(teacher.generator, device) for side, teacher in teachers.items()}
        self._kept: dict[tuple[Domain, int], list[Tensor]] = {}
        self._spent, self._computed = 0.0, 0

    def ahead(self) -> tuple[float, int]:
        """Seconds that one more lesson takes, and how many will be computed once and then kept.

        Judged by those computed so far, at least one.
        """
        each = self._spent / self._computed
        size = sum(part.numel() * part.element_size() for part in next(iter(self._kept.values()), ()))
        left = sum(self._data.count(side) for side in self.teachers) - len(self._kept)
        return each, min(left, self._memory // size) if size else 0

    def __call__(self, side: Domain, drawn: Sequence[Drawn]) -> Lesson:
        """For the parts of pictures that a step sees."""
        taught = [self._whole(side, one.index) for one in drawn]
        picture = torch.stack([one.cut(said[0]) for one, said in zip(drawn, taught, strict=True)])
        maps = [
            torch.stack([one.cut(said[i + 1], DOWNSAMPLING) for one, said in zip(drawn, taught, strict=True)])
            for i in range(len(self.places[side]))
        ]
        return Lesson(picture.float(), maps)

    @torch.no_grad()
    def _whole(self, side: Domain, index: int) -> list[Tensor]:
        """Translation, float16 [3, h, w], and maps, bfloat16 [channels, h/4, w/4], of one whole picture."""
        if (side, index) in self._kept:
            return self._kept[side, index]
        started = time.monotonic()
        x = to_float(self._data.whole(side, index))[None].to(self._device)
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self._precision == "bfloat16"):
            picture, maps = with_maps(self._generators[side], x, self.places[side])
        kept = self.teachers[side].kept.to(self._device)
        chosen = maps if self.settings.adapters else [m.index_select(1, kept) for m in maps]
        said = [picture[0].half(), *(m[0].to(torch.bfloat16).contiguous() for m in chosen)]
        self._spent += time.monotonic() - started
        self._computed += 1
        size = sum(part.numel() * part.element_size() for part in said)
        if size <= self._memory:
            self._memory -= size
            self._kept[side, index] = said
        return said


def _placed(generator: Generator, device: str) -> Generator:
    twin = copy.deepcopy(generator).to(device).float().eval().requires_grad_(False)
    return channels_last(twin) if device == "cpu" else twin
