"""One attempt at a target: over a connection that is there, or over a new one."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import CancelledError

from nbtwisted.client.connection.pool import Connections
from nbtwisted.client.connection.protocol import Connection, Exchange, nothing
from nbtwisted.client.connection.reader import Limits
from nbtwisted.client.errors import Interrupted
from nbtwisted.client.response import Timing
from nbtwisted.client.target import Target

__all__ = ["Attempt"]


class Attempt:
    """One attempt: `run` it once, and then, or meanwhile, see how far it came."""

    def __init__(
        self,
        target: Target,
        request: bytes,
        connections: Connections,
        limits: Limits,
        now: Callable[[], float],
        *,
        is_last: bool,
    ) -> None:
        self.target = target
        self.began = now()
        self.exchange = Exchange(request, limits, is_last=is_last)
        self._connections = connections
        self._now = now
        self._connection: Connection | None = None
        self._resolved_at: float | None = None
        self._is_reused = False

    @property
    def fileno(self) -> int | None:
        """The file descriptor of the connection, if there is one."""
        return None if self._connection is None else self._connection.fileno

    async def run(
        self,
        on_ready: Callable[[], None],
        on_first_byte: Callable[[], None],
        *,
        reuse: bool,
    ) -> None:
        """Return when the answer is whole, or raise what is wrong.

        By then the connection is free for others, or gone. Calls `on_ready` when there
        is one that can take the request, and `on_first_byte` when the answer begins.

        Unless it is to `reuse` a connection, it opens one even if there is one.

        Raises `RequestError`, and `CancelledError` when it is cancelled.
        """
        self.exchange.on_first_byte = on_first_byte
        connection = self._connections.reuse(self.target) if reuse else None
        self._is_reused = connection is not None
        if connection is not None:
            on_ready()
        else:
            connection = await self._connections.new(self.target)
            connection.on_ready = on_ready
        await self._carry(connection)
        if self.exchange.error is not None:
            raise self.exchange.error
        assert self.exchange.is_whole, "neither an error nor an answer"

    async def _carry(self, connection: Connection) -> None:
        self._connection = connection
        connection.begin(self.exchange)
        try:
            if not connection.is_ready:
                addresses = await self._connections.addresses(self.target)
                self._resolved_at = self._now()
                await self._connections.connect(connection, self.target, addresses)
            try:
                await connection.when_over()
            except CancelledError:
                connection.abort()
                try:
                    await connection.when_over()
                except CancelledError:
                    # Deadlines cancel once: this one is the caller's.
                    raise Interrupted(f"cancelled while {self.doing()}") from None
                raise
        finally:
            # Who asks for this knows it: cycles, if they stayed.
            connection.on_ready = self.exchange.on_first_byte = nothing
            self._connections.give_back(self.target, connection)

    @property
    def was_stale(self) -> bool:
        """Whether the server has closed a kept connection without an answer."""
        exchange = self.exchange
        return (
            self._is_reused
            and exchange.error is not None
            and exchange.first_byte_at is None
        )

    def doing(self) -> str:
        """What it is at."""
        connection, exchange = self._connection, self.exchange
        if not self._is_reused:
            if self._resolved_at is None:
                return "looking up the host"
            assert connection is not None
            if connection.connected_at is None:
                return "connecting"
            if not connection.is_ready:
                return "shaking hands in TLS"
        if exchange.first_byte_at is not None:
            return "receiving the answer"
        if exchange.sent_at is None:
            return "sending the request"
        return "waiting for the first byte"

    def timing(self, *, queued: float, ended: float | None = None) -> Timing:
        """How long each part of it took; until now, unless it ended earlier."""
        exchange, connection = self.exchange, self._connection
        if ended is None:
            ended = self._now()
        dns: float | None = 0.0
        connect: float | None = 0.0
        tls = 0.0 if self.target.is_tls else None
        if not self._is_reused:
            dns = _between(self.began, self._resolved_at)
            connected_at = connection.connected_at if connection else None
            connect = _between(self._resolved_at, connected_at)
            tls = _between(connected_at, connection.secured_at if connection else None)
        # An answer may begin before all of a long request was taken.
        sent_at = (
            exchange.first_byte_at if exchange.sent_at is None else exchange.sent_at
        )
        return Timing(
            started=self.began,
            queued=queued,
            dns=dns,
            connect=connect,
            tls=tls,
            wait=_between(sent_at, exchange.first_byte_at),
            receive=_between(exchange.first_byte_at, ended),
            total=ended - self.began,
        )


def _between(begin: float | None, end: float | None) -> float | None:
    if begin is None or end is None:
        return None
    return max(0.0, end - begin)
