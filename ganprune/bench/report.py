"""What a measurement found: as dataclasses, as JSON, as tables, as sentences."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ganprune.bench.machine import Machine
from ganprune.bench.settings import BenchSettings
from ganprune.bench.statistics import Ratio, Times
from ganprune.cost import mebibytes

SCHEMA = 1
"""Version of what `BenchReport.to_json` returns; raised when a key changes its meaning or goes."""


@dataclass(frozen=True, slots=True)
class Network:
    """What one file costs, whatever the machine."""

    name: str
    path: Path
    against: str | None
    """Name of its baseline; None for a baseline."""
    batch: int
    """Pictures a run."""
    height: int
    """Of its pictures, pixels."""
    width: int
    params: int
    file_bytes: int
    macs_true: int | None
    """Multiply-accumulates of one picture, transposed convolutions on their input grid."""
    macs_paper: int | None
    """The same, transposed convolutions on their output grid."""
    theoretical_speedup: float | None
    """True MACs of the baseline over this one's; None for a baseline."""


@dataclass(frozen=True, slots=True)
class Timing:
    """How fast one file ran with one number of threads."""

    network: str
    threads: int
    load_ms: float
    """Time to load the file into the runtime, milliseconds."""
    times: Times
    images_per_second: float
    """At the median time."""
    speedup: Ratio | None
    """Median time of the baseline over this one's; None for a baseline."""
    theoretical_speedup: float | None

    @property
    def quotient(self) -> float | None:
        """Measured over theoretical speed-up: 1 when time shrinks as much as arithmetic."""
        if self.speedup is None or self.theoretical_speedup is None:
            return None
        return self.speedup.value / self.theoretical_speedup


@dataclass(frozen=True, slots=True)
class Table:
    """Text cells, ready to be laid out."""

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def markdown(self) -> str:
        """A GitHub table under a bold title; all columns but the first are right-aligned."""
        lines = [self.headings, ("---", *("---:" for _ in self.headings[1:])), *self.rows]
        return "\n".join([f"**{self.title}**", "", *("| " + " | ".join(line) + " |" for line in lines)])


