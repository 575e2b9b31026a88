"""Sent at once, and in order with what was not."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.protocol import ClientFactory, Factory, Protocol, connectionDone
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from nbtwisted.reactor.sending.prompt import prompt_writer
from tests.guard import ClockCase, ReactorCase

BLOCKS = [bytes([number]) * 65536 for number in range(120)]


class Reads(Protocol):
    """Keeps what comes, and fires with it at the end."""

    def __init__(self) -> None:
        self.received: list[bytes] = []
        self.at_the_end: Deferred[bytes] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        self.received.append(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.at_the_end.callback(b"".join(self.received))


class SendingTests(ReactorCase):
    def serve(self, on_connection: Any) -> tuple[int, Deferred[None]]:
        """Listen; the port, and what fires when a connection is gone."""
        gone: Deferred[None] = Deferred()

        class Serves(Protocol):
            def connectionMade(self) -> None:
                on_connection(self.transport)

            def connectionLost(self, reason: Failure = connectionDone) -> None:
                gone.callback(None)

        factory = Factory.forProtocol(Serves)
        port = self.reactor.listenTCP(0, factory, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        return port.getHost().port, gone

    def test_in_order_though_the_kernel_is_full(self) -> Any:
        def send(transport: Any) -> None:
            write = prompt_writer(transport)
            for number, block in enumerate(BLOCKS):
                # By turns with what takes the ordinary way.
                (transport.write if number % 5 == 4 else write)(block)
            transport.loseConnection()

        port, gone = self.serve(send)
        reads = Reads()
        factory = ClientFactory()
        factory.noisy = False
        factory.protocol = lambda: reads
        self.reactor.connectTCP("127.0.0.1", port, factory)
        ended: list[Deferred[Any]] = [reads.at_the_end, gone]
        return gatherResults(ended).addCallback(
            lambda found: self.assertEqual(found[0], b"".join(BLOCKS))
        )

    def test_before_it_returns(self) -> Any:
        found: list[bytes] = []
        client = socket.socket()
        self.addCleanup(client.close)

        def send(transport: Any) -> None:
            prompt_writer(transport)(b"now")
            client.settimeout(5)
            found.append(client.recv(10))
            transport.loseConnection()

        port, gone = self.serve(send)
        client.connect(("127.0.0.1", port))
        return gone.addCallback(lambda _: self.assertEqual(found, [b"now"]))

    def test_nothing_after_the_end(self) -> Any:
        client = socket.socket()
        self.addCleanup(client.close)

        def send(transport: Any) -> None:
            write = prompt_writer(transport)
            transport.abortConnection()
            write(b"too late")

        port, gone = self.serve(send)
        client.connect(("127.0.0.1", port))
        client.settimeout(5)
        return gone.addCallback(
            lambda _: self.assertRaises(ConnectionResetError, client.recv, 10)
        )


class OtherTransportsTests(ClockCase):
    def test_write_as_ever(self) -> None:
        transport = StringTransport()
        prompt_writer(transport)(b"abc")
        self.assertEqual(transport.value(), b"abc")
