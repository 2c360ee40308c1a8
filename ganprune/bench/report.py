"""What a measurement found: as dataclasses, as JSON, as CSV, as tables, as sentences."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NotRequired, TypedDict, cast

from ganprune.bench.engine import Engine
from ganprune.bench.machine import Machine, MachineFacts
from ganprune.bench.profile import Profile, groups_of, profile_table
from ganprune.bench.statistics import Ratio, Times
from ganprune.metrics.telling import Quality
from ganprune.pruning.cost import mebibytes
from ganprune.settings.bench import BenchSettings, TimedBy
from ganprune.storage.tables import Table, csv_text, in_threads, number, plus_minus, table_of

SCHEMA = 1  # version of what `BenchReport.to_json` returns; raised when a key changes its meaning or goes

_MIB = 2**20


class TimedNetwork(TypedDict):
    """A `NetworkCost`, as far as bench.json is read again."""

    name: str
    against: str | None
    rewritten: NotRequired[str | None]
    original: NotRequired[bool]
    batch: int
    height: int
    width: int


class TimedRow(TypedDict):
    """A `Timing`, likewise."""

    network: str
    threads: int
    median_ms: float
    p10_ms: float
    p90_ms: float


class Cells(TypedDict):
    """A `Table`."""

    title: str
    headings: list[str]
    rows: list[list[str]]
    detail: NotRequired[bool]


class Prediction(TypedDict):
    """What a network was predicted to take, and takes."""

    network: str
    predicted_ms: float
    measured_ms: float


class Timed(TypedDict):
    """A `BenchReport` with its tables as plain values: what bench.json holds, as far as it is read again."""

    header: str
    sentences: list[str]
    tables: list[Cells]
    machine: MachineFacts
    networks: list[TimedNetwork]
    timings: list[TimedRow]
    settings: TimedBy
    predictions: NotRequired[list[Prediction]]  # of a run with --target-ms
    quality: NotRequired[Quality | None]  # of a run


@dataclass(frozen=True, slots=True)
class NetworkCost:
    """What one file costs, whatever the machine."""

    name: str
    path: Path
    against: str | None  # name of its baseline; None for a baseline
    rewritten: str | None
    """Name of its second baseline: the original through the same graph passes; None: there is none."""
    original: bool  # whether it is an original of a run, in whatever form
    batch: int  # pictures a run
    height: int  # of its pictures, pixels
    width: int
    params: int
    file_bytes: int
    macs_true: int | None
    """Multiply-accumulates of one picture, counted on the network before graph rewrites where it is ours;
    transposed convolutions on their input grid."""
    macs_paper: int | None  # the same, transposed convolutions on their output grid
    theoretical_speedup: float | None  # True MACs of the baseline over this one's; None for a baseline


@dataclass(frozen=True, slots=True)
class Timing:
    """How fast one file ran with one number of threads."""

    network: str
    threads: int
    load_ms: float  # time to load the file into the runtime, milliseconds
    times: Times
    pictures_per_second: float
    """At the median time."""
    speedup: Ratio | None
    """Median time of the baseline over this one's; None for a baseline."""
    theoretical_speedup: float | None
    over_rewritten: Ratio | None
    """Median time of the second baseline over this one's: what pruning gave without the work on the graph."""
    memory_bytes: int | None
    """The most that the network held, bytes: its process's largest resident memory, less what was resident
    before the file was loaded; None where the system does not tell."""
    process_memory_bytes: int | None
    """The whole process's largest resident memory, bytes: Python and the runtime too."""

    @property
    def quotient(self) -> float | None:
        """Measured over theoretical speed-up: 1 when time shrinks as much as arithmetic."""
        if self.speedup is None or self.theoretical_speedup is None:
            return None
        return self.speedup.value / self.theoretical_speedup

    @property
    def margin(self) -> float:
        """How well the worst known of its ratios is known, as a fraction of it; 0 for a baseline."""
        ratios = (self.speedup, self.over_rewritten)
        return max((ratio.relative_margin for ratio in ratios if ratio is not None), default=0.0)


