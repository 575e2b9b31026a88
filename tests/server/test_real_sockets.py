"""What only real sockets can show: windows that are full, resets, and closing.

Deadlines run on a `Clock`, so that nothing is waited for but the kernel.
"""

from __future__ import annotations

import socket
import ssl
import struct
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import trustme
from OpenSSL import SSL
from twisted.internet import tcp
from twisted.internet.defer import Deferred
from twisted.internet.ssl import ContextFactory
from twisted.internet.task import Clock, deferLater

from nbtwisted.server.delay_server import DelayServer
from nbtwisted.server.engine.connection import DEFAULT_SEND_TIMEOUT
from nbtwisted.server.engine.journal import Entry
from nbtwisted.server.http1.channel import HEAD_DEADLINE
from nbtwisted.server.http1.site import DelaySite
from nbtwisted.server.model.body import PIECE, Letters
from tests.guard import ReactorCase
from tests.server.in_memory import answers, asking, site_of
from tests.undelivered import undelivered

RESET_WHEN_CLOSED = struct.pack("ii", 1, 0)

WAITS = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
"""What a socket raises that would have to wait."""


class Certified(ContextFactory):
    """Context factory with a certificate of an authority that nobody knows."""

    def getContext(self) -> SSL.Context:
        context = SSL.Context(SSL.TLS_METHOD)
        trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
        return context


class Client:
    """A plain socket, which waits for nothing but the reactor's turns."""

    def __init__(self, case: SocketsCase, port: int, buffer: int | None) -> None:
        self._case = case
        self.socket = socket.socket()
        if buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self.socket.connect(("127.0.0.1", port))
        self.socket.setblocking(False)

    async def begin_tls(self) -> None:
        """Speak TLS from here on, to a server that is not asked who it is."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self.socket = context.wrap_socket(
            self.socket, do_handshake_on_connect=False, suppress_ragged_eofs=False
        )
        while True:
            try:
                self.socket.do_handshake()
            except WAITS:
                await self._case.turn()
            else:
                return

    async def send(self, data: bytes) -> None:
        """Send all of it."""
        left = memoryview(data)
        while left:
            try:
                left = left[self.socket.send(left) :]
            except WAITS:
                await self._case.turn()

    async def read(self, size: float = float("inf")) -> bytes:
        """Read so much, or until the other end closes; raises if that resets."""
        data = b""
        while len(data) < size:
            try:
                piece = self.socket.recv(int(min(size - len(data), 65536)))
            except WAITS:
                await self._case.turn()
                continue
            if not piece:
                break
            data += piece
        return data

    def reset(self) -> None:
        """Close with a RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_WHEN_CLOSED)
        self.socket.close()


class SocketsCase(ReactorCase):
    def setUp(self) -> None:
        super().setUp()
        self.clock = Clock()

    def serve(
        self, channel: str = "ours", *, is_secure: bool = False, **settings: Any
    ) -> None:
        server = DelayServer(clock=self.reactor, seed=7, **settings)
        self.in_flight = server.in_flight
        self.site = site_of(server, self.clock, channel)
        listen = self.reactor.listenTCP
        if is_secure:
            listen = partial(self.reactor.listenSSL, contextFactory=Certified())
        listening = listen(0, self.site, interface="127.0.0.1")
        self.port = listening.getHost().port
        self.addCleanup(self.until, lambda: not self.connections)
        if isinstance(self.site, DelaySite):
            self.addCleanup(self.site.abort_connections)
        self.addCleanup(listening.stopListening)

    def connect(self, buffer: int | None = None) -> Client:
        client = Client(self, self.port, buffer)
        self.addCleanup(client.socket.close)
        return client

    @property
    def connections(self) -> int:
        """Those that the server has, and reads or writes."""
        found = {*self.reactor.getReaders(), *self.reactor.getWriters()}
        return sum(isinstance(one, tcp.Server) for one in found)

    def waiting(self, client: Client) -> int:
        """Bytes that the kernel has for a client, whose machine has not taken them."""
        port = client.socket.getsockname()[1]
        for one in {*self.reactor.getReaders(), *self.reactor.getWriters()}:
            if isinstance(one, tcp.Server) and one.getPeer().port == port:
                return undelivered(one.socket)
        return 0

    @property
    def latest(self) -> Entry:
        """The request that came last."""
        *_, entry = self.in_flight.journal.entries()
        return entry

    def turn(self) -> Deferred[None]:
        """Let the reactor do what there is to do."""
        self.clock.advance(0)
        return deferLater(self.reactor, 0)

    def until(self, condition: Callable[[], object]) -> Deferred[None]:
        """Take turns until something is true; the test's timeout limits that."""

        async def wait() -> None:
            while not condition():
                await self.turn()

        return Deferred.fromCoroutine(wait())

    def is_idle(self) -> bool:
        return self.in_flight.journal.in_flight == 0


