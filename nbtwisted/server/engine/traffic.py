"""The requests in flight: who is let in, and how all of them are let go."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.task import deferLater
from twisted.web.server import Request

from nbtwisted.server.engine.answer import Exchange, Performer
from nbtwisted.server.engine.journal import (
    IN_FLIGHT,
    JOURNAL_SIZE,
    Entry,
    Journal,
    unpacked,
)
from nbtwisted.server.model.behaviour import Behaviour, refusal
from nbtwisted.server.model.body import Endless
from nbtwisted.server.model.browsers import (
    FOR_OPERATORS,
    HeaderLines,
    headers_for,
    is_for_operators,
)
from nbtwisted.server.routes.origin import host_of
from nbtwisted.server.routes.parameters import header

__all__ = ["InFlight", "Traffic", "told"]

SECONDS_BETWEEN_LOOKS = 0.01
"""At connections that are closing, while the server waits to end."""

MANY = 1000
"""Requests that were held for long, after which what they left is worth collecting."""

LONG = 1.0
"""Seconds."""


class InFlight(Protocol):
    """A request that came, and whose answer is not over."""

    entry: Entry
    is_released: bool
    is_aborted: bool
    is_stalled: bool

    @property
    def transport(self) -> Any:
        """Of its connection; None when that is gone."""

    def make_last(self) -> None:
        """Have the connection closed when the answer is sent."""

    def abort(self) -> None:
        """Break the connection off."""

    def release(self) -> None:
        """Answer at once, or break off what is in the middle of its answer."""


class Traffic:
    """Lets requests in, has them performed, and keeps the journal.

    Above `max_in_flight` requests, those that come are refused; so are all that come
    while the server drains. `on_end` is called with each request that is over, and
    `on_quiet` when many that were held are over and nothing is in flight any more.
    """

    def __init__(
        self,
        performer: Performer,
        clock: IReactorTime,
        *,
        max_in_flight: float = math.inf,
        on_end: Callable[[Entry], None] | None = None,
        on_quiet: Callable[[], None] | None = None,
        journal_size: int = JOURNAL_SIZE,
    ) -> None:
        self.journal = Journal(journal_size)
        self.is_draining = False
        self.performer = performer
        self._clock = clock
        self._max_in_flight = max_in_flight
        self._on_end = on_end
        self._on_quiet = on_quiet
        self._held_long = 0
        self._in_flight: set[InFlight] = set()
        self._viewers: set[InFlight] = set()
        self._when_empty: Deferred[None] = Deferred()
        self._closing: list[Any] = []

    @property
    def has_room(self) -> bool:
        """Whether a request that comes now is let in."""
        return not self.is_draining and len(self._in_flight) < self._max_in_flight

    @property
    def viewers(self) -> int:
        """Operators who watch, and whose answer has no end."""
        return len(self._viewers)

    def begin(self, exchange: InFlight) -> None:
        """A request has come, and is let in."""
        self.journal.begin(exchange.entry)
        self._in_flight.add(exchange)

    def note_at_once(self, like: Entry, came: float, peer: str, held: float) -> None:
        """A request came, and was answered as one like it: `Journal.note`."""
        kept = self.journal.note(like, came, peer, held)
        if self._on_end is not None:
            self._on_end(unpacked(kept))

    async def answer(self, behaviour: Behaviour, request: Request) -> None:
        """Answer as the behaviour says, if there is room, and keep the journal."""
        if is_for_operators(request.path):
            # There is no such path, or not by this method.
            await self.answer_operator(behaviour, request)
            return
        entry = _entry(request)
        exchange = Exchange(request, entry, told(request), is_last=self.is_draining)
        if self.is_draining:
            refused = refusal(503, "the server is about to stop")
            behaviour = replace(refused, key=behaviour.key)
        elif len(self._in_flight) >= self._max_in_flight:
            retry = ("Retry-After", "1")
            refused = refusal(503, "too many requests in flight", retry)
            behaviour = replace(refused, key=behaviour.key)
        self.begin(exchange)
        try:
            await self.performer.perform(behaviour, exchange)
        except CancelledError:
            raise
        except Exception:
            # Klein logs it, and answers.
            exchange.entry.status, exchange.entry.outcome = 500, "failed"
            raise
        finally:
            self.end(exchange)

    async def answer_operator(self, behaviour: Behaviour, request: Request) -> None:
        """Answer as the behaviour says, whatever else goes on, and keep no journal.

        Whoever watches goes on watching through a reset, and is not waited for when
        the server drains.
        """
        exchange = Exchange(request, _entry(request), FOR_OPERATORS)
        if isinstance(behaviour.body, Endless):
            self._viewers.add(exchange)
        try:
            await self.performer.perform(behaviour, exchange)
        finally:
            self._viewers.discard(exchange)

    def note_refused(self, status: int, peer: IAddress) -> None:
        """Note in the journal what was refused before it was a request."""
        entry = Entry.of(time.time(), host_of(peer), b"", b"", b"", ())
        self.journal.begin(entry)
        entry.status, entry.outcome = status, "answered"
        entry.asked = entry.held = 0.0
        self.journal.end(entry)
        if self._on_end is not None:
            self._on_end(entry)

    def reset(self) -> int:
        """Forget what was, and let go of every request in flight; returns how many.

        What waits for its delay is answered at once. What is in the middle of its
        answer, or stalled, loses its connection.
        """
        released = [e for e in self._in_flight if not e.is_aborted]
        for exchange in released:
            exchange.release()
        self.performer.forget()
        self.journal.reset()
        return len(released)

    async def drain(self) -> None:
        """Let nobody in any more; returns when the last one in flight has its answer.

        What is stalled has no answer to wait for, and loses its connection at once.
        """
        self.is_draining = True
        for exchange in list(self._in_flight):
            exchange.make_last()
            if exchange.is_stalled:
                exchange.abort()
        if self._in_flight:
            await self._when_empty
        # Their connections close as soon as the kernel has the last byte.
        while any(transport.connected for transport in self._closing):
            await deferLater(self._clock, SECONDS_BETWEEN_LOOKS)

    def end(self, exchange: InFlight) -> None:
        """The answer is over, or the client has left."""
        self._in_flight.discard(exchange)
        if exchange.is_released:
            exchange.entry.outcome = "released"
        elif exchange.entry.outcome == IN_FLIGHT:
            exchange.entry.outcome = "cancelled"
        self.journal.end(exchange.entry)
        if self._on_end is not None:
            self._on_end(exchange.entry)
        self._look_for_quiet(exchange.entry)
        if self.is_draining:
            if exchange.transport is not None:
                self._closing.append(exchange.transport)
            if not self._in_flight and not self._when_empty.called:
                self._when_empty.callback(None)

    def _look_for_quiet(self, entry: Entry) -> None:
        self._held_long += entry.held is None or entry.held >= LONG
        if self._held_long >= MANY and not self._in_flight:
            self._held_long = 0
            if self._on_quiet is not None:
                self._on_quiet()


def told(request: Request) -> HeaderLines:
    """What browsers are told of the answer to a request that is not an operator's."""
    return headers_for(request.method, lambda name: header(request, name))


def _entry(request: Request) -> Entry:
    return Entry.of(
        time.time(),
        host_of(request.getClientAddress()),
        request.method,
        request.uri,
        request.clientproto,
        request.requestHeaders.getAllRawHeaders(),
    )
