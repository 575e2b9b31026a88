"""Connections that are accepted, and then held, stalled or reset."""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IAddress, IDelayedCall
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from nbtwisted.server.http1.delivery import has_left
from nbtwisted.server.http1.watch import Watch

__all__ = ["MOST_HELD", "HeldConnections", "Resets", "Silent", "StallsHandshake"]

MOST_HELD = 256
"""Connections of a port. Others wait in the kernel's backlog, where they are just as
silent; Twisted may have accepted some of them before it is told to stop."""

SECONDS_BEFORE_RESET = 0.1
"""To a client that sends nothing. With none, a client may see its connect() fail: of
curl's, half end with 7 and half with 56."""

_HANDSHAKE = 0x16
_LONGEST_RECORD = 2**14
"""Bytes; RFC 8446, 5.1."""

_PART_OF_SERVER_HELLO = (
    b"\x16\x03\x03\x00\x7a"  # a record of 122 bytes of a TLS handshake
    b"\x02\x00\x00\x76\x03\x03"  # a ServerHello of 118 bytes, up to its random number
) + bytes(range(32))


class Silent(Protocol):
    """A connection on which nothing is read or sent, until the client leaves."""

    transport: Any

    def __init__(self, connections: HeldConnections) -> None:
        self._connections = connections

    def connectionMade(self) -> None:
        """Stop reading."""
        self._connections.add(self)
        self.transport.pauseProducing()
        # It may have waited in the backlog for longer than its client.
        self.look(0)

    def look(self, now: float) -> None:
        """End with the client."""
        if has_left(self.transport):
            self.transport.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection has ended."""
        self._connections.discard(self)


class StallsHandshake(Silent):
    """A TLS handshake that stops within the ServerHello."""

    def connectionMade(self) -> None:
        """Wait for the client's hello."""
        self._connections.add(self)
        self._hello = b""

    def dataReceived(self, data: bytes) -> None:
        """Read the ClientHello, begin to answer, and stop."""
        self._hello += data
        size = int.from_bytes(self._hello[3:5], "big")
        is_tls = self._hello[0] == _HANDSHAKE and size <= _LONGEST_RECORD
        if is_tls and len(self._hello) < 5 + size:
            return
        if is_tls:
            self.transport.write(_PART_OF_SERVER_HELLO)
        self.transport.pauseProducing()


class Resets(Silent):
    """A connection that is reset when something comes, or after a moment."""

    _timer: IDelayedCall

    def connectionMade(self) -> None:
        """Leave the client time to see that it is connected."""
        self._connections.add(self)
        self._timer = self._connections.reactor.callLater(
            SECONDS_BEFORE_RESET, self.transport.abortConnection
        )

    def dataReceived(self, data: bytes) -> None:
        """Reset the connection."""
        self.transport.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection has ended."""
        if self._timer.active():
            self._timer.cancel()
        super().connectionLost(reason)


class HeldConnections(Factory):
    """The connections of a port, each a `protocol`, at most about `MOST_HELD`.

    While there are as many, `port` (a Twisted port, once it listens) accepts no others.
    """

    noisy = False
    port: Any = None

    def __init__(self, protocol: type[Silent], reactor: Any) -> None:
        self.reactor = reactor
        self._protocol = protocol
        self._connections: set[Silent] = set()
        self._watch = Watch(reactor)
        self._is_full = False

    def buildProtocol(self, addr: IAddress | None) -> Silent:
        """A new connection."""
        return self._protocol(self)

    def add(self, connection: Silent) -> None:
        """A connection was made."""
        self._connections.add(connection)
        self._watch.add(connection)
        if len(self._connections) >= MOST_HELD:
            self._is_full = True
            self.port.stopReading()

    def discard(self, connection: Silent) -> None:
        """A connection has ended."""
        self._connections.discard(connection)
        self._watch.discard(connection)
        if self._is_full and len(self._connections) < MOST_HELD:
            self._is_full = False
            if self.port is not None:
                self.port.startReading()

    def close(self) -> Any:
        """End all connections; returns a Deferred that fires when that is done."""
        port, self.port = self.port, None
        for connection in list(self._connections):
            connection.transport.abortConnection()
        return port.stopListening()
