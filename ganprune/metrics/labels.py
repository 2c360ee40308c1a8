"""Label pictures of cityscapes: colours → the 19 classes that are scored.

Source: cityscapesScripts, ``helpers/labels.py``: train ids 0…18, and the colours of all classes.
"""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ganprune.errors import DataError
from ganprune.images.reading import stored_picture
from ganprune.images.rgb import UnfitPicture, shown

VOID = 255  # pixels that are not scored

CITYSCAPES: dict[str, tuple[int, int, int]] = {
    "road": (128, 64, 128), "sidewalk": (244, 35, 232), "building": (70, 70, 70), "wall": (102, 102, 156),
    "fence": (190, 153, 153), "pole": (153, 153, 153), "traffic light": (250, 170, 30),
    "traffic sign": (220, 220, 0), "vegetation": (107, 142, 35), "terrain": (152, 251, 152),
    "sky": (70, 130, 180), "person": (220, 20, 60), "rider": (255, 0, 0), "car": (0, 0, 142),
    "truck": (0, 0, 70), "bus": (0, 60, 100), "train": (0, 80, 100), "motorcycle": (0, 0, 230),
    "bicycle": (119, 11, 32),
}  # fmt: skip
"""Names and colours of the classes, in the order of their train ids."""

IGNORED: tuple[tuple[int, int, int], ...] = (
    (0, 0, 0), (111, 74, 0), (81, 0, 81), (250, 170, 160), (230, 150, 140), (180, 165, 180),
    (150, 100, 100), (150, 120, 90), (0, 0, 90), (0, 0, 110),
)  # fmt: skip
"""Colours of classes that are not scored: unlabelled, dynamic, ground, parking, rail track, guard rail,
bridge, tunnel, caravan, trailer."""

FAR = 20.0
"""A pixel is like no class where its colour is further than this from all, of 255 a channel. Of maps of
random 8×8 blocks at most 45 % of the pixels are so, halved bilinearly or as JPEG of quality 50 and more; of
1256 of 1260 photographs of horse2zebra more than half."""

GREY = frozenset({"L", "LA", "I", "I;16", "I;16B", "I;16L", "I;16N"})
"""PIL's modes of pictures of one channel, but for transparency, with 8 bits or more."""

_ADVICE = "give label pictures in cityscapes' colours, or train ids as grey pictures of one channel"


def read_labels(path: Path) -> Tensor:
    """uint8 [h, w] of train ids, `VOID` where a pixel is not scored.

    A grey picture of 8 or 16 bits holds the ids themselves, transparent or not; of any other the colours are
    decoded. Raises `DataError` for a file that cannot be read, is no label map, or is void throughout.
    """
    picture = stored_picture(path)
    try:
        ids = _grey(picture)
        if ids is None:
            ids = decode_labels(shown(picture).pixels)
        if bool((ids == VOID).all()):
            raise DataError(f"needed pixels of scored classes, found only void; {_ADVICE}")
    except (DataError, UnfitPicture) as error:
        raise DataError(f"{path}: {error}") from None
    return ids


def decode_labels(picture: Tensor) -> Tensor:
    """The class of the nearest colour of every pixel: uint8 [3, h, w] → uint8 [h, w].

    Nearest, because JPEG and resizing change colours; ignored classes take part, and become `VOID`. Raises
    `DataError` where most pixels are further than `FAR` from every colour.
    """
    colours = torch.tensor([*CITYSCAPES.values(), *IGNORED]).float()  # [29, 3]
    pixels = picture.flatten(1).T.float()  # [h w, 3]
    nearest = (
        pixels.square().sum(1, keepdim=True) - 2 * pixels @ colours.T + colours.square().sum(1)
    ).argmin(1)
    far = float(((pixels - colours[nearest]).square().sum(1) > FAR**2).float().mean())
    if far > 0.5:
        raise DataError(
            f"needed a label map, found that {far:.0%} of the pixels are far from all colours of cityscapes; "
            f"{_ADVICE}"
        )
    ids = torch.where(nearest < len(CITYSCAPES), nearest, VOID)
    return ids.to(torch.uint8).reshape(picture.shape[1:])


def _grey(picture: Image.Image) -> Tensor | None:
    """The numbers in a grey picture, uint8 [h, w]; None for one of colours."""
    if picture.mode not in GREY:
        return None
    values = np.asarray(picture)
    values = values[..., 0] if values.ndim == 3 else values
    if values.min() < 0 or values.max() > VOID:
        odd = values.min() if values.min() < 0 else values.max()
        raise DataError(f"needed train ids from 0 to {VOID}, found {odd}; {_ADVICE}")
    return torch.from_numpy(values.astype(np.uint8))
