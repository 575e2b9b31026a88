"""What only real sockets can show: resets, half-close, TLS, and memory."""

from __future__ import annotations

import contextlib
import gc
import os
import socket
import ssl
import struct
import tempfile
import warnings
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import trustme
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from benchmarks.free_port import free_port
from nbtwisted import steady_clock
from nbtwisted.proxy.stream.link import Link, LinkState
from nbtwisted.proxy.stream.listener import State, StreamProxy
from nbtwisted.proxy.stream.place import Upstream
from nbtwisted.proxy.stream.side import KEEPALIVE, LONGEST_CUT, LONGEST_SILENCE
from nbtwisted.proxy.stream.stage import Break, Direction, Latency, Placed, Rate
from nbtwisted.server.model.delay import Delay
from tests.guard import ReactorCase

T = TypeVar("T")

RESET_WHEN_CLOSED = struct.pack("ii", 1, 0)

WAITS = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
"""What a socket raises that would have to wait."""

LARGE = 50_000_000
"""Bytes."""


def resident() -> int:
    """Bytes of memory that this process has."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGESIZE")


class Peer:
    """A socket at one end of a link, which waits for the reactor's turns alone."""

    def __init__(self, case: SocketsCase, own: socket.socket) -> None:
        self._case = case
        self.socket = own
        own.setblocking(False)

    async def _when_it_can(self, do: Callable[[], T]) -> T:
        while True:
            try:
                return do()
            except WAITS:
                await self._case.turn()

    async def begin_tls(self, context: ssl.SSLContext, **options: Any) -> None:
        self.socket = secured = context.wrap_socket(
            self.socket, do_handshake_on_connect=False, **options
        )
        await self._when_it_can(secured.do_handshake)

    async def send(self, data: bytes) -> None:
        left = memoryview(data)

        def send_some() -> int:
            return self.socket.send(left)

        while left:
            left = left[await self._when_it_can(send_some) :]

    async def send_until(self, holds: Callable[[], bool]) -> None:
        """Send without end. Then it may be that nothing can be sent any more."""
        while not holds():
            with contextlib.suppress(*WAITS):
                self.socket.send(bytes(2**16))
            await self._case.turn()

    async def receive(self, size: int = 2**16) -> bytes:
        """What comes next; nothing at the end."""
        return await self._when_it_can(lambda: self.socket.recv(size))

    async def receive_all(self, *, turns: bool = False) -> tuple[bytes, str]:
        """All there is, and how it ended; slowly, if others have `turns`."""
        came = b""
        while True:
            if turns:
                await self._case.turn()
            try:
                data = await self.receive()
            except ConnectionResetError:
                return came, "reset"
            if not data:
                return came, "end"
            came += data

    def reset(self) -> None:
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_WHEN_CLOSED)
        self.socket.close()


class SocketsCase(ReactorCase):
    def setUp(self) -> None:
        super().setUp()
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.listening.setblocking(False)
        self.addCleanup(self.listening.close)
        self.upstream = Upstream("127.0.0.1", self.listening.getsockname()[1])

    def turn(self) -> Deferred[None]:
        return deferLater(self.reactor, 0.001, lambda: None)

    async def until(self, holds: Callable[[], bool]) -> None:
        while not holds():
            await self.turn()

    async def proxied(self, *stages: Placed, **options: Any) -> StreamProxy:
        proxy = StreamProxy(
            self.reactor,
            seed=1,
            stages=stages,
            **{
                "listen": "tcp:0:interface=127.0.0.1",
                "upstream": self.upstream,
                **options,
            },
        )
        await proxy.start()
        self.addCleanup(proxy.stop)
        return proxy

    def peer(self, own: socket.socket) -> Peer:
        peer = Peer(self, own)
        self.addCleanup(lambda: peer.socket.close())
        return peer

    def client(self, proxy: StreamProxy, **options: int) -> Peer:
        own = socket.socket()
        for name, value in options.items():
            own.setsockopt(socket.SOL_SOCKET, getattr(socket, name), value)
        port: Any = proxy.port
        own.connect(("127.0.0.1", port.getHost().port))
        return self.peer(own)

    async def accepted(self) -> Peer:
        while True:
            try:
                return self.peer(self.listening.accept()[0])
            except BlockingIOError:
                await self.turn()

    async def pair(self, proxy: StreamProxy, **options: int) -> tuple[Peer, Peer]:
        client = self.client(proxy, **options)
        return client, await self.accepted()

    async def over(self, proxy: StreamProxy, outcome: str) -> None:
        """Wait until the only link is over, and see how it ended."""
        await self.until(lambda: not proxy.links)
        self.assertEqual(list(proxy.journal.outcomes), [outcome])


