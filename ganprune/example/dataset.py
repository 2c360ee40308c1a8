"""The example as picture folders: trainA, trainB, testA, testB, as CycleGAN reads them."""

import json
from pathlib import Path
from typing import Literal

from PIL import Image

from ganprune.errors import DataError, UsageError
from ganprune.images.sources import DOMAINS, Domain
from ganprune.reporting import SILENT, Reporter
from ganprune.storage.files import atomic_path, write_atomically

from .scenes import draw

EXAMPLE_SIZE = 96
"""Pixels a side of the packaged example's pictures."""

SETTINGS_FILE = "drawn.json"
"""Says with what settings a folder was drawn."""

PROCEDURE = 1
"""Counts up when the same settings come to give other pictures."""

Split = Literal["train", "test"]
"""What a picture is for."""
SPLITS: tuple[Split, Split] = ("train", "test")

_FIRST_TEST_INDEX = 1_000_000


def scene_index(split: Split, domain: Domain, number: int) -> int:
    """Index for `draw` of picture ``number`` of a folder: even for A, odd for B, from a million on for tests.

    No two pictures of a data set share a scene: the domains are unpaired.
    """
    return (_FIRST_TEST_INDEX if split == "test" else 0) + 2 * number + (domain == "B")


def write_dataset(
    folder: Path | str,
    *,
    seed: int,
    train: int,
    test: int,
    size: int = EXAMPLE_SIZE,
    reporter: Reporter = SILENT,
) -> None:
    """Draw ``train`` and ``test`` pictures of either domain into ``folder``, as PNG files.

    A file's name is its scene's index in seven digits: ``draw(seed, int(path.stem), "B", size)`` gives
    it again with its mask, and with "A" its other look. Files appear whole or not at all. Called again
    with the same settings, only missing files are drawn.
    Raises `UsageError` for counts, seed or size out of range, `DataError` for a folder that holds other
    pictures.
    """
    if not (1 <= train < _FIRST_TEST_INDEX // 2 and test >= 0):
        raise UsageError(
            f"a data set needs at least 1 and fewer than {_FIRST_TEST_INDEX // 2} training pictures a domain "
            f"and no negative number of test pictures, found {train} and {test}; change the counts"
        )
    folder = Path(folder)
    draw(seed, 0, "A", size)  # raises for settings that nothing can be drawn with, before a file is written
    _claim(folder, {"procedure": PROCEDURE, "seed": seed, "train": train, "test": test, "size": size})
    with reporter.task("drawing", total=2 * (train + test)) as task:
        for split in SPLITS:
            count = train if split == "train" else test
            for domain in DOMAINS:
                (folder / f"{split}{domain}").mkdir(exist_ok=True)
                for number in range(count):
                    index = scene_index(split, domain, number)
                    path = folder / f"{split}{domain}" / f"{index:07d}.png"
                    if not path.exists():
                        picture = Image.fromarray(draw(seed, index, domain, size).picture)
                        with atomic_path(path, over="any") as partial:
                            picture.save(partial)
                    task.advance()


def _claim(folder: Path, settings: dict[str, int]) -> None:
    """Note the settings in a new folder, or see that an old one was drawn with the same."""
    note = folder / SETTINGS_FILE
    if note.exists():
        try:
            found = json.loads(note.read_text(encoding="utf-8"))
        except ValueError:
            raise DataError(f"{note} is damaged; delete {folder} and draw it again") from None
        if found != settings:
            raise DataError(
                f"{folder} should hold pictures drawn with {settings}, but was drawn with {found}; "
                "choose another folder or the old settings"
            )
    elif folder.exists() and any(not path.name.startswith(".") for path in folder.iterdir()):
        raise DataError(
            f"drawing needs an empty folder or one with a {SETTINGS_FILE}, found other files in {folder}; "
            "choose another folder"
        )
    else:
        write_atomically(note, (json.dumps(settings) + "\n").encode(), over="any")
