"""Picture files → uint8 tensors. Damaged files are named and skipped, or refused when there are many.

Damaged is what was read and does not decode. What cannot be read, for lack of a permission or because a
disk fails, ends the command: skipped, it would be missing without a word.
"""

import re
import stat
import warnings
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from typing import IO, TypeVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ganprune.errors import DamagedPicture, DataError
from ganprune.images.arrays import SUFFIX, UnfitPicture, decoded_array
from ganprune.images.pairs import Half
from ganprune.images.rgb import Remarks, Shown, is_grey, shown
from ganprune.images.values import resized, to_float
from ganprune.reporting import SILENT, Reporter
from ganprune.storage.tables import listed

UNREADABLE_SHARE = 0.1  # a folder with more unreadable pictures than this share is refused

FORMATS = ("JPEG", "PNG", "PPM", "BMP", "TIFF", "WEBP", "GIF")
"""Pillow's names of the formats that are read, whatever a file's ending is."""

FOREIGN = {
    "a Git LFS pointer: run `git lfs pull` there": re.compile(rb"version https://git-lfs"),
    "HEIC or AVIF: convert it to PNG or JPEG": re.compile(rb"....ftyp(?:hei|mif1|msf1|avi)", re.DOTALL),
    "a web page: download it again": re.compile(rb"\s*<(?:!doctype|html)", re.IGNORECASE),
}
"""What may lie in a picture's place, and how it begins."""

MAX_PIXELS = 178_956_970
"""Pictures of more are refused, as Pillow itself does; so many take half a gibibyte in RGB."""

MAX_BYTES = 2 << 30  # longer files are refused: `MAX_PIXELS` of 16-bit RGB have half of it

_T = TypeVar("_T")


def load_pictures(paths: Sequence[Path], size: int, reporter: Reporter = SILENT, channels: int = 3) -> Tensor:
    """Read pictures as CycleGAN's tests do, bicubic to ``size``²: uint8 [n, channels, size, size].

    float32 in [-1, 1] where files hold more than 8 bits, see `ganprune.images.arrays`.

    Damaged files (no picture, cut short, empty, far too large) are skipped with a warning that names
    them while they are at most a tenth, so n may be less than ``len(paths)``. Raises `DataError` where
    there are more, and for a file that cannot be read.
    """

    remarks = Remarks()

    def read(path: Path) -> Tensor:
        return resized(open_picture(path, channels, remarks), size, size)

    pictures = [picture for _, picture in read_all(paths, read, reporter)]
    remarks.tell(reporter)
    if len({picture.dtype for picture in pictures}) > 1:
        pictures = [to_float(picture) for picture in pictures]
    return torch.stack(pictures)


def readable_of(
    paths: Sequence[Path], reporter: Reporter, remarks: Remarks | None = None, channels: int | None = None
) -> tuple[Path, ...]:
    """Those files that can be decoded; few bad ones are named, many raise `DataError`."""

    def decodes(path: Path) -> None:
        open_picture(path, channels, remarks)

    return tuple(path for path, _ in read_all(paths, decodes, reporter))


def open_picture(path: Path, channels: int | None = 3, remarks: Remarks | None = None) -> Tensor:
    """Decode one file, whole and upright: uint8 [c, h, w], or float32 in [-1, 1]. As `shown_picture`."""
    return shown_picture(path, channels, remarks).pixels


def shown_picture(
    path: Path, channels: int | None = 3, remarks: Remarks | None = None, upright: bool = True
) -> Shown:
    """Decode one file, whole, as networks of ``channels`` are shown it.

    channels: None: those that it has, without alpha. remarks: gathers what is remarkable about it. Raises as
    `stored_picture`, and `DamagedPicture` where its numbers are none that such a picture has.
    """
    half = path if isinstance(path, Half) else None
    try:
        if path.suffix.lower() == SUFFIX:
            pixels = _stored_array(path, channels)
            picture = Shown(pixels if half is None else half.of(pixels))
        else:
            picture = shown(stored_picture(path), channels, upright, half)
    except UnfitPicture as error:
        raise _damaged(path, error) from error
    if remarks is not None:
        remarks.add(path, picture.remarks)
    return picture


