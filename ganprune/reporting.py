"""How the library tells of its progress without printing: a protocol, the silent default, stages of a job."""

import time
from collections.abc import Generator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Protocol


class Task(Protocol):
    """One long job that is under way."""

    def advance(self, steps: int = 1, **figures: float | str) -> None:
        """Count ``steps`` more of the job's total as done; ``figures`` are shown beside the bar.

        One of them has a meaning: ``all_left``, the seconds that all stages of a job still take.
        """
        ...


class Reporter(Protocol):
    """Receives progress, news and warnings."""

    def task(self, title: str, total: int, done: int = 0) -> AbstractContextManager[Task]:
        """Open a job of ``total`` steps, of which ``done`` were finished by an earlier run."""
        ...

    def info(self, message: str) -> None:
        """One line worth knowing."""
        ...

    def warn(self, message: str) -> None:
        """One line the user should act on."""
        ...


class Silent:
    """A `Reporter` that drops everything, and its own `Task`."""

    def task(self, title: str, total: int, done: int = 0) -> AbstractContextManager[Task]:
        """See `Reporter.task`."""
        del title, total, done
        return nullcontext(self)

    def advance(self, steps: int = 1, **figures: float | str) -> None:
        """See `Task.advance`."""

    def info(self, message: str) -> None:
        """See `Reporter.info`."""
        del message

    def warn(self, message: str) -> None:
        """See `Reporter.warn`."""
        del message


SILENT = Silent()


def duration(seconds: float) -> str:
    """1.2 s, 45 s, 3 min 20 s, 2 h 05 min."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


class Staged:
    """A `Reporter` that says which stage of a job is under way, and how long all of it still takes."""

    def __init__(self, reporter: Reporter, seconds: Mapping[str, float]) -> None:
        """seconds: that each stage is planned to take, in their order; of none where no plan is known."""
        self._reporter, self._seconds, self._stage, self._begun = reporter, dict(seconds), "", 0.0

    def begin(self, stage: str, purpose: str) -> None:
        """From now on another stage is under way. One that is not planned is not told of."""
        if stage not in self._seconds:
            return
        self._stage, self._begun = stage, time.monotonic()
        planned = self._seconds[stage]
        about = f", about {duration(planned)}" if planned >= 1 else ""
        self._reporter.info(f"{self._where()}{stage}: {purpose}{about}")

    @contextmanager
    def task(self, title: str, total: int, done: int = 0) -> Generator[Task]:
        """See `Reporter.task`."""
        with self._reporter.task(f"{self._where()}{title}", total, done) as task:
            yield _StagedTask(task, self, total - done)

    def info(self, message: str) -> None:
        """See `Reporter.info`."""
        self._reporter.info(message)

    def warn(self, message: str) -> None:
        """See `Reporter.warn`."""
        self._reporter.warn(message)

    def left(self, least: float = 0.0) -> float:
        """Seconds that the plan leaves: of this stage, if any, and of all that come after it.

        least: what this stage still takes by the pace of its task, which may be slower than was planned.
        """
        names = list(self._seconds)
        later = names[names.index(self._stage) + 1 :] if self._stage else names
        this = self._seconds.get(self._stage, 0.0) - (time.monotonic() - self._begun)
        return max(this, least) + sum(self._seconds[name] for name in later)

    def _where(self) -> str:
        names = list(self._seconds)
        return f"stage {names.index(self._stage) + 1} of {len(names)}: " if self._stage else ""


class _StagedTask:
    def __init__(self, task: Task, stages: Staged, steps: int) -> None:
        self._task, self._stages, self._left, self._done, self._start = task, stages, steps, 0, 0.0

    def advance(self, steps: int = 1, **figures: float | str) -> None:
        now, self._left = time.monotonic(), self._left - steps
        if self._start:
            self._done += steps
        else:  # what came before the first step may be preparation, and is no pace
            self._start = now
        pace = (now - self._start) / self._done if self._done else 0.0
        self._task.advance(steps, **figures, all_left=self._stages.left(pace * max(self._left, 0)))
