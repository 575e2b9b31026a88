"""One request to the upstream, and its answer as that comes."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from nbtwisted.client.connection.protocol import Connection
from nbtwisted.client.errors import (
    ConnectionLost,
    ConnectTimeout,
    DeadlinePassed,
    FirstByteTimeout,
    Interrupted,
    RequestError,
)
from nbtwisted.client.message import Message
from nbtwisted.client.result import Head
from nbtwisted.duration import print_duration
from nbtwisted.proxy.http.failing import answer_to
from nbtwisted.proxy.http.forwarding import (
    answer_headers,
    asks_to_switch,
    trailer_lines,
)
from nbtwisted.proxy.http.tunnel import UpgradedTunnel
from nbtwisted.server.engine.upstream import Listener
from nbtwisted.server.model.body import Arriving, Body, BodyBroke, Whole
from nbtwisted.server.model.headers import HeaderLines, Lines
from nbtwisted.server.model.request import Request
from nbtwisted.server.model.upstream import UpstreamAnswer

if TYPE_CHECKING:
    from nbtwisted.proxy.http.upstream import HTTPUpstream

__all__ = ["LOOKS", "Asking", "State"]

LOOKS = 8
"""How often it is looked at in the time that an upstream may take."""

MOST_HELD = 256 * 1024
"""Bytes of an answer that may wait for the client; beyond, no more are read."""

_IDEMPOTENT = frozenset((b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE"))
"""RFC 9110, 9.2.2."""


class State(enum.Enum):
    """Where it is in its life.

    | state | what happens | where that leads |
    |---|---|---|
    | OPENING | a connection is ready | SENDING |
    | SENDING | all of the request is sent | WAITING |
    | | the answer's head has come | RECEIVING |
    | | a kept connection was closed, and it is sent again | OPENING |
    | WAITING | the answer's head has come, and not all of the rest | RECEIVING |
    | | the upstream switches to another protocol | SWITCHED |
    | | a kept connection was closed, and it is sent again | OPENING |

    The end of the answer, whatever it is, and `stop` lead from OPENING, SENDING,
    WAITING, RECEIVING and SWITCHED to OVER.
    """

    OPENING = "connecting"
    SENDING = "sending the request"
    WAITING = "waiting for the answer"
    RECEIVING = "receiving the answer"
    SWITCHED = "passing another protocol on"
    OVER = "over"


class Asking:
    """Passes one request on, and tells the `listener` of the answer.

    It listens to a connection of the client's (`Listener` there), follows it while the
    answer comes (`Follower`), and takes the body of the request (`Receiver`).
    """

    __slots__ = (
        *("_body", "_connection", "_has_room", "_head", "_is_chunked", "_is_paused"),
        *("_is_reused", "_listener", "_moved_at", "_recorded", "_request"),
        *("_state", "_stopped_by", "_told_interim", "_tunnel", "_upstream"),
    )

    def __init__(
        self, upstream: HTTPUpstream, request: Request, listener: Listener
    ) -> None:
        self._upstream = upstream
        self._request = request
        self._listener = listener
        self._state = State.OPENING
        self._connection: Connection | None = None
        self._is_reused = False
        self._body: Arriving | None = None
        self._has_room = True
        self._is_paused = False
        self._told_interim = 0
        self._tunnel: UpgradedTunnel | None = None
        self._stopped_by: RequestError | None = None
        target = upstream.clean(request)
        self._head = upstream.forwarding.head(request, target)
        self._is_chunked = request.incoming is not None and (
            request.incoming.length is None
        )
        self._recorded = None
        if upstream.recorder is not None:
            # RFC 9112, 3.3: a URL has no path for the target *.
            path = "" if target == b"*" else target.decode("ascii")
            self._recorded = upstream.recorder.begin(request, upstream.place + path)

    def start(self) -> None:
        """Ask."""
        if self._recorded is not None:
            self._recorded.asked()
        self._moved_at = self._upstream.now()
        self._upstream.deadlines.begin(self)
        self._begin(reuse=True)

    def stop(self) -> None:
        """Nobody waits for it any more."""
        if self._state is State.OVER:
            return
        connection = self._connection
        self._be_over(Interrupted("the client left"))
        assert connection is not None
        connection.listener = connection.follower = None
        if self._tunnel is None:
            connection.abort()
        else:
            connection.close()

    def _begin(self, *, reuse: bool) -> None:
        upstream = self._upstream
        pool = upstream.pool
        self._state = State.OPENING
        connection = pool.take(upstream.route, self) if reuse else None
        self._is_reused = connection is not None
        if connection is not None:
            self._connection = connection
            self.connection_ready(connection)
        else:
            self._connection = connection = pool.new(upstream.route, self)
            pool.open(connection)

    # What a connection tells its listener.

    def host_resolved(self) -> None:
        """Nothing is to be done; so it is with the next two."""

    def connection_made(self, connection: Connection) -> None:  # noqa: D102
        pass

    def tunnel_made(self, connection: Connection) -> None:  # noqa: D102
        pass

    def connection_ready(self, connection: Connection) -> None:
        """Send the request."""
        self._state = State.SENDING
        self._moved_at = self._upstream.now()
        connection.follower = self
        request = self._request
        if request.incoming is None:
            if self._recorded is not None:
                self._recorded.request_piece(request.body)
            connection.send(Message(self._head, request.body))
            connection.reader.may_switch = asks_to_switch(self._head)
        else:
            connection.begin(self._head)
            request.incoming.start(self)

    def request_sent(self) -> None:
        """It is the upstream's turn."""
        self._moved_at = self._upstream.now()
        if self._state is State.SENDING:
            self._state = State.WAITING

    def bytes_received(self) -> None:
        """Nothing is to be done yet."""

    def exchange_over(self, connection: Connection, error: RequestError | None) -> None:
        """The answer is whole, or there will be no more of it."""
        if self._state is State.OVER:
            return
        reader = connection.reader
        error = self._stopped_by or error
        self._tell_interim(connection)
        if error is not None:
            self._fail(connection, error)
        elif self._tunnel is not None:
            self._be_over(None)
            self._tunnel.upstream_over(by_reset=False)
        elif self._body is None:
            head, content = reader.head, reader.take()
            assert head is not None, "a whole answer without a head"
            trailers = trailer_lines(reader.trailers)
            self._record(head, content)
            self._be_over(None)
            self._answer(head, content, trailers)
        else:
            body = self._body
            content = reader.take()
            if self._recorded is not None:
                self._recorded.piece(content)
            self._be_over(None)
            body.feed(content)
            body.end(trailer_lines(reader.trailers))
        reader.reset()

    # What it tells its follower.

    def response_goes_on(self, connection: Connection) -> None:
        """Pass on what has come."""
        self._moved_at = self._upstream.now()
        reader = connection.reader
        self._tell_interim(connection)
        head = reader.head
        if head is None:
            return
        content = reader.take()
        if self._body is None:
            self._state = State.RECEIVING
            self._record(head, content)
            headers, length = answer_headers(head)
            self._body = body = Arriving(length, self._on_taken)
            body.feed(content)
            self._listener.answered(
                UpstreamAnswer(head.status, _reason(head), headers, body)
            )
        else:
            body = self._body
            if self._recorded is not None:
                self._recorded.piece(content)
            body.feed(content)
        if body.held > MOST_HELD and self._connection is not None:
            self._is_paused = True
            connection.pause()

    def room_to_send(self, has_room: bool) -> None:
        """Have the client of the proxy pause, while the upstream does not read."""
        self._has_room = has_room
        self._moved_at = self._upstream.now()
        incoming = self._request.incoming
        if incoming is not None and self._state is not State.OVER:
            if has_room:
                incoming.resume()
            else:
                incoming.pause()

    def exchange_switched(self, connection: Connection, early: bytes) -> None:
        """Make a tunnel, which takes the connection over."""
        head = connection.reader.head
        assert head is not None
        self._state = State.SWITCHED
        self._upstream.deadlines.end(self)
        self._record(head, b"")
        self._tunnel = UpgradedTunnel(connection, early)
        headers, _ = answer_headers(head)
        upgrade = [(n, v) for n, v in head.headers if n.lower() == "upgrade"]
        headers = (*headers, ("Connection", "Upgrade"), *upgrade)
        answer = UpstreamAnswer(head.status, _reason(head), headers, Whole(b""))
        self._listener.switched(answer, self._tunnel)

    def switched_bytes(self, data: bytes) -> None:
        """Bytes are the tunnel's."""

    # What the body of the request tells.

    def take(self, piece: bytes) -> None:
        """Pass a piece of the request on."""
        if self._recorded is not None:
            self._recorded.request_piece(piece)
        self._moved_at = self._upstream.now()
        if self._connection is not None:
            if self._is_chunked:
                piece = b"%x\r\n%b\r\n" % (len(piece), piece)
            self._connection.send_more(piece)

    def end(self, trailers: Lines) -> None:
        """The request is whole."""
        if self._connection is not None:
            if self._is_chunked:
                passed = self._upstream.forwarding.trailers(trailers)
                fields = b"".join(b"%b: %b\r\n" % line for line in passed)
                self._connection.send_more(b"0\r\n%b\r\n" % fields)
            self._connection.send_no_more()

    # The rest.

    def look(self) -> None:
        """See whether the upstream is in time."""
        upstream = self._upstream
        is_ours = self._is_paused or (self._state is State.SENDING and self._has_room)
        if is_ours or upstream.now() - self._moved_at < upstream.timeout - 1e-6:
            upstream.deadlines.begin(self)
            return
        passed = f"{print_duration(upstream.timeout)} s passed while"
        error: RequestError = DeadlinePassed(f"{passed} {self._state.value}")
        if self._state is State.OPENING:
            error = ConnectTimeout(f"{passed} {self._state.value}")
        elif self._state is State.WAITING:
            error = FirstByteTimeout(f"{passed} {self._state.value}")
        self._stopped_by = error
        assert self._connection is not None
        self._connection.abort()

    def _fail(self, connection: Connection, error: RequestError) -> None:
        reader = connection.reader
        is_stale = (
            self._is_reused
            and not reader.received
            and error is not self._stopped_by
            and self._request.incoming is None
            and self._request.method in _IDEMPOTENT
        )
        if is_stale:
            if self._recorded is not None:
                self._recorded.asked()
            self._begin(reuse=False)
            return
        error.forget_frames()
        body, tunnel, raw = self._body, self._tunnel, reader.raw
        content = reader.take() if tunnel is None else b""
        if body is None and tunnel is None and reader.head is not None:
            self._record(reader.head, content)
        elif body is not None and self._recorded is not None:
            self._recorded.piece(content)
        self._be_over(error)
        if tunnel is not None:
            tunnel.upstream_over(by_reset=True)
        elif body is not None:
            by_reset = isinstance(error, (ConnectionLost, DeadlinePassed))
            body.feed(content)
            body.fail(BodyBroke(str(error), by_reset=by_reset))
        else:
            upstream = self._upstream
            told = answer_to(error, raw, upstream.place, upstream.errors)
            self._listener.unanswered(f"{error.phase}: {error}", told)

    def _be_over(self, error: RequestError | None) -> None:
        self._state = State.OVER
        self._connection = None
        self._upstream.deadlines.end(self)
        if self._request.incoming is not None:
            self._request.incoming.stop()
        if self._recorded is not None:
            self._recorded.end(error)

    def _record(self, head: Head, content: bytes) -> None:
        if self._recorded is not None:
            self._recorded.head(head)
            self._recorded.piece(content)

    def _answer(self, head: Head, content: bytes, trailers: HeaderLines) -> None:
        headers, length = answer_headers(head)
        body: Body
        if trailers or self._request.method == b"HEAD":
            body = arrived = Arriving(length, _nobody)
            arrived.feed(content)
            arrived.end(trailers)
        else:
            body = Whole(content, in_chunks=length is None and bool(content))
        self._listener.answered(
            UpstreamAnswer(head.status, _reason(head), headers, body)
        )

    def _tell_interim(self, connection: Connection) -> None:
        for head in connection.reader.interim[self._told_interim :]:
            self._told_interim += 1
            headers, _ = answer_headers(head)
            lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
            text = f"HTTP/1.1 {head.status} {_reason(head)}\r\n{lines}\r\n"
            self._listener.interim(text.encode("utf-8", "surrogateescape"))

    def _on_taken(self) -> None:
        body = self._body
        if self._is_paused and body is not None and body.held <= MOST_HELD // 2:
            self._is_paused = False
            self._moved_at = self._upstream.now()
            if self._connection is not None:
                self._connection.resume()


def _reason(head: Head) -> str:
    reason = head.reason
    return (
        reason
        if reason.isascii()
        else reason.encode("latin-1").decode("utf-8", "surrogateescape")
    )


def _nobody() -> None:
    """Nobody waits for what was taken."""