class OrderlyCloseTests(SocketsCase):
    """FIN after the last byte, whatever else was sent: nothing of it is lost."""

    async def assert_whole(
        self, client: Client, request: bytes, status: int, size: int
    ) -> None:
        sending = Deferred.fromCoroutine(client.send(request + b"x" * 300_000))
        received = await client.read()
        ((found, headers, body),) = answers(received, ["GET"])
        self.assertEqual((found, headers["connection"]), (status, "close"))
        self.assertGreaterEqual(len(body), size)
        await sending
        # It is read until the client closes, too.
        self.assertEqual(self.connections, 1)
        client.socket.close()
        await self.until(lambda: not self.connections)

    async def test_the_last_request_of_a_connection(self) -> None:
        self.serve()
        for target, size in [("/?_delay=0", 19), ("/bytes/1000000", 1_000_000)]:
            for _ in range(5):
                request = asking(target, "Connection: close")
                await self.assert_whole(self.connect(), request, 200, size)

    async def test_the_last_request_of_a_connection_in_tls(self) -> None:
        self.serve(is_secure=True)
        for target, size in [("/?_delay=0", 19), ("/bytes/1000000", 1_000_000)]:
            client = self.connect()
            await client.begin_tls()
            request = asking(target, "Connection: close")
            await self.assert_whole(client, request, 200, size)

    async def test_a_refusal(self) -> None:
        self.serve()
        too_long = asking("/post", "Content-Length: 9999999", method="POST")
        for request, status in [(too_long, 413), (b"no request\r\n\r\n", 400)]:
            await self.assert_whole(self.connect(), request, status, 10)

    async def test_a_drain(self) -> None:
        self.serve()
        client = self.connect()
        request = asking("/bytes/1000000?_delay=60")
        whole = self.assert_whole(client, request, 200, 1_000_000)
        ended = Deferred.fromCoroutine(whole)
        await self.until(lambda: self.in_flight.journal.in_flight)
        drained = Deferred.fromCoroutine(self.in_flight.drain())
        # Nobody waits for the delay.
        self.in_flight.reset()
        await ended
        await drained

    async def test_a_drain_waits_for_what_a_kept_connection_has_to_deliver(
        self,
    ) -> None:
        self.serve()
        client = self.connect(buffer=4096)
        await client.send(asking("/bytes/300000"))
        await self.until(lambda: self.in_flight.journal.came and self.is_idle())
        drained = Deferred.fromCoroutine(self.in_flight.drain())
        for _ in range(3):
            await self.turn()
            self.assertNoResult(drained)
        await client.read(300_000)
        await drained
        client.socket.close()


class LeavingTests(SocketsCase):
    """A client that leaves is noticed, though what it sent is not read.

    If it sent more than the kernel's buffer takes, its FIN waits behind that until the
    response is sent; behind a stall, all is read.
    """

    async def leave(self, how: Callable[[Client], None]) -> None:
        self.serve()
        client = self.connect()
        await client.send(asking("/delay/300") + b"x" * 100_000)
        await self.until(lambda: not self.is_idle() and not self.connections)
        self.clock.pump([1] * 60)
        await self.turn()
        self.assertFalse(self.is_idle())
        how(client)
        self.clock.advance(1)
        self.assertEqual(self.latest.outcome, "cancelled")
        await self.until(self.is_idle)
        await self.turn()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    async def test_by_a_reset(self) -> None:
        await self.leave(Client.reset)

    async def test_by_closing(self) -> None:
        await self.leave(lambda client: client.socket.close())

    async def test_behind_a_stall(self) -> None:
        self.serve()
        client = self.connect()
        await client.send(asking("/get?_fault=stall") + b"x" * 3_000_000)
        await self.until(lambda: not self.is_idle())
        client.socket.close()
        await self.until(self.is_idle)
        self.assertEqual(self.latest.outcome, "cancelled")

    async def test_while_it_waits(self) -> None:
        self.serve()
        client = self.connect()
        await client.send(asking("/delay/60"))
        await self.until(lambda: not self.is_idle())
        client.reset()
        # That is read, and so it is told at once.
        await self.until(self.is_idle)
        self.assertEqual(self.latest.outcome, "cancelled")