@dataclass(frozen=True, slots=True)
class BenchReport:
    """Everything a measurement found, and what it was made on."""

    machine: Machine
    settings: BenchSettings
    networks: tuple[NetworkCost, ...]
    timings: tuple[Timing, ...]  # one for each number of threads and network, in this order
    engine: Engine
    profiles: tuple[Profile, ...] = ()  # one a network, where they were asked for

    def header(self) -> str:
        """Processor, cores, versions and protocol in one line."""
        threads = " and ".join(map(str, self.settings.threads))
        return f"{self.machine}; {self.engine}; threads {threads}; interleaved runs, a process a network"

    def costs(self) -> Table:
        """One row a network: pictures a run, params, size, MACs in both conventions."""
        nets = self.networks
        return table_of("Size and arithmetic", [
            ("network", [net.name for net in nets]),
            ("picture", [f"{net.batch}×{net.height}×{net.width}" for net in nets]),
            ("params", [f"{net.params:,}" for net in nets]),
            ("MiB (float32)", [f"{mebibytes(net.params):.2f}" for net in nets]),
            ("file MiB", [f"{net.file_bytes / _MIB:.2f}" for net in nets]),
            ("GMACs (true)", [_giga(net.macs_true) for net in nets]),
            ("GMACs (paper)", [_giga(net.macs_paper) for net in nets]),
            ("fewer MACs (true)", [number(net.theoretical_speedup, unit="×") for net in nets]),
        ])  # fmt: skip

    def speeds(self) -> tuple[Table, ...]:
        """A table a number of threads, a row a network: what users feel, and what theory promised."""
        return tuple(_speeds(threads, timings) for threads, timings in self._by_threads())

    def distributions(self) -> tuple[Table, ...]:
        """A table a number of threads, a row a network: how the times are spread, and loading."""
        return tuple(_spread(threads, timings) for threads, timings in self._by_threads())

    def operators(self) -> tuple[Table, ...]:
        """A table a baseline, where profiles were asked for: time by operator, in all that belongs to it."""
        return tuple(profile_table(group) for group in self.profile_groups())

    def profile_groups(self) -> list[list[Profile]]:
        """The profiles of each baseline and of what is compared with it."""
        return groups_of(self.profiles, {network.name: network.against for network in self.networks})

    def tables(self) -> tuple[Table, ...]:
        """All tables, those to read first in front."""
        return (*self.speeds(), self.costs(), *self.operators(), *self.distributions())

    def sentences(self) -> tuple[str, ...]:
        """One a comparison, like "G_A ran 3.4 ± 0.1 times as fast as original_G_A (1 thread)".

        With a second baseline: "… and 3.1 ± 0.1 times as fast as original_G_A.rewritten (1 thread)".
        """
        networks = {network.name: network for network in self.networks}
        found: list[str] = []
        for timing in self.timings:
            network = networks[timing.network]
            pairs = ((timing.speedup, network.against), (timing.over_rewritten, network.rewritten))
            told = [f"{plus_minus(ratio.value, ratio.margin)} times as fast as {baseline}"
                    for ratio, baseline in pairs if ratio is not None and baseline is not None]  # fmt: skip
            if told:
                found.append(f"{timing.network} ran {' and '.join(told)} ({in_threads(timing.threads)})")
        return tuple(found)

    def missed(self) -> tuple[str, ...]:
        """A line for each target of the settings that a slim network missed; none: all were reached.

        Judged are the networks that are compared with an original, or all where none is compared.
        """
        judged = {net.name for net in self.networks if net.against is not None and not net.original}
        timings = [timing for timing in self.timings if not judged or timing.network in judged]
        least, most, lines = self.settings.least_speedup, self.settings.most_ms, list[str]()
        if least is not None:
            slow = [f"{t.network} {_fold(t.speedup)} ({in_threads(t.threads)})"
                    for t in timings if t.speedup is not None and t.speedup.value < least]  # fmt: skip
            lines += [f"--assert-speedup {least:g} was missed: {', '.join(slow)}"] if slow else []
        if most is not None:
            slow = [f"{t.network} {t.times.median:.2f} ms ({in_threads(t.threads)})"
                    for t in timings if t.times.median > most]  # fmt: skip
            lines += [f"--assert-max-ms {most:g} was missed: {', '.join(slow)}"] if slow else []
        return tuple(lines)

    def markdown(self) -> str:
        """Header, tables and sentences."""
        parts = [self.header(), *(table.markdown() for table in self.tables()), *self.sentences()]
        return "\n\n".join(parts) + "\n"

    def csv(self) -> str:
        """A line for each number of threads and network, with all figures; headings first."""
        networks = {network.name: network for network in self.networks}
        engine = {"provider": self.engine.provider, "arithmetic": self.engine.arithmetic}
        surroundings = engine | asdict(self.machine)
        lines: list[dict[str, Any]] = []
        for timing in self.timings:
            network = asdict(networks[timing.network]) | {"path": str(networks[timing.network].path)}
            flat = _flat(timing)
            for key in ("speedup", "over_rewritten"):
                ratio = flat.pop(key)
                flat |= {f"{key}{end}": ratio and ratio[field] for end, field in _ENDS.items()}
            lines.append({"network": network.pop("name")} | flat | network | surroundings)
        return csv_text(lines)

    def to_json(self) -> Timed:
        """Everything, in types that JSON has. Times in milliseconds, sizes in bytes.

        The tables go with the figures, so that a reader can print them again.
        """
        networks = [
            asdict(network) | {"path": str(network.path), "mebibytes": mebibytes(network.params)}
            for network in self.networks
        ]
        found = {
            "schema": SCHEMA, "machine": self.machine.to_json(), "engine": asdict(self.engine),
            "settings": self.settings.to_json(), "networks": networks,
            "timings": [_flat(timing) for timing in self.timings],
            "profiles": [asdict(profile) for profile in self.profiles], "sentences": list(self.sentences()),
            "missed": list(self.missed()), "header": self.header(),
            "tables": [asdict(table) for table in self.tables()],
        }  # fmt: skip
        return cast(Timed, found)

    def _by_threads(self) -> Iterator[tuple[int, list[Timing]]]:
        for threads in dict.fromkeys(self.settings.threads):
            yield threads, [timing for timing in self.timings if timing.threads == threads]


