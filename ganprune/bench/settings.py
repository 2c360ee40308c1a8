"""How networks are timed."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any

from ganprune.bench.engine import ARITHMETICS, CPU, Arithmetic
from ganprune.bench.machine import physical_cores
from ganprune.errors import UsageError
from ganprune.images.sizes import check_size
from ganprune.system.device import checked_threads


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
    """Time limit of a measurement, its warm-up included, one for each number of threads."""
    precision: float = 0.02
    """Enough is known when the 95 % intervals of all ratios are within ± this fraction of them."""
    noisy: float = 0.2
    """A warning is given when the middle 80 % of a network's times spread by more than this fraction."""
    size: int | None = None
    """Height and width of the pictures, pixels; None: as each file fixes it, 256 where it does not."""
    seed: int = 0
    """Of the random pictures and of the bootstrap."""
    provider: str = CPU
    """Execution provider, as ONNX Runtime spells it."""
    arithmetic: Arithmetic = "auto"
    """Numbers that float layers are computed in; ONNX Runtime's own CPU provider knows float32 alone."""
    input: Path | None = None
    """A picture, or a folder of pictures, to run the networks on; None: noise."""
    profile: bool = False
    """Afterwards, find out what each kind of operator takes, with the first of the numbers of threads."""
    least_speedup: float | None = None
    """The target of --assert-speedup."""
    most_ms: float | None = None
    """The target of --assert-max-ms, a median."""

    @classmethod
    def brief(cls, threads: int | None = None) -> "BenchSettings":
        """Half a minute in all, in one thread and in ``threads`` (None: all physical cores).

        Slow networks are run five times at least: the lowest and the highest of five times have the median
        between them in 15 of 16 cases, so the interval of a ratio is wide then, but no guess.
        """
        several = tuple(sorted({1, min(threads or physical_cores(), physical_cores())}))
        return cls(several, warmup=1, minimum=5, seconds=30 / len(several), precision=0.05)

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
        if self.arithmetic not in ARITHMETICS:
            raise UsageError(
                f"--set precision must be one of {', '.join(ARITHMETICS)}, found {self.arithmetic}"
            )
        for option, target in (("speedup", self.least_speedup), ("max-ms", self.most_ms)):
            if target is not None and not (target > 0 and isfinite(target)):
                raise UsageError(f"--assert-{option} must be more than 0, found {target}")
        if self.size is not None:
            check_size(self.size)

    def at_least_as_long(self, other: Mapping[str, Any]) -> bool:
        """Whether this measures what ``other``, a `to_json` of settings, measured, and no more hastily."""
        same = {name: getattr(self, name) for name in ("size", "provider", "arithmetic", "warmup")}
        return (
            same == {name: other.get(name, same[name]) for name in same}
            and {*self.threads} >= {*other["threads"]}
            and self.minimum >= other["minimum"]
            and self.maximum >= other["maximum"]
            and self.seconds >= other["seconds"]
            and self.precision <= other["precision"]
        )

    def to_json(self) -> dict[str, Any]:
        """In types that JSON has."""
        return asdict(self) | {"input": None if self.input is None else str(self.input)}
