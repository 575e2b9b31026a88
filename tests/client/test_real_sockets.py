"""What only real sockets can show: servers that are not there, or misbehave."""

from __future__ import annotations

import os
import resource
import socket
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import LoopingCall
from twisted.python.failure import Failure

from nbtwisted.client import Response, get, get_all
from nbtwisted.client.connection.reader import Limits
from nbtwisted.client.errors import (
    ConnectFailed,
    ConnectionLost,
    ConnectTimeout,
    DeadlinePassed,
    EmptyResponse,
    Interrupted,
    MalformedResponse,
    NameNotResolved,
    RequestError,
    ResponseCutShort,
    ResponseTooLarge,
)
from tests.client.in_memory import last_of, result_of
from tests.guard import ReactorCase

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"

Behave = Callable[[Any], None]


def received(error: RequestError) -> bytes:
    """What came before it went wrong."""
    assert error.result is not None
    assert error.result.last is not None
    return error.result.last.raw


class Misbehaving(Protocol):
    """A server that does to its transport what `behave` does, once it was asked."""

    def __init__(self, behave: Behave) -> None:
        self._behave = behave
        self._request = b""
        self._lost: Deferred[None] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        self._request += data
        if self._request.endswith(b"\r\n\r\n"):
            self._behave(self.transport)

    def connectionLost(self, reason: Failure | None = None) -> None:
        self._lost.callback(None)

    def end(self) -> Deferred[None]:
        """Fires when the connection is gone, however long it would have lasted."""
        if self.transport is not None:
            self.transport.abortConnection()  # type: ignore[attr-defined]
        return self._lost


def send(data: bytes) -> Behave:
    return lambda transport: transport.write(data)


def send_and_close(data: bytes) -> Behave:
    def behave(transport: Any) -> None:
        transport.write(data)
        transport.loseConnection()

    return behave


def send_and_reset(data: bytes) -> Behave:
    def behave(transport: Any) -> None:
        raw = transport.getHandle()
        # By hand, for to abort is to drop what `transport.write` has kept.
        raw.send(data)
        transport.abortConnection()

    return behave


class RealSocketsCase(ReactorCase):
    def listen(self, behave: Behave, interface: str = "127.0.0.1") -> int:
        """Start a server; its port."""
        accepted: list[Misbehaving] = []

        def accept() -> Misbehaving:
            accepted.append(Misbehaving(behave))
            return accepted[-1]

        factory = Factory.forProtocol(accept)
        factory.noisy = False
        # Twisted's backlog of 50 would make bursts wait for seconds.
        port: IListeningPort = self.reactor.listenTCP(
            0, factory, backlog=1000, interface=interface
        )
        self.addCleanup(lambda: DeferredList([each.end() for each in accepted]))
        self.addCleanup(port.stopListening)
        return int(port.getHost().port)  # type: ignore[attr-defined]

    async def error(
        self, behave: Behave, kind: type[RequestError], **options: Any
    ) -> RequestError:
        """Ask a server that behaves so; the error that comes of it."""
        url = f"http://127.0.0.1:{self.listen(behave)}/"
        try:
            answer = await get(url, reactor=self.reactor, **options)
        except RequestError as error:
            self.assertEqual(type(error), kind, str(error))
            self.assertEqual(result_of(error).url, url)
            self.nothing_left()
            return error
        raise AssertionError(answer)

    def nothing_left(self) -> None:
        """By the time a request has ended, nothing of it is in the reactor."""
        ours = [*self.reactor.getReaders(), *self.reactor.getWriters()]
        clients = [reader for reader in ours if type(reader).__name__ == "Client"]
        self.assertEqual(clients, [])


