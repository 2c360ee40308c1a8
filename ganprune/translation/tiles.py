"""A picture translated in tiles, for pictures that are too large for the memory."""

from collections.abc import Callable
from itertools import product

import torch
from torch import Tensor

from ganprune.errors import InputError, UsageError
from ganprune.images.sizes import STEP

SMALLEST_TILE = 32  # pixels of a tile's side


class Tiled:
    """A `Translator` that sees a picture tile by tile, and blends tiles where they overlap.

    Not what the network makes of the whole picture: instance norm takes its statistics from each tile, so a
    tile of sky and one of grass come out in other tones than together.
    """

    def __init__(self, translate: Callable[[Tensor], Tensor], side: int) -> None:
        """Tiles of ``side``² pixels that overlap by a quarter. Raises `UsageError` for sides out of range."""
        if side < SMALLEST_TILE or side % STEP:
            raise UsageError(f"--tile must be a multiple of 4 and at least {SMALLEST_TILE}, found {side}")
        self._translate, self._side = translate, side

    def __call__(self, pictures: Tensor) -> Tensor:
        """See `Translator`."""
        height, width = pictures.shape[2:]
        rows, columns = (_parts(length, self._side) for length in (height, width))
        made, weight = pictures.new_zeros(()), pictures.new_zeros(1, 1, height, width)
        for (top, ramp_down), (left, ramp_right) in product(rows, columns):
            place = (..., slice(top, top + len(ramp_down)), slice(left, left + len(ramp_right)))
            share = torch.outer(ramp_down, ramp_right)
            tile = self._translate(pictures[place].contiguous())
            if tile.shape[2:] != share.shape:
                raise InputError(
                    f"--tile needs a network whose pictures stay as large as they are, found that "
                    f"{'×'.join(map(str, share.shape))} became {'×'.join(map(str, tile.shape[2:]))}"
                )
            if made.ndim == 0:  # the network alone knows how many channels it gives
                made = tile.new_zeros(len(tile), tile.shape[1], height, width)
            made[place] += tile * share
            weight[place] += share
        return made.div_(weight)


def _parts(length: int, side: int) -> list[tuple[int, Tensor]]:
    """Where tiles begin along one side of a picture, and how much each of their pixels counts, [side]."""
    if length <= side:
        return [(0, torch.ones(length))]
    overlap = side // 4
    starts = [*range(0, length - side, side - overlap), length - side]
    rise = torch.arange(1, overlap + 1) / (overlap + 1)
    parts = list[tuple[int, Tensor]]()
    for start in starts:
        ramp = torch.ones(side)
        if start > 0:
            ramp[:overlap] = rise
        if start < length - side:
            ramp[-overlap:] = torch.minimum(ramp[-overlap:], rise.flip(0))
        parts.append((start, ramp))
    return parts
