"""Picture files → uint8 tensors. Damaged files are named and skipped, or refused when there are many."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ganprune.errors import DataError
from ganprune.images.folders import PictureFolders
from ganprune.images.rgb import Remarks, Shown, UnfitPicture, shown
from ganprune.reporting import SILENT, Reporter

UNREADABLE_SHARE = 0.1
"""A folder with more unreadable pictures than this share is refused."""

MAX_PIXELS = 178_956_970
"""Pictures of more are refused, as Pillow itself does; so many take half a gibibyte in RGB."""

_T = TypeVar("_T")


def load_pictures(paths: Sequence[Path], size: int, reporter: Reporter = SILENT) -> Tensor:
    """Read pictures as CycleGAN's tests do: RGB, bicubic to ``size``²; uint8 [n, 3, size, size].

    Unreadable files (no picture, cut short, empty, far too large) are skipped with a warning that names
    them while they are at most a tenth, so n may be less than ``len(paths)``. Raises `DataError` where
    there are more, or none can be read.
    """

    remarks = Remarks()

    def read(path: Path) -> Tensor:
        return to_tensor(open_picture(path, remarks).resize((size, size), Image.Resampling.BICUBIC))

    pictures = torch.stack([picture for _, picture in read_all(paths, read, reporter)])
    remarks.tell(reporter)
    return pictures


def readable(folders: PictureFolders, reporter: Reporter = SILENT) -> PictureFolders:
    """The same folders without the training and validation pictures that cannot be read.

    Decodes every one of them once. Warns and raises as `load_pictures` does, folder by folder, and tells
    what is remarkable about them.
    """
    kept, remarks = dict[str, tuple[Path, ...]](), Remarks()
    for name in ("train_A", "train_B", "val_A", "val_B"):
        paths: tuple[Path, ...] = getattr(folders, name)
        if paths:
            kept[name] = readable_of(paths, reporter, remarks)
    remarks.tell(reporter)
    return replace(folders, **kept)


def readable_of(
    paths: Sequence[Path], reporter: Reporter, remarks: Remarks | None = None
) -> tuple[Path, ...]:
    """Those files that can be decoded; few bad ones are named, many raise `DataError`."""

    def decodes(path: Path) -> None:
        open_picture(path, remarks)

    return tuple(path for path, _ in read_all(paths, decodes, reporter))


def open_picture(path: Path, remarks: Remarks | None = None) -> Image.Image:
    """Decode one file as RGB, whole and upright. Raises as `shown_picture`."""
    return shown_picture(path, remarks).rgb


def shown_picture(path: Path, remarks: Remarks | None = None, upright: bool = True) -> Shown:
    """Decode one file, whole, as networks are shown it; ``remarks`` gathers what is remarkable about it.

    Raises `DataError` naming the file where that cannot be done.
    """
    try:
        picture = shown(stored_picture(path), upright)
    except UnfitPicture as error:
        raise DataError(f"{path} cannot be read as a picture ({error}); remove or replace it") from error
    if remarks is not None:
        remarks.add(path, picture.remarks)
    return picture


def stored_picture(path: Path) -> Image.Image:
    """Decode one file, whole, in the mode that it is stored in. The one place where pictures are opened."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # odd metadata; large pictures, which are refused below
            picture = Image.open(BytesIO(path.read_bytes()))
            if picture.width * picture.height > MAX_PIXELS:
                raise Image.DecompressionBombError
            picture.load()
            return picture
    except Exception as error:  # damaged files make decoders raise nearly anything
        raise DataError(
            f"{path} cannot be read as a picture ({_reason(error)}); remove or replace it"
        ) from error


def to_tensor(picture: Image.Image) -> Tensor:
    """An RGB picture of PIL → uint8 [3, h, w]."""
    return torch.from_numpy(np.array(picture, dtype=np.uint8)).permute(2, 0, 1).contiguous()


def read_all(paths: Sequence[Path], read: Callable[[Path], _T], reporter: Reporter) -> list[tuple[Path, _T]]:
    """(path, what ``read`` gives) of all files that can be read; judges those that cannot."""
    if not paths:
        raise DataError("no pictures were given to read; give a folder that holds some")
    results: list[tuple[Path, _T]] = []
    bad: list[tuple[Path, DataError]] = []
    for path in paths:
        try:
            results.append((path, read(path)))
        except DataError as error:
            bad.append((path, error))
    counts = f"{len(bad)} of {len(paths)} pictures in {paths[0].parent}"
    if len(bad) > UNREADABLE_SHARE * len(paths):
        raise DataError(
            f"{counts} cannot be read: {_named(bad)}; at most a tenth may be so: remove or replace them"
        )
    if bad:
        reporter.warn(f"skipped {counts} that cannot be read: {_named(bad)}")
    return results


def _named(bad: Sequence[tuple[Path, DataError]], most: int = 10) -> str:
    named = ", ".join(f"{path.name} ({_reason(error.__cause__)})" for path, error in bad[:most])
    return named + (f" and {len(bad) - most} more" if len(bad) > most else "")


def _reason(error: BaseException | None) -> str:
    """A few words on what is wrong with a file."""
    if isinstance(error, Image.UnidentifiedImageError):
        return "no picture"
    if isinstance(error, Image.DecompressionBombError):
        return f"far too large: over {MAX_PIXELS // 1_000_000} million pixels"
    if isinstance(error, UnfitPicture):
        return str(error)
    if isinstance(error, FileNotFoundError):
        return "does not exist"
    if isinstance(error, PermissionError):
        return "no permission to read it"
    return f"damaged: {str(error).splitlines()[0] if str(error) else type(error).__name__}"