_ENDS = {"": "value", "_low": "low", "_high": "high"}  # columns of a ratio, and its fields


def _speeds(threads: int, timings: Sequence[Timing]) -> Table:
    return table_of(f"Speed, {in_threads(threads)}", [
        ("network", [t.network for t in timings]),
        ("median ms", [number(t.times.median) for t in timings]),
        ("fps", [number(fps, 1 if fps < 100 else 0) for t in timings if (fps := t.pictures_per_second)]),
        ("peak MiB", [_mebibytes(t.memory_bytes) for t in timings]),
        ("speed-up", [_fold(t.speedup) for t in timings]),
        ("over rewritten", [_fold(t.over_rewritten) for t in timings]),
        ("in theory", [number(t.theoretical_speedup, unit="×") for t in timings]),
        ("of theory", [number(t.quotient) for t in timings]),
    ])  # fmt: skip


def _spread(threads: int, timings: Sequence[Timing]) -> Table:
    def column(name: str) -> list[str]:
        return [number(getattr(t.times, name)) for t in timings]

    return table_of(f"Spread of the times, ms, {in_threads(threads)}", [
        ("network", [t.network for t in timings]),
        ("runs", [str(t.times.runs) for t in timings]),
        ("mean", column("mean")),
        ("min", column("minimum")),
        ("p10", column("p10")),
        ("p90", column("p90")),
        ("p95", column("p95")),
        ("p99", column("p99")),
        ("max", column("maximum")),
        ("load", [number(t.load_ms, 0) for t in timings]),
    ], detail=True)  # fmt: skip


def _flat(timing: Timing) -> dict[str, Any]:
    entry = asdict(timing)
    times: dict[str, float] = entry.pop("times")
    runs = times.pop("runs")
    milliseconds = {f"{name}_ms": ms for name, ms in times.items()}
    return entry | {"runs": runs, **milliseconds, "spread": timing.times.spread, "quotient": timing.quotient}


def _giga(macs: int | None) -> str:
    return number(None if macs is None else macs / 1e9)


def _mebibytes(size: int | None) -> str:
    return number(None if size is None else size / _MIB, 0)


def _fold(ratio: Ratio | None) -> str:
    return "–" if ratio is None else f"{plus_minus(ratio.value, ratio.margin)}×"
