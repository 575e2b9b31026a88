"""What is still to be done, and in which turn: each host has its room and its pace."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from heapq import heappop, heappush

from nbtwisted import steady_clock
from nbtwisted.client.errors import BadJob, BadURL
from nbtwisted.client.job import Job
from nbtwisted.client.many.job_list import Jobs
from nbtwisted.client.request.pacing import ROUNDING, Pacing
from nbtwisted.client.request.request import Request
from nbtwisted.client.target import Origin, Target

__all__ = ["Queue", "Ticket"]

MOST_PASSED_OVER = 1000
"""Jobs that are kept because others can go before them: their hosts are busy."""

LARGEST_PASSED_OVER = 64 * 1024 * 1024
"""Bytes of their bodies, above which no more are passed over."""


@dataclass(eq=False, slots=True)
class Ticket:
    """A job whose turn it is."""

    index: int
    """Its position in the list."""
    job: Job | BadJob
    request: Request | None = None
    """What goes on with it; None if it is yet to begin."""
    paced: float = 0.0
    """Seconds for which a pace stood in the way of this turn."""
    host: _Host | None = None
    """Where it takes up a place, or waits for its turn; None if neither is counted."""
    is_waiting: bool = False
    host_paced: float = 0.0
    """Of a host, the seconds that its pace had held it, when the wait there began."""
    all_paced: float = 0.0
    """The same of the pace in all."""


class _Host:
    """An origin that has requests, or is waited for."""

    __slots__ = (
        *("asleep_since", "busy", "is_listed", "moving", "origin", "paced"),
        "passed_over",
    )

    def __init__(self, origin: Origin) -> None:
        self.origin = origin
        self.busy = 0
        """The places that are taken, if they are counted."""
        self.moving: deque[Ticket] = deque()
        """Those under way that wait for their turn here: they go first."""
        self.passed_over: deque[Ticket] = deque()
        """Those that are yet to begin here."""
        self.is_listed = False
        """Whether it is in line, or asleep."""
        self.asleep_since: float | None = None
        self.paced = 0.0
        """Seconds that it was asleep, before that."""

    @property
    def waiting(self) -> deque[Ticket]:
        """The one whose turn is next, and others behind it."""
        return self.moving or self.passed_over

    def paced_until(self, now: float) -> float:
        """Seconds that its pace has held it."""
        asleep = 0.0 if self.asleep_since is None else now - self.asleep_since
        return self.paced + asleep


class Queue:
    """Hands out the jobs of a list in their order.

    None is handed out more than `ahead` positions after one that has not been done
    with. Of one origin no more than `per_host` are out at once, and none is handed out
    before `pacing` lets it begin. Those behind one whose host has no turn go first, as
    far as a thousand may be passed over, and 64 MiB of bodies; a pace in all holds the
    list.

    Whoever takes a ticket is to count it in `pacing`, before another is taken.

    `take` may give more than it did after `leave`, after `move`, at the moment that
    `wakes_at`, and when the list has more, which calls its `on_more`.

    A host that has somebody waiting, and room, is either *in line*, as far as its own
    pace goes, or *asleep* until that moment. What is found there may be out of date,
    and is looked at again when its turn comes.

    Raises `ValueError` for a `per_host` below 1.
    """

    def __init__(
        self,
        jobs: Jobs,
        *,
        ahead: float = math.inf,
        per_host: int | None = None,
        pacing: Pacing | None = None,
        now: Callable[[], float] = steady_clock.now,
    ) -> None:
        if per_host is not None and per_host < 1:
            raise ValueError(f"{per_host} per host: expected 1 or more")
        self.wakes_at = math.inf
        """When `take`, which gave None, may give more because of a pace."""
        self.moving = 0
        """How many of those under way wait for their turn at a host."""
        self._jobs = jobs
        self._ahead = ahead
        self._per_host = math.inf if per_host is None else per_host
        self._pacing = pacing or Pacing()
        self._now = now
        self._next = 0
        # Of the positions taken, the first that is not done, and those done behind it.
        self._oldest = 0
        self._done: set[int] = set()
        self._hosts: dict[Origin, _Host] = {}
        self._number_passed_over = 0
        self._size_passed_over = 0
        self._line: deque[_Host] = deque()
        self._asleep: list[tuple[float, int, _Host]] = []
        self._number_asleep = 0
        # Taken from the list, and held by the pace in all.
        self._held: Ticket | None = None
        # Seconds for which paces held the list, and of these, the pace in all; since
        # when one of them does, and whether it is that one.
        self._list_paced = self._all_paced = 0.0
        self._stopped_at: float | None = None
        self._is_held = False

    @property
    def is_over(self) -> bool:
        """Whether none will be handed out for the first time any more."""
        return (
            self._jobs.is_over and self._held is None and not self._number_passed_over
        )

    def take(self) -> Ticket | None:
        """The next turn, if there is one yet."""
        if self._per_host == math.inf and not self._pacing.is_on:
            return self._read()
        now = self._now()
        self._count_paced(now)
        self._stopped_at = None
        self._wake(now)
        all_wait = self._pacing.wait(now)
        ticket = self._take_from_line(now, all_wait)
        if ticket is None and not self._line:
            ticket = self._take_from_list(now, all_wait)
        if ticket is None:
            self._is_held = bool(self._line or self._held)
            self.wakes_at = now + all_wait if self._is_held else self._first_awake()
            if self.wakes_at < math.inf:
                self._stopped_at = now
        return ticket

    def _take_from_line(self, now: float, all_wait: float) -> Ticket | None:
        while self._line:
            host = self._line[0]
            may_begin = bool(host.waiting) and self._may_begin(host, now)
            if may_begin and all_wait:
                return None
            self._line.popleft()
            host.is_listed = False
            if may_begin:
                ticket = host.waiting.popleft()
                self._count_waiting(ticket, -1)
                # Where both paces were in the way, they were at the same time.
                ticket.paced += max(
                    host.paced - ticket.host_paced, self._all_paced - ticket.all_paced
                )
                self._hand_out(ticket, host)
                self._list(host, now)
                return ticket
            self._list(host, now)
        return None

    def _take_from_list(self, now: float, all_wait: float) -> Ticket | None:
        # One that was held was taken when there was room for it.
        while self._held is not None or (
            self._number_passed_over + self.moving < MOST_PASSED_OVER
            and self._size_passed_over < LARGEST_PASSED_OVER
        ):
            ticket, self._held = self._held or self._read(), None
            if ticket is None:
                return None
            origin = _origin(ticket.job)
            # What is no job, or has no URL, will be found out, and waits for nothing.
            if origin is None:
                return ticket
            # If it was held.
            ticket.paced += self._all_paced - ticket.all_paced
            ticket.all_paced = self._all_paced
            host = self._hosts.get(origin) or _Host(origin)
            if not host.waiting and self._may_begin(host, now):
                if all_wait:
                    self._held = ticket
                    return None
                self._hand_out(ticket, host)
                return ticket
            self._hosts[origin] = host
            host.passed_over.append(ticket)
            self._wait(ticket, host, now)
        return None

    def _read(self) -> Ticket | None:
        """The next of the list, if there is one yet."""
        if self._next - self._oldest >= self._ahead:
            return None
        job = self._jobs.take()
        if job is None:
            return None
        ticket = Ticket(
            self._next, job, paced=self._list_paced, all_paced=self._all_paced
        )
        self._next += 1
        return ticket

    def _hand_out(self, ticket: Ticket, host: _Host) -> None:
        ticket.host = None
        if self._per_host < math.inf:
            ticket.host = host
            host.busy += 1
            self._hosts[host.origin] = host

    def leave(self, ticket: Ticket) -> None:
        """Be done with a job."""
        self._leave_host(ticket)
        if self._ahead == math.inf:
            # Of a million, all may be done behind the first.
            return
        if ticket.index != self._oldest:
            self._done.add(ticket.index)
            return
        self._oldest += 1
        while self._done and self._oldest in self._done:
            self._done.remove(self._oldest)
            self._oldest += 1

    def move(self, ticket: Ticket, origin: Origin) -> bool:
        """Go on at `origin`; whether that may be done now.

        Else its place is others', and `take` gives it again when its turn has come.
        """
        if not self._pacing.is_on:
            host = ticket.host
            if self._per_host == math.inf or (host and host.origin == origin):
                return True
        self._leave_host(ticket)
        host = self._hosts.setdefault(origin, _Host(origin))
        now = self._now()
        ticket.paced = 0.0
        host.moving.append(ticket)
        self._wait(ticket, host, now)
        return False

    def close(self) -> None:
        """Read no more."""
        self._jobs.close()

    def rest(self) -> Iterator[tuple[int, Job | BadJob]]:
        """The positions and jobs that were not handed out, of those that are there."""
        tickets = [] if self._held is None else [self._held]
        for host in self._hosts.values():
            tickets += host.passed_over
        for ticket in sorted(tickets, key=lambda ticket: ticket.index):
            yield ticket.index, ticket.job
        for job in self._jobs.rest():
            self._next += 1
            yield self._next - 1, job

    def _wait(self, ticket: Ticket, host: _Host, now: float) -> None:
        """Note that it waits for its turn at a host from now on."""
        self._count_paced(now)
        ticket.host = host
        ticket.host_paced = host.paced_until(now)
        ticket.all_paced = self._all_paced
        self._count_waiting(ticket, +1)
        self._list(host, now)

    def _count_paced(self, now: float) -> None:
        if self._stopped_at is not None:
            seconds, self._stopped_at = now - self._stopped_at, now
            self._list_paced += seconds
            self._all_paced += seconds if self._is_held else 0.0

    def _leave_host(self, ticket: Ticket) -> None:
        host, ticket.host = ticket.host, None
        if host is None:
            return
        if ticket.is_waiting:
            host.moving.remove(ticket)
            self._count_waiting(ticket, -1)
        else:
            host.busy -= 1
        self._list(host, self._now())

    def _count_waiting(self, ticket: Ticket, number: int) -> None:
        ticket.is_waiting = number > 0
        if ticket.request is None:
            self._number_passed_over += number
            assert isinstance(ticket.job, Job), "passed over at no host"
            self._size_passed_over += number * len(ticket.job.body)
        else:
            self.moving += number

    def _may_begin(self, host: _Host, now: float) -> bool:
        has_room = host.busy < self._per_host
        return has_room and not self._pacing.wait_at(host.origin, now)

    def _list(self, host: _Host, now: float) -> None:
        """Put a host in line, or to sleep; forget one that nobody is at."""
        if host.is_listed:
            return
        if not host.waiting:
            if not host.busy:
                self._hosts.pop(host.origin, None)
        # Without room, it is listed when somebody leaves.
        elif host.busy < self._per_host:
            host.is_listed = True
            wait = self._pacing.wait_at(host.origin, now)
            if not wait:
                self._line.append(host)
                return
            host.asleep_since = now
            self._number_asleep += 1
            heappush(self._asleep, (now + wait, self._number_asleep, host))

    def _wake(self, now: float) -> None:
        """Look at hosts whose time has come, or that nobody waits for any more."""
        asleep = self._asleep
        while asleep and (asleep[0][0] <= now + ROUNDING or not asleep[0][2].waiting):
            due, _, host = heappop(asleep)
            host.paced, host.asleep_since = host.paced_until(min(now, due)), None
            host.is_listed = False
            self._list(host, now)

    def _first_awake(self) -> float:
        return self._asleep[0][0] if self._asleep else math.inf


def _origin(job: Job | BadJob) -> Origin | None:
    try:
        return None if isinstance(job, BadJob) else Target.parse(job.url).origin
    except BadURL:
        return None
