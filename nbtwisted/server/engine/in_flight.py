"""The requests in flight: lets them in, notes them, and lets all of them go."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.web.http import datetimeToString

from nbtwisted.server.engine.app import App
from nbtwisted.server.engine.connection import Connection
from nbtwisted.server.engine.draws import Draws
from nbtwisted.server.engine.exchange import Exchange
from nbtwisted.server.engine.journal import JOURNAL_SIZE, Entry, Journal, entry_of
from nbtwisted.server.model.behaviour import Behaviour, refusal
from nbtwisted.server.model.body import Endless
from nbtwisted.server.model.browsers import FOR_OPERATORS
from nbtwisted.server.model.request import Request

__all__ = ["BeingRead", "InFlightRequests"]

SECONDS_BETWEEN_LOOKS = 0.01
"""At connections that are closing, while the server waits to end."""

MANY = 1000
"""Requests that were held for long, after which their garbage is worth collecting."""

LONG = 1.0
"""Seconds."""


class BeingRead(Protocol):
    """Has a request whose body is read slowly."""

    def read_at_once(self) -> None:
        """Read as much of it as is there, and the rest as it comes."""


class InFlightRequests:
    """Lets requests in, follows their exchanges, and keeps the journal.

    Above `max_in_flight` requests, others are refused; so are all that come while the
    server drains. `on_end` is called with each request that is over, and `on_quiet`
    when many that were held are over and nothing is in flight any more. `clock` runs
    the timers; `now` reads seconds for measuring, and `unix_time` the date. `seed`
    decides what is left to chance.
    """

    def __init__(
        self,
        clock: IReactorTime,
        now: Callable[[], float],
        seed: int,
        max_in_flight: float = math.inf,
        on_end: Callable[[Entry], None] | None = None,
        on_quiet: Callable[[], None] | None = None,
        journal_size: int = JOURNAL_SIZE,
        unix_time: Callable[[], float] = time.time,
    ) -> None:
        self.clock = clock
        self.now = now
        self.unix_time = unix_time
        self.draws = Draws(seed)
        self.journal = Journal(journal_size)
        self.is_draining = False
        self.deliveries: list[Callable[[], bool]] = []
        """Whether clients have all of the responses that are over: functions of those
        that can tell."""
        self.being_read: set[BeingRead] = set()
        """Those that have a request that is not in flight yet."""
        self._max_in_flight = max_in_flight
        self._on_end = on_end
        self._on_quiet = on_quiet
        self._held_long = 0
        self._exchanges: set[Exchange] = set()
        self._of_operators: dict[Exchange, bool] = {}
        """The exchanges of operators, and whether each is a viewer's."""
        self._when_empty: Deferred[None] = Deferred()
        self._closing: list[Connection] = []
        self._second = 0
        self._date = b""

    @property
    def viewers(self) -> int:
        """Operators who watch, and whose response has no end."""
        return sum(self._of_operators.values())

    def open(
        self, connection: Connection, request: Request, behaviour: Behaviour, app: App
    ) -> tuple[Exchange, Behaviour]:
        """Let a request in, which `app` has decided, or refuse it.

        Returns its exchange, and the behaviour that it is to begin with. Operators are
        let in whatever happens, and are not in the journal: they go on watching through
        a reset, and the server does not wait for them when it drains.
        """
        entry = entry_of(request, self.unix_time())
        if app.is_for_operators(request.path):
            exchange = Exchange(self, connection, request, entry, FOR_OPERATORS)
            self._of_operators[exchange] = isinstance(behaviour.body, Endless)
            return exchange, behaviour
        entry.own_key = behaviour.key or entry.own_key
        if not request.target:
            # It was refused already, because it is no request.
            pass
        elif self.is_draining:
            behaviour = refusal(503, "the server is about to stop")
        elif len(self._exchanges) >= self._max_in_flight:
            retry = ("Retry-After", "1")
            behaviour = refusal(503, "too many requests in flight", retry)
        entry.rule = behaviour.rule
        for_browsers = app.headers_for(request)
        exchange = Exchange(self, connection, request, entry, for_browsers)
        exchange.is_last = self.is_draining
        self.journal.begin(entry)
        self._exchanges.add(exchange)
        return exchange, behaviour

    def end(self, exchange: Exchange) -> None:
        """An exchange is over."""
        if self._of_operators and self._of_operators.pop(exchange, None) is not None:
            return
        entry = exchange.entry
        self._exchanges.discard(exchange)
        self.journal.end(entry)
        if self._on_end is not None:
            self._on_end(entry)
        if entry.held is None or entry.held >= LONG:
            self._held_long += 1
        if self.is_draining:
            self._closing.append(exchange.connection)
        if self._exchanges:
            return
        if self._held_long >= MANY:
            self._held_long = 0
            if self._on_quiet is not None:
                self._on_quiet()
        if self.is_draining and not self._when_empty.called:
            self._when_empty.callback(None)

    def reset(self) -> int:
        """Forget what was, and let go of every request in flight; returns how many.

        What waits for its delay, or until it is read, is answered at once. What is in
        the middle of its response, or stalled, loses its connection.
        """
        self._read_at_once()
        released = list(self._exchanges)
        for exchange in released:
            exchange.release()
        self.draws.forget()
        self.journal.reset()
        return len(released)

    async def drain(self) -> None:
        """Let nobody in any more; returns when the last one in flight has its response.

        What is stalled has none to wait for, and loses its connection at once.
        """
        self._read_at_once()
        self.is_draining = True
        for exchange in list(self._exchanges):
            exchange.make_last()
        if self._exchanges:
            await self._when_empty
        # A connection ends when the client has the last byte, and has closed, too. One
        # that was kept may still have to deliver a response from before.
        while any(connection.is_open for connection in self._closing) or not all(
            is_delivered() for is_delivered in self.deliveries
        ):
            await deferLater(self.clock, SECONDS_BETWEEN_LOOKS)

    def _read_at_once(self) -> None:
        for each in list(self.being_read):
            each.read_at_once()

    def date(self) -> bytes:
        """The time, as HTTP has it."""
        second = int(self.unix_time())
        if second != self._second:
            self._second, self._date = second, datetimeToString(second)
        return self._date
