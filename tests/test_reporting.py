"""Stages of a job, as a reporter tells them."""

from collections.abc import Generator
from contextlib import contextmanager

import pytest

from ganprune import reporting
from ganprune.reporting import Silent, Staged, Task


class _Heard(Silent):
    """Keeps what it is told; its own task."""

    def __init__(self) -> None:
        self.told, self.left = list[str](), list[float]()

    def info(self, message: str) -> None:
        self.told.append(message)

    @contextmanager
    def task(self, title: str, total: int, done: int = 0) -> Generator[Task]:
        self.told.append(title)
        yield self

    def advance(self, steps: int = 1, **figures: float | str) -> None:
        self.left.append(float(figures["all_left"]))


def test_a_stage_tells_its_place_and_what_all_stages_still_take(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(reporting.time, "monotonic", lambda: now)
    heard = _Heard()
    stages = Staged(heard, {"search": 60.0, "refit": 20.0, "report": 4.0})
    stages.begin("search", "which filters to keep")
    with stages.task("weighing filters", 2) as task:
        task.advance()
        now += 40
        task.advance()
        now += 40  # longer than was planned: what is left is what comes after
        task.advance()
    stages.begin("size", "is not planned, and not told")
    stages.begin("refit", "by least squares")
    assert heard.told == [
        "stage 1 of 3: search: which filters to keep, about 60 s", "stage 1 of 3: weighing filters",
        "stage 2 of 3: refit: by least squares, about 20 s",
    ]  # fmt: skip
    assert heard.left == [84.0, 44.0, 24.0]
    assert stages.left() == 24.0


def test_what_is_left_is_no_less_than_its_pace_says(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(reporting.time, "monotonic", lambda: now)
    heard = _Heard()
    stages = Staged(heard, {"training": 60.0, "report": 4.0})
    stages.begin("training", "by the originals")
    with stages.task("training", 11) as task:
        task.advance()
        now += 20
        task.advance()
    assert heard.left == [64.0, 9 * 20 + 4.0]


def test_without_a_plan_nothing_is_said_of_stages() -> None:
    heard = _Heard()
    stages = Staged(heard, {})
    stages.begin("search", "which filters to keep")
    with stages.task("search", 1):
        pass
    assert heard.told == ["search"]
