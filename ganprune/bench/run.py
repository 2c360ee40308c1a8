"""Times networks in ONNX Runtime, interleaved, so that a shared machine's noise hits all alike."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganprune.bench.machine import this_machine
from ganprune.bench.report import BenchReport, Network, Timing, in_threads
from ganprune.bench.settings import BenchSettings, Candidate
from ganprune.bench.statistics import Milliseconds, Ratio, ratio_of_medians, summary
from ganprune.errors import InputError, UsageError
from ganprune.onnx_cost import OnnxCost, PictureInput, onnx_cost, picture_input, read_onnx
from ganprune.reporting import SILENT, Reporter, Task


@dataclass(frozen=True, slots=True)
class _Subject:
    """A candidate, and the picture it is run on."""

    candidate: Candidate
    input: PictureInput
    picture: NDArray[Any]
    """[n, c, h, w] or [n, h, w, c], of the input's type."""
    cost: OnnxCost

    @property
    def pixels(self) -> tuple[int, ...]:
        """Pictures in the batch, height, width."""
        shape: tuple[int, ...] = self.picture.shape
        return (shape[0], *self.input.picture(shape))


@dataclass(frozen=True, slots=True)
class _Session:
    """A subject loaded into the runtime with some number of threads."""

    subject: _Subject
    session: Any
    load_ms: float

    def run(self) -> float:
        """Milliseconds of one run."""
        feed = {self.subject.input.name: self.subject.picture}
        start = perf_counter()
        self.session.run(None, feed)
        return (perf_counter() - start) * 1000


def bench(
    candidates: Sequence[Candidate], settings: BenchSettings | None = None, reporter: Reporter = SILENT
) -> BenchReport:
    """Time all candidates in turns, with each number of threads, and compare each with its baseline.

    Raises `UsageError` for names that do not fit, paths that do not exist and providers that are not
    installed; `InputError` for files that are not networks from one picture, or that do not run.
    """
    settings = settings or BenchSettings()
    _check(candidates, settings)
    subjects = [_subject(candidate, settings) for candidate in candidates]
    networks = _networks(subjects)
    timings = [
        timing
        for threads in settings.threads
        for timing in _measure(subjects, networks, threads, settings, reporter)
    ]
    return BenchReport(this_machine(), settings, tuple(networks.values()), tuple(timings))


def _check(candidates: Sequence[Candidate], settings: BenchSettings) -> None:
    import onnxruntime

    names = [candidate.name for candidate in candidates]
    if not names or len(set(names)) < len(names):
        raise UsageError(f"needed files of different names to time, found {', '.join(names) or 'none'}")
    for candidate in candidates:
        if candidate.against is not None and candidate.against not in names:
            raise UsageError(
                f"{candidate.name} is to be compared with {candidate.against}, found only {', '.join(names)}"
            )
    installed = onnxruntime.get_available_providers()
    if settings.provider not in installed:
        raise UsageError(f"--provider must be one of {', '.join(installed)}, found {settings.provider}")


def _subject(candidate: Candidate, settings: BenchSettings) -> _Subject:
    model = read_onnx(candidate.path)
    takes = picture_input(model, candidate.path)
    shape = takes.shape(settings.size)
    generator = np.random.default_rng(settings.seed)
    if takes.dtype == "uint8":
        picture = generator.integers(256, size=shape, dtype=np.uint8)
    else:
        picture = generator.uniform(-1, 1, shape).astype(np.float32)
    return _Subject(candidate, takes, picture, onnx_cost(model, takes, shape))


def _networks(subjects: Sequence[_Subject]) -> dict[str, Network]:
    """Costs by name. Raises `InputError` if a network and its baseline take pictures of other sizes."""
    by_name = {subject.candidate.name: subject for subject in subjects}
    networks: dict[str, Network] = {}
    for name, subject in by_name.items():
        theory = None
        if subject.candidate.against is not None:
            baseline = by_name[subject.candidate.against]
            if baseline.pixels != subject.pixels:
                raise InputError(
                    f"{name} takes {_times(subject.pixels)} pixels and {subject.candidate.against} "
                    f"{_times(baseline.pixels)}; export both with the same --size to compare them"
                )
            if baseline.cost.macs_true and subject.cost.macs_true:
                theory = baseline.cost.macs_true / subject.cost.macs_true
        networks[name] = Network(
            name=name,
            path=subject.candidate.path,
            against=subject.candidate.against,
            batch=subject.pixels[0],
            height=subject.pixels[1],
            width=subject.pixels[2],
            params=subject.cost.params,
            file_bytes=subject.candidate.path.stat().st_size,
            macs_true=subject.cost.macs_true,
            macs_paper=subject.cost.macs_paper,
            theoretical_speedup=theory,
        )
    return networks


