"""Which way a lone generator translates: its file does not say."""

from dataclasses import replace
from typing import Literal

from ganprune.checkpoints.quartet import Quartet

Direction = Literal["AtoB", "BtoA"]
"""AtoB: what G_A does; BtoA: what G_B does."""


def facing(quartet: Quartet, direction: str) -> Quartet:
    """A lone generator as the one that translates in ``direction``; every other checkpoint as it is.

    Lone is a generator of a file whose name says neither G_A nor G_B; `load_quartet` takes it as G_A.
    """
    lone = quartet.missing() == ("G_B", "D_A", "D_B") and len(quartet.looked_for) < 2
    if direction != "BtoA" or not lone:
        return quartet
    file = quartet.files["G_A"]
    notes = tuple(note.replace("taken as G_A", "taken as G_B") for note in quartet.notes)
    return replace(
        quartet, G_A=None, G_B=quartet.G_A, files={"G_B": file}, notes=notes, looked_for={"G_B": file}
    )
