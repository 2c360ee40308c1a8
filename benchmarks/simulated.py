"""Workers that compute nothing, in a time of their own: to try the hand-out, and to see how it scales.

A discrete-event simulation. The `PoolScorer` that drives it is the real one; only what workers and messages
take is made up.
"""

import heapq
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field

from ganprune.images.sources import Domain
from ganprune.scoring.scores import Row
from ganprune.scoring.worker import Assignment, Greeting, Reply

Seconds = Callable[[Domain, bytes, bytes], float]
"""What one individual takes: its side, its key, its partner's key."""


class Death(Exception):
    """A worker is gone."""


@dataclass(frozen=True, slots=True)
class Costs:
    """What the hand-out takes besides the work; seconds."""

    send: float = 0.0
    """Of the driver, a task."""
    receive: float = 0.0
    """Of the driver, an answer."""
    travel: float = 0.0
    """From the driver's sending until the worker begins, and as long again for the answer."""


@dataclass(slots=True, eq=False)
class SimulatedWorker:
    """One of a `SimulatedPool`."""

    pool: "SimulatedPool"
    number: int
    tasks: list[Assignment] = field(default_factory=list[Assignment])
    """All that it was given."""

    def start(self) -> Future[Reply]:
        """See `PoolWorker.start`; takes no time."""
        hardware = self.pool.hardware.get(self.number, "of one kind")
        return self.pool.after(0.0, Reply(Greeting(f"number {self.number}", self.number, hardware)))

    def score(self, task: Assignment) -> Future[Reply]:
        """See `PoolWorker.score`."""
        pool = self.pool
        self.tasks.append(task)
        pool.now += pool.costs.send
        work = pool.seconds(task.side, task.key, task.partner) * pool.slowness.get(self.number, 1.0)
        left = pool.deaths.get(self.number, float("inf")) - pool.now
        if left < (took := work + 2 * pool.costs.travel):
            return pool.after(max(left, 0.0), Death())
        return pool.after(took, Reply(pool.row(task.side, task.key, task.partner)))

    def end(self) -> None:
        """See `PoolWorker.end`."""


@dataclass(slots=True)
class SimulatedPool:
    """A `Pool` of workers numbered from 0."""

    workers: int
    seconds: Seconds
    row: Callable[[Domain, bytes, bytes], Row] = lambda side, key, partner: (0.0, 0.0, 0.0, 0.0)
    """Scores: of a side, a genome's key and its partner's."""
    costs: Costs = Costs()
    patience: float | None = None
    slowness: Mapping[int, float] = field(default_factory=dict[int, float])
    """Number → how many times the usual a worker takes."""
    joins: Mapping[int, float] = field(default_factory=dict[int, float])
    """Number → when it comes; others are there from the beginning."""
    deaths: Mapping[int, float] = field(default_factory=dict[int, float])
    """Number → when it is gone."""
    hardware: Mapping[int, str] = field(default_factory=dict[int, str])
    """Number → what it says that it runs on."""
    now: float = 0.0
    """The driver's clock; whoever drives may put it forward by what else the driver does."""
    all: list[SimulatedWorker] = field(default_factory=list[SimulatedWorker])
    """Those that were started."""
    _events: list[tuple[float, int, Future[Reply], Reply | Death]] = field(
        default_factory=list[tuple[float, int, Future[Reply], Reply | Death]]
    )
    _sent: int = 0

    def after(self, seconds: float, outcome: Reply | Death) -> Future[Reply]:
        """What happens then."""
        self._sent += 1
        future = Future[Reply]()
        heapq.heappush(self._events, (self.now + seconds, self._sent, future, outcome))
        return future

    def room(self, ready: int) -> int:
        """See `Pool.room`: those that live and those that are there to start."""
        del ready
        begun = [worker.number for worker in self.all if self._lives(worker.number)]
        return len(begun) + len(self._fresh())

    def worker(self, slot: int) -> SimulatedWorker:
        """See `Pool.worker`."""
        del slot
        self.all.append(SimulatedWorker(self, self._fresh()[0]))
        return self.all[-1]

    def failure(self, error: Exception) -> Exception | None:
        """See `Pool.failure`."""
        return None if isinstance(error, Death) else error

    def wait(self, calls: Collection[Future[Reply]], seconds: float | None) -> Collection[Future[Reply]]:
        """See `Pool.wait`: puts the clock forward to the next event, or by ``seconds``."""
        until = self.now + (float("inf") if seconds is None else seconds)
        coming = [t for t in self.joins.values() if t > self.now]
        self.now = max(self.now, min([until, *coming, *(event[0] for event in self._events[:1])]))
        while self._events and self._events[0][0] <= self.now:
            _, _, future, outcome = heapq.heappop(self._events)
            if isinstance(outcome, Death):
                future.set_exception(outcome)
            else:
                self.now += self.costs.receive
                future.set_result(outcome)
        return [future for future in calls if future.done()]

    def clock(self) -> float:
        """See `Pool.clock`."""
        return self.now

    def close(self) -> None:
        """See `Pool.close`."""
        self._events.clear()

    def _lives(self, number: int) -> bool:
        return self.joins.get(number, 0.0) <= self.now < self.deaths.get(number, float("inf"))

    def _fresh(self) -> list[int]:
        begun = {worker.number for worker in self.all}
        return [n for n in range(self.workers) if n not in begun and self._lives(n)]
