"""ONNX files of generators of given widths, so that `speed_up.py` can tell how fast such widths run.

    python benchmarks/widths.py OUT narrow=64,128,256,32,128,64 even=32,64,128,128,64,32 ...
    python benchmarks/speed_up.py OUT/original_G_A.onnx OUT/narrow.onnx OUT/even.onnx

Widths are those of stem, down, trunk, all blocks, up1 and up2; the blocks' may be nine, such as
256/48/16/32/16/16/32/16/16. Weights are random: they do not change the time. The first baseline is the
original as `export --onnx` writes it without rewrites, the second with them.
"""

import argparse
from pathlib import Path

import onnx
import torch

from ganprune.models.cyclegan import Generator, GeneratorWidths, resnet_widths
from ganprune_exporters import ExportSettings, export_onnx
from ganprune_exporters.chain import plain

ORIGINAL = resnet_widths(64, 9)


def widths_of(words: str) -> GeneratorWidths:
    """Of six numbers; raises `ValueError` for others."""
    stem, down, trunk, inner, up1, up2 = words.split(",")
    blocks = [int(n) for n in inner.split("/")]
    blocks *= 1 if len(blocks) > 1 else ORIGINAL.blocks
    groups = {"stem": int(stem), "down": int(down), "trunk": int(trunk), "up1": int(up1), "up2": int(up2)}
    return ORIGINAL.with_groups(groups | {f"inner{i}": n for i, n in enumerate(blocks)})


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("out", type=Path)
    args.add_argument("networks", nargs="+")
    args.add_argument("--size", type=int, default=256)
    opt = args.parse_args()
    opt.out.mkdir(parents=True, exist_ok=True)
    settings = ExportSettings(size=opt.size)
    torch.manual_seed(0)
    original = Generator(ORIGINAL, "instance").eval()
    onnx.save(plain(original, settings)[0], opt.out / "original_G_A.onnx")
    export_onnx(original, opt.out / "original_G_A.rewritten.onnx", settings)
    for network in opt.networks:
        name, _, words = network.partition("=")
        export_onnx(Generator(widths_of(words), "instance").eval(), opt.out / f"{name}.onnx", settings)


if __name__ == "__main__":
    main()
