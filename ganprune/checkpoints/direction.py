"""Which way a lone generator translates: its file does not say."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal

from ganprune.checkpoints.layouts.naming import NetName
from ganprune.checkpoints.quartet import Quartet

Direction = Literal["AtoB", "BtoA"]
"""AtoB: what G_A does; BtoA: what G_B does."""
_OTHER: Mapping[NetName, NetName] = {"G_A": "G_B", "G_B": "G_A", "D_A": "D_B", "D_B": "D_A"}


def facing(quartet: Quartet, direction: str) -> Quartet:
    """A lone generator as the one that translates in ``direction``; every other checkpoint as it is.

    Lone is a generator of a file whose name says neither G_A nor G_B; `load_quartet` takes it as G_A. The
    discriminator beside it goes with it.
    """
    if direction != "BtoA" or not quartet.alone:
        return quartet
    files: dict[NetName, Path] = {_OTHER[name]: file for name, file in quartet.files.items()}
    sought: dict[NetName, Path] = {_OTHER[name]: file for name, file in quartet.looked_for.items()}
    return replace(
        quartet, G_A=None, G_B=quartet.G_A, D_A=None, D_B=quartet.D_A, files=files, looked_for=sought,
        notes=tuple(note.replace("taken as G_A", "taken as G_B") for note in quartet.notes),
    )  # fmt: skip
