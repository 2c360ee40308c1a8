"""What is timed, and how."""

from dataclasses import dataclass, field
from pathlib import Path

from ganprune.bench.machine import physical_cores
from ganprune.device import checked_threads
from ganprune.errors import InputError, UsageError
from ganprune.networks import DOWNSAMPLING

ORIGINAL = "original_"
"""What the original's file has in front of the slim one's name: original_G_A.onnx and G_A.onnx."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One ONNX file that is timed."""

    name: str
    """What tables and sentences call it; no two candidates share one."""
    path: Path
    """The .onnx file."""
    against: str | None = None
    """Name of the candidate whose time this one's is a ratio of; None for a baseline itself."""


def _one_and_all() -> tuple[int, ...]:
    return tuple(sorted({1, physical_cores()}))


@dataclass(frozen=True, slots=True)
class BenchSettings:
    """How networks are timed. Runs go on until every ratio is known well enough, or time is up."""

    threads: tuple[int, ...] = field(default_factory=_one_and_all)
    """Threads inside an operator, one measurement each; 1 and all physical cores by default."""
    warmup: int = 3
    """Runs of each network that are not timed."""
    minimum: int = 20
    """Runs of each network that are timed at least, whatever the time limit."""
    maximum: int = 1000
    """Runs of each network that are timed at most."""
    seconds: float = 60.0
    """Time limit of a measurement, one for each number of threads."""
    precision: float = 0.02
    """Enough is known when the 95 % intervals of all ratios are within ± this fraction of them."""
    noisy: float = 0.2
    """A warning is given when the middle 80 % of a network's times spread by more than this fraction."""
    size: int | None = None
    """Height and width of the pictures, pixels; None: as each file fixes it, 256 where it does not."""
    seed: int = 0
    """Of the random pictures and of the bootstrap."""
    provider: str = "CPUExecutionProvider"
    """Execution provider, as ONNX Runtime spells it."""

    def __post_init__(self) -> None:
        if not self.threads:
            raise UsageError("--threads must be one number or more, found none")
        for threads in self.threads:
            checked_threads(threads)
        if self.warmup < 0:
            raise UsageError(f"--warmup must be 0 or more, found {self.warmup}")
        if not 2 <= self.minimum <= self.maximum:
            raise UsageError(
                f"runs must be 2 or more and their maximum no less, found {self.minimum} and {self.maximum}"
            )
        for name in ("seconds", "precision", "noisy"):
            if not getattr(self, name) > 0:
                raise UsageError(f"{name} must be more than 0, found {getattr(self, name)}")
        if self.size is not None and (self.size < 4 * DOWNSAMPLING or self.size % DOWNSAMPLING):
            raise UsageError(f"--size must be a multiple of 4 and at least 16, found {self.size}")


def candidates_in(folder: Path) -> tuple[Candidate, ...]:
    """The ONNX files of a run folder: originals first, every other file against its own original.

    G_A.onnx is compared with original_G_A.onnx, and so are its variants, such as G_A.int8.onnx.
    Raises `InputError` if the folder holds none.
    """
    files = (path for path in folder.glob("*.onnx") if not path.name.startswith("."))
    paths = sorted(files, key=lambda path: (not path.name.startswith(ORIGINAL), path.name))
    if not paths:
        raise InputError(
            f"{folder}: needed .onnx files, found none; run ganprune export --onnx {folder} first"
        )
    names = {path.stem for path in paths}

    def original_of(name: str) -> str | None:
        original = ORIGINAL + name.partition(".")[0]
        return original if original in names else None

    return tuple(Candidate(path.stem, path, original_of(path.stem)) for path in paths)


def candidates_of(files: tuple[Path, ...]) -> tuple[Candidate, ...]:
    """Any ONNX files: all others against the first. Files of one name are called by their folders too."""
    stems = [path.stem for path in files]
    names = [
        path.stem if stems.count(path.stem) == 1 else f"{path.parent.name}/{path.stem}" for path in files
    ]
    return tuple(
        Candidate(name, path, None if i == 0 else names[0])
        for i, (name, path) in enumerate(zip(names, files, strict=True))
    )
