"""What a network is called here, and where the networks of one training lie."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor

from ganprune.checkpoints.reading import read_tensors
from ganprune.settings.words import NetName


def _whole_file(path: Path, name: NetName) -> dict[str, Tensor]:
    del name
    return read_tensors(path)


@dataclass(frozen=True, slots=True)
class Located:
    """Where the networks of one training lie."""

    naming: str  # title of the layout they were found by
    files: Mapping[NetName, Path]  # networks that are there
    looked_for: Mapping[NetName, Path] = field(default_factory=dict[NetName, Path])
    """Where all the networks of the layout would lie."""
    read: Callable[[Path, NetName], dict[str, Tensor]] = _whole_file
    """How to get one network's tensors out of its file."""
    notes: tuple[str, ...] = ()  # what a user may want to know of the files, one line each
    entries: Mapping[NetName, str] = field(default_factory=dict[NetName, str])
    """What a file with several networks calls them; empty for one file a network."""
    alone: bool = False  # whether G_A is one generator of which nothing says which way it translates
