"""Connections that take less time to write to."""

from __future__ import annotations

import contextlib
from typing import Any
from unittest.mock import patch

from twisted.internet import abstract, tcp
from twisted.internet.epollreactor import EPollReactor
from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

from nbtwisted.reactor import EagerEPollReactor
from nbtwisted.reactor.sending.connections import Server
from tests.reactor.connected import ReactorTestCase


@implementer(IPushProducer)
class Producer:
    """Notes what it is asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def resumeProducing(self) -> None:
        self.asked.append("resume")

    def pauseProducing(self) -> None:
        self.asked.append("pause")

    def stopProducing(self) -> None:
        self.asked.append("stop")


class ConnectionsTests(ReactorTestCase):
    """Each does on the eager reactor what it does on Twisted's."""

    def transport(self, reactor: EPollReactor) -> Any:
        self.run_on(reactor)
        self.client, self.end = self.connect()
        return self.end.transport

    def on_both(self, do: Any) -> Any:
        """What comes of it, which must be the same on both."""
        on_twisteds = do(self.transport(EPollReactor()))
        self.assertEqual(do(self.transport(EagerEPollReactor())), on_twisteds)
        self.assertIs(type(self.end.transport), Server)
        return on_twisteds

    def got(self, size: int) -> bytes:
        self.client.setblocking(False)
        received = bytearray()

        def has_all() -> bool:
            with contextlib.suppress(BlockingIOError):
                received.extend(self.client.recv(size))
            return len(received) >= size

        self.until(has_all)
        return bytes(received)

    def test_pieces(self) -> None:
        def do(transport: Any) -> Any:
            transport.write(b"one")
            transport.writeSequence([b"two", b"", b"three"])
            transport.writeSequence((b"four",))
            transport.writeSequence([])
            transport.write(b"")
            waiting = transport._tempDataLen
            return waiting, self.got(15)

        self.assertEqual(self.on_both(do), (15, b"onetwothreefour"))

    def test_what_is_no_bytes(self) -> None:
        def do(transport: Any) -> Any:
            failed = []
            for write, what in [
                (transport.write, "text"),
                (transport.write, bytearray(b"x")),
                (transport.writeSequence, [b"x", "text"]),
                (transport.writeSequence, [memoryview(b"x")]),
            ]:
                try:
                    write(what)
                except TypeError as error:
                    failed.append(str(error))
            return failed, transport._tempDataBuffer

        failed, kept = self.on_both(do)
        self.assertEqual((len(failed), kept), (4, []))

    def test_a_subclass_of_bytes(self) -> None:
        class Bytes(bytes):
            pass

        def do(transport: Any) -> Any:
            transport.write(Bytes(b"a"))
            transport.writeSequence([Bytes(b"b"), b"c"])
            return self.got(3)

        self.assertEqual(self.on_both(do), b"abc")

    def test_a_producer_is_paused_when_there_is_much(self) -> None:
        def do(transport: Any) -> Any:
            asked = []
            for size in (10, transport.bufferSize, transport.bufferSize + 1):
                for write in (
                    transport.write,
                    lambda data: transport.writeSequence([data]),
                ):
                    producer = Producer()
                    transport.registerProducer(producer, True)
                    write(b"x" * size)
                    asked.append(list(producer.asked))
                    transport.unregisterProducer()
                    self.got(size)
            return asked

        asked = self.on_both(do)
        self.assertEqual(asked, [[], [], [], [], ["pause"], ["pause"]])

    def test_addresses(self) -> None:
        def do(transport: Any) -> Any:
            ends = self.client.getpeername(), self.client.getsockname()
            for _ in range(2):
                host, peer = transport.getHost(), transport.getPeer()
                self.assertEqual((host.host, host.port), ends[0])
                self.assertEqual((peer.host, peer.port), ends[1])
            self.client.close()
            self.until(lambda: self.end.lost)
            return transport.getPeer() == peer

        self.assertTrue(self.on_both(do))

    def test_lost(self) -> None:
        def do(transport: Any) -> Any:
            self.client.close()
            self.until(lambda: self.end.lost)
            transport.write(b"x")
            transport.writeSequence([b"x"])
            return transport._tempDataBuffer

        self.assertEqual(self.on_both(do), [])

    def test_half_closed(self) -> None:
        def do(transport: Any) -> Any:
            transport.loseWriteConnection()
            self.until(lambda: transport._writeDisconnected)
            transport.write(b"x")
            transport.writeSequence([b"x"])
            return transport._tempDataBuffer

        self.assertEqual(self.on_both(do), [])

    def test_methods_that_somebody_has_patched(self) -> None:
        for kind, name in [
            (tcp.Server, "writeSequence"),
            (tcp.Connection, "write"),
            (abstract.FileDescriptor, "write"),
            (tcp.Server, "getHost"),
        ]:
            called: list[Any] = []
            with patch.object(
                kind, name, lambda *args, called=called: called.append(args)
            ):
                transport = self.transport(EagerEPollReactor())
                getattr(transport, name)(*[b""][: "get" not in name])
            self.assertEqual(len(called), 1)
            self.assertIs(type(transport), tcp.Server)
