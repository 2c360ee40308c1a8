"""Pictures as tensors [c, h, w] of any number of channels c: uint8 in 0…255, or floats in [-1, 1].

Files that people look at hold uint8; NumPy's may hold floats, which keep their precision.
"""

import numpy as np
import torch
from PIL import Image
from torch import Tensor


def to_tensor(picture: Image.Image) -> Tensor:
    """A picture of PIL of 8 bits a channel → uint8 [c, h, w]."""
    pixels = torch.from_numpy(np.array(picture, dtype=np.uint8))
    return pixels[None] if pixels.ndim == 2 else pixels.permute(2, 0, 1).contiguous()


def to_float(pictures: Tensor) -> Tensor:
    """uint8 [..., h, w] in 0…255 → float32 of the same shape in [-1, 1]; floats stay as they are.

    To the last bit what CycleGAN's ToTensor and Normalize(0.5, 0.5) compute.
    """
    if pictures.is_floating_point():
        return pictures.float()
    return (pictures.to(torch.float32) / 255 - 0.5) / 0.5


def to_uint8(pictures: Tensor) -> Tensor:
    """Floats in [-1, 1] → uint8 in 0…255 of the same shape: (x + 1) / 2 · 255, truncated as in CycleGAN.

    Truncation costs some grey levels one unit on the way there and back; CycleGAN's files show the
    same. Values outside [-1, 1] are clipped. uint8 stays as it is.
    """
    if pictures.dtype == torch.uint8:
        return pictures
    return ((pictures.to(torch.float32) + 1) / 2 * 255).clamp(0, 255).to(torch.uint8)


def resized(picture: Tensor, height: int, width: int) -> Tensor:
    """Pillow's bicubic, channel by channel: [c, h, w] → [c, height, width] of the same type.

    Floats are cut off at -1 and 1, as Pillow does bytes at 0 and 255.
    """
    if picture.shape[1:] == (height, width):
        return picture.contiguous()
    if picture.dtype == torch.uint8 and len(picture) == 3:  # the same at once, four times as fast
        whole = Image.fromarray(np.ascontiguousarray(picture.permute(1, 2, 0).numpy()))
        return to_tensor(whole.resize((width, height), Image.Resampling.BICUBIC))
    planes = (Image.fromarray(np.ascontiguousarray(plane.numpy())) for plane in picture)
    scaled = [np.array(plane.resize((width, height), Image.Resampling.BICUBIC)) for plane in planes]
    found = torch.from_numpy(np.stack(scaled))
    return found.clamp_(-1, 1) if found.is_floating_point() else found


def as_rgb(pictures: Tensor) -> Tensor:
    """What people and feature networks are shown: [..., c, h, w] → [..., 3, h, w] of the same type.

    The first of one or two channels, in grey; the first three of more, as red, green and blue.
    """
    if pictures.shape[-3] == 3:
        return pictures
    return pictures[..., [0, 1, 2] if pictures.shape[-3] >= 3 else [0, 0, 0], :, :]


def in_channels(pictures: Tensor, channels: int) -> Tensor:
    """Pictures that nothing has changed, in as many channels as a network gives: [..., channels, h, w].

    One channel is all others' mean; several are filled by those that are there, again and again.
    """
    there = pictures.shape[-3]
    if channels == there:
        return pictures
    if channels == 1:
        return pictures.float().mean(-3, keepdim=True).to(pictures.dtype)
    return pictures[..., [i % there for i in range(channels)], :, :]
