"""Translate the test pictures by every generator of a run, for scores that are computed elsewhere.

    python benchmarks/translate_test.py RUN OUT

Writes OUT/{original,pruned,slim}_{A,B}/NAME.png: testA by G_A and testB by G_B of the original checkpoint,
of the networks as cut, and of the finished ones. Pictures are prepared and truncated as CycleGAN's tests do.
"""

import argparse
from pathlib import Path

import torch

from ganprune.checkpoints import load_generator, load_quartet
from ganprune.images import find_domains, load_pictures, save_picture, to_float, to_uint8
from ganprune.images.sources import DOMAINS
from ganprune.runs import find_run


@torch.inference_mode()
def main() -> None:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("run", type=Path)
    args.add_argument("out", type=Path)
    opt = args.parse_args()
    run = find_run(opt.run)
    folders = find_domains(Path(run.config["data"]), needs=("test",))
    quartet = load_quartet(Path(run.config["checkpoint"]))
    size = run.config["settings"]["size"]
    for side in DOMAINS:
        generators = {
            "original": quartet.G_A if side == "A" else quartet.G_B,
            "pruned": load_generator(run / f"pruned_G_{side}.safetensors"),
            "slim": load_generator(run / f"G_{side}.safetensors"),
        }
        paths = folders.pictures("test", side)
        for path in paths:
            x = to_float(load_pictures([path], size))
            for kind, generator in generators.items():
                assert generator is not None
                target = opt.out / f"{kind}_{side}" / f"{path.stem}.png"
                if not target.exists():
                    save_picture(target, to_uint8(generator(x)[0]))


if __name__ == "__main__":
    main()
