"""Label pictures of cityscapes: colours → the 19 classes that are scored.

Source: cityscapesScripts, ``helpers/labels.py``: train ids 0…18, and the colours of all classes.
"""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ganprune.errors import DataError
from ganprune.images import open_picture
from ganprune.images.reading import to_tensor

VOID = 255
"""Pixels that are not scored."""

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


def read_labels(path: Path) -> Tensor:
    """uint8 [h, w] of train ids, `VOID` where a pixel is not scored.

    A grey picture holds the ids themselves; of any other the colours are decoded. Raises `DataError` for a
    file that cannot be read.
    """
    try:
        with Image.open(path) as picture:
            if picture.mode == "L":
                return torch.from_numpy(np.array(picture, dtype=np.uint8))
    except OSError as error:
        raise DataError(f"{path} cannot be read as a picture ({error}); remove or replace it") from error
    return decode_labels(to_tensor(open_picture(path)))


def decode_labels(picture: Tensor) -> Tensor:
    """The class of the nearest colour of every pixel: uint8 [3, h, w] → uint8 [h, w].

    Nearest, because JPEG and resizing change colours; ignored classes take part, and become `VOID`.
    """
    colours = torch.tensor([*CITYSCAPES.values(), *IGNORED]).float()  # [29, 3]
    pixels = picture.flatten(1).T.float()  # [h w, 3]
    nearest = (
        pixels.square().sum(1, keepdim=True) - 2 * pixels @ colours.T + colours.square().sum(1)
    ).argmin(1)
    ids = torch.where(nearest < len(CITYSCAPES), nearest, VOID)
    return ids.to(torch.uint8).reshape(picture.shape[1:])
