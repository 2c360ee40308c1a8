"""Pictures of what a compression did: the originals' translations beside the slim ones'."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from ganprune.images import grid, save_picture, to_float, to_uint8
from ganprune.images.sources import Domain

SHOWN = 4  # pictures of each domain


@torch.inference_mode()
def save_comparison(
    path: Path, pictures: Mapping[Domain, Tensor], generators: Mapping[str, Mapping[Domain, nn.Module]]
) -> None:
    """Write one grid: a row a picture, first of domain A, then of B; the input, then one column a kind.

    pictures: uint8 [n, 3, h, w] of both domains. generators: name of a column → the
    generators, of the same sides in every column. Pictures are truncated to uint8 as CycleGAN does.
    """
    rows: list[list[Tensor]] = []
    for side in next(iter(generators.values())):
        for picture in pictures[side][:SHOWN]:
            x = to_float(picture)[None]
            rows.append([picture, *(to_uint8(pair[side](x)[0]) for pair in generators.values())])
    save_picture(path, grid(rows, ["input", *generators]))
