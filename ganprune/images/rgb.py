"""What is stored in a picture file → what networks are shown: 8 bits a channel, upright. One rule everywhere.

Nothing is clipped or turned black without a word. Read as they are, or as Pillow converts them: black and
white, grey, palettes, RGB, CMYK, YCbCr. By the high byte: 16 bits a channel. From 0 to 1: floats. From 0 to
255: whole numbers of 32 bits. All else is refused by name. What a file's owner may not expect, such as an
alpha channel that is left out, becomes a remark.

Networks of one channel are shown pictures in grey, those of three RGB, those of four RGB and alpha. Other
numbers of channels come from `ganprune.images.arrays`.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ganprune.images.arrays import UnfitPicture
from ganprune.images.pairs import Half
from ganprune.images.values import to_tensor
from ganprune.reporting import Reporter
from ganprune.storage.tables import listed

UPRIGHT = "turned upright, as their EXIF orientation says"
ALPHA = "shown without their alpha channel"
FIRST = "shown by the first of their frames"
FLOATS = "made of floats, 0 taken as black and 1 as white"
GREY = "of colours, shown in grey"
OPAQUE = "without an alpha channel, taken as opaque"
DARK = "of 16 bits that use less than 12, nearly black by their high bytes"

_ORIENTATION = 0x0112  # EXIF's number of the tag
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # fmt: skip
"""Values of the tag, but for 1, which is upright, and what makes such a picture so."""
_MODES = frozenset({"1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "HSV"})
"""Pillow's modes of 8 bits a channel that it converts to RGB."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture as networks are shown it."""

    pixels: Tensor  # [c, h, w]: uint8, or float32 in [-1, 1]
    alpha: Tensor | None = None  # uint8 [1, h, w]; None where the picture is opaque throughout
    remarks: tuple[str, ...] = ()  # what was done that its owner may not expect; see `Remarks`


class Remarks:
    """What was done to pictures that their owners may not expect, gathered to be told once for all."""

    def __init__(self) -> None:
        self._paths: dict[str, list[Path]] = {}

    def add(self, path: Path, remarks: tuple[str, ...]) -> None:
        """Remarks on one picture."""
        for remark in remarks:
            self._paths.setdefault(remark, []).append(path)

    def tell(self, reporter: Reporter, ways_out: dict[str, str] | None = None) -> None:
        """One line for each kind of remark. ways_out: remark → how to have it otherwise."""
        for remark, paths in self._paths.items():
            way = (ways_out or {}).get(remark)
            named = listed([path.name for path in paths], 3)
            reporter.info(f"pictures {remark}{f'; {way}' if way else ''}: {named}")


def shown(
    picture: Image.Image, channels: int | None = 3, upright: bool = True, half: Half | None = None
) -> Shown:
    """A decoded picture of any mode as networks of ``channels`` are shown it.

    channels: None: 1 of grey pictures, 3 of others. upright: turned as its EXIF orientation says; otherwise
    as it is stored. half: which of two pictures side by side is meant. Raises `UnfitPicture`.
    """
    channels = channels or (1 if is_grey(picture) else 3)
    if channels not in (1, 3, 4):
        kind = "a grey" if is_grey(picture) else "an RGB"
        raise UnfitPicture(f"{kind} picture; networks of {channels} channels take .npy files")
    remarks = list[str]()
    turn = _turn(picture) if upright else None
    if turn is not None:
        remarks.append(UPRIGHT)
    if _is_animated(picture):
        remarks.append(FIRST)
    alpha = _alpha(picture)
    if alpha is not None and channels != 4:
        remarks.append(ALPHA)
    if channels == 4 and not picture.has_transparency_data:
        remarks.append(OPAQUE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # transparency that RGB drops
        rgb = _in_8_bits(picture, remarks.append).convert("RGB")
    if turn is not None:
        rgb, alpha = rgb.transpose(turn), alpha and alpha.transpose(turn)
    pixels = torch.from_numpy(np.array(rgb)).permute(2, 0, 1)
    grey = to_tensor(rgb.convert("L"))
    around = None if alpha is None else to_tensor(alpha)
    if half is not None:
        pixels, grey, around = half.of(pixels), half.of(grey), None if around is None else half.of(around)
    if channels == 1:
        if not pixels.eq(pixels[:1]).all():
            remarks.append(GREY)
        pixels = grey
    elif channels == 4:
        opaque = torch.full_like(pixels[:1], 255)
        pixels, around = torch.cat([pixels, opaque if around is None else around]), None
    return Shown(pixels, around, tuple(remarks))


def is_grey(picture: Image.Image) -> bool:
    """Whether it is stored in one channel, but for alpha."""
    return picture.mode in ("1", "L", "LA", "La", "I", "F") or picture.mode.startswith("I;16")


def _in_8_bits(picture: Image.Image, remark: Callable[[str], None]) -> Image.Image:
    """A picture whose mode Pillow converts to RGB without loss of its range."""
    mode = picture.mode
    if mode in _MODES:
        return picture
    if mode not in ("I", "F") and not mode.startswith("I;16"):
        colours = "Lab colours" if mode == "LAB" else f"mode {mode}"
        raise UnfitPicture(f"{colours}; needed RGB or grey")
    numbers = np.asarray(picture)
    if mode.startswith("I;16") or (mode == "I" and picture.format in ("PNG", "PPM")):  # both of 16 bits
        if 0 < numbers.max(initial=0) < 1 << 12:
            remark(DARK)
        return Image.fromarray((numbers >> 8).astype(np.uint8))
    low, high = float(numbers.min()), float(numbers.max())
    kind, most = ("floats", 1) if mode == "F" else ("whole numbers of 32 bits", 255)
    if not (low >= 0 and high <= most):  # NaN too
        raise UnfitPicture(
            f"{kind} from {low:g} to {high:g}; needed them from 0 to {most}, or 8 or 16 bits a channel"
        )
    if mode == "F":
        remark(FLOATS)
        numbers = np.rint(numbers * 255)
    return Image.fromarray(numbers.astype(np.uint8))


def _turn(picture: Image.Image) -> Image.Transpose | None:
    try:
        return _TURNS.get(picture.getexif().get(_ORIENTATION, 1))
    except Exception:  # of EXIF that is damaged: the picture itself is none the worse
        return None


def _is_animated(picture: Image.Image) -> bool:
    """Whether there are more frames; MPO files of phones hold previews and depth beside the photograph."""
    try:
        return picture.format != "MPO" and bool(getattr(picture, "is_animated", False))
    except Exception:  # of a second frame that is damaged: the first is what counts
        return False


def _alpha(picture: Image.Image) -> Image.Image | None:
    if not picture.has_transparency_data or picture.mode not in _MODES:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of palettes, on bytes of transparency
        alpha = picture.convert("RGBA").getchannel("A")
    return None if alpha.getextrema() == (255, 255) else alpha
