"""Where the pictures of both domains are: in one folder of a dataset, or in a folder of each.

Of a folder of a dataset any of these is read, and the same for ``val`` and ``test``:

    trainA/  trainB/      train/A/  train/B/      A/trainA/  B/trainB/      A/train/  B/train/      A/  B/

Capital letters, ``_`` and ``-`` make no difference in names of more than a letter: ``TrainA/``, ``train_A/``.

Of a folder of one domain A: ``trainA/``, ``train/``, or the pictures themselves.

Of pairs, both pictures of which are in one file: ``train/``, or the files themselves; see
`ganprune.images.pairs`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from ganprune.errors import UsageError
from ganprune.settings.words import DOMAINS as DOMAINS
from ganprune.settings.words import Domain

Split = Literal["train", "val", "test"]
"""What a picture is for. Test pictures are never seen by a search or a training."""


@dataclass(frozen=True, slots=True)
class DataSource:
    """``--data``, or ``--data-a`` and ``--data-b``."""

    root: Path | None = None
    A: Path | None = None
    B: Path | None = None

    @classmethod
    def given(cls, root: Path | None, A: Path | None, B: Path | None) -> "DataSource | None":
        """From options; None: none was given. Raises `UsageError` for a root and a folder of one domain."""
        if root is not None and (A is not None or B is not None):
            one = "--data-b" if A is None else "--data-a"
            raise UsageError(f"--data and {one} contradict each other; give --data, or --data-a and --data-b")
        if A is not None and B is not None and A.resolve() == B.resolve():
            raise UsageError(f"--data-a and --data-b need a folder of each domain, found {A} twice; give two")
        return None if root is None and A is None and B is None else cls(root, A, B)

    @classmethod
    def of_config(cls, found: str | Mapping[str, Any]) -> "DataSource":
        """What `config` made."""
        if isinstance(found, str):
            return cls(Path(found))
        A, B = (str(found[domain]) if domain in found else None for domain in get_args(Domain))
        return cls(A=None if A is None else Path(A), B=None if B is None else Path(B))

    def config(self) -> str | dict[str, str]:
        """For a run's config.toml, and for JSON."""
        if self.root is not None:
            return str(self.root)
        return {domain: str(folder) for domain, folder in self.folders().items()}

    def resolved(self) -> "DataSource":
        """The same with whole paths."""
        root, folders = self.root, self.folders()
        if root is not None:
            return DataSource(root.resolve())
        return DataSource(None, *(folders[d].resolve() if d in folders else None for d in get_args(Domain)))

    @property
    def name(self) -> str:
        """Of what is made of it: that of its folder, or those of both."""
        places = [self.root] if self.root is not None else list(self.folders().values())
        return "2".join(place.resolve().name for place in places)

    @property
    def domain_names(self) -> dict[Domain, str]:
        """What people call the domains: their own folders' names, or both halves of a dataset's name, as of
        ``horse2zebra``; A and B where neither says more."""
        places = self.folders()
        found = {domain: place.resolve().name for domain, place in places.items()}
        if self.root is not None:
            halves = self.root.resolve().name.split("2")
            found = dict(zip(DOMAINS, halves, strict=True)) if len(halves) == 2 and all(halves) else {}
        odd = {f"{part}{domain}" for part in ("", *get_args(Split)) for domain in ("", *DOMAINS)}
        return {domain: domain if (name := found.get(domain, "")) in odd else name for domain in DOMAINS}

    def words(self) -> list[object]:
        """The options that say the same."""
        if self.root is not None:
            return ["--data", self.root]
        return [
            word for domain, path in self.folders().items() for word in (f"--data-{domain.lower()}", path)
        ]

    def folders(self) -> dict[Domain, Path]:
        """The folders of single domains."""
        both: dict[Domain, Path | None] = {"A": self.A, "B": self.B}
        return {domain: folder for domain, folder in both.items() if folder is not None}

    def swapped(self) -> "DataSource":
        """The same with A and B exchanged; a dataset's folder as it is."""
        return DataSource(self.root, self.B, self.A)

    def folder(self, part: Split, domain: Domain, bare: Split = "train") -> Path | None:
        """Where the pictures of one part of a domain lie; None: nowhere.

        bare: what pictures are for that lie in no folder of a part.
        """
        if self.root is not None:
            own = below(self.root, domain)
            places = [below(self.root, f"{part}{domain}"), below(self.root, part, domain)]
        else:
            own = self.folders().get(domain)
            places = [] if own is None else [below(own, part, domain)]
        if own is not None:
            places += [below(own, f"{part}{domain}"), below(own, part)]
            places += [own] if part == bare and not _is_parted(own, domain) else []
        return next((place for place in places if place is not None and place.is_dir()), None)


def _is_parted(folder: Path, domain: Domain) -> bool:
    """Whether a domain's folder has others for train, val or test."""
    names = [name for part in get_args(Split) for name in (part, f"{part}{domain}")]
    return any(below(folder, name) is not None for name in names)


def below(folder: Path, *names: str) -> Path | None:
    """The folder that names lead to from another, as they are or as `plain` has them; None: there is none."""
    for name in names:
        exact = folder / name
        if not exact.is_dir():
            if len(name) == 1 or not folder.is_dir():
                return None
            entries = sorted(entry for entry in folder.iterdir() if plain(entry.name) == plain(name))
            exact = next((entry for entry in entries if entry.is_dir()), exact)
        folder = exact
    return folder if folder.is_dir() else None


def plain(name: str) -> str:
    """``traina`` for ``TrainA``, ``train_A`` and ``train-a``."""
    return re.sub(r"[_\- ]", "", name.lower())
