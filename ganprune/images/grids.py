"""Pictures beside each other, for people to look at."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from ganprune.images.arrays import SUFFIX
from ganprune.images.values import as_rgb, to_float, to_tensor, to_uint8
from ganprune.storage.files import Over, atomic_path

_GAP = 4  # white pixels between two pictures
_LINE = 20  # height of the line of names, pixels


def save_picture(path: Path, picture: Tensor, over: Over = "unchanged") -> None:
    """Write a picture [c, h, w], uint8 or floats in [-1, 1], as the path's ending says; whole or not.

    .npy: float32 [h, w, c] in [-1, 1]. Others: 8 bits a channel; grey, grey and alpha, RGB, or RGB and alpha.
    over: as of `ganprune.storage.files.atomic_path`.
    """
    with atomic_path(path, over) as partial:
        if path.suffix == SUFFIX:
            with partial.open("wb") as file:
                np.save(file, to_float(picture).clamp(-1, 1).permute(1, 2, 0).contiguous().numpy())
        else:
            _to_image(picture).save(partial)


def grid(rows: Sequence[Sequence[Tensor]], columns: Sequence[str] = ()) -> Tensor:
    """Rows of pictures, each [c, h, w], as one picture uint8 [3, H, W], each as `as_rgb` shows it.

    ``columns`` are written above, one a column. Cells are as large as the largest picture.
    """
    width = max(picture.shape[2] for row in rows for picture in row)
    height = max(picture.shape[1] for row in rows for picture in row)
    top = _LINE if columns else 0
    most = max(len(row) for row in rows)
    size = (most * (width + _GAP) - _GAP, top + len(rows) * (height + _GAP) - _GAP)
    sheet = Image.new("RGB", size, "white")
    for i, row in enumerate(rows):
        for j, picture in enumerate(row):
            sheet.paste(_to_image(as_rgb(picture)), (j * (width + _GAP), top + i * (height + _GAP)))
    write = ImageDraw.Draw(sheet)
    for j, name in enumerate(columns):
        place = (j * (width + _GAP) + width / 2, _LINE / 2)
        write.text(place, name, fill="black", font=_font(name, width), anchor="mm")
    return to_tensor(sheet)


def cells(sheet: Tensor, height: int, width: int) -> list[list[Tensor]]:
    """The pictures of a `grid` that has names above: uint8 [3, H, W] → rows of uint8 [3, height, width]."""
    rows = (sheet.shape[1] - _LINE + _GAP) // (height + _GAP)
    columns = (sheet.shape[2] + _GAP) // (width + _GAP)
    tops = [_LINE + i * (height + _GAP) for i in range(rows)]
    lefts = [j * (width + _GAP) for j in range(columns)]
    return [[sheet[:, top : top + height, left : left + width] for left in lefts] for top in tops]


def _font(text: str, width: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The largest of a few sizes that lets the text fit."""
    for size in (14, 12, 10, 8):
        font = ImageFont.load_default(size)
        if font.getlength(text) <= width:
            return font
    return ImageFont.load_default(8)


def _to_image(picture: Tensor) -> Image.Image:
    pixels = to_uint8(picture).permute(1, 2, 0).cpu()
    return Image.fromarray(np.ascontiguousarray(pixels.squeeze(2).numpy()))
