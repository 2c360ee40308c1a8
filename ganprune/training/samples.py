"""What both generators make of a few pictures, to look at."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from ganprune.images import grid, save_picture, to_float, to_uint8
from ganprune.settings.words import OTHER, Domain
from ganprune.training.networks import Networks

COLUMNS: dict[Domain, tuple[str, str, str, str]] = {
    "A": ("A", "original", "G_A(A)", "G_B(G_A(A))"),
    "B": ("B", "original", "G_B(B)", "G_A(G_B(B))"),
}


@torch.no_grad()
def save_samples(
    path: Path,
    networks: Networks,
    pictures: Mapping[Domain, Sequence[Tensor]],
    originals: Mapping[Domain, nn.Module] | None = None,
) -> None:
    """Write a grid: a row a pair of pictures; input, translation and reconstruction, both ways.

    pictures: [c, h, w], h and w multiples of 4, as many of A as of B, or of one of them alone. Of the
    sides that have an original generator its translation stands beside the input. What needs a network that
    is not there is left out.
    """
    device, originals = networks.device, originals or {}
    nets: dict[Domain, nn.Module] = {"A": networks.G_A, "B": networks.G_B}
    there: list[Domain] = [side for side in nets if f"G_{side}" not in networks.absent]
    sides: list[Domain] = [side for side in there if side in pictures]
    rows: list[list[Tensor]] = []
    for pair in zip(*(pictures[side] for side in sides), strict=True):
        row: list[Tensor] = []
        for picture, side in zip(pair, sides, strict=True):
            x = to_float(picture)[None]
            row.append(picture)
            if side in originals:
                original = originals[side]
                row.append(to_uint8(original(x.to(next(original.parameters()).device))[0]).cpu())
            translated = nets[side](x.to(device))
            row.append(to_uint8(translated[0]).cpu())
            if OTHER[side] in there:
                row.append(to_uint8(nets[OTHER[side]](translated)[0]).cpu())
        rows.append(row)
    shown: list[str] = []
    for side in sides:
        real, original, fake, back = COLUMNS[side]
        shown += [real, *([original] if side in originals else []), fake]
        shown += [back] if len(there) == len(nets) else []
    save_picture(path, grid(rows, shown))
