"""A request and the response to it: the one place where a response waits.

An exchange draws what chance leaves open, waits by `deferLater`, and sends:

    state      event      then
    NEW        wait       WAITING   for its delay
    NEW        send       SENDING
    WAITING    send       SENDING   when the delay is over, or a reset lets it go
    SENDING    stall      STALLED   silent, until the client or the server ends it
    any        end        OVER      it is in the journal, and its timers are gone

Another event is an error of ours, which raises `IllegalTransition`.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from itertools import chain
from typing import Protocol

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from nbtwisted.server.engine.connection import Connection
from nbtwisted.server.engine.draws import Draws
from nbtwisted.server.engine.journal import Entry
from nbtwisted.server.engine.source import PacedSource, Source
from nbtwisted.server.model.behaviour import OUR_FAULT, Behaviour
from nbtwisted.server.model.faults import SECONDS_A_HEADER_BYTE, Ending
from nbtwisted.server.model.headers import HeaderLines
from nbtwisted.server.model.request import Request
from nbtwisted.server.model.response import Response, response_of

__all__ = ["Engine", "Exchange", "IllegalTransition"]

_logger = Logger(namespace="nbtwisted")

CLOSE = b"Connection: close\r\n"
KEEP_ALIVE = b"Connection: keep-alive\r\n"


State = IntEnum("State", "NEW WAITING SENDING STALLED OVER")
Event = IntEnum("Event", "WAIT SEND STALL END")

_TRANSITIONS: dict[tuple[State, Event], State] = {
    (State.NEW, Event.WAIT): State.WAITING,
    (State.NEW, Event.SEND): State.SENDING,
    (State.WAITING, Event.SEND): State.SENDING,
    (State.SENDING, Event.STALL): State.STALLED,
    **{(s, Event.END): State.OVER for s in State if s is not State.OVER},
}


class IllegalTransition(Exception):
    """An event came in a state in which it cannot happen."""


class Engine(Protocol):
    """The things that all exchanges share.

    clock   runs their timers
    now     reads seconds, by which it is measured how long a response was held
    draws   decides what is left to chance
    """

    clock: IReactorTime
    now: Callable[[], float]
    draws: Draws

    def date(self) -> bytes:
        """The time, as HTTP has it."""

    def end(self, exchange: Exchange) -> None:
        """An exchange is over."""


def _pass_over(why: Failure) -> None:
    why.trap(CancelledError)


class Exchange:
    """A request, and the response in the making.

    entry        what the journal keeps of it
    is_last      whether its connection closes when the response is sent
    connection   carries it
    """

    is_last = False
    _state = State.NEW
    _wait: Deferred[None] | None = None
    _source: Source | None = None
    _is_paused = False
    _closes = False
    _opening = b""
    """The head, until it is sent with the beginning of the body."""
    _uncounted = 0
    """Bytes of a slow head, which are not of the body."""

    def __init__(
        self,
        engine: Engine,
        connection: Connection,
        request: Request,
        entry: Entry,
        for_browsers: HeaderLines,
    ) -> None:
        self._engine = engine
        self._came = engine.now()
        self.connection = connection
        self._request = request
        self.entry = entry
        self._for_browsers = for_browsers

    # From the draw to the last byte.

    def begin(self, behaviour: Behaviour) -> None:
        """Draw, and wait; or send at once."""
        engine, entry = self._engine, self.entry
        self._began = began = engine.now()
        try:
            reply, random = engine.draws.draw(behaviour, self._request, began)
        except Exception:
            self._log(Failure())
            behaviour = OUR_FAULT
            reply, random = engine.draws.draw(behaviour, self._request, began)
        self._reply, self._random = reply, random
        entry.asked, entry.fault = reply.asked, reply.fault
        self._outcome = "answered" if reply.fault is None else "broken"
        if behaviour is OUR_FAULT:
            self._outcome = "failed"
        if not reply.asked:
            self._send()
            return
        self._go(Event.WAIT)
        self._wait = deferLater(engine.clock, reply.asked)
        self._wait.addCallbacks(self._send, _pass_over)

    def _send(self, _: None = None) -> None:
        self._go(Event.SEND)
        self._wait = None
        engine, entry = self._engine, self.entry
        entry.held = held = engine.now() - self._began
        self._response = response = self._prepared()
        entry.status = response.status
        connection = b""
        if self.is_last or response.closes or not self.connection.is_persistent:
            self._closes = True
            connection = CLOSE
        elif self._request.version == b"HTTP/1.0":
            connection = KEEP_ALIVE
        opening = response.opening(connection, held, engine.date())
        pieces = response.pieces
        if pieces is None:
            entry.sent = response.sent
            opening += response.tail
            if opening:
                self.connection.write(opening)
            self._finish()
            return
        if response.is_slow:
            self._uncounted = len(opening)
            pieces = chain(
                ((bytes([byte]), SECONDS_A_HEADER_BYTE) for byte in opening), pieces
            )
        else:
            self._opening = opening
        self._source = PacedSource(pieces, engine.clock, engine.now)
        if self._is_paused:
            self._source.pause()
        self._source.start(self)

    def _prepared(self) -> Response:
        """The response, which a request keeps if nothing in it is left to chance."""
        request, reply = self._request, self._reply
        if request.response is not None and reply is request.reply:
            return request.response
        rest = (self._for_browsers, request.version)
        try:
            response = response_of(reply, self._random, *rest)
        except Exception:
            self._log(Failure())
            self._outcome, self.entry.fault = "failed", None
            now = self._engine.now()
            reply, random = self._engine.draws.draw(OUR_FAULT, request, now)
            return response_of(reply, random, *rest)
        if reply is request.reply and response.pieces is None:
            request.response = response
        return response

    def take(self, pieces: list[bytes], *, is_last: bool) -> None:
        """Send pieces of the body: as every sink's."""
        sent = sum(map(len, pieces))
        if self._uncounted:
            of_head = min(sent, self._uncounted)
            self._uncounted -= of_head
            sent -= of_head
        self.entry.sent += sent
        if self._response.is_chunked:
            pieces = [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces]
        if is_last:
            pieces.append(self._response.tail)
        data = self._opening + b"".join(pieces)
        self._opening = b""
        if data:
            self.connection.write(data)
        if is_last and self._state is State.SENDING:
            self._finish()

    def fail(self, why: Failure) -> None:
        """Break off, because the body cannot be made: as every sink's."""
        self._log(why)
        self._outcome = "failed"
        self._end(self._outcome)
        self.connection.reset()

    def _finish(self) -> None:
        ending = self._response.ending
        if ending is Ending.HOLD:
            self._go(Event.STALL)
            if self._outcome == "released":
                self.abort("released")
            elif self.is_last:
                self.abort("cancelled")
            else:
                self.connection.stall()
            return
        self._end(self._outcome)
        if ending is Ending.RESET:
            self.connection.reset()
        elif ending is Ending.CLOSE or self._closes or self.is_last:
            self.connection.close()
        else:
            self.connection.finish(self._reply.idle)

    # What others ask of it.

    def pause(self) -> None:
        """The client does not read."""
        self._is_paused = True
        if self._source is not None:
            self._source.pause()

    def resume(self) -> None:
        """The client has read."""
        self._is_paused = False
        if self._source is not None:
            self._source.resume()

    def client_left(self) -> None:
        """The connection has ended."""
        if self._state is not State.OVER:
            self._end("cancelled")

    def release(self) -> None:
        """Answer at once, or break off what is in the middle of its response."""
        self._outcome = "released"
        if self._state is State.WAITING:
            assert self._wait is not None
            self._wait.cancel()
            self._send()
        else:
            self.abort("released")

    def make_last(self) -> None:
        """Close the connection when the response is sent; abort what is stalled."""
        self.is_last = True
        if self._state is State.STALLED:
            self.abort("cancelled")

    def abort(self, outcome: str) -> None:
        """End it, and its connection with it."""
        self._end(outcome)
        self.connection.reset()

    def _end(self, outcome: str) -> None:
        self._go(Event.END)
        self.entry.outcome = outcome
        self.entry.took = self._engine.now() - self._came
        if self._wait is not None:
            self._wait.cancel()
        if self._source is not None:
            self._source.stop()
        self._engine.end(self)

    def _go(self, event: Event) -> None:
        state = _TRANSITIONS.get((self._state, event))
        if state is None:
            raise IllegalTransition(f"{event.name} in state {self._state.name}")
        self._state = state

    def _log(self, why: Failure) -> None:
        _logger.failure(
            "cannot answer {method!r} {target!r}",
            why,
            method=self.entry.method,
            target=self.entry.target,
        )
