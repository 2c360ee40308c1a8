"""Workers that compute nothing, in a time of their own: to try the hand-out, and to see how it scales.

A discrete-event simulation. The schedule that drives it is the real one; only what workers and messages take
is made up.
"""

import heapq
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ganprune.evaluation.interface import Domain
from ganprune.evaluation.schedule import Member
from ganprune.evaluation.serving import Request, Row
from ganprune.images.sources import DOMAINS

Seconds = Callable[[Domain, bytes, bytes, bool], float]
"""What one individual takes: its side, its key, its partner's key, and whether its translated pictures are
there already."""


@dataclass(frozen=True, slots=True)
class Costs:
    """What the hand-out takes besides the work; seconds."""

    send: float = 0.0
    """Of the driver, a task."""
    receive: float = 0.0
    """Of the driver, an answer."""
    travel: float = 0.0
    """From the driver's sending until the worker begins, and as long again for the answer."""


class SimulatedWorker(Member):
    """Follows what a `LocalEvaluator` would know: scores for good, the pictures of its last genomes."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number
        self.tasks: list[Request] = []
        """All that it was given."""
        self._met = set[tuple[Domain, bytes, bytes]]()
        self._holds: dict[Domain, frozenset[bytes]] = {side: frozenset() for side in DOMAINS}

    def work(self, task: Request, seconds: Seconds) -> float:
        """How long a task takes it."""
        self.tasks.append(task)
        total, held = 0.0, self._holds[task.side]
        for key in task.keys:
            if (task.side, key, task.partner) not in self._met:
                self._met.add((task.side, key, task.partner))
                total += seconds(task.side, key, task.partner, key in held)
        self._holds[task.side] = frozenset(task.keys)
        return total


_Event = tuple[float, int, SimulatedWorker, Request, bool]
"""When, in which order of equals, who, what, and whether it is an answer rather than a death."""


@dataclass(slots=True)
class SimulatedCrew:
    """A `Crew` of workers numbered from 0."""

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
    now: float = 0.0
    """The driver's clock; whoever drives may put it forward by what else the driver does."""
    all: list[SimulatedWorker] = field(default_factory=list[SimulatedWorker])
    _events: list[_Event] = field(default_factory=list[_Event])
    _sent: int = 0

    def __post_init__(self) -> None:
        self.all = [SimulatedWorker(number) for number in range(self.workers)]

    def members(self) -> Sequence[SimulatedWorker]:
        """See `Crew.members`."""
        if not self.joins and not self.deaths:
            return self.all
        return [worker for worker in self.all if self._there(worker, self.now)]

    def send(self, member: SimulatedWorker, task: Request) -> None:
        """See `Crew.send`."""
        self.now += self.costs.send
        took = member.work(task, self.seconds) * self.slowness.get(member.number, 1.0)
        end = self.now + took + 2 * self.costs.travel
        death = self.deaths.get(member.number, float("inf"))
        self._sent += 1
        heapq.heappush(self._events, (min(end, max(death, self.now)), self._sent, member, task, end <= death))

    def answers(self, seconds: float | None) -> Sequence[tuple[SimulatedWorker, list[Row] | None]]:
        """See `Crew.answers`: puts the clock forward to the next event, or by ``seconds``."""
        until = self.now + (float("inf") if seconds is None else seconds)
        coming = [t for t in self.joins.values() if t > self.now]
        self.now = max(self.now, min([until, *coming, *(event[0] for event in self._events[:1])]))
        found: list[tuple[SimulatedWorker, list[Row] | None]] = []
        while self._events and self._events[0][0] <= self.now:
            _, _, member, task, alive = heapq.heappop(self._events)
            self.now += self.costs.receive
            rows = [self.row(task.side, key, task.partner) for key in task.keys]
            found.append((member, rows if alive else None))
        return found

    def clock(self) -> float:
        """See `Crew.clock`."""
        return self.now

    def close(self) -> None:
        """See `Crew.close`."""
        self._events.clear()

    def _there(self, worker: SimulatedWorker, now: float) -> bool:
        come = self.joins.get(worker.number, 0.0)
        return come <= now < self.deaths.get(worker.number, float("inf"))
