"""Whether what came is what it should be: a network that can be read, a folder of pictures."""

from dataclasses import dataclass
from pathlib import Path

from ganprune.checkpoints import inspect
from ganprune.errors import CheckpointError, DataError
from ganprune.images import find_domains
from ganprune.images.folders import is_picture, pictures_below

_FOLDERS = frozenset({f"{part}{end}" for part in ("train", "test", "val") for end in ("", "A", "B")})
"""Names of folders that belong to a data set, as opposed to the one that it was packed in."""


@dataclass(frozen=True, slots=True)
class Pictures:
    """What a data set's folder holds."""

    root: Path  # where trainA and trainB lie
    trainable: bool  # whether both have pictures


def check_network(file: Path) -> None:
    """Raise `CheckpointError` unless ``file`` is a network that ganprune reads; no code in it is run."""
    try:
        inspect(file)
    except CheckpointError as error:
        raise type(error)(str(error).removeprefix(f"{file}: ")) from error


def find_pictures(folder: Path) -> Pictures:
    """Look for pictures below ``folder``. Raises `DataError` where there are none.

    An archive often has one folder in which all the rest lies: the root is then that folder.
    """
    root = folder
    while True:
        entries = sorted(entry for entry in root.iterdir() if not entry.name.startswith("."))
        folders = [entry for entry in entries if entry.is_dir()]
        if (
            len(folders) != 1
            or folders[0].name in _FOLDERS
            or any(is_picture(entry.name) for entry in entries)
        ):
            break
        root = folders[0]
    if not pictures_below(root):
        names = sorted(entry.name + ("/" if entry.is_dir() else "") for entry in folder.iterdir())
        held = ", ".join(names[:6])
        raise DataError(f"needed folders of pictures, such as trainA and trainB, found {held or 'nothing'}")
    found = find_domains(root, needs=())
    return Pictures(root, bool(found.train_A and found.train_B))
