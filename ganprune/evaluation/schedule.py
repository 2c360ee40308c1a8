"""Who computes what, and when: individuals handed out to workers of any kind.

One individual at a time, the largest first, to whichever worker is free. A genome that meets a new partner
goes where its translated pictures still are. Where workers may be slow or die, an idle one also computes what
another is late with, and the first answer counts; what a dead one had is handed out again. None of this shows
in the scores, because a score depends on nothing but the genome and its partner.
"""

from collections import Counter, deque
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Generic, Protocol, TypeVar

from ganprune.errors import GanpruneError
from ganprune.evaluation.interface import Domain
from ganprune.evaluation.serving import Request, Row
from ganprune.images.sources import DOMAINS

MOST_LOSSES = 3
"""An individual that this many workers have died of is not given to another."""
RECENT = 64
"""Answers whose times say what is usual."""


class Member:
    """A worker, as the hand-out sees it."""

    def __init__(self) -> None:
        self.held: dict[Domain, dict[bytes, frozenset[bytes]]] = {side: {} for side in DOMAINS}
        """Genomes whose translated pictures it has, each with the partners that it met there."""


M = TypeVar("M", bound=Member)


class Crew(Protocol[M]):
    """Workers of one kind, and the way to reach them."""

    @property
    def patience(self) -> float | None:
        """A worker is late after so many times the usual time; None: nobody is ever late."""
        ...

    def members(self) -> Sequence[M]:
        """Those that can be given work now; may be others than a moment ago."""
        ...

    def send(self, member: M, task: Request) -> None:
        """Give a task to a member that has none; returns at once."""
        ...

    def answers(self, seconds: float | None) -> Sequence[tuple[M, list[Row] | None]]:
        """Wait for answers, about so long at most; None in place of rows: the member is gone for good.

        May return none, so that members who have come are noticed. Raises what a worker raised.
        """
        ...

    def clock(self) -> float:
        """Seconds since whenever."""
        ...

    def close(self) -> None:
        """End all members at once. May be called again."""
        ...


@dataclass(slots=True, eq=False)
class _Round:
    """One population against one partner, while it is computed."""

    side: Domain
    partner: bytes
    identity: bool
    known: frozenset[bytes]
    """Genomes of the population that need no computing."""
    open: set[bytes]
    """Those without an answer."""
    new: list[bytes] = field(default_factory=list[bytes])
    """Those that nobody has; the largest last."""
    losses: Counter[bytes] = field(default_factory=Counter[bytes])
    """How many workers have died of each."""


@dataclass(frozen=True, slots=True)
class _Job:
    """What a worker is busy with."""

    round: _Round
    wanted: tuple[bytes, ...]
    since: float


