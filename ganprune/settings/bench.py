"""How networks are timed."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, TypedDict, cast

from ganprune.errors import UsageError
from ganprune.settings.fields import check_fields, no_setting, setting
from ganprune.settings.search import OPTIONS
from ganprune.settings.words import MOST_THREADS, SIZES

Arithmetic = Literal["auto", "float32", "bfloat16"]
"""Numbers that float layers are computed in; auto: the fastest that the provider and the CPU have."""

CPU = "CPUExecutionProvider"
"""ONNX Runtime's own execution provider."""


class TimedBy(TypedDict):
    """`BenchSettings` as bench.json has them, as far as they are read again."""

    threads: list[int]
    minimum: int
    maximum: int
    seconds: float
    precision: float
    provider: str


def _one_and_all() -> tuple[int, ...]:
    from ganprune.bench.machine import physical_cores

    return tuple(sorted({1, physical_cores()}))


@dataclass(frozen=True, slots=True)
class BenchSettings:
    """How networks are timed. Runs go on until every ratio is known well enough, or time is up."""

    threads: tuple[int, ...] = setting(make=_one_and_all, least=1, most=MOST_THREADS, panel=OPTIONS)
    """Threads, one measurement each; default 1 and all physical cores."""
    warmup: int = no_setting(3)
    """Runs of each network that are not timed."""
    runs: tuple[int, ...] = setting((20, 1000), least=2, metavar="MIN[,MAX]")
    """Timed runs of each network: MIN whatever the time limit, MAX at most, until speed-ups are known within
    2 %."""
    seconds: float = setting(60.0, above=0, metavar="S")
    """Time limit for each number of threads, warm-up included."""
    precision: float = no_setting(0.02)
    """Enough is known when the 95 % intervals of all ratios are within ± this fraction of them."""
    noisy: float = no_setting(0.2)
    """A warning is given when the middle 80 % of a network's times spread by more than this fraction."""
    size: int | None = setting(None, within=SIZES, panel=OPTIONS)
    """Height and width of pictures, pixels, for files that leave it free; default 256."""
    seed: int = no_setting(0)
    """Of the random pictures and of the bootstrap."""
    provider: str = setting(CPU, panel=OPTIONS, metavar="NAME")
    """Execution provider of ONNX Runtime, e.g. OpenVINOExecutionProvider."""
    arithmetic: Arithmetic = setting("auto", key="precision", metavar="P")
    """float32, bfloat16 (OpenVINO) or auto: what the CPU has."""
    input: Path | None = setting(None, panel=OPTIONS, metavar="FILE|DIR")
    """Run on these pictures instead of noise, resized to what each file takes."""
    profile: bool = setting(False, panel=OPTIONS)
    """Show time by operator, too, with the first number of threads; the chart is profile.svg."""
    least_speedup: float | None = setting(None, key="assert-speedup", above=0, panel=OPTIONS)
    """Exit code 4 if a slim network is not F times as fast as its original."""
    most_ms: float | None = setting(None, key="assert-max-ms", above=0, panel=OPTIONS, metavar="MS")
    """Exit code 4 if the median time of a slim network is longer."""

    @classmethod
    def brief(cls, threads: int | None = None) -> "BenchSettings":
        """Half a minute in all, in one thread and in ``threads`` (None: all physical cores).

        Slow networks are run five times at least: the lowest and the highest of five times have the median
        between them in 15 of 16 cases, so the interval of a ratio is wide then, but no guess.
        """
        from ganprune.bench.machine import physical_cores

        several = tuple(sorted({1, min(threads or physical_cores(), physical_cores())}))
        return cls(several, warmup=1, runs=(5,), seconds=30 / len(several), precision=0.05)

    def __post_init__(self) -> None:
        check_fields(self)
        if len(self.runs) > 2 or self.minimum > self.maximum:
            found = ",".join(map(str, self.runs))
            raise UsageError(f"--set runs must be MIN or MIN,MAX with MAX no less than MIN, found {found}")

    @property
    def minimum(self) -> int:
        """Runs of each network that are timed at least."""
        return self.runs[0]

    @property
    def maximum(self) -> int:
        """Runs of each network that are timed at most; 1000 unless more are needed or it was set."""
        return self.runs[1] if len(self.runs) > 1 else max(self.minimum, 1000)

    def at_least_as_long(self, other: TimedBy) -> bool:
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

    def to_json(self) -> TimedBy:
        """In types that JSON has."""
        found = asdict(self) | {"minimum": self.minimum, "maximum": self.maximum}
        del found["runs"]
        return cast(TimedBy, found | {"input": None if self.input is None else str(self.input)})
