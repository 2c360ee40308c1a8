"""What an original makes of the training pictures, computed once a picture and kept.

Cuts and mirror images are taken of the kept maps. So a slim generator that sees a cut or a mirrored picture
is shown the same part of the original's translation of the whole, which costs nothing.
"""

import copy
import os
import time
from collections.abc import Sequence
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
    """Bytes: a quarter of this machine's memory; 2 GiB where the system does not tell."""
    if not hasattr(os, "sysconf"):
        return 2 << 30
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 4


class Lessons:
    """A teacher, and what it has said. What finds no room in ``memory`` bytes is computed again."""

    def __init__(
        self,
        data: TrainingPictures,
        side: Domain,
        teacher: Teacher,
        settings: DistilSettings,
        device: str,
        precision: Precision,
        memory: int | None = None,
    ) -> None:
        """side: the domain that the teacher translates; memory: None for a quarter of the machine's."""
        blocks = teacher.generator.widths.blocks
        self.places: tuple[int, ...] = trunk_places(blocks, settings.places) if settings.maps else ()
        self._side: Domain = side
        self._data, self._device, self._precision = data, device, precision
        self._generator = _placed(teacher.generator, device)
        self._channels = None if settings.adapters else teacher.kept.to(device)
        self._memory = quarter_of_memory() if memory is None else memory
        self._kept: dict[int, list[Tensor]] = {}
        self._spent, self._computed = 0.0, 0

    def ahead(self) -> tuple[float, int]:
        """Seconds that one more lesson takes, and how many will be computed once and then kept.

        Judged by those computed so far, at least one.
        """
        each = self._spent / self._computed
        size = sum(part.numel() * part.element_size() for part in next(iter(self._kept.values()), ()))
        left = self._data.count(self._side) - len(self._kept)
        return each, min(left, self._memory // size) if size else 0

    def __call__(self, drawn: Sequence[Drawn]) -> Lesson:
        """For the parts of pictures that a step sees."""
        taught = [self._whole(one.index) for one in drawn]
        picture = torch.stack([one.cut(said[0]) for one, said in zip(drawn, taught, strict=True)])
        maps = [
            torch.stack([one.cut(said[i + 1], DOWNSAMPLING) for one, said in zip(drawn, taught, strict=True)])
            for i in range(len(self.places))
        ]
        return Lesson(picture.float(), maps)

    @torch.no_grad()
    def _whole(self, index: int) -> list[Tensor]:
        """Translation, float16 [3, h, w], and maps, bfloat16 [channels, h/4, w/4], of one whole picture."""
        if index in self._kept:
            return self._kept[index]
        started = time.monotonic()
        x = to_float(self._data.whole(self._side, index))[None].to(self._device)
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self._precision == "bfloat16"):
            picture, maps = with_maps(self._generator, x, self.places)
        chosen = maps if self._channels is None else [m.index_select(1, self._channels) for m in maps]
        said = [picture[0].half(), *(m[0].to(torch.bfloat16).contiguous() for m in chosen)]
        self._spent += time.monotonic() - started
        self._computed += 1
        size = sum(part.numel() * part.element_size() for part in said)
        if size <= self._memory:
            self._memory -= size
            self._kept[index] = said
        return said


def _placed(generator: Generator, device: str) -> Generator:
    twin = copy.deepcopy(generator).to(device).float().eval().requires_grad_(False)
    return channels_last(twin) if device == "cpu" else twin