def stored_picture(path: Path) -> Image.Image:
    """Decode one file, whole, in the mode that it is stored in. The one place where pictures are opened.

    Raises `DamagedPicture` for a file that is none of `FORMATS`, cut short, or of more than `MAX_PIXELS`;
    `DataError` for one that cannot be read. Whatever its name, no other format is tried: Pillow hands
    PostScript to a program.
    """
    content = _content(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # odd metadata; large pictures, which are refused below
            picture = _opened(BytesIO(content))
            if picture.width * picture.height > MAX_PIXELS:
                raise Image.DecompressionBombError
            picture.load()
            return picture
    except Exception as error:  # damaged files make decoders raise nearly anything
        raise _damaged(path, error) from error


def _stored_array(path: Path, channels: int | None) -> Tensor:
    content = _content(path)
    try:
        found = decoded_array(content, channels)
        if found[0].numel() > MAX_PIXELS:
            raise Image.DecompressionBombError
    except Exception as error:  # whatever NumPy raises
        raise _damaged(path, error) from error
    return found


def stored_size(path: Path) -> tuple[int, int] | None:
    """Width and height of a file, whose first bytes alone are read; None where they tell none."""
    try:
        if path.suffix.lower() == SUFFIX:
            height, width, *_ = np.load(path, mmap_mode="r").shape
            return width, height
        with warnings.catch_warnings(), path.open("rb") as file:
            warnings.simplefilter("ignore")
            return _opened(file).size
    except Exception:  # as above; whoever reads the picture says what is wrong
        return None


def stored_channels(path: Path) -> int | None:
    """Of a file, without alpha; None where that cannot be said."""
    try:
        content = _content(path)
        if path.suffix.lower() == SUFFIX:
            return len(decoded_array(content, None))
        return 1 if is_grey(_opened(BytesIO(content))) else 3
    except Exception:  # whoever reads all pictures judges those
        return None


def _opened(file: IO[bytes]) -> Image.Image:
    """Its pixels are not decoded yet. Raises `UnfitPicture` for what lies in the place of pictures often."""
    try:
        return Image.open(file, formats=FORMATS)
    except Image.UnidentifiedImageError as error:
        file.seek(0)
        head = file.read(64)
        if found := next((kind for kind, begins in FOREIGN.items() if begins.match(head)), None):
            raise UnfitPicture(found) from error
        raise


def _content(path: Path) -> bytes:
    """All of a file; apart from decoding, so that what the system says is not taken for damage."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise _damaged(path, ValueError("no regular file"))
        if status.st_size > MAX_BYTES:
            raise _damaged(path, Image.DecompressionBombError())
        return path.read_bytes()
    except OSError as error:
        raise unreadable(path, error) from error


def _damaged(path: Path, error: Exception) -> DamagedPicture:
    damaged = DamagedPicture(f"{path} cannot be read as a picture ({_reason(error)}); remove or replace it")
    damaged.__cause__ = error
    return damaged


def read_all(paths: Sequence[Path], read: Callable[[Path], _T], reporter: Reporter) -> list[tuple[Path, _T]]:
    """(path, what ``read`` gives) of all files that decode; judges those that do not."""
    if not paths:
        raise DataError("no pictures were given to read; give a folder that holds some")
    results: list[tuple[Path, _T]] = []
    bad: list[tuple[Path, DamagedPicture]] = []
    for path in paths:
        try:
            results.append((path, read(path)))
        except DamagedPicture as error:
            bad.append((path, error))
    if bad and len(paths) == 1:
        raise bad[0][1]
    counts = f"{len(bad)} of {len(paths)} pictures in {paths[0].parent}"
    if len(bad) > UNREADABLE_SHARE * len(paths):
        raise DataError(
            f"{counts} cannot be read: {_named(bad)}; at most a tenth may be so: remove or replace them"
        )
    if bad:
        reporter.warn(f"skipped {counts} that cannot be read: {_named(bad)}")
    return results


def _named(bad: Sequence[tuple[Path, DamagedPicture]]) -> str:
    return listed([f"{path.name} ({_reason(error.__cause__)})" for path, error in bad], 10)


def _reason(error: BaseException | None) -> str:
    """A few words on what is wrong with a file."""
    if isinstance(error, Image.UnidentifiedImageError):
        return "no picture"
    if isinstance(error, Image.DecompressionBombError):
        return f"far too large: over {MAX_PIXELS // 1_000_000} million pixels"
    if isinstance(error, UnfitPicture):
        return str(error)
    return f"damaged: {str(error).splitlines()[0] if str(error) else type(error).__name__}"


def unreadable(path: Path, error: OSError) -> DataError:
    """The error for a file or folder that the system does not give out."""
    return DataError(
        f"{path} cannot be read: {error.strerror or error}; make it readable or take it away, and run again"
    )
