"""Scores computed by several workers, each with a `LocalScorer` of its own.

The calling process keeps every score and hands out what is missing, one individual at a time, the largest
first, to whichever worker is free. What a worker that dies had is handed out again. Where workers may be
slow, an idle one also computes what another is late with, and the first answer counts. None of this shows in
the scores, because a score depends on nothing but the genome and its partner: the result equals that of a
`LocalScorer` with as many threads as each worker has, bit for bit on the same kind of hardware.
"""

from collections import Counter, deque
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import count, islice
from statistics import median
from typing import Protocol, Self

from torch import Tensor

from ganprune.errors import GanpruneError
from ganprune.reporting import SILENT, Reporter
from ganprune.scoring.scores import MemoScorer, Row, Scores, nobody
from ganprune.scoring.worker import Assignment, Greeting, Reply
from ganprune.settings.words import Domain

MOST_LOSSES = 3
"""An individual that this many workers have died of is not given to another."""
RECENT = 64
"""Answers whose times say what is usual."""


class PoolWorker(Protocol):
    """A worker, as the process sees it that hands out."""

    @property
    def start(self) -> Callable[[], Future[Reply]]:
        """See `Worker.start`; called once, first."""
        ...

    @property
    def score(self) -> Callable[[Assignment], Future[Reply]]:
        """See `Worker.score`."""
        ...

    @property
    def end(self) -> Callable[[], object]:
        """End it, whatever it does. It may be dead."""
        ...


class Pool(Protocol):
    """Where workers come from."""

    @property
    def patience(self) -> float | None:
        """A worker is late after so many times the usual time; None: nobody is ever late."""
        ...

    def room(self, ready: int) -> int:
        """How many workers there may be now. Raises `GanpruneError` where ``ready`` was 0 for too long."""
        ...

    def worker(self, slot: int) -> PoolWorker:
        """A new one. slot: from 0; no two that live have the same."""
        ...

    def failure(self, error: Exception) -> Exception | None:
        """What to raise for what a call raised; None: its worker is dead, and others may go on."""
        ...

    def wait(self, calls: Collection[Future[Reply]], seconds: float | None) -> Collection[Future[Reply]]:
        """Wait until some are done, about so long at most; those that are."""
        ...

    def clock(self) -> float:
        """Seconds since whenever."""
        ...

    def close(self) -> None:
        """Give up what is held besides workers. May be called again."""
        ...


@dataclass(frozen=True, slots=True)
class _Call:
    """What a worker is busy with."""

    slot: int
    task: Assignment | None
    """None: it starts."""
    since: float


