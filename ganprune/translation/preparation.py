"""CycleGAN's preprocessing for tests: no crop, no flip, nothing random.

Source: pytorch-CycleGAN-and-pix2pix, ``get_transform`` of ``data/base_dataset.py``, with the defaults of
``options/test_options.py`` (``load_size`` is ``crop_size``), under which ``resize_and_crop`` crops nothing.

Pictures differ from CycleGAN's in these cases. ``none`` and ``scale_width``: the network needs multiples of
4, so pictures are padded by their mirror image, and the result is cut to the size they had; CycleGAN resizes
them to multiples of 4, and makes heights at least its ``crop_size``. Pictures of 16 bits a pixel keep their
high bytes; CycleGAN makes them white. They are turned upright as EXIF says, unless they are asked for as
stored; see `ganprune.images.rgb`.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor

from ganprune.errors import UsageError
from ganprune.images.sizes import SMALLEST, STEP, check_size
from ganprune.images.values import resized
from ganprune.onnx_files.cost import DEFAULT_SIZE, PictureInput, spelled

Mode = Literal["resize", "scale_width", "none"]
"""resize: to height × width. scale_width: to a width, the height in proportion. none: as they are. All
resizing is bicubic."""

MODES: tuple[Mode, ...] = get_args(Mode)


@dataclass(frozen=True, slots=True)
class Preparation:
    """How a picture becomes what a network sees."""

    mode: Mode = "resize"  # see `Mode`
    height: int = DEFAULT_SIZE  # pixels; for resize alone
    width: int = DEFAULT_SIZE  # pixels; for resize and scale_width

    least: int = SMALLEST  # height and width, pixels, that smaller pictures are padded to
    stride: int = STEP  # heights and widths that the network takes are multiples of this

    def __call__(self, picture: Tensor) -> Tensor:
        """A picture [c, h, w] of any size → [c, h', w'], as large as its result will be."""
        height, width = picture.shape[1:]
        if self.mode == "resize":
            height, width = self.height, self.width
        elif self.mode == "scale_width":
            height, width = max(1, round(self.width * height / width)), self.width
        return resized(picture, height, width)

    def padded(self, picture: Tensor) -> Tensor:
        """[c, h, w] → the same with its mirror image on the right and below, up to multiples of the
        stride."""
        more = [max(side + -side % self.stride, self.least) - side for side in picture.shape[1:]]
        if not any(more):
            return picture
        return torch.from_numpy(np.pad(picture.numpy(), [(0, 0), *((0, n) for n in more)], mode="reflect"))


def preparation_for(
    mode: str,
    size: int | None,
    takes: PictureInput | None = None,
    default: int = DEFAULT_SIZE,
    tile: int | None = None,
    stride: int = STEP,
) -> Preparation:
    """The preparation that ``--preprocess`` and ``--size`` ask for; without a size, ``default``.

    ``takes`` is the input of an ONNX file, which may be of one size only: pictures are then resized to
    that, unless it is the size of tiles. ``stride`` is the network's. Raises `UsageError` for an unknown
    mode, and for sizes that do not fit the mode, the network or the file.
    """
    if mode not in MODES:
        raise UsageError(f"--preprocess must be one of {', '.join(MODES)}, found {mode!r}")
    fixed = takes if takes is not None and any(takes.dims[2:]) else None
    if fixed is not None and tile is not None:
        sides = fixed.picture(fixed.shape())
        if sides != (tile, tile):
            raise UsageError(f"--tile {tile}: needed the size that {fixed.file} takes, {sides[1]}×{sides[0]}")
    elif fixed is not None:
        if mode != "resize":
            raise UsageError(
                f"--preprocess {mode} needs a network that takes any size, found that {fixed.file} takes "
                f"{spelled(fixed.dims[2:])} pixels; use --preprocess resize or --tile, or export it again "
                "with --dynamic"
            )
        return Preparation("resize", *fixed.picture(fixed.shape(size)))
    if size is not None and mode == "none":
        raise UsageError("--preprocess none keeps the size of pictures; leave --size out")
    side = default if size is None else size
    check_size(side)
    if mode == "resize" and side % stride:
        raise UsageError(f"--size must be a multiple of {stride} for this network, found {side}")
    least = -(-SMALLEST // stride) * stride if fixed is None or tile is None else tile
    return Preparation(mode, side, side, least, stride)
