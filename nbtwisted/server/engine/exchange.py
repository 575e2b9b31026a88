"""A request and the response to it: the one place where a response waits.

An exchange draws what chance leaves open, waits by `deferLater`, and sends:

    state      event      then
    NEW        wait       WAITING    for its delay
    NEW        ask        ASKING     of a proxy: its upstream, for the response
    NEW        send       SENDING
    WAITING    ask        ASKING     when the delay is over, or a reset lets it go
    WAITING    send       SENDING    likewise
    ASKING     wait       WAITING    for the delay of what the upstream has answered
    ASKING     send       SENDING
    SENDING    stall      STALLED    silent, until the client or the server ends it
    SENDING    tunnel     TUNNELLING bytes pass both ways, until one of the ends leaves
    any        end        OVER       it is in the journal, and its timers are gone

Another event is an error of ours, which raises `IllegalTransition`.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from itertools import chain
from typing import Protocol, cast

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from nbtwisted.server.engine.connection import Connection
from nbtwisted.server.engine.draws import Draws
from nbtwisted.server.engine.journal import Entry
from nbtwisted.server.engine.source import PacedSource
from nbtwisted.server.engine.upstream import AskedUpstream, Asking, Tunnel
from nbtwisted.server.model.behaviour import OUR_FAULT, Behaviour
from nbtwisted.server.model.body import Arriving, BodyBroke
from nbtwisted.server.model.faults import SECONDS_A_HEADER_BYTE, Ending
from nbtwisted.server.model.headers import HeaderLines
from nbtwisted.server.model.request import Request
from nbtwisted.server.model.response import Response, last_chunk, response_of
from nbtwisted.server.model.upstream import UpstreamAnswer

__all__ = ["Engine", "Exchange", "IllegalTransition"]

_logger = Logger(namespace="nbtwisted")

CLOSE = b"Connection: close\r\n"
KEEP_ALIVE = b"Connection: keep-alive\r\n"


State = IntEnum("State", "NEW WAITING ASKING SENDING STALLED TUNNELLING OVER")
Event = IntEnum("Event", "WAIT ASK SEND STALL TUNNEL END")

_TRANSITIONS: dict[tuple[State, Event], State] = {
    (State.NEW, Event.WAIT): State.WAITING,
    (State.NEW, Event.ASK): State.ASKING,
    (State.NEW, Event.SEND): State.SENDING,
    (State.WAITING, Event.ASK): State.ASKING,
    (State.WAITING, Event.SEND): State.SENDING,
    (State.ASKING, Event.WAIT): State.WAITING,
    (State.ASKING, Event.SEND): State.SENDING,
    (State.SENDING, Event.STALL): State.STALLED,
    (State.SENDING, Event.TUNNEL): State.TUNNELLING,
    **{(s, Event.END): State.OVER for s in State if s is not State.OVER},
}


class IllegalTransition(Exception):
    """An event came in a state in which it cannot happen."""


class Engine(Protocol):
    """The things that all exchanges share.

    clock   runs their timers
    now     reads seconds, by which it is measured how long a response was held
    draws   decides what is left to chance
    unix_time   reads the date, in seconds
    """

    clock: IReactorTime
    now: Callable[[], float]
    draws: Draws
    unix_time: Callable[[], float]

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
    _asking: Asking | None = None
    """The request to the upstream, if one was made."""
    _asked_at = 0.0
    _tunnel: Tunnel | None = None
    _source: PacedSource | None = None
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
        if reply.upstream is None:
            if reply.asked:
                self._wait_for(reply.asked)
            else:
                self._send()
        else:
            entry.asked += reply.ask_delay
            self._wait_for(reply.ask_delay)

    def _wait_for(self, seconds: float) -> None:
        if not seconds or self._outcome == "released":
            self._go_on()
            return
        self._go(Event.WAIT)
        self._wait = deferLater(self._engine.clock, seconds)
        self._wait.addCallbacks(self._go_on, _pass_over)

    def _go_on(self, _: None = None) -> None:
        """Nothing is to be waited for any more: ask, or send."""
        self._wait = None
        if self._reply.upstream is not None and self.entry.asking_since is None:
            self._ask()
        else:
            self._send()

    def _send(self) -> None:
        self._go(Event.SEND)
        engine, entry = self._engine, self.entry
        held = engine.now() - self._began
        if entry.upstream is not None:
            held -= entry.upstream
        entry.held = held
        if self._tunnel is not None and entry.fault is None:
            self._begin_tunnel(self._tunnel)
            return
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
            self._finish(opening + response.tail)
            return
        if response.is_slow:
            self._uncounted = len(opening)
            pieces = chain(
                ((bytes([byte]), SECONDS_A_HEADER_BYTE) for byte in opening), pieces
            )
        else:
            self._opening = opening
        self._source = PacedSource(pieces, engine.clock, engine.now)
        if isinstance(self._reply.body, Arriving):
            self._reply.body.wake = self._source.wake
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
            pieces.append(self._tail())
        data = self._opening + b"".join(pieces)
        self._opening = b""
        if is_last:
            self._finish(data)
        elif data:
            self.connection.write(data)

    def _tail(self) -> bytes:
        response, body = self._response, self._reply.body
        ends_chunks = response.is_chunked and response.ending is Ending.FINISH
        if ends_chunks and isinstance(body, Arriving):
            # They came behind the body.
            return last_chunk(body.trailers)
        return response.tail

    def fail(self, why: Failure) -> None:
        """Break off, because the body cannot be made: as every sink's."""
        broke = why.value
        if not isinstance(broke, BodyBroke):
            self._log(why)
            self._outcome = "failed"
            self._end(self._outcome)
            self.connection.reset()
            return
        self.entry.upstream_error = f"body: {broke}"
        if self._opening:
            self.take([], is_last=False)
        self._end("upstream failed")
        # As the upstream did.
        if broke.by_reset:
            self.connection.reset()
        else:
            self.connection.close()

    def _finish(self, rest: bytes) -> None:
        # Before it is written: the client may go on as soon as it has the last byte.
        now = self._engine.now()
        if rest:
            self.connection.write(rest)
        ending = self._response.ending
        if ending is Ending.HOLD:
            self._go(Event.STALL)
            self._ask_no_more()
            if self._outcome == "released":
                self.abort("released")
            elif self.is_last:
                self.abort("cancelled")
            else:
                self.connection.stall()
            return
        self._end(self._outcome, now)
        if ending is Ending.RESET:
            self.connection.reset()
        elif ending is Ending.CLOSE or self._closes or self.is_last:
            self.connection.close()
        else:
            self.connection.finish(self._reply.idle)

    # What an upstream tells.

    def _ask(self) -> None:
        self._go(Event.ASK)
        entry, engine = self.entry, self._engine
        entry.asking_since, self._asked_at = engine.unix_time(), engine.now()
        upstream = self._reply.upstream
        asking = cast(AskedUpstream, upstream).ask(self._request, self)
        if self._state is not State.OVER:
            self._asking = asking

    def interim(self, head: bytes) -> None:
        """Pass an interim answer on: as every listener's; so are those that follow."""
        if self._state is State.ASKING and self._request.version != b"HTTP/1.0":
            self.connection.write(head)

    def answered(self, answer: UpstreamAnswer) -> None:  # noqa: D102
        reply, took = self._reply, self._engine.now() - self._asked_at
        self.entry.upstream = took
        self._reply = reply.answered(answer, took)
        self._wait_for(reply.asked)

    def switched(self, answer: UpstreamAnswer, tunnel: Tunnel) -> None:  # noqa: D102
        self._tunnel = tunnel
        self.answered(answer)

    def unanswered(self, error: str, behaviour: Behaviour) -> None:  # noqa: D102
        entry, reply = self.entry, self._reply
        took = self._engine.now() - self._asked_at
        entry.upstream, entry.upstream_error = took, error
        self._outcome, entry.fault = "upstream failed", None
        self._reply = behaviour.draw(
            self._random, 0, is_head=self._request.method == b"HEAD"
        )._replace(
            asked=reply.asked,
            ask_delay=reply.ask_delay,
            upstream=reply.upstream,
            upstream_took=took,
        )
        self._wait_for(reply.asked)

    def _ask_no_more(self) -> None:
        asking, self._asking = self._asking, None
        if asking is not None:
            asking.stop()

    def _begin_tunnel(self, tunnel: Tunnel) -> None:
        self._go(Event.TUNNEL)
        self.entry.status = self._reply.status
        self._response = self._prepared()
        held, date = self.entry.held or 0.0, self._engine.date()
        opening = self._response.opening(b"", held, date)
        self.connection.write(opening)
        self.connection.begin_tunnel(tunnel)

    # What others ask of it.

    def refuse(self, behaviour: Behaviour) -> None:
        """The rest of the request makes no sense: answer that, if there is time."""
        self.is_last = True
        if self._state not in (State.WAITING, State.ASKING):
            self.abort("cancelled")
            return
        self._ask_no_more()
        if self._wait is not None:
            self._wait.cancel()
            self._wait = None
        now, request = self._engine.now(), self._request
        self._reply, self._random = self._engine.draws.draw(behaviour, request, now)
        self.entry.fault, self._tunnel = None, None
        self._outcome = "answered"
        self._send()

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
        if self._state is State.TUNNELLING:
            self._end(self._outcome)
        elif self._state is not State.OVER:
            self._end("cancelled")

    def release(self) -> None:
        """Answer at once, or break off what is in the middle of its response."""
        self._outcome = "released"
        if self._state is State.WAITING:
            assert self._wait is not None
            self._wait.cancel()
            self._go_on()
        else:
            self.abort("released")

    def make_last(self) -> None:
        """Close the connection when the response is sent; abort what is stalled."""
        self.is_last = True
        if self._state in (State.STALLED, State.TUNNELLING):
            self.abort("cancelled")

    def end_tunnel(self, *, by_reset: bool) -> None:
        """The upstream has left."""
        self._end(self._outcome)
        if by_reset:
            self.connection.reset()
        else:
            self.connection.close()

    def abort(self, outcome: str) -> None:
        """End it, and its connection with it."""
        self._end(outcome)
        self.connection.reset()

    def _end(self, outcome: str, now: float | None = None) -> None:
        self._go(Event.END)
        self.entry.outcome = outcome
        self.entry.took = (self._engine.now() if now is None else now) - self._came
        if self._wait is not None:
            self._wait.cancel()
        if self._source is not None:
            self._source.stop()
        self._ask_no_more()
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
