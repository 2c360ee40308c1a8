"""Feature networks of a few channels, in files as other people write them; pictures of one colour family."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor

from tests.tiny import seeded

WIDTHS = (8, 4, *(6,) * 2, *(8,) * 3, *(10,) * 4, *(12,) * 3, *(14,) * 3, 16)
"""Channels of a small MobileNetV2's first convolution and of its 17 blocks."""


def _conv(key: str, *shape: int, bias: bool = False) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield f"{key}.weight", shape
    if bias:
        yield f"{key}.bias", shape[:1]


def _norm(key: str, channels: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    for part in ("weight", "bias", "running_mean", "running_var"):
        yield f"{key}.{part}", (channels,)


def mobilenet_shapes() -> Iterator[tuple[str, tuple[int, ...]]]:
    """torchvision's names."""
    yield from _conv("features.0.0", WIDTHS[0], 3, 3, 3)
    yield from _norm("features.0.1", WIDTHS[0])
    for i in range(1, 18):
        inputs, outputs, key = WIDTHS[i - 1], WIDTHS[i], f"features.{i}.conv"
        inside = inputs if i == 1 else 2 * inputs
        parts = iter(range(3))
        if i > 1:
            part = next(parts)
            yield from _conv(f"{key}.{part}.0", inside, inputs, 1, 1)
            yield from _norm(f"{key}.{part}.1", inside)
        part = next(parts)
        yield from _conv(f"{key}.{part}.0", inside, 1, 3, 3)
        yield from _norm(f"{key}.{part}.1", inside)
        yield from _conv(f"{key}.{part + 1}", outputs, inside, 1, 1)
        yield from _norm(f"{key}.{part + 2}", outputs)
    yield from _conv("features.18.0", 20, WIDTHS[-1], 1, 1)
    yield from _norm("features.18.1", 20)


def squeezenet_shapes() -> Iterator[tuple[str, tuple[int, ...]]]:
    """torchvision's names."""
    yield from _conv("features.0", 6, 3, 3, 3, bias=True)
    inputs = 6
    for i in (3, 4, 6, 7, 9, 10, 11, 12):
        yield from _conv(f"features.{i}.squeeze", 3, inputs, 1, 1, bias=True)
        yield from _conv(f"features.{i}.expand1x1", 4, 3, 1, 1, bias=True)
        yield from _conv(f"features.{i}.expand3x3", 4, 3, 3, 3, bias=True)
        inputs = 8


def filled(shapes: Iterator[tuple[str, tuple[int, ...]]], seed: int = 0) -> dict[str, Tensor]:
    """Random weights that tell pictures apart; some variances are not far above ε = 1e-3."""
    generator, tensors, named = seeded(seed), dict[str, Tensor](), dict(shapes)
    for name, shape in named.items():
        values = torch.randn(shape, generator=generator)
        if len(shape) > 1:
            normed = name.replace("weight", "bias") not in named
            values *= ((0.05 if normed else 1.8) / values[0].numel()) ** 0.5
        elif name.endswith("running_var"):
            values = values.square() * 0.05 + 0.02
        elif name.endswith(("bias", "running_mean")):
            values *= 0.2
        else:
            values = values.abs() * 0.3 + 1.2
        tensors[name] = values
    return tensors


def keras_file(path: Path, kind: str = "mobilenet_v2", seed: int = 0) -> Path:
    """Weights without a classifier, as converted from Keras."""
    shapes = mobilenet_shapes() if kind == "mobilenet_v2" else squeezenet_shapes()
    save_file(filled(shapes, seed), path)
    return path


def torchvision_file(path: Path, kind: str = "mobilenet_v2") -> Path:
    """Weights as torchvision publishes them."""
    shapes = mobilenet_shapes() if kind == "mobilenet_v2" else squeezenet_shapes()
    tensors = filled(shapes) | {
        "classifier.1.weight": torch.zeros(5, 20),
        "classifier.1.bias": torch.zeros(5),
    }
    counters = {name.replace("running_var", "num_batches_tracked"): torch.tensor(7) for name in tensors
                if name.endswith("running_var")}  # fmt: skip
    torch.save(tensors | counters, path, _use_new_zipfile_serialization=False)
    return path


def drawn(n: int, generator: torch.Generator) -> np.ndarray:
    """n indices below n, with replacement, at least two of them different."""
    while len(set(chosen := torch.randint(n, (n,), generator=generator).tolist())) == 1:
        pass
    return np.array(chosen)


def ends(again: np.ndarray) -> tuple[float, float]:
    """Where 2.5 % of figures begin and end."""
    low, high = np.quantile(again, [0.025, 0.975])
    return float(low), float(high)


def random_uint8(n: int, size: int = 48, seed: int = 0) -> Tensor:
    """Smooth random pictures, uint8 [n, 3, size, size]."""
    coarse = torch.randint(256, (n, 3, 5, 5), generator=seeded(seed)).float()
    return torch.nn.functional.interpolate(coarse, (size, size), mode="bilinear").to(torch.uint8)


def save_all(folder: Path, pictures: Tensor, name: str = "{}.png") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for i, picture in enumerate(pictures):
        Image.fromarray(picture.permute(1, 2, 0).numpy()).save(folder / name.format(f"{i:02}"))
    return folder
