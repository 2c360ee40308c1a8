"""Times networks in ONNX Runtime, interleaved, so that a shared machine's noise hits all alike.

Each network lives in a process of its own. One of them runs at a time; the others wait, and take no CPU time.
"""

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganprune.bench.candidates import Candidate
from ganprune.bench.engine import Engine, engine_for
from ganprune.bench.machine import enough_cores, this_machine
from ganprune.bench.pictures import inputs_for, pictures_at
from ganprune.bench.process import NetworkProcess
from ganprune.bench.profile import PROFILED_RUNS, Profile
from ganprune.bench.report import BenchReport, NetworkCost, Timing
from ganprune.bench.statistics import Milliseconds, Ratio, ratio_of_medians, summary
from ganprune.errors import InputError, UsageError
from ganprune.onnx_files.cost import OnnxCost, PictureInput, onnx_cost, picture_input, read_onnx
from ganprune.reporting import SILENT, Reporter, Task
from ganprune.settings.bench import BenchSettings
from ganprune.storage.tables import in_threads

_Pair = tuple[str, str]  # a candidate and a baseline of it, by their names


@dataclass(frozen=True, slots=True)
class _Subject:
    """A candidate, and what it is run on."""

    candidate: Candidate
    input: PictureInput
    pictures: NDArray[Any]
    """[k, n, c, h, w] or [k, n, h, w, c], of the input's type: k inputs, taken in turns."""
    cost: OnnxCost

    @property
    def name(self) -> str:
        return self.candidate.name

    @property
    def pixels(self) -> tuple[int, ...]:
        """Pictures in the batch, height, width."""
        shape: tuple[int, ...] = self.pictures.shape[1:]
        return (shape[0], *self.input.picture(shape))

    @property
    def pairs(self) -> Iterator[_Pair]:
        """What it is compared with."""
        for baseline in (self.candidate.against, self.candidate.rewritten):
            if baseline is not None:
                yield self.name, baseline


def bench(
    candidates: Sequence[Candidate], settings: BenchSettings | None = None, reporter: Reporter = SILENT
) -> BenchReport:
    """Time all candidates in turns, with each number of threads, and compare each with its baselines.

    Raises `UsageError` for names that do not fit, paths that do not exist, more threads than cores, and
    providers that are not installed; `InputError` for files that are not networks from one picture, that do
    not run, or whose process dies. Targets that are missed are told by `BenchReport.missed`.
    """
    settings = settings or BenchSettings()
    enough_cores(settings.threads)
    engine = engine_for(settings.provider, settings.arithmetic)
    _check(candidates, settings)
    subjects = [_subject(candidate, settings) for candidate in candidates]
    networks = _networks(subjects)
    timings, profiles = list[Timing](), list[Profile]()
    for threads in dict.fromkeys(settings.threads):
        began = perf_counter()
        with _loaded(subjects, engine, threads, settings) as ready:
            with reporter.task(f"Timing, {in_threads(threads)}", total=100) as task:
                times, ratios = _rounds(ready, settings, began, task)
            found = [_timing(one, networks[one.subject.name], threads, times, ratios) for one in ready]
            _warn(found, threads, settings, reporter)
            timings += found
            if settings.profile and threads == settings.threads[0]:
                profiles += _profiles(ready, threads, reporter)
    return BenchReport(
        this_machine(), settings, tuple(networks.values()), tuple(timings), engine, tuple(profiles)
    )


def _check(candidates: Sequence[Candidate], settings: BenchSettings) -> None:
    names = [candidate.name for candidate in candidates]
    if not names or len(set(names)) < len(names):
        raise UsageError(f"needed files of different names to time, found {', '.join(names) or 'none'}")
    for candidate in candidates:
        for baseline in (candidate.against, candidate.rewritten):
            if baseline is not None and baseline not in names:
                raise UsageError(
                    f"{candidate.name} is to be compared with {baseline}, found only {', '.join(names)}"
                )
    judged = [candidate for candidate in candidates if candidate.against and not candidate.is_original]
    if settings.least_speedup is not None and not judged:
        raise UsageError(
            f"--assert-speedup needs a network and its original, found only {', '.join(names)}; "
            "give a run, or the original's file first"
        )


def _subject(candidate: Candidate, settings: BenchSettings) -> _Subject:
    model = read_onnx(candidate.path)
    takes = picture_input(model, candidate.path)
    shape = takes.shape(settings.size)
    pictures = inputs_for(takes, shape, pictures_at(settings.input), settings.seed)
    return _Subject(candidate, takes, pictures, onnx_cost(model, takes, shape))


