"""What is still to be got, and in which turn: no host more at once than it may have."""

from __future__ import annotations

import math
from collections import Counter, defaultdict, deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from nbtwisted.client.errors import BadURL
from nbtwisted.client.many.url_list import URLs
from nbtwisted.client.target import Origin, Target

__all__ = ["Queue", "Ticket"]

MOST_PASSED_OVER = 1000
"""URLs that are kept because others can go before them: their hosts are busy."""


@dataclass
class Ticket:
    """A URL whose turn it is."""

    index: int
    """Its position in the list."""
    url: str
    origin: Origin | None
    """The place that it takes up; None if places are not counted."""


class Queue:
    """Hands out the URLs of a list in their order.

    None is handed out more than `ahead` positions after one that has not been done
    with, give or take as many as wait for one. Of one origin no more than `per_host`
    are out at once: those behind it go first, as far as a thousand may be passed over.

    Raises `ValueError` for a `per_host` below 1.
    """

    def __init__(
        self, urls: URLs, *, ahead: float = math.inf, per_host: int | None = None
    ) -> None:
        if per_host is not None and per_host < 1:
            raise ValueError(f"{per_host} per host: expected 1 or more")
        self._urls = urls
        self._ahead = ahead
        self._per_host = per_host
        self._is_at_its_end = False
        self._is_reading = False
        self._error: Failure | None = None
        self._next = 0
        # Of the positions taken, the first that is not done, and those done behind it.
        self._oldest = 0
        self._done: set[int] = set()
        self._waiting: deque[Deferred[None]] = deque()
        self._to_wake = 0
        self._is_waking = False
        self._busy: Counter[Origin] = Counter()
        self._ready: deque[Ticket] = deque()
        self._passed_over: defaultdict[Origin, deque[Ticket]] = defaultdict(deque)
        self._number_passed_over = 0
        self._moving: defaultdict[Origin, deque[Deferred[None]]] = defaultdict(deque)

    async def next(self) -> Ticket | None:
        """Wait for the next turn; None when there are no more."""
        while True:
            if self._ready:
                return self._ready.popleft()
            if self._error is not None:
                self._error.raiseException()
            if self._is_at_its_end and not self._number_passed_over:
                return None
            waiting: Deferred[None] = Deferred()
            self._waiting.append(waiting)
            self._read_on()
            await waiting

    def leave(self, ticket: Ticket) -> None:
        """Be done with a URL."""
        if ticket.origin is not None:
            self._free(ticket.origin)
        self._done.add(ticket.index)
        before = self._oldest
        while self._oldest in self._done:
            self._done.remove(self._oldest)
            self._oldest += 1
        # There may be room to read on for as many.
        self._wake(self._oldest - before)

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
        self._urls.close()

    def rest(self) -> Iterator[tuple[int, str]]:
        """The positions and URLs that were not handed out, of those that are there."""
        tickets = [*self._ready]
        for passed_over in self._passed_over.values():
            tickets += passed_over
        for ticket in sorted(tickets, key=lambda ticket: ticket.index):
            yield ticket.index, ticket.url
        for url in self._urls.rest():
            self._next += 1
            yield self._next - 1, url

    def _read_on(self) -> None:
        """Read for those who wait, unless that is being done."""
        if not self._is_reading and self._can_read():
            self._is_reading = True
            Deferred.fromCoroutine(self._read()).addErrback(self._fail)

    async def _read(self) -> None:
        try:
            while self._can_read():
                url = await self._urls.next()
                if url is None:
                    self._is_at_its_end = True
                    self._wake(len(self._waiting))
                else:
                    self._admit(url)
        finally:
            self._is_reading = False

    def _fail(self, failure: Failure) -> None:
        self._error = failure
        self._is_at_its_end = True
        self._wake(len(self._waiting))

    def _can_read(self) -> bool:
        return (
            not self._is_at_its_end
            and len(self._waiting) > 0
            and self._next - self._oldest < self._ahead
            and self._number_passed_over < MOST_PASSED_OVER
        )

    def _admit(self, url: str) -> None:
        """Give a URL its position, and its turn unless its host is busy."""
        ticket = Ticket(self._next, url, None)
        self._next += 1
        if self._per_host is not None:
            # What is no URL will be found out, and takes up no place.
            with suppress(BadURL):
                ticket.origin = Target.parse(url).origin
        if ticket.origin is not None:
            if not self._has_room(ticket.origin):
                self._passed_over[ticket.origin].append(ticket)
                self._number_passed_over += 1
                return
            self._busy[ticket.origin] += 1
        self._ready.append(ticket)
        self._wake(1)

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
            self._wake(1)
            if self._is_at_its_end and not self._number_passed_over:
                self._wake(len(self._waiting))
            return
        del self._passed_over[origin]
        self._busy[origin] -= 1
        if not self._busy[origin]:
            del self._busy[origin]

    def _wake(self, number: int) -> None:
        """Let some of those who wait for a turn look again."""
        self._to_wake += number
        if self._is_waking:
            # Who is woken may come here again, and so might a thousand one inside the
            # other: the first sees to them all.
            return
        self._is_waking = True
        while self._to_wake > 0 and self._waiting:
            waiting = self._waiting.popleft()
            # Unless it was cancelled.
            if not waiting.called:
                self._to_wake -= 1
                waiting.callback(None)
        self._to_wake = 0
        self._is_waking = False
