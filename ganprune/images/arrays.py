"""Pictures of any number of channels: .npy files, which hold one array of height × width × channels.

    uint8               0…255 → as they are
    uint16              0…65535 → [-1, 1]
    floats              in [-1, 1], as networks see them

Height × width alone is one channel. Everything else is refused by name.
"""

from io import BytesIO

import numpy as np
import torch
from torch import Tensor

SUFFIX = ".npy"


class UnfitPicture(ValueError):
    """A picture that decodes, and whose numbers no rule makes a picture of; says what they are."""


def decoded_array(content: bytes, channels: int | None) -> Tensor:
    """The picture in a file's bytes: [c, h, w], uint8 or float32 in [-1, 1].

    channels: how many it must have; None: any. Raises `UnfitPicture` for other arrays, and what NumPy
    raises for what is none. Nothing of the file is run.
    """
    found = np.load(BytesIO(content), allow_pickle=False)
    if not isinstance(found, np.ndarray):
        raise UnfitPicture("several arrays; needed one")
    shape = "×".join(map(str, found.shape))
    if found.ndim not in (2, 3) or not found.size:
        raise UnfitPicture(f"an array of {shape or 'one number'}; needed height×width×channels")
    pixels = found if found.ndim == 3 else found[..., None]
    if channels not in (None, pixels.shape[2]):
        first = ", channels last" if pixels.shape[0] == channels else ""
        raise UnfitPicture(f"an array of {shape}; needed height×width×{channels}{first}")
    return torch.from_numpy(np.ascontiguousarray(_in_range(pixels).transpose(2, 0, 1)))


def _in_range(numbers: "np.ndarray") -> "np.ndarray":
    if numbers.dtype == np.uint8:
        return numbers
    if numbers.dtype.kind == "u" and numbers.dtype.itemsize == 2:
        return (numbers / 65535 * 2 - 1).astype(np.float32)
    if numbers.dtype.kind != "f":
        raise UnfitPicture(f"numbers of type {numbers.dtype}; needed uint8, uint16, or floats from -1 to 1")
    low, high = float(numbers.min()), float(numbers.max())
    if not (low >= -1 and high <= 1):  # NaN too
        raise UnfitPicture(f"floats from {low:g} to {high:g}; needed them from -1 to 1")
    return numbers.astype(np.float32)
