"""VGG16's first maps: what two pictures look alike by, without any discriminator; and what it sees of them.

The perceptual loss of Johnson et al., "Perceptual Losses for Real-Time Style Transfer and Super-Resolution",
ECCV 2016, section 3.2, on maps of VGG16 (Simonyan & Zisserman, arXiv 1409.1556): those after the second, the
fourth and the seventh convolution.
"""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool2d

from ganprune.checkpoints import read_tensors
from ganprune.errors import InputError
from ganprune.images import as_rgb
from ganprune.metrics.normalise import Normalise, caffe, torchvision

PLACES = (0, 2, 5, 7, 10, 12, 14)  # of the convolutions among torchvision's ``vgg16().features``
POOLED_BEFORE = (5, 10)
COMPARED = (2, 7, 14)  # convolutions whose maps, after ReLU, are compared


class Vgg16(nn.Module):
    """The first seven convolutions."""

    def __init__(self, tensors: Mapping[str, Tensor], normalise: Normalise) -> None:
        """tensors: named as torchvision's. Raises `KeyError` or `RuntimeError` where they do not fit."""
        super().__init__()
        self._normalise, self.convs = normalise, nn.ModuleDict()
        channels = 3
        for place in PLACES:
            weight, bias = tensors[f"features.{place}.weight"], tensors[f"features.{place}.bias"]
            conv = nn.Conv2d(channels, len(bias), 3, padding=1)
            conv.load_state_dict({"weight": weight, "bias": bias})
            self.convs[str(place)], channels = conv, len(bias)

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """float32 [n, c, h, w] in [-1, 1] → maps of 64, 128 and 256 channels, at 1, 1/2 and 1/4.

        Of pictures that are not RGB it sees what people are shown, see `ganprune.images.as_rgb`.
        """
        x, found = self._normalise((as_rgb(pictures.float()) + 1) * 127.5), list[Tensor]()
        for place in PLACES:
            if place in POOLED_BEFORE:
                x = max_pool2d(x, 2)
            x = self.convs[str(place)](x).relu()
            if place in COMPARED:
                found.append(x)
        return found


class Window:
    """A square of pictures, at a place that wanders evenly over them from step to step.

    Places are the two-dimensional additive recurrence of the plastic number: no randomness is needed.
    """

    def __init__(self, side: int, device: str) -> None:
        """side: pixels; device: that of the pictures."""
        self._side, self._share = side, (0.0, 0.0)
        self._on_cpu = torch.device(device).type == "cpu"
        self._where = torch.zeros(2, 1, device=device)
        self._count = torch.arange(side, device=device)

    def move(self, step: int) -> None:
        """To its place in a step."""
        self._share = step * 0.7548776662466927 % 1, step * 0.5698402909980532 % 1
        if not self._on_cpu:
            self._where[0].fill_(self._share[0])
            self._where[1].fill_(self._share[1])

    def __call__(self, pictures: Tensor) -> Tensor:
        """[n, 3, h, w] → [n, 3, side, side], or as much of a smaller picture."""
        room = [max(size - self._side, 0) + 1 for size in pictures.shape[2:]]
        if self._on_cpu:
            top, left = (int(share * places) for share, places in zip(self._share, room, strict=True))
            return pictures[:, :, top : top + self._side, left : left + self._side]
        for dim, (share, places) in enumerate(zip(self._where, room, strict=True), 2):  # as part of a graph
            start = (share * places).long().clamp_max(places - 1)
            pictures = pictures.index_select(dim, start + self._count[: pictures.shape[dim]])
        return pictures


def load_vgg16(path: Path) -> Vgg16:
    """From a file of torchvision's VGG16, ``.pth`` or safetensors, with or without its classifier.

    Torchvision's own weights come with one; without it they are taken as converted from Caffe or Keras, and
    fed as those are: BGR, less ImageNet's means.

    Raises `UsageError` where there is no such file, `CheckpointError` where it is damaged, `InputError` where
    it holds another network.
    """
    tensors = {key: value.float() for key, value in read_tensors(path).items()}
    own = any(key.startswith("classifier.") for key in tensors)
    try:
        network = Vgg16(tensors, torchvision if own else caffe)
    except (KeyError, RuntimeError) as error:
        raise InputError(
            f"{path}: needed VGG16 with torchvision's names (features.0.weight … features.14.weight), found "
            f"{len(tensors)} tensors that do not fit ({' '.join(str(error).split())[:120]}); "
            "give torchvision's vgg16 file, or leave vgg out"
        ) from None
    for parameter in network.parameters():
        if not torch.isfinite(parameter).all():
            raise InputError(
                f"{path}: needed finite weights, found NaN or Inf; give another file: --set vgg=FILE"
            )
    return network.eval().requires_grad_(False)
