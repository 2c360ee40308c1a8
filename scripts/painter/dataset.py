"""Scenes as picture folders: trainA, trainB, testA, testB, as CycleGAN reads them."""

from pathlib import Path

from PIL import Image

from ganprune.images.sources import DOMAINS, Domain
from ganprune.storage.files import atomic_path

from .scenes import draw

_FIRST_TEST_INDEX = 1_000_000


def scene_index(split: str, domain: Domain, number: int) -> int:
    """Index for `draw` of picture ``number`` of a folder: even for A, odd for B, from a million on for tests.

    No two pictures of a data set share a scene: the domains are unpaired.
    """
    return (_FIRST_TEST_INDEX if split == "test" else 0) + 2 * number + (domain == "B")


def draw_folder(
    folder: Path, *, seed: int, train: int, test: int, size: int, masks: Path | None = None
) -> None:
    """Draw ``train`` and ``test`` pictures of either domain, as WebP files without loss.

    A file's name is its scene's index in seven digits: ``draw(seed, int(path.stem), domain, size)`` gives it
    again. masks: where to put those of the test pictures, as PNG files of one bit a pixel. What is there
    already is not drawn again.
    """
    for split, count in (("train", train), ("test", test)):
        for domain in DOMAINS:
            for number in range(count):
                index = scene_index(split, domain, number)
                scene = draw(seed, index, domain, size)
                path = folder / f"{split}{domain}" / f"{index:07d}.webp"
                if not path.exists():
                    _save(Image.fromarray(scene.picture), path, lossless=True, quality=100, method=6)
                if masks is not None and split == "test":
                    mask = masks / f"{split}{domain}" / f"{index:07d}.png"
                    _save(Image.fromarray(scene.animal), mask, optimize=True)


def _save(picture: Image.Image, path: Path, **options: bool | int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path, over="any") as partial:
        picture.save(partial, "WEBP" if path.suffix == ".webp" else "PNG", **options)
