"""CycleGAN's preprocessing for tests: no crop, no flip, nothing random.

Source: pytorch-CycleGAN-and-pix2pix, ``get_transform`` of ``data/base_dataset.py``, with the defaults of
``options/test_options.py`` (``load_size`` is ``crop_size``), under which ``resize_and_crop`` crops nothing.

Pictures differ from CycleGAN's in these cases. ``scale_width``: heights are in proportion, to the nearest
multiple of 4; CycleGAN makes them at least its ``crop_size``, and cuts off fractions. ``none``: sides of
less than 14 pixels become 16. Pictures of 16 bits a pixel keep their high bytes; CycleGAN makes them
white. As in CycleGAN, the rotation that a camera wrote into EXIF is not applied.
"""

from dataclasses import dataclass
from typing import Literal, get_args

from PIL import Image
from torch import Tensor

from ganprune.errors import UsageError
from ganprune.images import TrainTransform
from ganprune.images.reading import to_tensor
from ganprune.onnx_cost import DEFAULT_SIZE, PictureInput
from ganprune.sizes import SMALLEST, check_size

Mode = Literal["resize", "scale_width", "none"]
"""resize: to height × width. scale_width: to a width, the height in proportion. none: to the next
multiples of 4. All resizing is bicubic."""

MODES: tuple[Mode, ...] = get_args(Mode)


@dataclass(frozen=True, slots=True)
class Preparation:
    """How a picture becomes what a network sees."""

    mode: Mode = "resize"
    """See `Mode`."""
    height: int = DEFAULT_SIZE
    """Pixels; for resize alone."""
    width: int = DEFAULT_SIZE
    """Pixels; for resize and scale_width."""

    def __call__(self, picture: Image.Image) -> Tensor:
        """An RGB picture of any size → uint8 [3, h, w]."""
        if self.mode == "resize":
            return to_tensor(picture.resize((self.width, self.height), Image.Resampling.BICUBIC))
        return to_tensor(TrainTransform(SMALLEST, self.width, self.mode, flip=False).resize(picture))


def preparation_for(
    mode: str, size: int | None, takes: PictureInput | None = None, default: int = DEFAULT_SIZE
) -> Preparation:
    """The preparation that ``--preprocess`` and ``--size`` ask for; without a size, ``default``.

    ``takes`` is the input of an ONNX file, which may be of one size only: pictures are then resized to
    that. Raises `UsageError` for an unknown mode, and for sizes that do not fit the mode or the file.
    """
    if mode not in MODES:
        raise UsageError(f"--preprocess must be one of {', '.join(MODES)}, found {mode!r}")
    if takes is not None and any(takes.dims[2:]):
        if mode != "resize":
            sides = "×".join("any" if side is None else str(side) for side in takes.dims[2:])
            raise UsageError(
                f"--preprocess {mode} needs a network that takes any size, found that {takes.file} takes "
                f"{sides} pixels; use --preprocess resize, or export it again with --dynamic"
            )
        return Preparation("resize", *takes.picture(takes.shape(size)))
    if size is not None and mode == "none":
        raise UsageError("--preprocess none keeps the size of pictures; leave --size out")
    side = default if size is None else size
    check_size(side)
    return Preparation(mode, side, side)
