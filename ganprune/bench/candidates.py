"""Which files are timed, and what each is compared with.

A run holds two originals of each slim network: ``original_G_A.onnx`` as PyTorch exports it, and
``original_G_A.rewritten.onnx`` through the same graph passes as ``G_A.onnx``. The headline compares the slim
network with the first. Compared with the second, it shows the gain from pruning alone; the second compared
with the first shows the gain from the graph passes alone.
"""

from dataclasses import dataclass
from pathlib import Path

from ganprune.errors import InputError

ORIGINAL = "original_"  # what the original's file has in front of the slim one's name
REWRITTEN = ".rewritten"
"""What the original's file has behind it where it went through the same passes as the slim one."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One ONNX file that is timed."""

    name: str  # what tables and sentences call it; no two candidates share one
    path: Path  # the .onnx file
    against: str | None = None
    """Name of the candidate whose time this one's is a ratio of; None for a baseline itself."""
    rewritten: str | None = None
    """Name of the second baseline: the original through the same passes as this one; None: there is none."""

    @property
    def is_original(self) -> bool:
        """Whether it is an original of a run, in whatever form: no speed-up is expected of it."""
        return _is_original(self.path)


def _is_original(path: Path) -> bool:
    return path.name.startswith(ORIGINAL)


def candidates_in(folder: Path) -> tuple[Candidate, ...]:
    """The ONNX files of a run folder: originals first, every other file against its own original.

    G_A.onnx is compared with original_G_A.onnx and original_G_A.rewritten.onnx, and so are its variants, such
    as G_A.int8.onnx; variants of an original are compared with the original. Raises `InputError` if the
    folder holds none.
    """
    files = (path for path in folder.glob("*.onnx") if not path.name.startswith("."))
    paths = sorted(files, key=lambda path: (not _is_original(path), path.stem))
    if not paths:
        raise InputError(
            f"{folder}: needed .onnx files, found none; run ganprune export --onnx {folder} first"
        )
    names = {path.stem for path in paths}

    def candidate(path: Path) -> Candidate:
        plain = ORIGINAL + path.stem.removeprefix(ORIGINAL).partition(".")[0]
        if path.stem == plain:
            return Candidate(path.stem, path)
        second = None if _is_original(path) else plain + REWRITTEN
        return Candidate(
            path.stem, path, plain if plain in names else None, second if second in names else None
        )

    return tuple(candidate(path) for path in paths)


def candidates_of(files: tuple[Path, ...]) -> tuple[Candidate, ...]:
    """Any ONNX files: all others against the first. Files of one name are called by their folders too.

    A file called as the first with ``.rewritten`` behind it is the second baseline of the others.
    """
    stems = [path.stem for path in files]
    names = [
        path.stem if stems.count(path.stem) == 1 else f"{path.parent.name}/{path.stem}" for path in files
    ]
    second = next(
        (name for name, stem in zip(names, stems, strict=True) if stem == stems[0] + REWRITTEN), None
    )
    return tuple(
        Candidate(name, path)
        if i == 0
        else Candidate(name, path, names[0], None if _is_original(path) else second)
        for i, (name, path) in enumerate(zip(names, files, strict=True))
    )
