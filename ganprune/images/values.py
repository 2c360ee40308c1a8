"""Between the bytes of a picture file and the numbers that networks see."""

import torch
from torch import Tensor


def to_float(pictures: Tensor) -> Tensor:
    """uint8 [..., h, w] in 0…255 → float32 of the same shape in [-1, 1].

    To the last bit what CycleGAN's ToTensor and Normalize(0.5, 0.5) compute.
    """
    return (pictures.to(torch.float32) / 255 - 0.5) / 0.5


def to_uint8(pictures: Tensor) -> Tensor:
    """Floats in [-1, 1] → uint8 in 0…255 of the same shape: (x + 1) / 2 · 255, truncated as in CycleGAN.

    Truncation costs some grey levels one unit on the way there and back; CycleGAN's files show the
    same. Values outside [-1, 1] are clipped.
    """
    return ((pictures.to(torch.float32) + 1) / 2 * 255).clamp(0, 255).to(torch.uint8)
