"""A sheet of photographs: as they are, through the original network, and through slim ones of it.

    python benchmarks/photos.py PHOTOS OUT.jpg "4 times as fast=runs/fast" "13 times as fast=runs/tiny"

PHOTOS is a folder of pictures, a column each. Networks are the exported files of runs of one generator, G_A;
PSNR is against the original's picture of the same photograph.
"""

import argparse
import io
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from ganprune.figures.sheets import SheetCell, draw_sheet
from ganprune.figures.style import to_png
from ganprune.images import load_pictures, to_float, to_uint8
from ganprune.images.folders import pictures_below
from ganprune.translation import OnnxTranslator

SIZE = 256


def row(pictures: Tensor, wanted: Tensor | None = None) -> tuple[SheetCell, ...]:
    """uint8 [n, 3, h, w]; wanted: the original's, to tell the distance to."""
    cells: list[SheetCell] = []
    for i, picture in enumerate(pictures):
        told = ""
        if wanted is not None:
            error = (picture.double() - wanted[i].double()).square().mean()
            told = f"{10 * torch.log10(255**2 / error):.1f} dB"
        cells.append(SheetCell(picture.permute(1, 2, 0).numpy(), told))
    return tuple(cells)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("photos", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("runs", nargs="+", metavar="LABEL=RUN")
    opt = parser.parse_args()
    runs = {label: Path(run) for label, _, run in (word.partition("=") for word in opt.runs)}
    photos = load_pictures(pictures_below(opt.photos), SIZE)
    x = to_float(photos)
    wanted = to_uint8(OnnxTranslator(next(iter(runs.values())) / "original_G_A.onnx")(x))
    rows = {"photograph": row(photos), "original": row(wanted)}
    for label, run in runs.items():
        rows[label] = row(to_uint8(OnnxTranslator(run / "G_A.onnx")(x)), wanted)
    columns = [("", cells) for cells in zip(*rows.values(), strict=True)]
    sheet = draw_sheet(columns, tuple(rows), "Photographs through networks")
    drawn = Image.open(io.BytesIO(to_png(sheet))).convert("RGB")
    drawn.save(opt.out, quality=88, optimize=True)


if __name__ == "__main__":
    main()