class SlowReaderTests(SocketsCase):
    async def zero_window(self, channel: str) -> None:
        self.serve(channel, max_in_flight=1)
        client = self.connect(buffer=4096)
        await client.send(asking("/bytes/104857600"))
        await self.until(lambda: not self.is_idle() and self.latest.sent)
        other = self.connect()
        await other.send(asking("/ip"))
        self.assertIn(b" 503 ", await other.read(30))
        before = after = sys.maxsize
        silence, is_sure = 0, True
        while not self.is_idle() and silence < 2 * DEFAULT_SEND_TIMEOUT:
            is_moving, known, before = after < before, after, self.waiting(client)
            self.clock.advance(1)
            silence += 1
            if before < known or is_moving:
                # Its machine has taken something: this look has seen it, if the one
                # before, in the midst of which it may have been, has not.
                silence, is_sure = 0, before < known
            after = self.waiting(client)
        earliest = DEFAULT_SEND_TIMEOUT - (not is_sure)
        self.assertTrue(earliest <= silence <= DEFAULT_SEND_TIMEOUT, silence)
        entry = next(e for e in self.in_flight.journal.entries() if e.number == 1)
        self.assertEqual((entry.outcome, entry.status), ("timed out", 200))
        self.assertLess(entry.sent, 104_857_600)
        with self.assertRaises(ConnectionResetError):
            await client.read()
        last = self.connect()
        await last.send(asking("/ip", "Connection: close"))
        self.assertIn(b" 200 ", await last.read())
        for each in (other, last):
            each.socket.close()

    async def test_one_that_takes_nothing(self) -> None:
        await self.zero_window("ours")

    async def test_one_that_takes_nothing_under_twistd(self) -> None:
        await self.zero_window("twisted")

    async def test_one_that_takes_a_little_keeps_its_connection(self) -> None:
        self.serve()
        client = self.connect(buffer=4096)
        await client.send(asking("/bytes/300000"))
        await self.until(lambda: self.in_flight.journal.came and self.is_idle())
        self.assertEqual(self.latest.outcome, "answered")
        received = b""
        for _ in range(5):
            self.clock.pump([1] * 20)
            received += await client.read(20_000)
        size = received.index(b"\r\n\r\n") + 4 + 300_000
        received += await client.read(size - len(received))
        # The time for the next head begins when its machine has all of this one.
        await self.until(lambda: not self.waiting(client))
        self.clock.pump([1] * (int(HEAD_DEADLINE) - 1))
        await client.send(asking("/ip"))
        self.assertIn(b" 200 ", await client.read(20))
        await self.until(lambda: not self.waiting(client))
        self.clock.pump([1] * (int(HEAD_DEADLINE) + 1))
        with self.assertRaises(ConnectionResetError):
            await client.read()

    async def test_one_that_reads_on_is_sent_the_rest(self) -> None:
        self.serve()
        client = self.connect(buffer=4096)
        await client.send(asking("/range/8000000", "Connection: close"))
        await self.until(lambda: not self.is_idle() and self.latest.sent)
        self.assertLess(self.latest.sent, 8_000_000)
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        received = await client.read()
        self.assertEqual(received.partition(b"\r\n\r\n")[2], _LETTERS[:8_000_000])
        self.assertEqual(self.latest.outcome, "answered")
        client.socket.close()


_LETTERS = b"abcdefghijklmnopqrstuvwxyz" * 310_000


class BrokenBodyTests(SocketsCase):
    async def test_an_error_in_the_middle(self) -> None:
        def pieces(body: Letters) -> Iterator[bytes]:
            yield b"x" * PIECE
            yield b"x" * PIECE
            raise ValueError("no more")

        self.patch(Letters, "pieces", pieces)
        self.serve()
        client = self.connect()
        await client.send(asking("/range/1000000") + asking("/ip"))
        with self.assertRaises(ConnectionResetError):
            await client.read()
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.assertEqual((self.latest.outcome, self.latest.sent), ("failed", PIECE))
        self.assertTrue(self.is_idle())


class NoDelayTests(SocketsCase):
    async def test_small_pieces_wait_for_no_acknowledgement(self) -> None:
        self.serve()
        client = self.connect()
        await self.until(lambda: self.connections)
        (connection,) = (
            one for one in self.reactor.getReaders() if isinstance(one, tcp.Server)
        )
        self.assertTrue(connection.getTcpNoDelay())
        client.socket.close()
