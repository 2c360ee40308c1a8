"""What an original makes of what its student is shown, computed once and kept.

What a student is shown and what it is told belong together: a mirrored picture comes with the original's
translation of that mirrored picture, a cut with that of the cut. The mirror image of a translation will not
do, as the original would never draw it, nor will a part of a translation, as an instance norm's statistics
are those of the whole picture. Cuts at random places are never seen twice, and so not kept.
"""

import copy
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ganprune.images import Domain
from ganprune.models.channels_last import channels_last
from ganprune.system.device import Precision
from ganprune.training.distillation import DistilSettings, Teacher, with_maps
from ganprune.training.pictures import Drawn, TrainingPictures


@dataclass(frozen=True, slots=True)
class _Said:
    """What an original made of one picture, in few bytes."""

    picture: Tensor
    """Its translation: float16 [3, h, w]."""
    levels: tuple[Tensor, ...]
    """Its maps, uint8 [channels, h/4, w/4] in channels-last order: what lies between the least and the
    greatest value of a channel in 255 steps."""
    ranges: tuple[tuple[Tensor, Tensor], ...]
    """The least value of every channel and its step, float32 [channels, 1, 1] each."""

    @classmethod
    def of(cls, picture: Tensor, maps: Sequence[Tensor]) -> "_Said":
        """float [3, h, w] in [-1, 1], and float [channels, h/4, w/4] each."""
        levels, ranges = list[Tensor](), list[tuple[Tensor, Tensor]]()
        for one in maps:
            low, high = one.float().aminmax(dim=-1, keepdim=True)
            low, high = low.amin(-2, keepdim=True), high.amax(-2, keepdim=True)
            step = ((high - low) / 255).clamp_min(torch.finfo(torch.float32).tiny)
            nearest = ((one.float() - low) / step).round_().to(torch.uint8)
            levels.append(nearest.permute(1, 2, 0).contiguous().permute(2, 0, 1))
            ranges.append((low, step))
        return cls(picture.half(), tuple(levels), tuple(ranges))

    @property
    def bytes(self) -> int:
        """That it takes."""
        parts = (self.picture, *self.levels, *(part for ends in self.ranges for part in ends))
        return sum(part.numel() * part.element_size() for part in parts)


@dataclass(frozen=True, slots=True)
class Lesson:
    """What an original made of a batch."""

    picture: Tensor
    """Translations: float32 [n, 3, h, w] in [-1, 1]."""
    maps: list[Tensor]
    """Maps of its trunk, float32 [n, channels, h/4, w/4] in channels-last order, one a place."""


def quarter_of_memory(device: str) -> int:
    """Bytes: a quarter of this machine's memory, or of a GPU's; 2 GiB where the system does not tell."""
    if torch.device(device).type == "cuda":
        return torch.cuda.mem_get_info(device)[1] // 4
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
        taps = teacher.taps(settings.places) if settings.maps else []
        self.taps = tuple(tap.module for tap in taps)
        """Modules whose maps are compared."""
        self._side: Domain = side
        self._data, self._device, self._precision = data, device, precision
        self._generator = _placed(teacher.generator, device)
        self._channels = None if settings.adapters else [tap.kept.to(device) for tap in taps]
        self._memory = quarter_of_memory(device) if memory is None else memory
        self._kept: dict[Drawn, _Said] = {}
        self._spent, self._computed = 0.0, 0

    def ahead(self) -> tuple[float, int]:
        """Seconds that one more lesson takes, and how many will be computed once and then kept.

        Judged by those computed so far, at least one.
        """
        each = self._spent / self._computed
        size = next((said.bytes for said in self._kept.values()), 0)
        left = self._data.variants(self._side) - len(self._kept)
        return each, min(left, self._memory // size) if size else 0

    def __call__(self, drawn: Sequence[Drawn]) -> Lesson:
        """For the parts of pictures that a step sees."""
        taught = [self._said(one) for one in drawn]
        picture = torch.stack([said.picture for said in taught])
        return Lesson(picture.float(), [_batch(taught, place) for place in range(len(self.taps))])

    @torch.no_grad()
    def _said(self, drawn: Drawn) -> _Said:
        if drawn in self._kept:
            return self._kept[drawn]
        started = time.monotonic()
        x = self._data.pictures(self._side, [drawn]).to(self._device)
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self._precision == "bfloat16"):
            picture, maps = with_maps(self._generator, x, self.taps)
        if self._channels is not None:
            maps = [m.index_select(1, kept) for m, kept in zip(maps, self._channels, strict=True)]
        said = _Said.of(picture[0], [m[0] for m in maps])
        self._spent += time.monotonic() - started
        self._computed += 1
        if self._data.variants(self._side) and said.bytes <= self._memory:
            self._memory -= said.bytes
            self._kept[drawn] = said
        return said


def _batch(taught: Sequence[_Said], place: int) -> Tensor:
    """Maps of one place: float32 [n, channels, h, w] in channels-last order."""
    maps = list[Tensor]()
    for said in taught:
        low, step = said.ranges[place]
        maps.append(torch.addcmul(low, said.levels[place].float(), step).permute(1, 2, 0))
    return torch.stack(maps).permute(0, 3, 1, 2)


def _placed(generator: nn.Module, device: str) -> nn.Module:
    twin = copy.deepcopy(generator).to(device).float().eval().requires_grad_(False)
    return channels_last(twin) if device == "cpu" else twin
