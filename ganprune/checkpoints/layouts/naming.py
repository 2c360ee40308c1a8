"""Layouts of one file a network, told by the files' names alone."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from torch import Tensor

from ganprune.checkpoints.reading import read_tensors

NetName = Literal["G_A", "G_B", "D_A", "D_B"]
"""pytorch-CycleGAN's names: G_A translates A to B, G_B back; D_A judges domain B, D_B judges A."""

NET_NAMES: tuple[NetName, ...] = ("G_A", "G_B", "D_A", "D_B")
"""The four names in their usual order."""


def _whole_file(path: Path, name: NetName) -> dict[str, Tensor]:
    del name
    return read_tensors(path)


@dataclass(frozen=True, slots=True)
class Located:
    """Where the networks of one training lie."""

    naming: str
    """Title of the layout they were found by."""
    files: Mapping[NetName, Path]
    """Networks that are there."""
    looked_for: Mapping[NetName, Path] = field(default_factory=dict[NetName, Path])
    """Where all the networks of the layout would lie."""
    read: Callable[[Path, NetName], dict[str, Tensor]] = _whole_file
    """How to get one network's tensors out of its file."""
    notes: tuple[str, ...] = ()
    """What a user may want to know of the files, one line each."""
    entries: Mapping[NetName, str] = field(default_factory=dict[NetName, str])
    """What a file with several networks calls them; empty for one file a network."""


@dataclass(frozen=True, slots=True)
class Naming:
    """One file a network, under a name that may begin with an epoch."""

    title: str
    """Name for messages and reports."""
    stems: Mapping[NetName, str]
    """File name of every network without its suffix; ``{epoch}`` stands for any text."""
    suffixes: tuple[str, ...] = (".pth", ".pt", ".safetensors")
    """Suffixes of the files, preferred first."""

    @property
    def example(self) -> str:
        """The names it looks for, e.g. ``latest_net_G_A.pth``."""
        return ", ".join(self._file_name(name, "latest", self.suffixes[0]) for name in self.stems)

    def find(self, folder: Path, names: list[str]) -> list[Located]:
        """One set for every epoch and suffix among the files ``names`` of ``folder``, preferred first."""
        sets: dict[tuple[str, str], dict[NetName, Path]] = {}
        for file_name in names:
            for name, stem in self.stems.items():
                pattern = re.escape(stem).replace(re.escape("{epoch}"), "(?P<epoch>.+)")
                found = re.fullmatch(f"{pattern}(?P<suffix>\\.\\w+)", file_name)
                if found and found["suffix"] in self.suffixes:
                    key = (found.groupdict().get("epoch", ""), found["suffix"])
                    sets.setdefault(key, {})[name] = folder / file_name
        ranked = sorted(sets, key=lambda key: (_age(key[0]), len(sets[key]), -self.suffixes.index(key[1])))
        return [
            Located(
                self.title,
                {name: sets[epoch, suffix][name] for name in NET_NAMES if name in sets[epoch, suffix]},
                {name: folder / self._file_name(name, epoch, suffix) for name in self.stems},
            )
            for epoch, suffix in reversed(ranked)
        ]

    def _file_name(self, name: NetName, epoch: str, suffix: str) -> str:
        return self.stems[name].replace("{epoch}", epoch) + suffix


def _age(epoch: str) -> tuple[int, int, str]:
    """Sorts epochs from old to new: other names, iterations, numbers, ``latest``."""
    if epoch == "latest":
        return 3, 0, ""
    if epoch.isdecimal():
        return 2, int(epoch), ""
    iteration = re.fullmatch(r"iter_(\d+)", epoch)
    return (1, int(iteration[1]), "") if iteration else (0, 0, epoch)
