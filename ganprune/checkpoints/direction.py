"""Which way a lone generator translates: its file does not say."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal, get_args

from ganprune.checkpoints.quartet import Quartet
from ganprune.settings.words import NetName

Direction = Literal["AtoB", "BtoA"]  # AtoB: what G_A does; BtoA: what G_B does
_OTHER: Mapping[NetName, NetName] = {"G_A": "G_B", "G_B": "G_A", "D_A": "D_B", "D_B": "D_A"}


def facing(quartet: Quartet, direction: str | None) -> Quartet:
    """A lone generator as the one that translates in ``direction``; every other checkpoint as it is.

    Lone is a generator of a file whose name says neither G_A nor G_B; `load_quartet` takes it as G_A. The
    discriminator beside it goes with it. Without a direction, that of the training's options, which name the
    domains of the data as pix2pix does; so pictures do not change places for them any more.
    """
    if not quartet.alone:
        return quartet
    options = {name: value for name, value in quartet.options.items() if name != "direction"}
    told = direction if direction in get_args(Direction) else quartet.options.get("direction")
    if told != "BtoA":
        return replace(quartet, options=options)
    files: dict[NetName, Path] = {_OTHER[name]: file for name, file in quartet.files.items()}
    sought: dict[NetName, Path] = {_OTHER[name]: file for name, file in quartet.looked_for.items()}
    return replace(
        quartet, G_A=None, G_B=quartet.G_A, D_A=None, D_B=quartet.D_A, files=files, looked_for=sought,
        options=options,
        notes=tuple(note.replace("taken as G_A", "taken as G_B") for note in quartet.notes),
    )  # fmt: skip
