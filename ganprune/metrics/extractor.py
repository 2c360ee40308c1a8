"""What a feature network is, and how pictures of any kind become features."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ganprune.errors import DataError
from ganprune.images import open_picture
from ganprune.images.reading import readable_of, to_tensor
from ganprune.images.rgb import Remarks
from ganprune.reporting import SILENT, Reporter

Pictures = Tensor | Sequence[Path]
"""uint8 [n, 3, h, w], or files, which are read in the order given."""


class FeatureNetwork(Protocol):
    """A network that says in d numbers what is in a picture."""

    @property
    def name(self) -> str:
        """Architecture, hash of the weights, and how pictures are resized; figures compare within a name."""
        ...

    def __call__(self, pictures: Tensor, /) -> Tensor:
        """Features of pictures of any one size: uint8 [n, 3, h, w], RGB → float64 [n, d] on the CPU."""
        ...


def features_of(
    network: FeatureNetwork, pictures: Pictures, batch: int = 32, reporter: Reporter = SILENT
) -> Tensor:
    """float64 [n, d], in the order of the pictures, ``batch`` at a time.

    Files are decoded as RGB and resized by the network alone, from the size that they have. Raises
    `DataError` for a file that cannot be read, and where there are no pictures.
    """
    if len(pictures) == 0:
        raise DataError("needed pictures to compute features of, found none; give a folder that holds some")
    with reporter.task("features", len(pictures)) as task:
        found = list[Tensor]()
        for part in _batches(pictures, batch):
            found.append(network(part))
            task.advance(len(part))
    return torch.cat(found)


def find_readable(paths: Sequence[Path], reporter: Reporter = SILENT) -> tuple[Path, ...]:
    """Those files that can be decoded; few bad ones are named, many raise `DataError`."""
    remarks = Remarks()
    found = readable_of(paths, reporter, remarks)
    remarks.tell(reporter)
    return found


def resized(pictures: Tensor, size: int) -> Tensor:
    """PIL's bicubic to size × size: uint8 [n, 3, h, w] → uint8 [n, 3, size, size]."""
    images = [Image.fromarray(picture.permute(1, 2, 0).numpy()) for picture in pictures.cpu().contiguous()]
    scaled = [np.asarray(image.resize((size, size), Image.Resampling.BICUBIC)) for image in images]
    return torch.from_numpy(np.stack(scaled)).permute(0, 3, 1, 2)


def _batches(pictures: Pictures, batch: int) -> Iterator[Tensor]:
    """uint8 [k, 3, h, w] with k ≤ batch: neighbours of one size."""
    if isinstance(pictures, Tensor):
        yield from pictures.split(batch)
        return
    waiting = list[Tensor]()
    for path in pictures:
        picture = to_tensor(open_picture(path))
        if waiting and (len(waiting) == batch or picture.shape != waiting[0].shape):
            yield torch.stack(waiting)
            waiting = []
        waiting.append(picture)
    yield torch.stack(waiting)
