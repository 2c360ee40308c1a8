"""Picture files for tests: drawn by a seed, and broken in the ways that files break."""

from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor


def draw(seed: int, width: int = 40, height: int = 32) -> Image.Image:
    """Smooth random colours with noise on them, so that no two pixels or pictures are alike."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (4, 4, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), dtype=np.int16)
    return Image.fromarray(np.clip(smooth + rng.integers(-20, 21, smooth.shape), 0, 255).astype(np.uint8))


def write(path: Path, seed: int, width: int = 40, height: int = 32) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    draw(seed, width, height).save(path)
    return path


def domains(root: Path, counts: dict[str, int], size: int = 32) -> Path:
    """A data folder; ``counts``: folder below the root → number of pictures."""
    for i, (name, count) in enumerate(counts.items()):
        for number in range(count):
            write(root / name / f"{number:03d}.png", 1000 * i + number, size, size)
    return root


def no_picture(path: Path) -> None:
    path.write_text("this is text")


def empty(path: Path) -> None:
    path.write_bytes(b"")


def cut_short(path: Path) -> None:
    draw(1, 200, 200).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def bomb(path: Path) -> None:
    """A few kilobytes that claim to be 400 million pixels."""
    Image.new("1", (20000, 20000)).save(path, format="PNG")


BROKEN = {"no picture": no_picture, "damaged": cut_short, "far too large": bomb}
"""Words of the warning → how to make such a file."""


def last(picture: Tensor) -> np.ndarray:
    """[c, h, w] → [h, w, c], as PIL and NumPy have pictures."""
    return picture.permute(1, 2, 0).numpy()
