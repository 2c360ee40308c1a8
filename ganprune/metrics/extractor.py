"""What a feature network is, and how pictures of any kind become features."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from ganprune.errors import DataError
from ganprune.images import as_rgb, open_picture, to_uint8
from ganprune.images import resized as one_resized
from ganprune.images.arrays import SUFFIX as ARRAYS
from ganprune.images.reading import readable_of
from ganprune.images.rgb import Remarks
from ganprune.reporting import SILENT, Reporter

Pictures = Tensor | Sequence[Path]
"""[n, c, h, w], uint8 or floats in [-1, 1], or files, which are read in the order given."""


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

    Files are resized by the network alone, from the size that they have. Networks see RGB: of other pictures
    what `ganprune.images.as_rgb` shows people. Raises `DataError` for a file that cannot be read, and where
    there are no pictures.
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
    odd = {len(open_picture(path, None)) for path in found if path.suffix.lower() == ARRAYS} - {1, 3}
    if odd:
        reporter.info(
            f"features are of RGB: of pictures of {' or '.join(map(str, sorted(odd)))} channels they see the "
            "first three as red, green and blue, and of two channels the first, in grey"
        )
    return found


def resized(pictures: Tensor, size: int) -> Tensor:
    """PIL's bicubic to size × size: uint8 [n, 3, h, w] → uint8 [n, 3, size, size]."""
    return torch.stack([one_resized(picture, size, size) for picture in pictures.cpu()])


def _batches(pictures: Pictures, batch: int) -> Iterator[Tensor]:
    """uint8 [k, 3, h, w] with k ≤ batch: neighbours of one size."""
    if isinstance(pictures, Tensor):
        yield from as_rgb(to_uint8(pictures)).split(batch)
        return
    waiting = list[Tensor]()
    for path in pictures:
        picture = as_rgb(to_uint8(open_picture(path, None)))
        if waiting and (len(waiting) == batch or picture.shape != waiting[0].shape):
            yield torch.stack(waiting)
            waiting = []
        waiting.append(picture)
    yield torch.stack(waiting)
