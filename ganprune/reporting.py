"""How the library tells of its progress without printing: a protocol, and the silent default."""

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol


class Task(Protocol):
    """One long job that is under way."""

    def advance(self, steps: int = 1, **figures: float | str) -> None:
        """Count ``steps`` more of the job's total as done; ``figures`` are shown beside the bar."""
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


class _SilentTask:
    def advance(self, steps: int = 1, **figures: float | str) -> None:
        del steps, figures


class Silent:
    """A `Reporter` that drops everything."""

    def task(self, title: str, total: int, done: int = 0) -> AbstractContextManager[Task]:
        """See `Reporter.task`."""
        del title, total, done
        return nullcontext(_SilentTask())

    def info(self, message: str) -> None:
        """See `Reporter.info`."""
        del message

    def warn(self, message: str) -> None:
        """See `Reporter.warn`."""
        del message


SILENT = Silent()
