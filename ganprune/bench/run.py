"""Times networks in ONNX Runtime, interleaved, so that a shared machine's noise hits all alike.

Each network lives in a process of its own. One of them runs at a time; the others wait, and take no CPU time.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
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

_Pair = tuple[str, str]
"""A candidate and a baseline of it, by their names."""


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
        profiled = settings.profile and threads == settings.threads[0]
        with _Workplace(subjects, networks, engine, threads, settings, reporter) as place:
            timings += place.timings()
            if profiled:
                profiles += place.profiles()
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
                raise InputError(
                    f"{name} takes {_times(subject.pixels)} pixels and {baseline} "
                    f"{_times(by_name[baseline].pixels)}; export both with the same --size to compare them"
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


def _times(pixels: tuple[int, ...]) -> str:
    return "×".join(map(str, pixels))


class _Workplace:
    """All networks in their processes, with one number of threads."""

    def __init__(
        self,
        subjects: Sequence[_Subject],
        networks: Mapping[str, NetworkCost],
        engine: Engine,
        threads: int,
        settings: BenchSettings,
        reporter: Reporter,
    ) -> None:
        self._subjects, self._networks, self._engine = subjects, networks, engine
        self._threads, self._settings, self._reporter = threads, settings, reporter
        self._stack = ExitStack()
        self._processes: list[NetworkProcess] = []
        self._load_ms: list[float] = []
        self._began = perf_counter()

    def __enter__(self) -> "_Workplace":
        """Start the processes, load the files one after the other, and run them until they are warm."""
        try:
            for subject in self._subjects:
                process = NetworkProcess(subject.candidate.path)
                self._processes.append(self._stack.enter_context(process))
            for subject, process in zip(self._subjects, self._processes, strict=True):
                self._load_ms.append(
                    process.load(self._engine, self._threads, subject.input.name, subject.pictures)
                )
                for i in range(self._settings.warmup):
                    process.run(i)
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def timings(self) -> list[Timing]:
        """What each network takes."""
        with self._reporter.task(f"Timing, {in_threads(self._threads)}", total=100) as task:
            times, ratios = self._rounds(task)
        found: list[Timing] = []
        for subject, process, load_ms in zip(self._subjects, self._processes, self._load_ms, strict=True):
            name, candidate, memory = subject.name, subject.candidate, process.memory()
            network, statistics = self._networks[name], summary(times[name])
            found.append(
                Timing(
                    network=name,
                    threads=self._threads,
                    load_ms=load_ms,
                    times=statistics,
                    images_per_second=network.batch * 1000 / statistics.median,
                    speedup=ratios[name, candidate.against] if candidate.against else None,
                    theoretical_speedup=network.theoretical_speedup,
                    over_rewritten=ratios[name, candidate.rewritten] if candidate.rewritten else None,
                    memory=memory.network,
                    process_memory=memory.process,
                )
            )
        _warn(found, self._threads, self._settings, self._reporter)
        return found

    def profiles(self) -> list[Profile]:
        """What each kind of operator takes, one network after the other."""
        found: list[Profile] = []
        with self._reporter.task("Profiling", total=len(self._subjects)) as task:
            for subject, process in zip(self._subjects, self._processes, strict=True):
                found.append(Profile(subject.name, self._threads, process.profile(PROFILED_RUNS)))
                task.advance(1, network=subject.name)
        return found

    def _rounds(self, task: Task) -> tuple[dict[str, Milliseconds], dict[_Pair, Ratio]]:
        """Run all networks once a round, each round beginning with the next, until enough is known."""
        settings, turns = self._settings, list(zip(self._subjects, self._processes, strict=True))
        times: dict[str, list[float]] = {subject.name: [] for subject in self._subjects}
        rounds, shown, next_look = 0, 0, settings.minimum
        while True:
            first = rounds % len(turns)
            for subject, process in (*turns[first:], *turns[:first]):
                times[subject.name].append(process.run(rounds))
            rounds += 1
            elapsed = perf_counter() - self._began
            over = rounds >= settings.maximum or (rounds >= settings.minimum and elapsed >= settings.seconds)
            done = max(rounds / settings.maximum, min(elapsed / settings.seconds, rounds / settings.minimum))
            percent = min(99, int(100 * done))
            if percent > shown:
                task.advance(percent - shown, rounds=rounds)
                shown = percent
            if over or rounds >= next_look:
                measured = {name: np.array(row) for name, row in times.items()}
                ratios = self._ratios(measured)
                if over or all(ratio.relative_margin <= settings.precision for ratio in ratios.values()):
                    task.advance(100 - shown, rounds=rounds)
                    return measured, ratios
                next_look = rounds + max(1, rounds // 10)

    def _ratios(self, times: Mapping[str, Milliseconds]) -> dict[_Pair, Ratio]:
        """The ratio of each pair: the baseline's median time over the candidate's."""
        generator = np.random.default_rng(self._settings.seed)
        return {
            (name, baseline): ratio_of_medians(times[baseline], times[name], generator)
            for subject in self._subjects
            for name, baseline in subject.pairs
        }


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
            "allow more time"
        )
