"""How striped the animals of a picture are, and whether the rest was left alone; no classifier needed."""

from typing import Any

import numpy as np
import numpy.typing as npt

from ganprune.errors import UsageError

Picture = npt.NDArray[np.uint8] | npt.NDArray[np.floating[Any]]
"""[h, w, 3]: uint8 from 0 to 255, or floating point from 0 to 1."""
Mask = npt.NDArray[np.bool_]  # [h, w]: where the animals are

EROSION = 1 / 48
"""The mask's rim of this fraction of the picture's width is left out: outlines are no stripes."""
NEIGHBOURHOOD = 1 / 16
"""Radius of the box whose mean a pixel is compared with, as a fraction of the width: about one stripe."""


def stripe_energy(picture: Picture, mask: Mask) -> float:
    """Contrast of light and dark within a stripe's reach over the animals: < 0.11 plain, > 0.16 striped.

    At 96 pixels plain animals come to about 0.06 and striped ones to 0.36; the smaller the picture, the
    closer the two.

    The root mean square of (Y − m) over the mask without its rim, where Y is the luminance (Rec. 601,
    0 to 1, smoothed by 1-2-1 against grain) and m its mean over those of the pixel's neighbours that
    are animal, divided by the animals' mean luminance plus 0.1. Slow changes such as shading cancel.
    Raises `UsageError` when shapes disagree or the mask is empty after its rim is removed.
    """
    light = _luminance(picture, mask)
    width = mask.shape[1]
    inner = ~_grown(~mask, max(1, round(EROSION * width)))
    if not inner.any():
        raise UsageError(
            "stripe energy needs an animal wider than its outline, found none; give a mask of larger ones"
        )
    light = _smoothed(light, inner)
    radius = max(2, round(NEIGHBOURHOOD * width))
    weight = inner.astype(np.float64)
    local = _box(light * weight, radius) / np.maximum(_box(weight, radius), 1.0)
    contrast = float(np.sqrt(np.mean((light - local)[inner] ** 2)))
    return contrast / (float(np.mean(light[inner])) + 0.1)


def background_change(before: Picture, after: Picture, mask: Mask) -> float:
    """Mean absolute difference of two pictures outside the animals and a rim around them, 0 to 1.

    Raises `UsageError` when shapes disagree or the mask leaves no background.
    """
    one, other = _unit(before, mask), _unit(after, mask)
    outside = ~_grown(mask, max(1, round(EROSION * mask.shape[1])))
    if not outside.any():
        raise UsageError(
            "background change needs pixels outside the mask, found none; give a mask of the animals only"
        )
    return float(np.mean(np.abs(one - other)[outside]))


def _unit(picture: Picture, mask: Mask) -> npt.NDArray[np.float64]:
    if picture.shape != (*mask.shape, 3):
        raise UsageError(
            f"a mask of shape {mask.shape} needs a picture of shape {(*mask.shape, 3)}, "
            f"found {picture.shape}; give both of one scene"
        )
    return picture.astype(np.float64) / (255.0 if picture.dtype == np.uint8 else 1.0)


def _luminance(picture: Picture, mask: Mask) -> npt.NDArray[np.float64]:
    return _unit(picture, mask) @ np.array([0.299, 0.587, 0.114])


def _smoothed(light: npt.NDArray[np.float64], inner: Mask) -> npt.NDArray[np.float64]:
    """1-2-1 smoothing that takes only pixels of ``inner``."""
    weight = inner.astype(np.float64)
    top, bottom = light * weight, weight
    for axis in (0, 1):
        top, bottom = (2 * a + _shift(a, 1, axis) + _shift(a, -1, axis) for a in (top, bottom))
    return top / np.maximum(bottom, 1.0)


def _shift(a: npt.NDArray[np.float64], by: int, axis: int) -> npt.NDArray[np.float64]:
    """The array moved by ``by`` pixels, zeros moving in."""
    pad = [(abs(by), abs(by)) if i == axis else (0, 0) for i in range(a.ndim)]
    start = abs(by) - by
    return np.take(np.pad(a, pad), range(start, start + a.shape[axis]), axis=axis)


def _box(a: npt.NDArray[np.float64], radius: int) -> npt.NDArray[np.float64]:
    """Sum over a square of 2 · radius + 1 pixels, zeros outside the picture."""
    for axis in (0, 1):
        pad = [(radius + 1, radius) if i == axis else (0, 0) for i in range(2)]
        total = np.cumsum(np.pad(a, pad), axis=axis)
        n = a.shape[axis]
        upper = np.take(total, range(2 * radius + 1, 2 * radius + 1 + n), axis=axis)
        a = upper - np.take(total, range(n), axis=axis)
    return a


def _grown(mask: Mask, radius: int) -> Mask:
    """The mask and all pixels at most ``radius`` away in x and in y."""
    return _box(mask.astype(np.float64), radius) > 0.5