def _networks(subjects: Sequence[_Subject]) -> dict[str, NetworkCost]:
    """Costs by name. Raises `InputError` if a network and its baseline take pictures of other sizes."""
    by_name = {subject.name: subject for subject in subjects}
    networks: dict[str, NetworkCost] = {}
    for name, subject in by_name.items():
        for _, baseline in subject.pairs:
            if by_name[baseline].pixels != subject.pixels:
                own, other = ("×".join(map(str, one.pixels)) for one in (subject, by_name[baseline]))
                raise InputError(
                    f"{name} takes {own} pixels and {baseline} {other}; export both with the same --size to "
                    "compare them"
                )
        candidate, cost, theory = subject.candidate, subject.cost, None
        if candidate.against is not None:
            whole = by_name[candidate.against].cost
            if whole.macs_true and cost.macs_true:
                theory = whole.macs_true / cost.macs_true
        batch, height, width = subject.pixels
        networks[name] = NetworkCost(
            name, candidate.path, candidate.against, candidate.rewritten, candidate.is_original,
            batch, height, width, cost.params, candidate.path.stat().st_size,
            cost.macs_true, cost.macs_paper, theory,
        )  # fmt: skip
    return networks


@dataclass(frozen=True, slots=True)
class _Ready:
    """A network in its process, loaded and warm."""

    subject: _Subject
    process: NetworkProcess
    load_ms: float


@contextmanager
def _loaded(
    subjects: Sequence[_Subject], engine: Engine, threads: int, settings: BenchSettings
) -> Generator[list[_Ready]]:
    """Start the processes, load the files one after the other, and run them until they are warm."""
    with ExitStack() as stack:
        processes = [stack.enter_context(NetworkProcess(subject.candidate.path)) for subject in subjects]
        ready = list[_Ready]()
        for subject, process in zip(subjects, processes, strict=True):
            load_ms = process.load(engine, threads, subject.input.name, subject.pictures)
            ready.append(_Ready(subject, process, load_ms))
            for i in range(settings.warmup):
                process.run(i)
        yield ready


def _rounds(
    ready: Sequence[_Ready], settings: BenchSettings, began: float, task: Task
) -> tuple[dict[str, Milliseconds], dict[_Pair, Ratio]]:
    """Run all networks once a round, each round beginning with the next, until enough is known."""
    times: dict[str, list[float]] = {one.subject.name: [] for one in ready}
    rounds, shown, next_look = 0, 0, settings.minimum
    while True:
        first = rounds % len(ready)
        for one in (*ready[first:], *ready[:first]):
            times[one.subject.name].append(one.process.run(rounds))
        rounds += 1
        elapsed = perf_counter() - began
        over = rounds >= settings.maximum or (rounds >= settings.minimum and elapsed >= settings.seconds)
        done = max(rounds / settings.maximum, min(elapsed / settings.seconds, rounds / settings.minimum))
        percent = min(99, int(100 * done))
        if percent > shown:
            task.advance(percent - shown, rounds=rounds)
            shown = percent
        if over or rounds >= next_look:
            measured = {name: np.array(row) for name, row in times.items()}
            draws = np.random.default_rng(settings.seed)
            ratios = {
                (name, baseline): ratio_of_medians(measured[baseline], measured[name], draws)
                for one in ready
                for name, baseline in one.subject.pairs
            }
            if over or all(ratio.relative_margin <= settings.precision for ratio in ratios.values()):
                task.advance(100 - shown, rounds=rounds)
                return measured, ratios
            next_look = rounds + max(1, rounds // 10)


def _timing(
    one: _Ready, network: NetworkCost, threads: int, times: Mapping[str, Milliseconds],
    ratios: Mapping[_Pair, Ratio],
) -> Timing:  # fmt: skip
    name, memory, statistics = network.name, one.process.memory(), summary(times[network.name])
    return Timing(
        network=name,
        threads=threads,
        load_ms=one.load_ms,
        times=statistics,
        pictures_per_second=network.batch * 1000 / statistics.median,
        speedup=ratios[name, network.against] if network.against else None,
        theoretical_speedup=network.theoretical_speedup,
        over_rewritten=ratios[name, network.rewritten] if network.rewritten else None,
        memory_bytes=memory.network,
        process_memory_bytes=memory.process,
    )


def _profiles(ready: Sequence[_Ready], threads: int, reporter: Reporter) -> list[Profile]:
    """What each kind of operator takes, one network after the other."""
    found: list[Profile] = []
    with reporter.task("Profiling", total=len(ready)) as task:
        for one in ready:
            found.append(Profile(one.subject.name, threads, one.process.profile(PROFILED_RUNS)))
            task.advance(1, network=one.subject.name)
    return found


def _warn(timings: Sequence[Timing], threads: int, settings: BenchSettings, reporter: Reporter) -> None:
    worst = max(timings, key=lambda timing: timing.times.spread)
    if worst.times.spread > settings.noisy:
        reporter.warn(
            f"this machine is noisy: with {in_threads(threads)} the middle 80 % of {worst.network}'s times "
            f"spread by {worst.times.spread:.0%} of their median; close other programs and measure again"
        )
    margins = {timing.network: timing.margin for timing in timings}
    vague = {name: margin for name, margin in margins.items() if margin > settings.precision}
    if vague:
        known = ", ".join(f"{name} within ±{margin:.1%}" for name, margin in vague.items())
        reporter.warn(
            f"speed-ups are wanted within ±{settings.precision:.0%}, found {known} ({in_threads(threads)}); "
            f"allow more time: `ganprune bench --set seconds={4 * settings.seconds:g}`"
        )
