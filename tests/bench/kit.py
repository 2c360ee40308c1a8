"""Settings of a measurement that takes no time, and a reporter that remembers."""

from contextlib import AbstractContextManager, nullcontext

from ganprune.bench import BenchSettings
from ganprune.reporting import Silent, Task

QUICK = BenchSettings(threads=(1,), warmup=1, runs=(5, 5), noisy=1e6, precision=1e6)


class Listener(Silent):
    """Keeps warnings, and what tasks were told."""

    def __init__(self) -> None:
        self.warnings: list[str] = []
        self.steps: list[int] = []

    def warn(self, message: str) -> None:
        self.warnings.append(message)

    def task(self, title: str, total: int, done: int = 0) -> AbstractContextManager[Task]:
        return nullcontext(self)

    def advance(self, steps: int = 1, **figures: float | str) -> None:
        self.steps.append(steps)
