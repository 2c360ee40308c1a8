"""How networks want their pictures: float32 0…255 RGB [n, 3, h, w] → float32 of the same shape."""

from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

Normalise = Callable[[Tensor], Tensor]  # from bytes as floats to what a network was trained on


def torchvision(x: Tensor) -> Tensor:
    """0…1, less the mean of ImageNet, over its standard deviation."""
    mean, sd = _channels(x, 0.485, 0.456, 0.406), _channels(x, 0.229, 0.224, 0.225)
    return (x / 255 - mean) / sd


def keras(x: Tensor) -> Tensor:
    """-1…1."""
    return x / 127.5 - 1


def caffe(x: Tensor) -> Tensor:
    """BGR, less the means of ImageNet."""
    return x.flip(1) - _channels(x, 103.939, 116.779, 123.68)


def unit(x: Tensor) -> Tensor:
    """0…1."""
    return x / 255


def raw(x: Tensor) -> Tensor:
    """0…255."""
    return x


def _channels(x: Tensor, *values: float) -> Tensor:
    """One number a channel, [c, 1, 1], where and how precise ``x`` is."""
    return _constant(values, x.dtype, x.device)


@cache
@torch.inference_mode(False)
def _constant(values: tuple[float, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """Sent to a GPU once only, and so not while a CUDA graph is recorded."""
    return torch.tensor(values, dtype=dtype, device=device)[:, None, None]


NORMALISERS: dict[str, Normalise] = {
    "torchvision": torchvision, "keras": keras, "caffe": caffe, "unit": unit, "raw": raw,
}  # fmt: skip
"""By the names of who feeds networks so."""