class PoolScorer(MemoScorer):
    """A `Scorer` that hands its work to a pool. Close it, or use it as a context manager."""

    def __init__(
        self, pool: Pool, on_scored: Callable[[], object] = nobody, reporter: Reporter = SILENT
    ) -> None:
        """Start as many workers as there is room for, and wait for the first.

        on_scored: called after every individual, to show progress. reporter: is told of lost workers, and
        what workers warn of. Raises what a worker raises, and `GanpruneError` where none can start.
        """
        super().__init__(on_scored)
        self._pool, self._reporter = pool, reporter
        self._workers = dict[int, PoolWorker]()
        """By slot; those that start too."""
        self._greetings = dict[int, Greeting]()
        """Of those that are ready."""
        self._calls = dict[Future[Reply], _Call]()
        """A late one may be of an earlier population."""
        self._times = deque[float](maxlen=RECENT)
        self._losses = Counter[Assignment | None]()
        """How many workers have died of each individual, or while they started."""
        self._hardware, self._closed = set[str](), False
        self.again = 0
        """Individuals handed out again because a worker was gone."""
        self.copies = 0
        """Individuals handed out again because a worker was late."""
        try:
            while not self._greetings:
                self._fill()
                self._answers(None)
        except BaseException:
            self.close()
            raise

    @property
    def pids(self) -> tuple[int, ...]:
        """Process ids of the workers that are ready, each on its own machine."""
        return tuple(greeting.pid for greeting in self._greetings.values())

    def close(self) -> None:
        """End all workers at once. May be called again."""
        self._closed = True
        for worker in self._workers.values():
            worker.end()
        self._workers.clear()
        self._greetings.clear()
        self._calls.clear()
        self._pool.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def score(self, side: Domain, genomes: Tensor, partner: Tensor | None) -> Scores:
        """See `Scorer.score`. Raises what a worker raises, and `GanpruneError` where none can go on.

        After any error, Ctrl-C too, the workers are closed.
        """
        if self._closed:
            raise RuntimeError("the workers are closed")
        try:
            return super().score(side, genomes, partner)
        except BaseException:
            self.close()
            raise

    def wait_for(self, workers: int, seconds: float) -> bool:
        """Wait until so many workers are ready; False: they were not within ``seconds``."""
        end = self._pool.clock() + seconds
        while len(self._greetings) < workers and self._pool.clock() < end:
            self._fill()
            self._answers(seconds)
        return len(self._greetings) >= workers

    def computed(
        self, side: Domain, missing: Collection[bytes], population: Collection[bytes], partner: bytes
    ) -> Iterator[tuple[bytes, Row]]:
        """See `MemoScorer.computed`; yields each score as soon as it is there."""
        del population
        todo = [Assignment(side, key, partner) for key in sorted(missing, key=_filters)]
        unscored = set(todo)
        while unscored:
            self._fill()
            late = self._hand_out(todo, unscored)
            for task, row in self._answers(late):
                if task not in unscored:  # of an earlier population, or answered by two
                    continue
                if row is not None:
                    unscored.remove(task)
                    yield task.key, row
                elif not any(call.task == task for call in self._calls.values()):
                    todo.append(task)
                    self.again += 1
            todo = [task for task in todo if task in unscored]

    def _fill(self) -> None:
        """Start workers where there is room for more."""
        missing = self._pool.room(len(self._greetings)) - len(self._workers)
        for slot in list(islice((n for n in count() if n not in self._workers), max(0, missing))):
            worker = self._workers[slot] = self._pool.worker(slot)
            self._calls[worker.start()] = _Call(slot, None, self._pool.clock())

    def _hand_out(self, todo: list[Assignment], unscored: Collection[Assignment]) -> float | None:
        """Give free workers what is to do; seconds until one may have to copy what another is late with."""
        busy = {call.slot for call in self._calls.values()}
        for slot in [slot for slot in self._greetings if slot not in busy]:
            if todo:
                task = todo.pop()
            else:
                oldest = self._oldest(unscored)
                if oldest is None:
                    return None
                task, seconds = oldest
                if seconds > 0:
                    return seconds
                self.copies += 1
            self._calls[self._workers[slot].score(task)] = _Call(slot, task, self._pool.clock())
        return None

    def _oldest(self, unscored: Collection[Assignment]) -> tuple[Assignment, float] | None:
        """What workers have been busy with for longest, and in how many seconds they are late with it."""
        if self._pool.patience is None or not self._times:
            return None
        since = dict[Assignment, float]()
        for call in self._calls.values():
            if call.task is not None and call.task in unscored:
                since[call.task] = call.since  # of copies, the last
        first = min(since, key=since.__getitem__)
        limit = self._pool.patience * median(self._times)
        return first, since[first] + limit - self._pool.clock()

    def _answers(self, seconds: float | None) -> list[tuple[Assignment, Row | None]]:
        """Wait for something to happen, about so long at most; None in place of a row: its worker is dead."""
        found: list[tuple[Assignment, Row | None]] = []
        for future in self._pool.wait(self._calls, seconds):
            call = self._calls.pop(future)
            try:
                reply = future.result()
            except Exception as error:
                if (failure := self._pool.failure(error)) is not None:
                    raise failure from error
                self._lose(call)
                found += [] if call.task is None else [(call.task, None)]
                continue
            if isinstance(reply.answer, Greeting):
                self._greet(call.slot, reply.answer)
            for message in reply.warnings:
                self._reporter.warn(f"{self._name(call.slot)}: {message}")
            if isinstance(reply.answer, Exception):
                raise reply.answer
            if call.task is not None and not isinstance(reply.answer, Greeting):
                self._times.append(self._pool.clock() - call.since)
                found.append((call.task, reply.answer))
        return found

    def _greet(self, slot: int, greeting: Greeting) -> None:
        """A worker is ready."""
        self._greetings[slot] = greeting
        del self._losses[None]
        known = len(self._hardware)
        self._hardware.add(greeting.hardware)
        if known == 1 < len(self._hardware):
            self._reporter.warn(
                f"workers on unlike hardware ({'; '.join(sorted(self._hardware))}): the last digits of a "
                "score depend on which of them computes it, so a search may not repeat bit for bit"
            )

    def _lose(self, call: _Call) -> None:
        """A worker is dead. Raises `GanpruneError` where it is not the first that died so."""
        name = self._name(call.slot)
        self._workers.pop(call.slot).end()
        self._greetings.pop(call.slot, None)
        self._losses[call.task] += 1
        if self._losses[call.task] >= MOST_LOSSES:
            how = "while they started" if call.task is None else "of the same individual"
            raise GanpruneError(
                f"{MOST_LOSSES} workers in a row have died {how}; if their memory ran out, give fewer "
                "--workers, or --set pictures=4; run again to go on after the last generation"
            )
        self._reporter.warn(f"lost {name}; what it was computing is computed again")

    def _name(self, slot: int) -> str:
        greeting = self._greetings.get(slot)
        return f"{greeting.host} (process {greeting.pid})" if greeting else "a worker that has not come up"


def _filters(key: bytes) -> int:
    """Number of filters that a genome keeps."""
    return int.from_bytes(key, "big").bit_count()
