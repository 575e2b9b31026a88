"""A connection that speaks HTTP/1.1.

    state        event      then
    HEAD         body       BODY         a head came, whose body is not all here
    HEAD, BODY   request    RESPONDING   an exchange is open
    RESPONDING   next       HEAD         the response is sent; another request may come
    HEAD         idle       LINGERING    none came in the time that there was for it
    RESPONDING   stall      STALLED      nothing more is sent; input is discarded
    RESPONDING   tunnel     TUNNELLING   another protocol's bytes pass both ways
    RESPONDING, TUNNELLING  close        LINGERING    closed one way; input is discarded
    any          lost       LOST

Another event is an error of ours, which raises `IllegalTransition`.

An orderly close sends FIN after the last byte, and then reads on: to close with bytes
unread is to reset, and the client might lose the response.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from enum import IntEnum
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IDelayedCall, IPushProducer, ISSLTransport
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from nbtwisted.reactor.sending.prompt import prompt_writer
from nbtwisted.server.engine.exchange import Exchange, IllegalTransition
from nbtwisted.server.engine.upstream import Tunnel
from nbtwisted.server.http1.addresses import addresses_of
from nbtwisted.server.http1.client_end import ClientEnd
from nbtwisted.server.http1.delivery import Delivery, has_left
from nbtwisted.server.http1.framing import (
    BadRequest,
    Head,
    RequestReader,
    check_length,
)
from nbtwisted.server.http1.incoming import IncomingBody
from nbtwisted.server.http1.slow_reading import SlowReading
from nbtwisted.server.model.behaviour import Behaviour, refusal
from nbtwisted.server.model.request import NO_ADDRESSES, Request, not_a_request

if TYPE_CHECKING:
    from nbtwisted.server.http1.site import DelaySite

__all__ = ["HEAD_DEADLINE", "LINGER", "Channel"]

HEAD_DEADLINE = 30.0
"""Seconds for a head: from when the connection was made, or from when the client's
machine had the response before."""

BODY_DEADLINE = 30.0
"""Seconds for which a body may pause."""

LINGER = 5.0
"""Seconds to discard input after a close; to end at once would reset, and lose the
response."""

READ_AHEAD = 64 * 1024
"""Bytes that are read of what comes behind a request that is being answered."""

SECONDS_A_TURN = 0.004
"""After which one client's requests wait until others had their turn."""

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


State = IntEnum("State", "HEAD BODY RESPONDING STALLED TUNNELLING LINGERING LOST")
Event = IntEnum("Event", "BODY REQUEST NEXT IDLE STALL TUNNEL CLOSE LOST")

_TRANSITIONS: dict[tuple[State, Event], State] = {
    (State.HEAD, Event.BODY): State.BODY,
    (State.HEAD, Event.REQUEST): State.RESPONDING,
    (State.BODY, Event.REQUEST): State.RESPONDING,
    (State.RESPONDING, Event.NEXT): State.HEAD,
    (State.HEAD, Event.IDLE): State.LINGERING,
    (State.RESPONDING, Event.STALL): State.STALLED,
    (State.RESPONDING, Event.TUNNEL): State.TUNNELLING,
    (State.RESPONDING, Event.CLOSE): State.LINGERING,
    (State.TUNNELLING, Event.CLOSE): State.LINGERING,
    **{(s, Event.LOST): State.LOST for s in State if s is not State.LOST},
}

_DEADLINES = {
    State.HEAD: HEAD_DEADLINE,
    State.BODY: BODY_DEADLINE,
    State.LINGERING: LINGER,
}


