"""CycleGAN's preprocessing for training: a fixed half, done once a file, and a random half, done each time.

Source: pytorch-CycleGAN-and-pix2pix, ``data/base_dataset.py``, ``get_transform``. All resizing is bicubic.
"""

from dataclasses import dataclass
from typing import get_args

import torch
from torch import Tensor

from ganprune.errors import UsageError
from ganprune.images.sizes import STEP, check_size
from ganprune.images.values import resized
from ganprune.settings.words import Preprocess

PREPROCESS_MODES: tuple[Preprocess, ...] = get_args(Preprocess)


@dataclass(frozen=True, slots=True)
class Crop:
    """What chance takes of a picture: a rectangle, mirrored or not. Pixels."""

    top: int
    left: int
    height: int
    width: int
    mirrored: bool

    def __call__(self, picture: Tensor) -> Tensor:
        """Of a picture [c, h, w]."""
        part = picture[:, self.top : self.top + self.height, self.left : self.left + self.width]
        return (part.flip(-1) if self.mirrored else part).contiguous()


@dataclass(frozen=True, slots=True)
class TrainTransform:
    """How a training picture becomes what the networks see."""

    size: int = 256  # height and width of crops, pixels; a multiple of 4
    load_size: int = 286
    """Height and width (or the width alone) that pictures are resized to before cropping, pixels."""
    mode: Preprocess = "resize_and_crop"  # see `Preprocess`
    flip: bool = True  # mirror left and right with a probability of 0.5

    def __post_init__(self) -> None:
        if self.mode not in PREPROCESS_MODES:
            raise UsageError(
                f"--preprocess must be one of {', '.join(PREPROCESS_MODES)}, found {self.mode!r}"
            )
        check_size(self.size)
        if self.mode in ("resize_and_crop", "scale_width_and_crop") and self.load_size < self.size:
            raise UsageError(
                f"--set load-size must be at least --size for --set preprocess={self.mode}, "
                f"found {self.load_size} and {self.size}"
            )
        if self.mode == "scale_width" and (self.load_size < 16 or self.load_size % STEP):
            raise UsageError(
                "--set load-size must be a multiple of 4 and at least 16 for --set preprocess=scale_width, "
                f"found {self.load_size}"
            )

    @property
    def cuts(self) -> bool:
        """Whether what is shown of a picture depends on where chance cuts it."""
        return self.crops and (self.mode != "resize_and_crop" or self.load_size > self.size)

    @property
    def crops(self) -> bool:
        """Whether every result is size × size; otherwise pictures keep different shapes."""
        return "crop" in self.mode

    def resize(self, picture: Tensor) -> Tensor:
        """The fixed half of a picture [c, h, w]: what does not depend on chance.

        Raises `UsageError` where a crop would not fit.
        """
        height, width = picture.shape[1:]
        if self.mode == "resize_and_crop":
            wanted = (self.load_size, self.load_size)
        elif self.mode == "scale_width_and_crop":
            wanted = (self.load_size, int(max(self.load_size * height / width, self.size)))
        elif self.mode == "scale_width":  # CycleGAN keeps any height; networks need a multiple of 4
            wanted = (self.load_size, _multiple_of_4(max(self.load_size * height / width, self.size)))
        elif self.mode == "none":
            wanted = (_multiple_of_4(width), _multiple_of_4(height))
        else:
            wanted = (width, height)
        if self.crops and min(wanted) < self.size:
            raise UsageError(
                f"--preprocess {self.mode} needs pictures of at least {self.size}×{self.size}, "
                f"found {width}×{height}; use --preprocess resize_and_crop or a smaller --size"
            )
        return resized(picture, wanted[1], wanted[0])

    def place(self, height: int, width: int, generator: torch.Generator) -> "Crop":
        """Where chance cuts a picture of this height and width after `resize`, and whether it is mirrored."""
        top = left = 0
        if self.crops:
            top, left = (
                int(torch.randint(side - self.size + 1, (), generator=generator)) for side in (height, width)
            )
            height = width = self.size
        mirrored = self.flip and bool(torch.rand((), generator=generator) < 0.5)
        return Crop(top, left, height, width, mirrored)

    def draw(self, picture: Tensor, generator: torch.Generator) -> Tensor:
        """The random half: [c, h, w] after `resize` → [c, size, size], or [c, h, w] uncropped."""
        return self.place(picture.shape[1], picture.shape[2], generator)(picture)

    def still(self, picture: Tensor) -> Tensor:
        """As `draw` without chance: the middle, not mirrored."""
        if not self.crops:
            return picture
        top, left = (picture.shape[1] - self.size) // 2, (picture.shape[2] - self.size) // 2
        return picture[:, top : top + self.size, left : left + self.size].contiguous()


def _multiple_of_4(length: float) -> int:
    """The nearest multiple of 4, at least 16."""
    return max(round(length / STEP) * STEP, 4 * STEP)