def on_reactor(test: Callable[[Any], Awaitable[None]]) -> Callable[[Any], Any]:
    """A test that is a coroutine, as a method that trial waits for."""

    def run(self: Any) -> Any:
        return Deferred.fromCoroutine(test(self))  # type: ignore[arg-type]

    run.__name__ = test.__name__
    return run


class SocketTests(SocketsCase):
    @on_reactor
    async def test_half_of_it_is_kept(self) -> None:
        proxy = await self.proxied()
        client, upstream = await self.pair(proxy)
        await client.send(b"ask")
        client.socket.shutdown(socket.SHUT_WR)
        self.assertEqual(await upstream.receive_all(), (b"ask", "end"))
        await upstream.send(b"answer")
        upstream.socket.close()
        self.assertEqual(await client.receive_all(), (b"answer", "end"))
        await self.over(proxy, "closed by client")

    @on_reactor
    async def test_a_reset_is_passed_on_to_either_side(self) -> None:
        for number, name in enumerate(["client", "upstream"]):
            proxy = await self.proxied()
            ends = await self.pair(proxy)
            await ends[0].send(b"a")
            await ends[1].receive()
            ends[number].reset()
            self.assertEqual(await ends[1 - number].receive_all(), (b"", "reset"))
            await self.over(proxy, f"reset by {name}")

    @on_reactor
    async def test_a_reset_of_ours_is_one_for_both(self) -> None:
        stage = Placed("cut", Direction.DOWN, Break("reset", after_bytes=10))
        proxy = await self.proxied(stage)
        client, upstream = await self.pair(proxy)
        await client.send(b"ask")
        await upstream.receive()
        await upstream.send(bytes(1000))
        self.assertEqual(await client.receive_all(), (bytes(10), "reset"))
        self.assertEqual((await upstream.receive_all())[1], "reset")
        await self.over(proxy, "reset")

    @on_reactor
    async def test_a_reset_waits_for_the_bytes_before_it(self) -> None:
        stage = Placed("cut", Direction.DOWN, Break("reset", after_bytes=1_000_000))
        proxy = await self.proxied(stage)
        client, upstream, link = await self._pair_with_small_buffers(proxy)
        # However long it takes here, it is not given up.
        now = link.now()
        link.now = lambda: now
        sending = Deferred.fromCoroutine(self._send_large(upstream))
        received, how = await client.receive_all(turns=True)
        self.assertEqual((len(received), how), (1_000_000, "reset"))
        with contextlib.suppress(OSError):
            await sending
        await self.over(proxy, "reset")

    @on_reactor
    async def test_but_not_for_who_takes_nothing(self) -> None:
        stage = Placed("cut", Direction.DOWN, Break("reset", after_bytes=1_000_000))
        proxy = await self.proxied(stage)
        client, upstream, link = await self._pair_with_small_buffers(proxy)
        sending = Deferred.fromCoroutine(self._send_large(upstream))
        await self._receive_while_open(client, link)
        proxy.now = link.now = lambda: steady_clock.now() + LONGEST_CUT
        await self.until(lambda: not proxy.links)
        self.assertEqual((await client.receive_all())[1], "reset")
        with contextlib.suppress(OSError):
            await sending

    @on_reactor
    async def test_a_client_that_leaves_meanwhile_is_waited_for_no_longer(self) -> None:
        for is_stopped in (False, True):
            stage = Placed("cut", Direction.DOWN, Break("reset", after_bytes=1_000_000))
            proxy = await self.proxied(stage)
            client, upstream, link = await self._pair_with_small_buffers(proxy)
            sending = Deferred.fromCoroutine(self._send_large(upstream))
            await self._receive_while_open(client, link)
            # Nothing else is waited for: without it, nothing is left in the reactor.
            calls = self.reactor.getDelayedCalls()
            cutting = [call for call in calls if "_cut_if_delivered" in str(call.func)]
            self.assertEqual(len(cutting), 1)
            if is_stopped:
                link.abort()
            else:
                client.reset()
            await self.over(proxy, "reset")
            (call,) = cutting
            self.assertFalse(call.active() and call in self.reactor.getDelayedCalls())
            with contextlib.suppress(OSError):
                await sending

    async def _pair_with_small_buffers(
        self, proxy: StreamProxy
    ) -> tuple[Peer, Peer, Link]:
        client, upstream = await self.pair(proxy, SO_RCVBUF=2**14)
        (link,) = proxy.links
        await self.until(lambda: link.state is LinkState.OPEN)
        own: socket.socket = link.client.transport.socket
        own.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2**16)
        return client, upstream, link

    async def _receive_while_open(self, client: Peer, link: Link) -> int:
        """Take what comes until the link is to end; returns how much that was."""
        received = 0
        while link.state is LinkState.OPEN:
            received += len(await client.receive())
            await self.turn()
        return received

    @on_reactor
    async def test_who_is_closed_gets_all_that_came_before(self) -> None:
        stage = Placed("cut", Direction.DOWN, Break("close", after_bytes=100_000))
        proxy = await self.proxied(stage)
        client, upstream = await self.pair(proxy)
        # What nobody will read must not become a reset.
        await client.send(b"ask")
        await upstream.send(bytes(200_000))
        self.assertEqual(await client.receive_all(), (bytes(100_000), "end"))
        client.socket.close()
        upstream.socket.close()
        await self.over(proxy, "closed")

    @on_reactor
    async def test_who_takes_nothing_of_its_rest_is_reset(self) -> None:
        stage = Placed("cut", Direction.DOWN, Break("close", after_bytes=1_000_000))
        proxy = await self.proxied(stage)
        client, upstream, link = await self._pair_with_small_buffers(proxy)
        sending = Deferred.fromCoroutine(self._send_large(upstream))
        received = await self._receive_while_open(client, link)
        now = self.reactor.seconds()
        link.look(now)
        link.look(now + LONGEST_SILENCE - 1)
        await self.turn()
        self.assertFalse(link.client.is_gone)
        delivery = link.client._delivery
        assert delivery is not None
        while not link.client.is_gone:
            taken = delivery._delivered
            now += LONGEST_SILENCE + 1
            link.look(now)
            await self.turn()
            # What the kernel has still moved is no silence: then it begins anew.
            self.assertTrue(link.client.is_gone or delivery._delivered > taken)
        came, how = await client.receive_all()
        self.assertEqual(how, "reset")
        self.assertLess(received + len(came), 1_000_000)
        upstream.reset()
        with contextlib.suppress(OSError):
            await sending
        await self.over(proxy, "closed")

    @on_reactor
    async def test_small_pieces_are_sent_at_once_and_silence_is_asked_about(
        self,
    ) -> None:
        proxy = await self.proxied()
        client, upstream = await self.pair(proxy)
        await client.send(b"a")
        await upstream.receive()
        (link,) = proxy.links
        for side in (link.client, link.upstream):
            own: socket.socket = side.transport.socket
            self.assertTrue(own.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            self.assertTrue(own.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))
            idle = own.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE)
            self.assertEqual(idle, KEEPALIVE["TCP_KEEPIDLE"])

    @on_reactor
    async def test_a_client_that_breaks_is_found_though_it_is_not_read(self) -> None:
        stage = Placed("slow", Direction.UP, Rate(10))
        proxy = await self.proxied(stage)
        client, upstream = await self.pair(proxy)
        (link,) = proxy.links
        await client.send_until(lambda: link.client.is_paused)
        client.reset()
        self.assertEqual((await upstream.receive_all())[1], "reset")
        await self.over(proxy, "reset by client")

    @on_reactor
    async def test_a_slow_reader_costs_no_memory(self) -> None:
        await self._slow_reader()

    @on_reactor
    async def test_nor_does_one_behind_stages(self) -> None:
        await self._slow_reader(
            Placed("late", Direction.DOWN, Latency(Delay((0.001,)))),
            Placed("fast", Direction.DOWN, Rate(1e9)),
        )

    async def _slow_reader(self, *stages: Placed) -> None:
        proxy = await self.proxied(*stages)
        client, upstream = await self.pair(proxy, SO_RCVBUF=2**16)
        sending = Deferred.fromCoroutine(self._send_large(upstream))
        await self.until(lambda: not proxy.links or bool(_paused(proxy)))
        before = resident()
        received, most = 0, 0
        looks = 0
        while data := await client.receive(2**18):
            received += len(data)
            looks += 1
            if looks % 16 == 0:
                await self.turn()
                most = max(most, resident() - before)
        self.assertEqual(received, LARGE)
        self.assertLess(most, 10_000_000)
        await sending
        client.socket.close()
        await self.over(proxy, "closed by upstream")

    async def _send_large(self, upstream: Peer) -> None:
        piece = bytes(2**16)
        left = LARGE
        while left:
            await upstream.send(piece[:left])
            left -= min(left, len(piece))
        upstream.socket.close()

    @on_reactor
    async def test_an_upstream_that_refuses_resets_the_client(self) -> None:
        proxy = await self.proxied()
        self.listening.close()
        client = self.client(proxy)
        self.assertEqual(await client.receive_all(), (b"", "reset"))
        await self.over(proxy, "upstream failed")
        (entry,) = proxy.journal.entries()
        port = self.upstream.port
        self.assertEqual(
            entry.upstream_error,
            f"connect: 127.0.0.1 port {port}: Connection refused",
        )

    @on_reactor
    async def test_an_upstream_that_is_the_proxy_is_a_loop(self) -> None:
        port = free_port()
        proxy = StreamProxy(
            self.reactor,
            listen=f"tcp:{port}:interface=127.0.0.1",
            upstream=Upstream("127.0.0.1", port),
            seed=1,
        )
        await proxy.start()
        self.addCleanup(proxy.stop)
        client = self.client(proxy)
        self.assertEqual(await client.receive_all(), (b"", "reset"))
        await self.until(lambda: not proxy.links)
        self.assertIn("loop", proxy.journal.outcomes)
        self.assertLess(sum(proxy.journal.outcomes.values()), 5)

    @on_reactor
    async def test_a_hundred_proxies_leave_nothing(self) -> None:
        proxies: list[StreamProxy] = []
        for _ in range(100):
            proxies.append(await self.proxied())
        pairs = [await self.pair(proxy) for proxy in proxies]
        for proxy in proxies:
            await proxy.stop()
        self.assertEqual({proxy.state for proxy in proxies}, {State.CLOSED})
        for client, upstream in pairs:
            self.assertEqual(await client.receive_all(), (b"", "end"))
            client.socket.close()
            upstream.socket.close()

    @on_reactor
    async def test_clients_come_by_a_unix_socket(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            proxy = await self.proxied(listen=f"unix:{folder}/s")
            own = socket.socket(socket.AF_UNIX)
            own.connect(f"{folder}/s")
            client, upstream = self.peer(own), await self.accepted()
            await client.send(b"ask")
            client.socket.shutdown(socket.SHUT_WR)
            self.assertEqual(await upstream.receive_all(), (b"ask", "end"))
            await upstream.send(b"answer")
            upstream.socket.close()
            self.assertEqual(await client.receive_all(), (b"answer", "end"))
            await self.over(proxy, "closed by client")
            (entry,) = proxy.journal.entries()
            self.assertEqual(entry.peer, "unix")
            await proxy.stop()

    @on_reactor
    async def test_clients_come_by_another_proxy(self) -> None:
        proxy = await self.proxied(listen="haproxy:tcp:0:interface=127.0.0.1")
        client, upstream = await self.pair(proxy)
        await client.send(b"PROXY TCP4 192.0.2.7 192.0.2.1 1234 80\r\nask")
        self.assertEqual(await upstream.receive(), b"ask")
        await upstream.send(b"answer")
        upstream.socket.close()
        self.assertEqual(await client.receive_all(), (b"answer", "end"))
        client.socket.close()
        await self.over(proxy, "closed by upstream")
        (entry,) = proxy.journal.entries()
        self.assertEqual(entry.peer, "192.0.2.7:1234")

    @on_reactor
    async def test_it_starts_again_after_it_has_stopped(self) -> None:
        proxy = await self.proxied()
        await proxy.stop()
        await proxy.start()
        client, upstream = await self.pair(proxy)
        await client.send(b"a")
        self.assertEqual(await upstream.receive(), b"a")

    @on_reactor
    async def test_a_port_that_is_taken_leaves_it_closed(self) -> None:
        proxy = await self.proxied()
        port: Any = proxy.port
        other = StreamProxy(
            self.reactor,
            listen=f"tcp:{port.getHost().port}:interface=127.0.0.1",
            upstream=self.upstream,
            seed=1,
        )
        # Older Twisteds leave the socket that is not bound to the collector.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            with self.assertRaises(Exception):  # noqa: B017 - whichever Twisted has
                await other.start()
            gc.collect()
        self.assertIs(other.state, State.CLOSED)
        await other.stop()


class TLSTests(SocketsCase):
    def setUp(self) -> None:
        super().setUp()
        self.authority = trustme.CA()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.certificate = f"{folder.name}/chain-and-key.pem"
        self.authorities = f"{folder.name}/authority.pem"
        issued = self.authority.issue_cert("localhost", "127.0.0.1")
        issued.private_key_and_cert_chain_pem.write_to_path(self.certificate)
        self.authority.cert_pem.write_to_path(self.authorities)
        self.in_tls = Upstream("127.0.0.1", self.upstream.port, is_tls=True)

    async def as_client(self, peer: Peer) -> None:
        context = ssl.create_default_context(cafile=self.authorities)
        await peer.begin_tls(context, server_hostname="localhost")

    async def as_server(self, peer: Peer, *names: str) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_alpn_protocols(["http/1.1"])
        self.authority.issue_cert(*names).configure_cert(context)
        await peer.begin_tls(context, server_side=True)

    @on_reactor
    async def test_tls_to_the_client_and_to_the_upstream(self) -> None:
        proxy = await self.proxied(
            upstream=self.in_tls,
            tls={"authorities": self.authorities},
            certificate=self.certificate,
        )
        client = self.client(proxy)
        await self.as_client(client)
        upstream = await self.accepted()
        await self.as_server(upstream, "127.0.0.1")
        secured: Any = upstream.socket
        # Nobody knows what is spoken, so nothing is offered.
        self.assertIsNone(secured.selected_alpn_protocol())
        await client.send(b"ask" * 100_000)
        got = b""
        while len(got) < 300_000:
            got += await upstream.receive()
        self.assertEqual(got, b"ask" * 100_000)
        await upstream.send(b"answer")
        self.assertEqual(await client.receive(), b"answer")
        # Without saying so in TLS, as many do.
        client.socket.close()
        await upstream.receive_all()
        upstream.socket.close()
        await self.over(proxy, "closed by client")

    @on_reactor
    async def test_an_upstream_in_tls_may_answer_after_the_client_has_ended(
        self,
    ) -> None:
        proxy = await self.proxied(
            upstream=self.in_tls, tls={"authorities": self.authorities}
        )
        client, upstream = await self.pair(proxy)
        await self.as_server(upstream, "127.0.0.1")
        await client.send(b"ask")
        client.socket.shutdown(socket.SHUT_WR)
        self.assertEqual(await upstream.receive_all(), (b"ask", "end"))
        await upstream.send(b"answer")
        upstream.socket.close()
        self.assertEqual(await client.receive_all(), (b"answer", "end"))
        await self.over(proxy, "closed by client")

    @on_reactor
    async def test_a_client_that_ends_tls_is_left_when_it_has_taken_all(self) -> None:
        proxy = await self.proxied(certificate=self.certificate)
        client = self.client(proxy, SO_RCVBUF=2**14)
        await self.as_client(client)
        upstream = await self.accepted()
        (link,) = proxy.links
        await upstream.send_until(lambda: link.client.is_congested)
        # What follows it is not read as TLS any more.
        raw = self.peer(socket.socket(fileno=os.dup(client.socket.fileno())))
        with contextlib.suppress(ssl.SSLError, BlockingIOError):
            client.socket.unwrap()  # type: ignore[attr-defined]
        self.assertEqual((await raw.receive_all())[1], "end")
        raw.socket.close()
        client.socket.close()
        upstream.socket.close()
        await self.over(proxy, "closed by client")

    @on_reactor
    async def test_an_endpoint_may_have_its_own_tls(self) -> None:
        proxy = await self.proxied(
            listen=f"ssl:0:interface=127.0.0.1:privateKey={self.certificate}"
            f":certKey={self.certificate}"
        )
        client = self.client(proxy)
        await self.as_client(client)
        upstream = await self.accepted()
        await client.send(b"ask")
        self.assertEqual(await upstream.receive(), b"ask")
        # Twisted's own, of how it reads the files.
        self.flushWarnings()

    @on_reactor
    async def test_a_large_answer_is_whole_before_the_end(self) -> None:
        proxy = await self.proxied(certificate=self.certificate)
        client = self.client(proxy)
        await self.as_client(client)
        upstream = await self.accepted()
        sending = Deferred.fromCoroutine(self._send_and_close(upstream))
        got = 0
        while data := await client.receive():
            got += len(data)
        self.assertEqual(got, 3_000_000)
        await sending
        client.socket.close()
        await self.over(proxy, "closed by upstream")

    async def _send_and_close(self, upstream: Peer) -> None:
        await upstream.send(bytes(3_000_000))
        upstream.socket.close()

    @on_reactor
    async def test_the_name_of_a_certificate_is_checked(self) -> None:
        proxy = await self.proxied(
            upstream=self.in_tls, tls={"authorities": self.authorities}
        )
        client, upstream = await self.pair(proxy)
        try:
            await self.as_server(upstream, "elsewhere.example")
            await upstream.receive_all()
        except (ssl.SSLError, OSError):
            pass
        self.assertEqual(await client.receive_all(), (b"", "reset"))
        await self.over(proxy, "upstream failed")
        (entry,) = proxy.journal.entries()
        self.assertIn("tls: the certificate was refused", str(entry.upstream_error))

    @on_reactor
    async def test_an_upstream_without_tls_says_so(self) -> None:
        proxy = await self.proxied(upstream=self.in_tls)
        client, upstream = await self.pair(proxy)
        await upstream.send(b"SSH-2.0-x\r\n")
        self.assertEqual(await client.receive_all(), (b"", "reset"))
        await self.over(proxy, "upstream failed")
        (entry,) = proxy.journal.entries()
        self.assertIn("tls: the TLS handshake failed", str(entry.upstream_error))

    @on_reactor
    async def test_no_upstream_is_opened_for_a_client_without_tls(self) -> None:
        proxy = await self.proxied(certificate=self.certificate)
        client = self.client(proxy)
        await client.send(b"GET / HTTP/1.1\r\n\r\n")
        await client.receive_all()
        await self.over(proxy, "handshake failed")
        self.assertRaises(BlockingIOError, self.listening.accept)

    @on_reactor
    async def test_a_key_may_have_a_file_of_its_own(self) -> None:
        issued = self.authority.issue_cert("localhost")
        key = f"{self.certificate}.key"
        issued.private_key_pem.write_to_path(key)
        issued.cert_chain_pems[0].write_to_path(self.certificate)
        proxy = await self.proxied(certificate=self.certificate, key=key)
        client = self.client(proxy)
        await self.as_client(client)
        await self.accepted()

    @on_reactor
    async def test_files_that_are_no_certificates(self) -> None:
        Path(self.authorities).write_text("nothing", encoding="ascii")
        for path, error in [(self.authorities, ValueError), ("/none", OSError)]:
            with self.assertRaises(error):
                await self.proxied(certificate=path)


def _paused(proxy: StreamProxy) -> Sequence[Any]:
    return [link for link in proxy.links if link.upstream.is_paused]
