"""What both generators make of a few pictures, to look at."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from ganprune.images import Domain, grid, save_picture, to_float, to_uint8
from ganprune.training.networks import Networks

COLUMNS = ("A", "G_A(A)", "G_B(G_A(A))", "B", "G_B(B)", "G_A(G_B(B))")


@torch.no_grad()
def save_samples(path: Path, networks: Networks, pictures: Mapping[Domain, Sequence[Tensor]]) -> None:
    """Write a grid: a row a pair of pictures; input, translation and reconstruction, both ways.

    pictures: uint8 [3, h, w], h and w multiples of 4, as many of A as of B.
    """
    device = networks.device
    rows: list[list[Tensor]] = []
    for a, b in zip(pictures["A"], pictures["B"], strict=True):
        row: list[Tensor] = []
        for picture, there, back in ((a, networks.G_A, networks.G_B), (b, networks.G_B, networks.G_A)):
            translated = there(to_float(picture)[None].to(device))
            row += [picture, to_uint8(translated[0]).cpu(), to_uint8(back(translated)[0]).cpu()]
        rows.append(row)
    save_picture(path, grid(rows, COLUMNS))
