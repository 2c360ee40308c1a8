"""How networks want their pictures: float32 0…255 RGB [n, 3, h, w] → float32 of the same shape."""

from collections.abc import Callable

from torch import Tensor

Normalise = Callable[[Tensor], Tensor]
"""From bytes as floats to what a network was trained on."""


def torchvision(x: Tensor) -> Tensor:
    """0…1, less the mean of ImageNet, over its standard deviation."""
    mean, sd = x.new_tensor((0.485, 0.456, 0.406)), x.new_tensor((0.229, 0.224, 0.225))
    return (x / 255 - mean[:, None, None]) / sd[:, None, None]


def keras(x: Tensor) -> Tensor:
    """-1…1."""
    return x / 127.5 - 1


def caffe(x: Tensor) -> Tensor:
    """BGR, less the means of ImageNet."""
    return x.flip(1) - x.new_tensor((103.939, 116.779, 123.68))[:, None, None]


def unit(x: Tensor) -> Tensor:
    """0…1."""
    return x / 255


def raw(x: Tensor) -> Tensor:
    """0…255."""
    return x


NORMALISERS: dict[str, Normalise] = {
    "torchvision": torchvision, "keras": keras, "caffe": caffe, "unit": unit, "raw": raw,
}  # fmt: skip
"""By the names of who feeds networks so."""