def _times(pixels: tuple[int, ...]) -> str:
    return "×".join(map(str, pixels))


def _measure(
    subjects: Sequence[_Subject],
    networks: Mapping[str, Network],
    threads: int,
    settings: BenchSettings,
    reporter: Reporter,
) -> list[Timing]:
    sessions = [_load(subject, threads, settings) for subject in subjects]
    with reporter.task(f"Timing, {in_threads(threads)}", total=100) as task:
        times, ratios = _rounds(sessions, settings, task)
    timings: list[Timing] = []
    for loaded in sessions:
        network = networks[loaded.subject.candidate.name]
        statistics = summary(times[network.name])
        timings.append(
            Timing(
                network=network.name,
                threads=threads,
                load_ms=loaded.load_ms,
                times=statistics,
                images_per_second=network.batch * 1000 / statistics.median,
                speedup=ratios.get(network.name),
                theoretical_speedup=network.theoretical_speedup,
            )
        )
    _warn(timings, threads, settings, reporter)
    return timings


def _load(subject: _Subject, threads: int, settings: BenchSettings) -> _Session:
    """Load a file, and run it until it is warm. Raises `InputError` if the runtime cannot do that."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = 4  # what goes wrong is raised, not logged
    # Threads of a session that is not its turn would otherwise spin on and slow the one that is.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    path = subject.candidate.path
    try:
        start = perf_counter()
        session = onnxruntime.InferenceSession(path, options, providers=[settings.provider])
        loaded = _Session(subject, session, (perf_counter() - start) * 1000)
        for _ in range(settings.warmup):
            loaded.run()
    except Exception as error:  # ONNX Runtime's own errors have no common base but this
        reason = " ".join(str(error).split())
        raise InputError(f"{path}: needed a network that ONNX Runtime can run, it says: {reason}") from error
    if session.get_providers()[0] != settings.provider:
        raise UsageError(
            f"--provider {settings.provider} is installed but does not start here, found "
            f"{session.get_providers()[0]} in its place; check its drivers or leave --provider out"
        )
    return loaded


def _rounds(
    sessions: Sequence[_Session], settings: BenchSettings, task: Task
) -> tuple[dict[str, Milliseconds], dict[str, Ratio]]:
    """Run all sessions once a round, each round beginning with the next of them, until enough is known."""
    times: dict[str, list[float]] = {loaded.subject.candidate.name: [] for loaded in sessions}
    start, rounds, shown, next_look = perf_counter(), 0, 0, settings.minimum
    while True:
        first = rounds % len(sessions)
        for loaded in (*sessions[first:], *sessions[:first]):
            times[loaded.subject.candidate.name].append(loaded.run())
        rounds += 1
        elapsed = perf_counter() - start
        over = rounds >= settings.maximum or (rounds >= settings.minimum and elapsed >= settings.seconds)
        done = max(rounds / settings.maximum, min(elapsed / settings.seconds, rounds / settings.minimum))
        percent = min(99, int(100 * done))
        if percent > shown:
            task.advance(percent - shown, rounds=rounds)
            shown = percent
        if over or rounds >= next_look:
            measured = {name: np.array(row) for name, row in times.items()}
            ratios = _ratios(sessions, measured, settings)
            if over or all(ratio.relative_margin <= settings.precision for ratio in ratios.values()):
                task.advance(100 - shown, rounds=rounds)
                return measured, ratios
            next_look = rounds + max(1, rounds // 10)


def _ratios(
    sessions: Sequence[_Session], times: Mapping[str, Milliseconds], settings: BenchSettings
) -> dict[str, Ratio]:
    """The ratio of each pair, by the candidate's name."""
    generator = np.random.default_rng(settings.seed)
    pairs = [(loaded.subject.candidate.name, loaded.subject.candidate.against) for loaded in sessions]
    return {
        name: ratio_of_medians(times[against], times[name], generator)
        for name, against in pairs
        if against is not None
    }


def _warn(timings: Sequence[Timing], threads: int, settings: BenchSettings, reporter: Reporter) -> None:
    worst = max(timings, key=lambda timing: timing.times.spread)
    if worst.times.spread > settings.noisy:
        reporter.warn(
            f"this machine is noisy: with {in_threads(threads)} the middle 80 % of {worst.network}'s times "
            f"spread by {worst.times.spread:.0%} of their median; close other programs and measure again"
        )
    margins = {timing.network: timing.speedup.relative_margin for timing in timings if timing.speedup}
    vague = {name: margin for name, margin in margins.items() if margin > settings.precision}
    if vague:
        known = ", ".join(f"{name} within ±{margin:.1%}" for name, margin in vague.items())
        reporter.warn(
            f"speed-ups are wanted within ±{settings.precision:.0%}, found {known} ({in_threads(threads)}); "
            "allow more time"
        )
