"""The feature networks again, written another way: plain functions of a state dict, TensorFlow's padding."""

from collections.abc import Callable, Mapping

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from PIL import Image
from torch import Tensor

Weights = Mapping[str, Tensor]
Same = Callable[[Tensor, int, int], Tensor]


def bicubic(picture: Tensor, size: int = 224) -> Tensor:
    """uint8 [3, h, w] → float64 [1, 3, size, size], by PIL."""
    image = Image.fromarray(np.ascontiguousarray(picture.permute(1, 2, 0).numpy()))
    scaled = np.asarray(image.resize((size, size), Image.Resampling.BICUBIC))
    return torch.tensor(scaled, dtype=torch.float64).permute(2, 0, 1)[None]


def same_tensorflow(x: Tensor, kernel: int, stride: int) -> Tensor:
    """Zeros so that the output is ⌈side / stride⌉ long; an odd one goes to the end."""
    sides = list[int]()
    for side in (x.shape[3], x.shape[2]):
        needed = max((-(-side // stride) - 1) * stride + kernel - side, 0)
        sides += [needed // 2, needed - needed // 2]
    return F.pad(x, sides)


def same_torch(x: Tensor, kernel: int, stride: int) -> Tensor:
    del stride
    return F.pad(x, [kernel // 2] * 4)


def mobilenet(weights: Weights, x: Tensor, pad: Same, epsilon: float) -> Tensor:
    """[1, 3, 224, 224] → [1, d]: the paper's table 2, one row an entry."""
    w = {name: value.double() for name, value in weights.items()}

    def layer(x: Tensor, conv: str, norm: str, stride: int = 1, relu: bool = True) -> Tensor:
        kernel = w[f"{conv}.weight"]
        groups = x.shape[1] // kernel.shape[1]
        x = F.conv2d(pad(x, kernel.shape[-1], stride), kernel, stride=stride, groups=groups)
        shape = (1, -1, 1, 1)
        sd = (w[f"{norm}.running_var"] + epsilon).sqrt().view(shape)
        x = (x - w[f"{norm}.running_mean"].view(shape)) / sd
        x = x * w[f"{norm}.weight"].view(shape) + w[f"{norm}.bias"].view(shape)
        return x.clamp(0, 6) if relu else x

    x = layer(x, "features.0.0", "features.0.1", stride=2)
    number = 0
    for repeats, first_stride in ((1, 1), (2, 2), (3, 2), (4, 2), (3, 1), (3, 2), (1, 1)):
        for i in range(repeats):
            number += 1
            key, stride, before, step = f"features.{number}.conv", first_stride if i == 0 else 1, x, 0
            if number > 1:
                x, step = layer(x, f"{key}.0.0", f"{key}.0.1"), 1
            x = layer(x, f"{key}.{step}.0", f"{key}.{step}.1", stride)
            x = layer(x, f"{key}.{step + 1}", f"{key}.{step + 2}", relu=False)
            x = x + before if stride == 1 and x.shape == before.shape else x
    return layer(x, "features.18.0", "features.18.1").mean((2, 3))


def squeezenet(weights: Weights, x: Tensor) -> Tensor:
    """[1, 3, 224, 224] → [1, d]."""
    w = {name: value.double() for name, value in weights.items()}

    def conv(x: Tensor, key: str, **shape: int) -> Tensor:
        return F.conv2d(x, w[f"{key}.weight"], w[f"{key}.bias"], **shape).clamp(min=0)

    x = conv(x, "features.0", stride=2)
    for i in (3, 4, 6, 7, 9, 10, 11, 12):
        if i in (3, 6, 9):
            x = F.max_pool2d(x, 3, 2)
        x = conv(x, f"features.{i}.squeeze")
        both = conv(x, f"features.{i}.expand1x1"), conv(x, f"features.{i}.expand3x3", padding=1)
        x = torch.cat(both, 1)
    return x.mean((2, 3))


def kid_by_loops(x: Tensor, y: Tensor) -> float:
    """The unbiased estimator as the paper writes it, a pair at a time."""

    def k(u: Tensor, v: Tensor) -> float:
        return (float(u @ v) / len(u) + 1) ** 3

    m, n = len(x), len(y)
    within_x = sum(k(x[i], x[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    within_y = sum(k(y[i], y[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    return within_x + within_y - 2 * sum(k(u, v) for u in x for v in y) / (m * n)


def fid_by_formula(x: Tensor, y: Tensor) -> float:
    """‖μ₁ − μ₂‖² + Tr(Σ₁ + Σ₂ − 2 (Σ₁ Σ₂)^½), the root by eigenvalues."""
    s, t = torch.cov(x.T), torch.cov(y.T)
    root = torch.linalg.eigvals(s @ t).real.clamp(min=0).sqrt().sum()
    return float((x.mean(0) - y.mean(0)).square().sum() + s.trace() + t.trace() - 2 * root)