@implementer(IPushProducer)
class Channel(Protocol):
    """Carries requests and responses, one after another."""

    transport: Any
    _may_persist = True
    _send: Callable[[bytes], object]
    _delivery: Delivery | None = None
    """None until something is sent: ten thousand requests that wait need none."""
    _addresses = NO_ADDRESSES
    _coming: tuple[Head, Request] | None = None
    """A request whose body is not all here."""
    _incoming: IncomingBody | None = None
    """The body of the request that is being answered, while it arrives."""
    _tunnel: Tunnel | None = None
    _slow: SlowReading | None = None
    """Reads the body of that request, if it is to be read slowly."""
    _raw = b""
    """The head of a request that is not answered yet."""
    _exchange: Exchange | None = None
    _turn: IDelayedCall | None = None
    """When requests that are here already go on being answered."""
    _idle: IDelayedCall | None = None
    """When the connection closes, unless another request has begun by then."""
    _since = 0.0
    """When the client's time began: seconds of the reactor."""
    _held = 0
    """Bytes of this client's that are in memory, and of these, the body of the request
    that is being answered."""
    _held_by_body = 0
    _is_paused = False
    """Whether the client does not read."""
    _is_reading = True
    _is_advancing = False

    def __init__(self, site: DelaySite) -> None:
        self._site = site
        self._state = State.HEAD
        self._reader = RequestReader()

    # What the transport tells.

    def connectionMade(self) -> None:
        """The head's time begins."""
        # A UNIX socket has no such thing.
        with suppress(AttributeError):
            self.transport.setTcpNoDelay(True)
        self.transport.registerProducer(self, True)
        self._site.opened(self)
        self._begin_time()

    def dataReceived(self, data: bytes) -> None:
        """Take bytes: most often a request, and nothing else."""
        if self._state >= State.STALLED:
            if self._tunnel is not None:
                self._tunnel.received(data)
            return
        if self._addresses is NO_ADDRESSES:
            # Behind a proxy that speaks PROXY, they are told in the first bytes.
            self._addresses = addresses_of(
                self.transport,
                peer=self.transport.getPeer(),
                here=self.transport.getHost(),
                is_secure=self._is_secure(),
            )
        if self._slow is None:
            self._reader.feed(data)
            self._advance()
        else:
            self._slow.take(data)
            self._hold(0)
            self._read_or_not()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection has ended."""
        self._go(Event.LOST)
        self._site.closed(self)
        self._site.held -= self._held
        self._end_slow_reading()
        if self._turn is not None:
            self._turn.cancel()
        self._end_idling()
        self._drop_incoming()
        tunnel, self._tunnel = self._tunnel, None
        if tunnel is not None:
            tunnel.client_left()
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.client_left()

    def pauseProducing(self) -> None:
        """The client does not read: make nothing more, and read nothing more."""
        if self._tunnel is not None:
            self._tunnel.pause()
            return
        self._is_paused = True
        if self._exchange is not None:
            self._exchange.pause()
        self._read_or_not()

    def resumeProducing(self) -> None:
        """The client has read."""
        if self._tunnel is not None:
            self._tunnel.resume()
            return
        self._is_paused = False
        if self._exchange is not None:
            self._exchange.resume()
        self._advance()

    def stopProducing(self) -> None:
        """The connection is gone, which `connectionLost` is told too."""

    # Bytes become requests.

    def _advance(self) -> None:
        """Answer the requests that are here, one after another."""
        if self._is_advancing:
            return
        self._is_advancing = True
        reader = self._reader
        ends = 0.0
        try:
            if self._incoming is not None:
                self._pass_on(self._incoming)
            while (
                reader.left
                and self._state <= State.BODY
                and not (self._is_paused or self._turn)
                and self._take_next()
            ):
                if reader.left:
                    now = self._site.in_flight.now()
                    ends = ends or now + SECONDS_A_TURN
                    if now >= ends:
                        self._go_on_next_turn()
            if self._incoming is not None:
                self._pass_on(self._incoming)
        except BadRequest as bad:
            self._refuse(bad)
        self._is_advancing = False
        if reader.left or self._held or self._held_by_body:
            self._hold(self._held_by_body)
        if reader.left or self._turn or not self._is_reading:
            self._read_or_not()

    def _go_on_next_turn(self) -> None:
        self._turn = self._site.reactor.callLater(0, self._on_turn)

    def _on_turn(self) -> None:
        self._turn = None
        self._advance()

    def _take_next(self) -> bool:
        """Take the next request, or a part of it; returns whether there may be more."""
        reader = self._reader
        if self._coming is None:
            raw = reader.next_head()
            self._raw = raw or b""
            if raw is None:
                self._refuse_too_much()
                return False
            head, request = self._site.requests((raw, self._addresses))
            if head.length == 0:
                self._open(request, head.is_persistent)
                return True
            app = self._site.app
            if not app.passes_bodies_on:
                check_length(head)
                if head.wants_continue and not reader.left:
                    self.write(CONTINUE)
            self._coming = head, request
            rate = app.reading_rate(request)
            if rate is not None:
                self._read_slowly(rate)
        head, request = self._coming
        if self._site.app.passes_bodies_on:
            return self._begin_passing_on(head, request)
        body = reader.next_body(head)
        if body is None:
            self._refuse_too_much()
            if self._state is State.HEAD:
                self._go(Event.BODY)
            self._begin_time()
            if reader.has_stopped:
                self._go_on_next_turn()
            return False
        self._coming = None
        self._end_slow_reading()
        self._held_by_body = len(body)
        self._open(request.with_body(body), head.is_persistent)
        return True

    def _begin_passing_on(self, head: Head, request: Request) -> bool:
        """Answer a request whose body may still arrive; returns as `_take_next`."""
        self._coming = None
        first, is_last = self._reader.next_piece(head)
        if is_last:
            self._end_slow_reading()
        if is_last and not self._reader.trailers:
            self._open(request.with_body(first), head.is_persistent)
            return True
        incoming = IncomingBody(self._reader, head, first, self._on_incoming)
        if is_last:
            incoming.end()
        else:
            self._incoming = incoming
        self._open(request.with_incoming(incoming), head.is_persistent)
        return is_last

    def _on_incoming(self) -> None:
        if self._incoming is not None:
            self._advance()
            self._read_or_not()

    def _pass_on(self, incoming: IncomingBody) -> None:
        """Give what is here of the body of the request that is being answered."""
        if self._turn is not None:
            return
        self._begin_time()
        try:
            is_whole = incoming.read_on()
        except BadRequest as bad:
            self._refuse_incoming(bad)
            return
        if self._incoming is not incoming:
            return
        if is_whole:
            self._incoming = None
            self._end_slow_reading()
            incoming.end()
        elif self._reader.has_stopped:
            self._go_on_next_turn()

    def _refuse_incoming(self, bad: BadRequest) -> None:
        self._drop_incoming()
        self._may_persist = False
        assert self._exchange is not None
        self._exchange.refuse(_refusal(bad))

    def _drop_incoming(self) -> None:
        incoming, self._incoming = self._incoming, None
        if incoming is not None:
            incoming.stop()

    def _open(
        self,
        request: Request,
        is_persistent: bool,
        behaviour: Behaviour | None = None,
    ) -> None:
        self._go(Event.REQUEST)
        self._raw = b""
        if self._idle is not None:
            self._end_idling()
        self._may_persist = is_persistent
        site = self._site
        app = site.app
        self._exchange, behaviour = site.in_flight.open(
            self, request, behaviour or app.decide(request), app
        )
        self._exchange.begin(behaviour)

    def _refuse(self, bad: BadRequest) -> None:
        self._end_slow_reading()
        is_head = (self._raw or self._reader.beginning).startswith(b"HEAD ")
        request = not_a_request(self._addresses, b"HEAD" if is_head else b"")
        self._open(request, False, _refusal(bad))

    def _read_slowly(self, rate: float) -> None:
        site = self._site
        self._slow = SlowReading(self.transport, rate, site.reactor, self._read_piece)
        self._slow.take(self._reader.take_rest())
        site.in_flight.being_read.add(self)
        self._read_or_not()

    def _read_piece(self, piece: bytes) -> None:
        self._reader.feed(piece)
        self._advance()

    def read_at_once(self) -> None:
        """Read a body slowly no longer."""
        self._end_slow_reading()
        self._advance()

    def _end_slow_reading(self) -> None:
        if self._slow is not None:
            self._site.in_flight.being_read.discard(self)
            self._reader.feed(self._slow.end())
            self._slow = None

    def _read_or_not(self) -> None:
        """Read no further ahead than is worth it, and only while the client reads."""
        ahead = self._reader.left if self._state is State.RESPONDING else 0
        is_reading = self._state >= State.STALLED or not (
            self._is_paused
            or self._turn is not None
            or (self._slow is not None and self._slow.waiting)
            or ahead > READ_AHEAD
            or (ahead and self._site.holds_too_much)
        )
        if is_reading != self._is_reading and self._state is not State.LOST:
            self._is_reading = is_reading
            if is_reading:
                self.transport.resumeProducing()
            else:
                self.transport.pauseProducing()

    def _hold(self, by_body: int) -> None:
        """Count the bytes of this client's that are in memory."""
        held = self._reader.held + by_body
        if self._slow is not None:
            held += len(self._slow.waiting)
        self._site.held += held - self._held
        self._held, self._held_by_body = held, by_body

    def _refuse_too_much(self) -> None:
        """Raise `BadRequest` if the clients have sent more than is held of all."""
        self._hold(0)
        if self._site.holds_too_much:
            raise BadRequest(503, "less than the server holds of all clients at a time")

    # What the exchange asks of its connection.

    @property
    def is_open(self) -> bool:
        """Whether the connection has not ended."""
        return self._state is not State.LOST

    @property
    def is_persistent(self) -> bool:
        """Whether the client may send another request after this one."""
        # The rest of a body that nobody takes is no request.
        return self._may_persist and self._incoming is None

    def write(self, data: bytes) -> None:
        """Send bytes: at once, unless there are more requests to answer with them."""
        if self._delivery is None:
            self._delivery = Delivery()
            self._send = prompt_writer(self.transport)
        self._delivery.written += len(data)
        if self._reader.left:
            self.transport.write(data)
        else:
            self._send(data)

    def finish(self, idle: float | None) -> None:
        """The response is whole; another request may follow: as every connection's."""
        self._go(Event.NEXT)
        self._exchange = None
        self._begin_time()
        self._held_by_body = 0
        if idle is not None:
            self._idle = self._site.reactor.callLater(idle, self._on_idle)
        if self._reader.left or self._held:
            self._advance()

    def stall(self) -> None:
        """Send nothing more, and read on, so that a client that leaves is noticed."""
        self._go(Event.STALL)
        self._drop_incoming()
        self._reader = RequestReader()
        self._hold(self._held_by_body)
        self._read_or_not()

    def begin_tunnel(self, tunnel: Tunnel) -> None:
        """Pass another protocol's bytes both ways, until one of the ends leaves."""
        self._go(Event.TUNNEL)
        self._tunnel = tunnel
        early = self._reader.take_rest()
        self._hold(0)
        assert self._exchange is not None
        tunnel.start(ClientEnd(self._exchange, self.transport))
        if early:
            tunnel.received(early)

    def close(self) -> None:
        """Close the connection in an orderly way, after the last byte (FIN)."""
        self._go(Event.CLOSE)
        self._close(lingers=True)

    def _close(self, *, lingers: bool) -> None:
        self._exchange = None
        self._drop_incoming()
        self._begin_time()
        # A refused body makes room for others at once, and not when it has lingered.
        self._reader = RequestReader()
        self._hold(0)
        self.transport.unregisterProducer()
        self._read_or_not()
        if lingers and not self._is_secure():
            self.transport.loseWriteConnection()
        else:
            # TLS reads until the client agrees that it is closed.
            self.transport.loseConnection()

    def reset(self) -> None:
        """Abort the connection at once (RST)."""
        self._exchange = None
        self.transport.abortConnection()

    # What the clock tells.

    def _on_idle(self) -> None:
        self._idle = None
        if self._state is State.HEAD and not self._reader.left:
            # As other servers do it: a request that comes too late is reset.
            now = self._site.reactor.seconds()
            self._go(Event.IDLE)
            self._close(lingers=not self.is_delivered(now))

    def _end_idling(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None

    def look(self, now: float) -> None:
        """See whether the client reads and sends in time; `now` is in seconds."""
        state = self._state
        delivery = self._delivery
        stuck = 0.0 if delivery is None else delivery.look(self.transport, now)
        if stuck >= self._site.send_timeout:
            self._abort("timed out")
        elif not self._is_reading and has_left(self.transport):
            self._abort("cancelled")
        elif (
            self._incoming is not None
            and self._incoming.wants
            and now - self._since >= BODY_DEADLINE
        ):
            self._refuse_incoming(_pauses_too_long())
        elif self._incoming is not None and self._incoming.wants:
            pass
        elif (
            state not in _DEADLINES
            or (delivery is not None and not delivery.is_complete)
            or (self._idle is not None and not self._reader.left)
        ):
            # The client's time begins when it has the response.
            self._since = now
        elif now - self._since >= _DEADLINES[state]:
            if state is State.BODY:
                self._refuse(_pauses_too_long())
            else:
                self.transport.abortConnection()

    def is_delivered(self, now: float) -> bool:
        """Whether the client has every response that is over; `now` is in seconds."""
        delivery = self._delivery
        if delivery is None or self._exchange is not None:
            return True
        delivery.look(self.transport, now)
        return delivery.is_complete

    def _abort(self, outcome: str) -> None:
        if self._exchange is not None:
            self._exchange.abort(outcome)
        else:
            self.transport.abortConnection()

    def _begin_time(self) -> None:
        self._since = self._site.reactor.seconds()

    def _is_secure(self) -> bool:
        return bool(ISSLTransport.providedBy(self.transport))

    def _go(self, event: Event) -> None:
        state = _TRANSITIONS.get((self._state, event))
        if state is None:
            raise IllegalTransition(f"{event.name} in state {self._state.name}")
        self._state = state


def _pauses_too_long() -> BadRequest:
    return BadRequest(408, f"a body that pauses for less than {BODY_DEADLINE:g} s")


def _refusal(bad: BadRequest) -> Behaviour:
    phrase = HTTPStatus(bad.status).phrase.lower()
    again = (("Retry-After", "1"),) if bad.status == 503 else ()
    return refusal(bad.status, phrase, *again, expected=bad.expected)
