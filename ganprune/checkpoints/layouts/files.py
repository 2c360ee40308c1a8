"""One file a network, told by the files' names: ``latest_net_G_A.pth``, ``G_AB_199.pth``, ``gen_AB.pth.tar``.

A file's name is a network's name, as in `CONVENTIONS`, with anything before and behind it, such as an epoch.
Files with the same before and behind are of one set.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ganprune.checkpoints.layouts.conventions import CONVENTIONS, Convention, plain
from ganprune.checkpoints.layouts.naming import Located
from ganprune.settings.words import NET_NAMES, NetName

SUFFIXES = (".pth", ".pt", ".safetensors", ".pth.tar", ".ckpt", ".bin", ".pkl", ".tar")
"""Endings of files of networks, preferred first; a file that is given may have any name."""

_LETTERS = sorted({word for convention in CONVENTIONS for word in convention.words}, key=len, reverse=True)
_WORD = re.compile(
    r"(?:(?<![^\W_])|(?<=net)|(?<=model))(?P<word>"
    + "|".join("[_-]?".join(word) for word in _LETTERS)
    + r")(?![^\W_])",
    re.IGNORECASE,
)
"""A network's name within a file's, neither in the middle of a word nor followed by letters or digits."""


@dataclass(frozen=True, slots=True)
class _Named:
    """A file's name in its parts."""

    before: str
    word: str
    behind: str
    suffix: str

    @classmethod
    def of(cls, name: str, suffixes: tuple[str, ...]) -> "_Named | None":
        """None where no network's name is in it."""
        ending = max((one for one in suffixes if name.lower().endswith(one)), key=len, default="")
        stem, suffix = name[: len(name) - len(ending)], name[len(name) - len(ending) :]
        words = [] if not suffix or len(stem) > 255 else list(_WORD.finditer(stem))
        if not words:
            return None
        longest = max(words, key=lambda found: len(plain(found["word"])))
        return cls(stem[: longest.start()], longest["word"], stem[longest.end() :], suffix)

    @property
    def set(self) -> tuple[str, str, str]:
        """What the files of one set share."""
        return self.before, self.behind, self.suffix

    def sibling(self, word: str) -> str:
        """The name of the file of another network."""
        return f"{self.before}{word}{self.behind}{self.suffix}"


@dataclass(frozen=True, slots=True)
class FileLayout:
    """One file a network, under the names of one convention."""

    convention: Convention
    suffixes: tuple[str, ...] = SUFFIXES
    bare: bool = False  # nothing may stand before or behind the network's name

    @property
    def title(self) -> str:
        """Name for messages and reports."""
        return self.convention.title

    @property
    def example(self) -> str:
        """The names it looks for, e.g. ``latest_net_G_A.pth``."""
        names = self.convention.schools[0].values()
        return ", ".join(self.convention.before + name + self.suffixes[0] for name in names)

    def find(self, folder: Path, names: list[str]) -> list[Located]:
        """One set for every epoch and suffix among the files ``names`` of ``folder``, preferred first.

        Discriminators alone are a set where they are named as CycleGAN's files are: elsewhere nothing says
        which domain they judge.
        """
        sets: dict[tuple[str, str, str], dict[NetName, list[_Named]]] = {}
        for name in names:
            file = _Named.of(name, self.suffixes)
            ours = None if file is None else self.convention.words.get(plain(file.word))
            if file is not None and ours is not None and not (self.bare and file.before + file.behind):
                sets.setdefault(file.set, {}).setdefault(ours, []).append(file)
        told = {
            key: files
            for key, files in sets.items()
            if ({"G_A", "G_B"} & files.keys() and len(files) >= self.convention.least)
            or (self.title == "CycleGAN" and key[0].endswith("_net_"))
        }
        ranked = sorted(
            told,
            key=lambda key: (age(*key[:2]), len(told[key]), -self.suffixes.index(key[2].lower())),
            reverse=True,
        )
        return [located for key in ranked for located in self._located(folder, told[key])]

    def _located(self, folder: Path, files: Mapping[NetName, list[_Named]]) -> Iterator[Located]:
        """One set; where several names could be of one network, another for each."""
        one = next(iter(files.values()))[0]
        school, notes = self.convention.spelled(one.word), list[str]()
        for ours, several in files.items():
            if len(several) > 1:
                told = " and ".join(file.sibling(file.word) for file in several)
                notes.append(f"{told} could be {ours}; give the one to read, with its others beside it")
        for i in range(max(map(len, files.values()))):
            chosen = {name: found[min(i, len(found) - 1)] for name, found in files.items()}
            yield Located(
                self.title,
                {
                    name: folder / chosen[name].sibling(chosen[name].word)
                    for name in NET_NAMES
                    if name in chosen
                },
                {name: folder / one.sibling(word) for name, word in school.items()},
                notes=tuple(notes),
                alone=self.convention.alone,
            )


def age(before: str, behind: str) -> tuple[int, int, str]:
    """Sorts what stands around a network's name from old to new.

    Other words, iterations, epochs, nothing, ``latest``, ``last`` or ``final``.
    """
    around = f"{before} {behind}".lower()
    if re.search(r"(?<![a-z])(?:latest|last|final)(?![a-z])", around):
        return 4, 0, ""
    if iteration := re.search(r"(?<![a-z])(?:iter|iters|iteration|step)[_=-]?(\d{1,12})(?!\d)", around):
        return 1, int(iteration[1]), ""
    if epochs := re.findall(r"(?<![a-z0-9])(?:epoch|epochs|ep|e)?[_=-]?(\d{1,12})(?![a-z0-9])", around):
        return 2, int(epochs[-1]), ""
    if not re.sub(r"net|model|[\W_]", "", around):
        return 3, 0, ""
    return 0, 0, around


def words_around(path: Path) -> str:
    """What stands around a network's name in a file's, where that says no epoch."""
    named = _Named.of(path.name, SUFFIXES)
    return "" if named is None else age(named.before, named.behind)[2]


GANPRUNE_RUN = FileLayout(
    Convention("ganprune run", "", ({"G_A": "G_A", "G_B": "G_B"},)), (".safetensors",), bare=True
)
"""A run folder of ganprune: the slim generators ``G_A.safetensors`` and ``G_B.safetensors``."""

FILES = tuple(FileLayout(convention) for convention in CONVENTIONS)  # one layout a convention