@dataclass(frozen=True, slots=True)
class BenchReport:
    """Everything a measurement found, and what it was made on."""

    machine: Machine
    settings: BenchSettings
    networks: tuple[Network, ...]
    timings: tuple[Timing, ...]
    """One for each number of threads and network, in this order."""

    def header(self) -> str:
        """Processor, cores, versions and protocol in one line."""
        threads = " and ".join(map(str, self.settings.threads))
        return f"{self.machine}; {self.settings.provider}; threads {threads}; interleaved runs"

    def costs(self) -> Table:
        """One row a network: pictures a run, params, size, MACs in both conventions."""
        headings = (
            "network", "picture", "params", "MiB (float32)", "file MiB",
            "GMACs (true)", "GMACs (paper)", "fewer MACs (true)",
        )  # fmt: skip
        rows = tuple(
            (
                network.name,
                f"{network.batch}×{network.height}×{network.width}",
                f"{network.params:,}",
                f"{mebibytes(network.params):.2f}",
                f"{network.file_bytes / 2**20:.2f}",
                _giga(network.macs_true),
                _giga(network.macs_paper),
                _fold(network.theoretical_speedup),
            )
            for network in self.networks
        )
        return Table("Size and arithmetic", headings, rows)

    def speeds(self) -> Table:
        """One row for each number of threads and network: what users feel, and what theory promised."""
        headings = (
            "network", "threads", "median ms", "p10-p90 ms", "images/s",
            "speed-up", "in theory", "measured / theory",
        )  # fmt: skip
        rows = tuple(
            (
                timing.network,
                str(timing.threads),
                f"{timing.times.median:.2f}",
                f"{timing.times.p10:.2f}-{timing.times.p90:.2f}",
                f"{timing.images_per_second:.1f}",
                _measured(timing.speedup),
                _fold(timing.theoretical_speedup),
                "–" if timing.quotient is None else f"{timing.quotient:.2f}",
            )
            for timing in self.timings
        )
        return Table("Speed", headings, rows)

    def distributions(self) -> Table:
        """One row for each number of threads and network: how the times are spread, milliseconds."""
        headings = ("network", "threads", "runs", "mean ms", "min", "p90", "p95", "p99", "max", "load ms")
        rows = tuple(
            (
                timing.network,
                str(timing.threads),
                str(timing.times.runs),
                *(f"{ms:.2f}" for ms in (timing.times.mean, timing.times.minimum, timing.times.p90)),
                *(f"{ms:.2f}" for ms in (timing.times.p95, timing.times.p99, timing.times.maximum)),
                f"{timing.load_ms:.0f}",
            )
            for timing in self.timings
        )
        return Table("Spread of the times", headings, rows)

    def tables(self) -> tuple[Table, ...]:
        """All tables, the one to read first in front."""
        return (self.speeds(), self.costs(), self.distributions())

    def sentences(self) -> tuple[str, ...]:
        """One for each comparison, like "G_A ran 3.4 ± 0.1 times faster than original_G_A (1 thread)"."""
        against = {network.name: network.against for network in self.networks}
        return tuple(
            _sentence(timing, baseline, timing.speedup)
            for timing in self.timings
            if (baseline := against[timing.network]) is not None and timing.speedup is not None
        )

    def markdown(self) -> str:
        """Header, tables and sentences."""
        parts = [self.header(), *(table.markdown() for table in self.tables()), *self.sentences()]
        return "\n\n".join(parts) + "\n"

    def to_json(self) -> dict[str, Any]:
        """Everything, in types that JSON has. Times in milliseconds, sizes in bytes."""
        networks = [
            asdict(network) | {"path": str(network.path), "mebibytes": mebibytes(network.params)}
            for network in self.networks
        ]
        return {
            "schema": SCHEMA,
            "machine": asdict(self.machine),
            "settings": asdict(self.settings),
            "networks": networks,
            "timings": [_flat(timing) for timing in self.timings],
            "sentences": list(self.sentences()),
        }


def plus_minus(value: float, margin: float) -> str:
    """``3.4 ± 0.1``: one decimal, two where the margin is below 0.05; the margin is never rounded to 0."""
    decimals = 1 if margin >= 0.05 else 2
    shown = max(margin, 10**-decimals)
    return f"{value:.{decimals}f} ± {shown:.{decimals}f}"


def in_threads(threads: int) -> str:
    """``1 thread``, ``2 threads``."""
    return "1 thread" if threads == 1 else f"{threads} threads"


def _sentence(timing: Timing, baseline: str, ratio: Ratio) -> str:
    threads = in_threads(timing.threads)
    if ratio.low <= 1 <= ratio.high:
        how = f"as fast as {baseline} ({plus_minus(ratio.value, ratio.margin)}; {threads})"
    elif ratio.value > 1:
        how = f"{plus_minus(ratio.value, ratio.margin)} times faster than {baseline} ({threads})"
    else:
        slower = ratio.inverse()
        how = f"{plus_minus(slower.value, slower.margin)} times slower than {baseline} ({threads})"
    return f"{timing.network} ran {how}"


def _flat(timing: Timing) -> dict[str, Any]:
    entry = asdict(timing)
    times: dict[str, float] = entry.pop("times")
    runs = times.pop("runs")
    milliseconds = {f"{name}_ms": ms for name, ms in times.items()}
    return entry | {"runs": runs, **milliseconds, "spread": timing.times.spread, "quotient": timing.quotient}


def _giga(macs: int | None) -> str:
    return "–" if macs is None else f"{macs / 1e9:.2f}"


def _fold(ratio: float | None) -> str:
    return "–" if ratio is None else f"{ratio:.2f}×"


def _measured(ratio: Ratio | None) -> str:
    return "–" if ratio is None else f"{plus_minus(ratio.value, ratio.margin)}×"
