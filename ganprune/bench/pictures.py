"""What the networks are run on: noise, or the user's pictures as each file takes them."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganprune.errors import InputError, UsageError
from ganprune.onnx_files.cost import PictureInput

MOST_PICTURES = 16  # of a folder; networks are run on them in turns


def inputs_for(
    takes: PictureInput, shape: tuple[int, ...], pictures: tuple[Path, ...], seed: int
) -> NDArray[Any]:
    """Inputs of ``shape`` and of the file's type: [k, *shape], one a picture; one of noise without any.

    A picture is resized (bicubic) to what the file takes, and fills its whole batch. float32 inputs get it
    in [-1, 1] as CycleGAN does. Raises `DataError` for files that are no pictures, or none of as many
    channels as the network takes.
    """
    if pictures:
        return np.stack([_decoded(path, takes, shape) for path in pictures])
    generator = np.random.default_rng(seed)
    if takes.dtype == "uint8":
        return generator.integers(256, size=(1, *shape), dtype=np.uint8)
    return generator.uniform(-1, 1, (1, *shape)).astype(np.float32)


def pictures_at(path: Path | None) -> tuple[Path, ...]:
    """The picture, or the first of a folder and below it; none for None.

    Raises `UsageError` where there is no such path, `InputError` where a folder holds no pictures.
    """
    from ganprune.images.folders import no_pictures, pictures_below

    if path is None:
        return ()
    if not path.exists():
        raise UsageError(f"--input {path} does not exist; give a picture or a folder of pictures")
    if path.is_file():
        return (path,)
    found = pictures_below(path)
    if not found:
        raise InputError(f"--input {no_pictures(path)}")
    return found[:MOST_PICTURES]


def _decoded(path: Path, takes: PictureInput, shape: tuple[int, ...]) -> NDArray[Any]:
    from ganprune.images import open_picture, resized, to_float, to_uint8

    channels = shape[3] if takes.channels_last else shape[1]
    picture = resized(open_picture(path, channels), *takes.picture(shape))
    picture = to_float(picture) if takes.dtype == "float32" else to_uint8(picture)
    pixels = picture.permute(1, 2, 0) if takes.channels_last else picture
    return np.broadcast_to(pixels.numpy(), shape)
