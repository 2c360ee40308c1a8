"""CycleGAN's own way from a picture file to a result file, and pictures and networks to take it with."""

import io
import warnings
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ganprune.checkpoints import save_generator
from ganprune.models.cyclegan import Generator, resnet_widths
from ganprune.reporting import Silent
from ganprune.translation.source import Source
from tests.images.pictures import draw
from tests.tiny import random_generator


class Recorder(Silent):
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.news: list[str] = []
        self.tasks: dict[str, tuple[int, int]] = {}
        """Title → steps that were done, and their total."""

    def task(self, title: str, total: int, done: int = 0) -> AbstractContextManager["Recorder"]:
        self._title, self.tasks[title] = title, (done, total)
        return nullcontext(self)

    def advance(self, steps: int = 1, **figures: float | str) -> None:
        done, total = self.tasks[self._title]
        self.tasks[self._title] = (done + steps, total)

    def info(self, message: str) -> None:
        self.news.append(message)


Net = Callable[[Tensor], Tensor]


def tiny_net(seed: int) -> Generator:
    return random_generator(resnet_widths(4, 2), seed, torch.float32)


def write_run(folder: Path, names: Sequence[str] = ("G_A", "G_B")) -> dict[str, Generator]:
    """Two generators that differ, as files of a run; returns them."""
    networks = {name: tiny_net(seed) for seed, name in enumerate(names)}
    for name, net in networks.items():
        save_generator(folder / f"{name}.safetensors", net, {})
    return networks


def negative(pictures: Tensor) -> Tensor:
    """A network that is easy to check."""
    return -pictures


def source_of(network: Net = negative, back: Net | None = negative) -> Source:
    return Source(Path("net.pth"), "AtoB", network, back)


def seen(path: Path, width: int, height: int) -> Tensor:
    """convert("RGB"), transforms.Resize(bicubic), ToTensor, Normalize(0.5, 0.5): [1, 3, h, w]."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        picture = Image.open(path).convert("RGB").resize((width, height), Image.Resampling.BICUBIC)
    tensor = torch.from_numpy(np.array(picture)).permute(2, 0, 1).to(torch.float32).div(255)
    return tensor.sub(0.5).div(0.5)[None]


def result_file(output: Tensor) -> bytes:
    """``tensor2im`` and ``save_image`` of util.py: the bytes of the PNG file of [1, 3, h, w]."""
    image = (np.transpose(output[0].numpy(), (1, 2, 0)) + 1) / 2.0 * 255.0
    file = io.BytesIO()
    Image.fromarray(image.astype(np.uint8)).save(file, "PNG")
    return file.getvalue()


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        assert picture.mode == "RGB"
        return np.asarray(picture).astype(int)


def write_kinds(folder: Path) -> list[str]:
    """A picture of every kind that files come in, of odd sizes; returns their names, sorted."""
    folder.mkdir(parents=True, exist_ok=True)
    for mode in ("L", "LA", "P", "RGBA", "1"):
        draw(1, 37, 53).convert(mode).save(folder / f"{mode}.png")
    draw(2, 33, 47).convert("P").save(folder / "see-through.png", transparency=bytes(range(200)))
    draw(3, 45, 31).convert("CMYK").save(folder / "CMYK.tif")
    draw(4, 51, 29).save(folder / "odd.JPG")
    draw(5, 32, 32).save(folder / "as it is.bmp")
    exif = Image.Exif()
    exif[0x0112] = 6  # a camera held upright: viewers turn it by 90 degrees
    draw(6, 60, 25).save(folder / "turned.jpg", exif=exif)
    return sorted(path.name for path in folder.iterdir())
