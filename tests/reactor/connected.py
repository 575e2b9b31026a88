"""Connections on a reactor that a test has in its hand."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

from twisted.internet.asyncioreactor import AsyncioSelectorReactor
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from nbtwisted.reactor import EagerEPollReactor

__all__ = ["ReactorTestCase", "Served", "one_turn", "twisteds_asyncio"]


def twisteds_asyncio() -> AsyncioSelectorReactor:
    """Twisted's asyncio reactor on a loop of its own.

    Without one, that of the oldest Twisted wants one that is set.
    """
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    return AsyncioSelectorReactor(loop)


def one_turn(reactor: Any, seconds: float = 0) -> None:
    """Have a reactor go round once, and wait for so long at most.

    Twisted's asyncio reactor would take 10 ms at least.
    """
    loop = getattr(reactor, "_asyncioEventloop", None)
    if loop is None:
        reactor.iterate(seconds)
        return
    # An event that comes ends the wait, and the turn after it the run.
    (loop.call_later(seconds, loop.stop) if seconds else loop.call_soon(loop.stop))
    loop.run_forever()


class Served(Protocol):
    """A connection as a test wants to have it."""

    transport: Any

    def __init__(self) -> None:
        self.received = b""
        self.lost: Any = None
        self.on_data: Callable[[], object] = lambda: None

    def dataReceived(self, data: bytes) -> None:
        self.received += data
        self.on_data()

    def connectionLost(self, reason: Any = None) -> None:
        self.lost = reason


class ReactorTestCase(SynchronousTestCase):
    """Has a reactor, which runs only when it is told to, and connections on it."""

    make_reactor: Callable[[], Any] = EagerEPollReactor

    def setUp(self) -> None:
        self.run_on(self.make_reactor())

    def run_on(self, reactor: Any) -> None:
        """Make what follows on this reactor, which is taken apart after the test."""
        self.reactor: Any = reactor
        self.served: list[Served] = []
        self.addCleanup(self._take_apart, self.reactor, self.served)

    def _take_apart(self, reactor: Any, served_by_it: list[Served]) -> None:
        for selectable in reactor.removeAll():
            selectable.connectionLost(Failure(ConnectionDone()))
        for served in served_by_it:
            # One that neither reads nor writes is unknown to the reactor.
            if served.lost is None:
                served.transport.connectionLost(Failure(ConnectionDone()))
        for reader in list(reactor._internalReaders):
            reactor.removeReader(reader)
            reader.connectionLost(None)
        if hasattr(reactor, "_asyncioEventloop"):
            reactor._asyncioEventloop.close()
            asyncio.set_event_loop(None)
        else:
            reactor._poller.close()

    def turns(self, number: int = 1) -> None:
        for _ in range(number):
            one_turn(self.reactor)

    def until(self, condition: Callable[[], object]) -> None:
        """Let turns pass; what is waited for takes the kernel a few at most."""
        for _ in range(100_000):
            if condition():
                return
            one_turn(self.reactor, 0.001)
        raise AssertionError("it never came to pass")

    def connect(
        self, unix: str | None = None, serve: type[Served] = Served
    ) -> tuple[socket.socket, Served]:
        """A connection: a plain socket at the one end, a protocol at the other.

        It is over TCP, or a UNIX socket by the name of `unix`.
        """

        def accept() -> Served:
            self.served.append(serve())
            return self.served[-1]

        factory = Factory.forProtocol(accept)
        factory.noisy = False
        number = len(self.served)
        if unix:
            port = self.reactor.listenUNIX(unix, factory)
            client = socket.socket(socket.AF_UNIX)
            client.connect(unix)
        else:
            port = self.reactor.listenTCP(0, factory, interface="127.0.0.1")
            client = socket.create_connection(("127.0.0.1", port.getHost().port))
        self.addCleanup(client.close)
        client.setblocking(False)
        self.until(lambda: len(self.served) > number)
        port.stopListening()
        self.turns()
        return client, self.served[-1]

    def assertNothingArrived(self, client: socket.socket) -> None:
        with self.assertRaises(BlockingIOError):
            client.recv(1)
