"""A network in memory: connections are made, answered and broken by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure

from nbtwisted.client.connection.protocol import Connection as ClientConnection
from nbtwisted.client.connection.resolving import Resolver
from nbtwisted.client.errors import RequestError
from nbtwisted.client.request.getting import Getter
from nbtwisted.client.result import Attempt, Result, Timing


def result_of(error: RequestError) -> Result:
    """What an error that was handed out knows of its request."""
    assert error.result is not None
    return error.result


def last_of(error: RequestError) -> Attempt:
    """The attempt that its request ended in."""
    last = result_of(error).last
    assert last is not None
    return last


def timing_of(error: RequestError) -> Timing:
    """How long its request took."""
    timing = result_of(error).timing
    assert timing is not None
    return timing


class Connection(StringTransport):
    """A connection, seen from the server."""

    def __init__(self, protocol: ClientConnection, fileno: int) -> None:
        super().__init__()
        self.protocol = protocol
        self.state = "open"
        self.handshake: Any = None
        """What TLS was begun with, if it was."""
        self._fileno = fileno
        self._pull_producer: Any = None
        self.push_producer: Any = None

    # What a TCP transport has, and StringTransport has not.

    def fileno(self) -> int:
        return self._fileno

    def setTcpNoDelay(self, enabled: bool) -> None:
        pass

    def startTLS(self, handshake: Any) -> None:
        self.handshake = handshake

    def getHandle(self) -> None:
        """No connection of OpenSSL's."""

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        assert self.producer is None
        if streaming:
            self.push_producer = producer
            return
        self._pull_producer = producer
        producer.resumeProducing()

    def unregisterProducer(self) -> None:
        # In TLS there is nobody to be told then.
        assert self.state != "gone", "unregistered from what is gone"
        assert self._pull_producer is not None or self.push_producer is not None
        self._pull_producer = self.push_producer = None

    def loseConnection(self) -> None:
        waits = "it waits for what is yet to be produced"
        assert self._pull_producer is None is self.push_producer, waits
        self.state = "closing"

    def abortConnection(self) -> None:
        self.state = "aborting"

    # What tests do to it.

    @property
    def has_something_to_send(self) -> bool:
        return self._pull_producer is not None

    def secure(self) -> None:
        """The handshake is over."""
        assert self.handshake is not None
        self.protocol.handshakeCompleted()

    def take_request(self) -> bytes:
        """The kernel takes all that was written: returns it."""
        if self._pull_producer is not None:
            self._pull_producer.resumeProducing()
        request: bytes = self.value()
        self.clear()
        return request

    def answer(self, data: bytes) -> None:
        """The server sends some bytes."""
        assert self.state == "open", self.state
        self.protocol.dataReceived(data)

    def finish(self) -> None:
        """The connection comes to the end that the client has asked for."""
        reasons = {"closing": ConnectionDone(), "aborting": ConnectionAborted()}
        self._end(reasons[self.state])

    def close(self) -> None:
        """The server closes the connection."""
        self._end(ConnectionDone())

    def reset(self) -> None:
        """The connection breaks."""
        self._end(ConnectionLost())

    def _end(self, reason: Exception) -> None:
        self.state = "gone"
        # As Twisted does, before the protocol hears of it.
        producer = self._pull_producer or self.push_producer
        self._pull_producer = self.push_producer = None
        if producer is not None:
            producer.stopProducing()
        self.protocol.connectionLost(Failure(reason))


class Addresses:
    """Stands in for the resolver: hosts have the addresses that a test gives them."""

    def __init__(
        self,
        **addresses: tuple[str, ...] | Deferred[tuple[str, ...]] | type[Deferred[Any]],
    ) -> None:
        self._addresses = addresses

    def resolve(self, host: str) -> Deferred[tuple[str, ...]]:
        found = self._addresses.get(host, (host,))
        if isinstance(found, type):
            # One that nobody ever finds, for each who asks.
            return found()
        return found if isinstance(found, Deferred) else succeed(found)


FILENO = 10**6
"""That of the first connection: nothing real has it, and nothing arrives there."""

A_TURN = 0.0001
"""Seconds that the network's clock must advance for the reactor's next turn."""


class Network(MemoryReactorClock):
    """The reactor, its clock, and the connections made through it."""

    def __init__(self) -> None:
        super().__init__()
        self._fileno = FILENO - 1

    def callLater(
        self, delay: float, callable: Callable[..., object], *args: Any, **kwargs: Any
    ) -> Any:
        # On a Clock no time at all is over at once; on a reactor, in its next turn.
        return super().callLater(delay or A_TURN, callable, *args, **kwargs)

    def getter(
        self,
        *,
        resolver: Addresses | None = None,
        **options: Any,
    ) -> Getter:
        return Getter(
            self,
            now=self.seconds,
            resolver=cast(Resolver, resolver or Addresses()),
            **options,
        )

    @property
    def attempts(self) -> list[tuple[str, int]]:
        """The addresses and ports that were to be connected to."""
        return [(host, port) for host, port, *_ in self.tcpClients]

    def accept(self, number: int = -1) -> Connection:
        """Let an attempt succeed, by default the last."""
        factory = self.tcpClients[number][2]
        protocol = factory.buildProtocol(None)
        assert isinstance(protocol, ClientConnection)
        self._fileno += 1
        connection = Connection(protocol, self._fileno)
        protocol.makeConnection(connection)
        return connection

    def refuse(self, error: Exception, number: int = -1) -> None:
        """Let an attempt fail, by default the last."""
        factory = self.tcpClients[number][2]
        factory.clientConnectionFailed(self.connectors[number], Failure(error))

    @property
    def given_up(self) -> list[bool]:
        """For each attempt, whether the client stopped it."""
        return [connector.stoppedConnecting for connector in self.connectors]
