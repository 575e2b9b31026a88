"""One of the connections of a run: sends a request when told, and says how it ended."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from nbtwisted.client.errors import ConnectFailed, DeadlinePassed, RequestError
from nbtwisted.client.target import Origin, Target
from nbtwisted.duration import print_duration
from nbtwisted.load.connection import Connection
from nbtwisted.load.tally import Whole

__all__ = ["Opens", "Worker"]


class Opens(Protocol):
    """What a worker needs of its run, to connect."""

    def handshake(self, target: Target) -> Any:
        """For TLS, or None."""

    def connect(self, target: Target, connection: Connection) -> Deferred[None]:
        """Connect to the target's host; fails with `RequestError`."""


class Worker:
    """Makes requests one at a time, over connections that it keeps.

    `on_end` is called with the worker and a `Whole`, or with a `RequestError`.

    `due` and `sent_at` are readings of `now` for the request that is being made, or was
    last; so are the seconds `connecting` and `receiving`, and whether it `was_resent`.
    """

    def __init__(
        self,
        opens: Opens,
        now: Callable[[], float],
        on_end: Callable[[Worker, Whole | RequestError], None],
        *,
        keeps_alive: bool,
        timeout: float,
    ) -> None:
        self.due = 0.0
        self.sent_at = 0.0
        self.connecting: float | None = None
        self.receiving = 0.0
        self.was_resent = False
        self.is_busy = False
        self.failures = 0
        """That came one after another, the last of them just now."""
        self._opens = opens
        self._now = now
        self._on_end = on_end
        self._keeps_alive = keeps_alive
        self._timeout = timeout
        self._target: Target
        self._request = b""
        self._connection: Connection | None = None
        self._connections: dict[Origin, Connection] = {}
        self._connected: Deferred[None] | None = None
        self._closing: set[Connection] = set()
        self._when_closed: Deferred[None] | None = None

    def send(self, target: Target, request: bytes, due: float, now: float) -> None:
        """Make a request that was due then; `now` is a reading of the clock."""
        self.is_busy = True
        self.due = due
        self.sent_at = now
        self.connecting = None
        self.receiving = 0.0
        self.was_resent = False
        connection = self._connection
        # Mostly it is the same again, over the same.
        if request is not self._request or connection is None or connection.is_over:
            self._target = target
            self._request = request
            connection = self._connection = self._connections.get(target.origin)
        if connection is None:
            self._open()
        else:
            connection.send(request)

    def is_late(self, now: float) -> bool:
        """Whether the deadline of what it does has passed."""
        return self.is_busy and now - self.sent_at >= self._timeout

    def time_out(self) -> None:
        """The deadline has passed."""
        seconds = print_duration(self._timeout)
        self.stop(DeadlinePassed(f"no answer within {seconds} s"))

    def stop(self, error: RequestError) -> None:
        """End the request that is being made with this."""
        self._drop()
        self._over(error)

    def close(self) -> Deferred[None]:
        """Close what is kept; fires when it is gone."""
        for connection in list(self._connections.values()):
            self._connection = connection
            self._drop()
        done = self._when_closed = Deferred()
        self._look_if_closed()
        return done

    def _open(self) -> None:
        target = self._target
        connection = self._connection = Connection(
            self._now,
            self._opens.handshake(target),
            self._whole,
            self._ended,
            target.origin,
        )
        connection.on_ready = lambda: self._ready(connection)
        connected = self._connected = self._opens.connect(target, connection)
        connected.addCallbacks(self._has_connected, self._could_not_connect)

    def _has_connected(self, _: object) -> None:
        connection, self._connected = self._connection, None
        assert connection is not None
        connection.on_gone = lambda: self._gone(connection)
        self._closing.add(connection)

    def _could_not_connect(self, failure: Failure) -> None:
        self._connected = None
        if failure.check(CancelledError):
            return
        error = failure.value
        if not isinstance(error, RequestError):
            error = ConnectFailed(str(error))
        self._connection = None
        self._over(error)

    def _ready(self, connection: Connection) -> None:
        self.connecting = self._now() - self.sent_at
        if self._keeps_alive:
            self._connections[connection.origin] = connection
        connection.send(self._request)

    def _gone(self, connection: Connection) -> None:
        self._closing.discard(connection)
        self._look_if_closed()

    def _whole(self, whole: Whole) -> None:
        connection = self._connection
        assert connection is not None
        if connection.first_byte_at:
            self.receiving = self._now() - connection.first_byte_at
        if connection.is_over:
            self._connections.pop(connection.origin, None)
        elif not self._keeps_alive:
            connection.close()
            self._connection = None
        self.is_busy = False
        self.failures = 0
        self._on_end(self, whole)

    def _ended(self, connection: Connection, error: RequestError | None) -> None:
        self._connections.pop(connection.origin, None)
        if connection is not self._connection or not self.is_busy:
            # The server has closed a connection that nothing was asked on.
            return
        self._connection = None
        if connection.was_used and not connection.has_begun:
            # Or was about to, when something was: RFC 9110, 9.2.2, lets us ask again.
            self.was_resent = True
            self._open()
            return
        assert error is not None
        self._over(error)

    def _over(self, error: RequestError) -> None:
        self.is_busy = False
        self.failures += 1
        self._on_end(self, error)

    def _drop(self) -> None:
        """Let go of the connection, or of the attempt at one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            self._connections.pop(connection.origin, None)
        connected, self._connected = self._connected, None
        if connected is not None:
            connected.cancel()
        elif connection is not None and not connection.is_over:
            connection.abort()

    def _look_if_closed(self) -> None:
        if self._when_closed is not None and not self._closing:
            when, self._when_closed = self._when_closed, None
            when.callback(None)
