"""What is still to be done, in which turn: no host more at once than it may have."""

from __future__ import annotations

import math
from collections import Counter, defaultdict, deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from twisted.internet.defer import Deferred

from nbtwisted.client.errors import BadJob, BadURL
from nbtwisted.client.job import Job
from nbtwisted.client.many.job_list import Jobs
from nbtwisted.client.target import Origin, Target

__all__ = ["Queue", "Ticket"]

MOST_PASSED_OVER = 1000
"""Jobs that are kept because others can go before them: their hosts are busy."""


@dataclass(slots=True)
class Ticket:
    """A job whose turn it is."""

    index: int
    """Its position in the list."""
    job: Job | BadJob
    origin: Origin | None
    """The place that it takes up; None if places are not counted."""


class Queue:
    """Hands out the jobs of a list in their order.

    None is handed out more than `ahead` positions after one that has not been done
    with. Of one origin no more than `per_host` are out at once: those behind it go
    first, as far as a thousand may be passed over.

    `take` may give more than it did after `leave`, after `move`, and when the list has
    more, which calls its `on_more`.

    Raises `ValueError` for a `per_host` below 1.
    """

    def __init__(
        self, jobs: Jobs, *, ahead: float = math.inf, per_host: int | None = None
    ) -> None:
        if per_host is not None and per_host < 1:
            raise ValueError(f"{per_host} per host: expected 1 or more")
        self._jobs = jobs
        self._ahead = ahead
        self._per_host = per_host
        self._next = 0
        # Of the positions taken, the first that is not done, and those done behind it.
        self._oldest = 0
        self._done: set[int] = set()
        self._busy: Counter[Origin] = Counter()
        self._ready: deque[Ticket] = deque()
        self._passed_over: defaultdict[Origin, deque[Ticket]] = defaultdict(deque)
        self._number_passed_over = 0
        self._moving: defaultdict[Origin, deque[Deferred[None]]] = defaultdict(deque)

    @property
    def is_over(self) -> bool:
        """Whether no more will be handed out, whatever becomes of those that are."""
        return self._jobs.is_over and not self._ready and not self._number_passed_over

    def take(self) -> Ticket | None:
        """The next turn, if there is one yet."""
        if self._ready:
            return self._ready.popleft()
        while (
            self._next - self._oldest < self._ahead
            and self._number_passed_over < MOST_PASSED_OVER
        ):
            job = self._jobs.take()
            if job is None:
                return None
            ticket = Ticket(self._next, job, None)
            self._next += 1
            if self._per_host is None or self._finds_place(ticket):
                return ticket
        return None

    def _finds_place(self, ticket: Ticket) -> bool:
        """Whether its host has room for it; it is passed over else."""
        # What is no job, or has no URL, will be found out, and takes up no place.
        if isinstance(ticket.job, BadJob):
            return True
        with suppress(BadURL):
            ticket.origin = origin = Target.parse(ticket.job.url).origin
            if not self._has_room(origin):
                self._passed_over[origin].append(ticket)
                self._number_passed_over += 1
                return False
            self._busy[origin] += 1
        return True

    def leave(self, ticket: Ticket) -> None:
        """Be done with a job."""
        if ticket.origin is not None:
            self._free(ticket.origin)
        if ticket.index != self._oldest:
            self._done.add(ticket.index)
            return
        self._oldest += 1
        while self._done and self._oldest in self._done:
            self._done.remove(self._oldest)
            self._oldest += 1

    def move(self, ticket: Ticket, origin: Origin) -> Deferred[None]:
        """Go on at another place; fires when there is room."""
        moved: Deferred[None] = Deferred()
        if ticket.origin is None:
            moved.callback(None)
            return moved
        self._free(ticket.origin)
        ticket.origin = None

        def arrive(_: None) -> None:
            ticket.origin = origin

        moved.addCallback(arrive)
        self._step_back(origin)
        if self._has_room(origin):
            self._busy[origin] += 1
            moved.callback(None)
        else:
            self._moving[origin].append(moved)
        return moved

    def close(self) -> None:
        """Read no more."""
        self._jobs.close()

    def rest(self) -> Iterator[tuple[int, Job | BadJob]]:
        """The positions and jobs that were not handed out, of those that are there."""
        tickets = [*self._ready]
        for passed_over in self._passed_over.values():
            tickets += passed_over
        for ticket in sorted(tickets, key=lambda ticket: ticket.index):
            yield ticket.index, ticket.job
        for job in self._jobs.rest():
            self._next += 1
            yield self._next - 1, job

    def _step_back(self, origin: Origin) -> None:
        """Let one who waits to be taken give its place to one who is under way.

        All who could take it may wait for that very place.
        """
        for ticket in self._ready:
            if ticket.origin == origin:
                self._ready.remove(ticket)
                self._passed_over[origin].appendleft(ticket)
                self._number_passed_over += 1
                self._busy[origin] -= 1
                return

    def _has_room(self, origin: Origin) -> bool:
        return self._per_host is None or self._busy[origin] < self._per_host

    def _free(self, origin: Origin) -> None:
        """Give a place at a host to who waits for it."""
        moving = self._moving[origin]
        while moving:
            moved = moving.popleft()
            # Unless it was cancelled.
            if not moved.called:
                moved.callback(None)
                return
        del self._moving[origin]
        passed_over = self._passed_over[origin]
        if passed_over:
            self._ready.append(passed_over.popleft())
            self._number_passed_over -= 1
            return
        del self._passed_over[origin]
        self._busy[origin] -= 1
        if not self._busy[origin]:
            del self._busy[origin]
