"""One of the connections of a run: sends a request when told, and says how it ended."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from twisted.internet.defer import Deferred

from nbtwisted.client.connection.protocol import Connection, State
from nbtwisted.client.errors import ConnectionLost, DeadlinePassed, RequestError
from nbtwisted.client.message import Message
from nbtwisted.client.target import Origin
from nbtwisted.duration import print_duration
from nbtwisted.load.requests.prepared import Prepared

__all__ = ["Opens", "Worker"]


class Opens(Protocol):
    """What a worker needs of its run, to connect."""

    def new(self, origin: Origin, worker: Worker) -> Connection:
        """A connection to there, for the worker; it is yet to be opened."""

    def open(self, connection: Connection, origin: Origin) -> None:
        """Open it."""


class Worker:
    """Makes requests one at a time, over connections that it keeps.

    `on_end` is called with the worker and the error of a request, or None for a
    response. It is the listener of its connections, and their keeper.

    Of the request that is being made, or was last: `due` and `sent_at` are readings of
    `now`, `connecting`, `receiving` and `timeout` are seconds, `status` and `size`
    (bytes of the body) those of its response, and `label` is its own.
    """

    def __init__(
        self,
        opens: Opens,
        now: Callable[[], float],
        on_end: Callable[[Worker, RequestError | None], None],
    ) -> None:
        self.due = 0.0
        self.sent_at = 0.0
        self.connecting: float | None = None
        self.receiving = 0.0
        self.timeout = 0.0
        self.label = ""
        self.status = self.size = 0
        self.was_resent = False
        self.is_busy = False
        self.failures = 0
        """That came one after another, the last of them just now."""
        self._opens = opens
        self._now = now
        self._on_end = on_end
        self._request: Prepared | None = None
        self._message: Message
        self._connection: Connection | None = None
        self._is_reused = False
        # Pieces that the response came in, and when the first did.
        self._pieces = 0
        self._first_byte_at = 0.0
        self._kept: dict[Origin, Connection] = {}
        # Those that are there, kept or not.
        self._open: set[Connection] = set()
        self._when_closed: Deferred[None] | None = None

    def send(self, request: Prepared, due: float, now: float) -> None:
        """Make a request that was due then; `now` is a reading of the clock."""
        self.is_busy = True
        self.due = due
        self.sent_at = now
        self.connecting = None
        self.receiving = 0.0
        self.was_resent = False
        # Mostly it is the same again, over the same.
        if request is not self._request:
            self._request = request
            self._message = request.message
            self.timeout = request.common.timeout
            self.label = request.common.label
            self._connection = self._kept.get(request.common.origin)
        connection = self._connection
        if connection is None or connection.state is not State.IDLE:
            self._connect()
        else:
            self._is_reused = True
            self._pieces = 0
            connection.listener = self
            connection.send(self._message)

    def _connect(self) -> None:
        self._is_reused = False
        self._pieces = 0
        assert self._request is not None
        origin = self._request.common.origin
        connection = self._connection = self._opens.new(origin, self)
        self._open.add(connection)
        self._opens.open(connection, origin)

    # As the listener of a connection.

    def host_resolved(self) -> None:
        """Nobody wants to know when."""

    def connection_made(self, connection: Connection) -> None:
        """The same."""

    def tunnel_made(self, connection: Connection) -> None:
        """Never: this goes through no proxy."""

    def connection_ready(self, connection: Connection) -> None:
        """Send what there is to be sent."""
        self.connecting = self._now() - self.sent_at
        assert self._request is not None
        self._kept[self._request.common.origin] = connection
        connection.send(self._message)

    def request_sent(self) -> None:
        """Nobody wants to know when."""

    def bytes_received(self) -> None:
        """Note when the first of several pieces came."""
        self._pieces += 1
        if self._pieces == 1:
            self._first_byte_at = self._now()

    def exchange_over(self, connection: Connection, error: RequestError | None) -> None:
        """The response is whole, or will not be."""
        if error is None:
            reader = connection.reader
            assert reader.head is not None
            self.status, self.size = reader.head.status, reader.size
            if self._pieces > 1:
                self.receiving = self._now() - self._first_byte_at
            self.failures = 0
        elif self._is_reused and not self._pieces:
            # The server has closed it, as servers do with connections that are idle.
            assert self._request is not None
            if self._request.common.is_idempotent:
                self.was_resent = True
                self._connect()
                return
            # It may have taken the request before: RFC 9110, 9.2.2.
            method = self._request.common.method
            error = ConnectionLost(f"{error}; a {method} is not sent again unasked")
            error.phase = "first byte"
            self.failures += 1
        else:
            self.failures += 1
        self.is_busy = False
        self._on_end(self, error)

    # As their keeper.

    def connection_free(self, connection: Connection) -> None:
        """It is kept since it was there."""

    def connection_gone(self, connection: Connection) -> None:
        """Forget it."""
        self._open.discard(connection)
        for origin, kept in list(self._kept.items()):
            if kept is connection:
                del self._kept[origin]
        self._look_if_closed()

    # Its end.

    def is_late(self, now: float) -> bool:
        """Whether the deadline of what it does has passed."""
        return self.is_busy and now - self.sent_at >= self.timeout

    def time_out(self) -> None:
        """The deadline has passed."""
        seconds = print_duration(self.timeout)
        self.stop(DeadlinePassed(f"no answer within {seconds} s"))

    def stop(self, error: RequestError) -> None:
        """End the request that is being made with this."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.listener = None
            connection.abort()
        self.is_busy = False
        self.failures += 1
        self._on_end(self, error)

    def close(self) -> Deferred[None]:
        """Close what is kept; fires when it is gone."""
        done = self._when_closed = Deferred()
        for connection in list(self._open):
            connection.abort()
        self._look_if_closed()
        return done

    def _look_if_closed(self) -> None:
        if self._when_closed is not None and not self._open:
            when, self._when_closed = self._when_closed, None
            when.callback(None)