class Schedule(Generic[M]):
    """Hands out one population after another to a crew."""

    def __init__(self, crew: Crew[M], lasting: bool) -> None:
        """lasting: whether a genome translates alike beside every partner, so that pictures can be kept."""
        self._crew, self._lasting = crew, lasting
        self._busy = dict[M, _Job]()
        """In the order of their beginning. A late one may still be busy with an earlier population."""
        self._done = dict[M, list[bytes]]()
        """Genomes of this population whose pictures each has."""
        self._times = deque[float](maxlen=RECENT)
        self.again = 0
        """Individuals handed out again because a worker was gone."""
        self.copies = 0
        """Individuals handed out again because a worker was late."""

    def computed(
        self,
        side: Domain,
        missing: Collection[bytes],
        population: Collection[bytes],
        partner: bytes,
        identity: bool,
    ) -> Iterator[tuple[bytes, Row]]:
        """Have the scores of ``missing`` computed; yields each once, as soon as it is there.

        Raises `GanpruneError` for an individual that several workers have died of.
        """
        wanted = set(missing)
        work = _Round(side, partner, identity, frozenset(population) - wanted, wanted)
        self._done.clear()
        free = self._free()
        homes = {key: member for member in free for key in member.held[side] if key in wanted}
        work.new = sorted((key for key in missing if key not in homes), key=_filters)
        for member in free:
            if own := [key for key in member.held[side] if homes.get(key) is member]:
                self._assign(member, own, work)
        fresh: list[tuple[bytes, Row]] = []
        while True:
            self._hand_out(work)
            yield from fresh
            if not work.open:
                return
            fresh = self._collect(work)

    def settle(self) -> None:
        """Between two populations: wait a moment for late answers, and for members who come."""
        self._collect(_Round("A", b"", False, frozenset(), set()))

    def _free(self) -> list[M]:
        return [member for member in self._crew.members() if member not in self._busy]

    def _hand_out(self, work: _Round) -> None:
        for member in self._free() if work.open else ():
            if work.new:
                key = work.new.pop()
            elif (key := self._overdue(work)) is not None:
                self.copies += 1
            else:
                break
            self._assign(member, [key], work)

    def _assign(self, member: M, wanted: list[bytes], work: _Round) -> None:
        """Give a member what is wanted of it.

        An evaluator keeps the pictures of the last genomes that it was given. So every task names again what
        its worker has done for this population or earlier, as far as that costs nothing.
        """
        held, partner = member.held[work.side], work.partner
        if member not in self._done:
            self._done[member] = [key for key in held if key in work.known and partner in held[key]]
        done = self._done[member]
        self._crew.send(member, Request(work.side, (*done, *wanted), partner, work.identity))
        self._busy[member] = _Job(work, tuple(wanted), self._crew.clock())
        done += wanted
        if self._lasting:
            member.held[work.side] = {key: held.get(key, frozenset()) | {partner} for key in done}

    def _collect(self, work: _Round) -> list[tuple[bytes, Row]]:
        """Wait for something to happen; the scores that nobody has given before."""
        found: list[tuple[bytes, Row]] = []
        for member, rows in self._crew.answers(self._until_overdue(work)):
            job = self._busy.pop(member)
            if rows is None:
                self._lose(job)
            else:
                self._times.append((self._crew.clock() - job.since) / len(job.wanted))
            if rows is not None and job.round is work:
                for key, row in zip(job.wanted, rows[-len(job.wanted) :], strict=True):
                    if key in work.open:
                        work.open.remove(key)
                        found.append((key, row))
        work.new = [key for key in work.new if key in work.open]
        return found

    def _lose(self, job: _Job) -> None:
        """Put back what a worker had that is gone, unless another has it too."""
        work = job.round
        elsewhere = {key for other in self._busy.values() if other.round is work for key in other.wanted}
        for key in job.wanted:
            work.losses[key] += 1
            if key in work.open and work.losses[key] >= MOST_LOSSES:
                raise GanpruneError(
                    f"{MOST_LOSSES} workers in a row have died of the same individual; if their memory ran "
                    "out, give fewer --pictures or --workers; run again to go on after the last generation"
                )
            if key in work.open and key not in elsewhere:
                work.new.append(key)
                self.again += 1
        work.new.sort(key=_filters)

    def _limit(self, job: _Job) -> float:
        """When a job becomes overdue, by the crew's clock."""
        patience = self._crew.patience
        if patience is None or not self._times:
            return float("inf")
        return job.since + patience * median(self._times) * len(job.wanted)

    def _overdue(self, work: _Round) -> bytes | None:
        """An individual that all who have it are late with."""
        if self._crew.patience is None:
            return None
        late, now = dict[bytes, bool](), self._crew.clock()
        for job in self._busy.values():
            for key in job.wanted if job.round is work else ():
                late[key] = late.get(key, True) and now >= self._limit(job)
        return next((key for key, is_late in late.items() if is_late and key in work.open), None)

    def _until_overdue(self, work: _Round) -> float | None:
        """Seconds until something may become overdue that somebody is free for; None: no such thing."""
        now = self._crew.clock()
        limits = [self._limit(job) for job in self._busy.values() if job.round is work]
        earliest = min((limit for limit in limits if limit > now), default=float("inf"))
        return None if earliest == float("inf") or not self._free() else max(earliest - now, 1e-3)


def _filters(key: bytes) -> int:
    """Number of filters that a genome keeps."""
    return int.from_bytes(key, "big").bit_count()
