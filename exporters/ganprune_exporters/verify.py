"""The proof that a file computes what the generator computes."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from onnx import ModelProto
from torch import Tensor, nn

from ganprune.images import to_float, to_uint8
from ganprune.models.picture_statistics import by_picture
from ganprune.onnx_files.sessions import session_of
from ganprune_exporters.settings import ExportSettings
from ganprune_exporters.trace import INPUT, OUTPUT

GREY_LEVEL = 2 / 255  # one step of a byte, in units of the range [-1, 1]

SLACK = 10
"""A file may differ from PyTorch by so many times what float32 itself loses of a picture: both round, and a
rewritten graph rounds more often."""


@dataclass(frozen=True, slots=True)
class Difference:
    """How the outputs for one batch differ, in units of the range [-1, 1]."""

    largest: float  # NaN where an output holds NaN, or is of another size
    mean: float  # mean absolute difference
    square: float  # mean squared difference
    differing: float  # share of the numbers that differ at all
    pictures: int  # in the batch


def reference(generator: nn.Module, settings: ExportSettings) -> nn.Module:
    """A copy in float32 on the CPU: what a file must compute."""
    chosen = by_picture(generator) if settings.picture_statistics else generator
    return copy.deepcopy(chosen).float().cpu().eval()


def noise(shape: Sequence[int]) -> Tensor:
    """Pictures of uniform noise in [-1, 1], always the same."""
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0)) * 2 - 1


def batches(pictures: Tensor, settings: ExportSettings, stride: int) -> list[Tensor]:
    """What to compare on: the pictures one by one; where sizes are free, also two pictures at once, higher
    and narrower, and one lower and wider, cut from the same pictures.

    stride: of the network, see `ganprune.channels.ChannelGraph`.
    """
    ones = list(pictures.split(1))
    if not settings.dynamic:
        return ones
    height, width = settings.size + stride, max(settings.size // 2 // stride, 2) * stride
    two = pictures[[0, -1]]
    tiled = two.repeat(1, 1, -(-height // two.shape[2]), -(-width // two.shape[3]))
    return [*ones, tiled[..., :height, :width], tiled[:1, :, :width, :height]]


def run(model: Path | ModelProto, pictures: Sequence[Tensor]) -> list[Tensor]:
    """The file's pictures for each batch, float32 in [-1, 1] or uint8, both [n, c, h, w].

    ``pictures``: [n, c, h, w] in [-1, 1]; a file that takes bytes gets the nearest ones.
    """
    session = session_of(model)
    in_bytes = "uint8" in session.get_inputs()[0].type
    made: list[Tensor] = []
    for batch in pictures:
        given = as_bytes(batch).permute(0, 2, 3, 1).contiguous() if in_bytes else batch
        output = torch.from_numpy(np.asarray(session.run([OUTPUT], {INPUT: given.numpy()})[0]))
        made.append(output.permute(0, 3, 1, 2) if in_bytes else output)
    return made


def expected(generator: nn.Module, pictures: Sequence[Tensor], uint8: bool) -> list[Tensor]:
    """PyTorch's pictures for each batch, as `run` gives them."""
    with torch.inference_mode():
        if not uint8:
            return [generator(batch) for batch in pictures]
        return [to_uint8(generator(to_float(as_bytes(batch)))) for batch in pictures]


def as_bytes(pictures: Tensor) -> Tensor:
    """Floats in [-1, 1] → the nearest uint8; gives back what `ganprune.images.to_float` was given."""
    return ((pictures.nan_to_num() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)


def lost_by_float32(generator: nn.Module, batch: Tensor, uint8: bool = False) -> float:
    """How far PyTorch's float32 is from its float64 at worst, in units of [-1, 1]; batch: [n, c, h, w].

    Little, but for pictures such as blank ones: an instance norm divides a map by its standard deviation,
    and where that is nothing but rounding, rounding is what comes out, grown large. A second time every
    number is moved by its last bit, because PyTorch may be exact by luck on such a picture.
    """
    given = to_float(as_bytes(batch)) if uint8 else batch
    moved = given * (1 + torch.finfo(torch.float32).eps * noise(given.shape).sign())
    with torch.inference_mode():
        exact = copy.deepcopy(generator).double()(given.double())
        return max((generator(one).double() - exact).abs().max().item() for one in (given, moved))


def is_mute(generator: nn.Module, batch: Tensor, uint8: bool = False) -> bool:
    """Whether pictures tell nothing about a file: float32 itself may lose more than a grey level of them."""
    return SLACK * lost_by_float32(generator, batch, uint8) > GREY_LEVEL


def telling(generator: nn.Module, pictures: Tensor, uint8: bool = False) -> list[Tensor]:
    """Those pictures, one by one, that tell something about a file; noise of their shape where none does."""
    found = [picture for picture in pictures.split(1) if not is_mute(generator, picture, uint8)]
    return found or list(noise(pictures.shape).split(1))


def differences(made: Sequence[Tensor], wanted: Sequence[Tensor]) -> list[Difference]:
    """How each batch differs from what was wanted; bytes are counted in units of [-1, 1] too."""
    return [_difference(one, other) for one, other in zip(made, wanted, strict=True)]


def _difference(made: Tensor, wanted: Tensor) -> Difference:
    if made.shape != wanted.shape or made.dtype != wanted.dtype:
        return Difference(float("nan"), float("nan"), float("nan"), 1.0, len(wanted))
    apart = (made.double() - wanted.double()).abs()
    if made.dtype == torch.uint8:
        apart = apart * GREY_LEVEL
    # not equal, so that NaN counts
    differing = (made != wanted).double().mean().item()
    mean, square = apart.mean().item(), apart.square().mean().item()
    return Difference(apart.max().item(), mean, square, differing, len(wanted))