class MisbehavingServerTests(RealSocketsCase):
    async def test_refused(self) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))  # and nobody listens
            url = f"http://127.0.0.1:{taken.getsockname()[1]}/"
            with self.assertRaises(ConnectFailed) as caught:
                await get(url, reactor=self.reactor)
        self.assertIn("Connection refused", str(caught.exception))
        self.nothing_left()

    async def test_unknown_host(self) -> None:
        # RFC 6761: no resolver finds anything in .invalid.
        with self.assertRaises(NameNotResolved) as caught:
            await get("http://nothing.invalid/", reactor=self.reactor)
        self.assertIn("nothing.invalid", str(caught.exception))

    async def test_silent(self) -> None:
        error = await self.error(lambda _: None, DeadlinePassed, max_time=0.2)
        self.assertIn("waiting for the first byte", str(error))

    async def test_does_not_even_accept(self) -> None:
        with socket.socket() as full:
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            # One connection fills the backlog of a server that never accepts.
            with socket.create_connection(full.getsockname()):
                url = f"http://127.0.0.1:{full.getsockname()[1]}/"
                with self.assertRaises(ConnectTimeout) as caught:
                    await get(url, reactor=self.reactor, connect_timeout=0.05)
        self.assertIn("while connecting", str(caught.exception))
        self.nothing_left()

    async def test_closes_without_a_word(self) -> None:
        await self.error(send_and_close(b""), EmptyResponse)

    async def test_resets_without_a_word(self) -> None:
        error = await self.error(send_and_reset(b""), ConnectionLost)
        self.assertEqual(error.phase, "first byte")

    async def test_resets_in_the_body(self) -> None:
        error = await self.error(send_and_reset(HEAD + b"x" * 10), ConnectionLost)
        self.assertEqual(error.phase, "body")
        self.assertEqual(last_of(error).raw, HEAD + b"x" * 10)

    async def test_closes_in_the_body(self) -> None:
        error = await self.error(send_and_close(HEAD + b"x" * 10), ResponseCutShort)
        self.assertIn("after 10 of 1000 bytes", str(error))

    async def test_closes_in_the_head(self) -> None:
        await self.error(send_and_close(b"HTTP/1.1 200 OK\r\nCont"), ResponseCutShort)

    async def test_sends_garbage(self) -> None:
        await self.error(send(os.urandom(16) + b"\r\n\r\n"), MalformedResponse)

    async def test_sends_without_end(self) -> None:
        error = await self.error(
            send(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 100_000),
            ResponseTooLarge,
            limits=Limits(body=99_999),
        )
        self.assertIn("99999", str(error))

    async def test_drips_for_ever(self) -> None:
        def drip(transport: Any) -> None:
            transport.write(b"HTTP/1.1 200 OK\r\n\r\n")
            call = LoopingCall(transport.write, b".")
            call.clock = self.reactor
            call.start(0.01)
            self.addCleanup(call.stop)

        error = await self.error(drip, DeadlinePassed, max_time=0.3)
        self.assertIn("receiving the answer", str(error))
        self.assertIn(b"\r\n\r\n..", last_of(error).raw)

    async def test_sends_more_than_it_said(self) -> None:
        answer_and_more = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok and more"
        port = self.listen(send(answer_and_more))
        answer = await get(f"http://127.0.0.1:{port}/", reactor=self.reactor)
        self.assertEqual(answer.body, b"ok")
        self.nothing_left()


class AddressesTests(RealSocketsCase):
    async def test_ipv6(self) -> None:
        port = self.listen(send_and_close(b"HTTP/1.0 200 OK\r\n\r\n"), "::1")
        answer = await get(f"http://[::1]:{port}/", reactor=self.reactor)
        self.assertEqual(answer.status, 200)

    async def test_a_name_whose_first_address_may_refuse(self) -> None:
        port = self.listen(send_and_close(b"HTTP/1.0 200 OK\r\n\r\n"))
        answer = await get(f"http://localhost:{port}/", reactor=self.reactor)
        self.assertEqual(answer.status, 200)

    async def test_cancelled_while_connecting(self) -> None:
        with socket.socket() as full:
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            with socket.create_connection(full.getsockname()):
                url = f"http://127.0.0.1:{full.getsockname()[1]}/"
                request = get(url, reactor=self.reactor)
                request.cancel()
                with self.assertRaises(Interrupted):
                    await request
        self.nothing_left()


class ManyTests(RealSocketsCase):
    async def test_five_hundred_at_once(self) -> None:
        held: list[Any] = []

        def hold_until_all_have_come(transport: Any) -> None:
            held.append(transport)
            if len(held) == 500:
                for each in held:
                    each.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

        port = self.listen(hold_until_all_have_come)
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        self.assertGreater(most, 1100, "the test needs some file descriptors")
        results = await get_all(
            [f"http://127.0.0.1:{port}/{n}" for n in range(500)],
            reactor=self.reactor,
            concurrency=500,
        )
        for n, (_, answer) in enumerate(results):
            assert isinstance(answer, Response), answer
            self.assertEqual(answer.url, f"http://127.0.0.1:{port}/{n}")
        self.nothing_left()

    async def test_cancelling_ends_all(self) -> None:
        port = self.listen(lambda _: None)
        urls = [f"http://127.0.0.1:{port}/"] * 20
        gathered = get_all(urls, reactor=self.reactor)
        # One of its own, to know that the others are under way.
        with self.assertRaises(DeadlinePassed):
            await get(urls[0], reactor=self.reactor, max_time=0.1)
        gathered.cancel()
        for _, failure in await gathered:
            assert isinstance(failure, Failure)
            failure.trap(Interrupted)
        self.nothing_left()
