"""Toxiproxy's own Python client drives the API, all of its vocabulary, over sockets.

The client blocks, so it runs in a thread, beside the reactor that it asks.
"""

from __future__ import annotations

import functools
import json
import socket
import time
from collections.abc import Awaitable, Callable
from typing import Any

from toxiproxy import Proxy, Toxiproxy
from toxiproxy.exceptions import InvalidToxic, NotFound, ProxyExists
from toxiproxy.utils import can_connect_to
from twisted.internet.protocol import Factory
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from nbtwisted.proxy.toxiproxy.api import ToxiproxyAPI
from tests.guard import ReactorCase
from tests.proxy.toxiproxy.running import RunningAPI
from tests.proxy.toxiproxy.upstream import ObeyingFactory

PATIENCE = 20.0
"""Seconds after which a silent socket is given up."""


class ClientCase(ReactorCase):
    """The API on a port, an upstream on another, and the client in a thread."""

    def setUp(self) -> None:
        super().setUp()
        self._obeying = ObeyingFactory()
        self.addCleanup(self._end_upstream)
        self.upstream = f"localhost:{self.listen(self._obeying)}"
        self.api_port = self.serve()
        self.toxiproxy = Toxiproxy()
        self.toxiproxy.update_api_consumer("127.0.0.1", self.api_port)
        self.addCleanup(self.toxiproxy.update_api_consumer, "127.0.0.1", 8474)

    def serve(self) -> int:
        """Have an API, and return its port."""
        api = ToxiproxyAPI(self.reactor, seed=7)
        self.addCleanup(api.stop)
        return self.listen(api.site())

    async def _end_upstream(self) -> None:
        # Another process may end its connections some time later.
        self._obeying.abort_connections()
        while self._obeying.open:
            await deferLater(self.reactor, 0.01)

    def listen(self, factory: Factory) -> int:
        port = self.reactor.listenTCP(0, factory, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        number: int = port.getHost().port
        return number

    # In the thread.

    def create(self, name: str = "redis", **more: Any) -> Proxy:
        return self.toxiproxy.create(upstream=self.upstream, name=name, **more)

    def connect(self, proxy: Proxy) -> socket.socket:
        host, _, port = proxy.listen.rpartition(":")
        return socket.create_connection((host.strip("[]"), int(port)), PATIENCE)

    def is_up(self, proxy: Proxy) -> bool:
        host, _, port = proxy.listen.rpartition(":")
        return bool(can_connect_to(host, int(port)))

    def round_trip(self, proxy: Proxy) -> float:
        with self.connect(proxy) as link:
            began = time.monotonic()
            link.sendall(b"ECHO hello\n")
            assert read(link, 6) == b"hello\n"
            return time.monotonic() - began


def read(link: socket.socket, size: int) -> bytes:
    """So many bytes, or those that came before the end."""
    got = b""
    while len(got) < size and (piece := link.recv(size - len(got))):
        got += piece
    return got


def in_thread(test: Callable[[Any], None]) -> Callable[[Any], Awaitable[None]]:
    """Run a test that blocks in a thread, beside the reactor."""

    @functools.wraps(test)
    async def beside(self: ClientCase) -> None:
        await deferToThread(test, self)

    return beside


class VocabularyTests(ClientCase):
    @in_thread
    def test_the_server(self) -> None:
        self.assertTrue(self.toxiproxy.running())
        version = json.loads(self.toxiproxy.version())["version"]
        self.assertRegex(version, r"^2\.[0-9]+\.[0-9]+\+nbtwisted\.")

    @in_thread
    def test_proxies(self) -> None:
        self.assertEqual(self.toxiproxy.proxies(), {})
        made = self.create(listen="127.0.0.1:0")
        self.assertEqual((made.name, made.upstream), ("redis", self.upstream))
        self.assertTrue(made.enabled)
        self.round_trip(made)
        found = self.toxiproxy.get_proxy("redis")
        self.assertEqual(vars(found), vars(made))
        self.assertEqual(list(self.toxiproxy.proxies()), ["redis"])
        self.assertIsNone(self.toxiproxy.get_proxy("other"))
        self.assertTrue(self.toxiproxy.destroy(made))
        self.assertFalse(self.is_up(made))
        self.assertEqual(self.toxiproxy.proxies(), {})
        with self.assertRaises(NotFound):
            made.destroy()

    @in_thread
    def test_one_that_begins_disabled(self) -> None:
        # No port of those that the kernel gives to whoever asks for any.
        made = self.create(enabled=False, listen="127.0.0.1:2")
        self.assertEqual((made.enabled, made.listen), (False, "127.0.0.1:2"))
        self.assertFalse(self.is_up(made))

    @in_thread
    def test_an_address_of_ipv6(self) -> None:
        made = self.create(listen="[::1]:0")
        self.assertRegex(made.listen, r"^\[::1\]:[1-9][0-9]*$")
        self.round_trip(made)

    @in_thread
    def test_names_are_taken_once(self) -> None:
        self.create()
        with self.assertRaises(ProxyExists):
            self.create()

    @in_thread
    def test_down_and_up(self) -> None:
        made = self.create()
        made.add_toxic(type="latency", attributes={"latency": 1})
        with self.connect(made) as link, made.down():
            self.assertFalse(made.enabled)
            # Those that were open are cut, and no others are taken.
            self.assertEqual(link.recv(1), b"")
            self.assertFalse(self.is_up(made))
        self.assertTrue(made.enabled)
        self.round_trip(made)
        self.assertEqual(list(made.toxics()), ["latency_downstream"])
        self.assertEqual(self.toxiproxy.get_proxy("redis").listen, made.listen)

    @in_thread
    def test_reset(self) -> None:
        made = self.create()
        made.add_toxic(type="timeout")
        made.disable()
        self.assertTrue(self.toxiproxy.reset())
        self.assertEqual(made.toxics(), {})
        self.round_trip(made)
        self.assertEqual(self.toxiproxy.get_proxy("redis").listen, made.listen)

    @in_thread
    def test_populate(self) -> None:
        wanted = [
            {"name": "one", "upstream": self.upstream, "listen": "localhost:0"},
            {"name": "two", "upstream": self.upstream},
        ]
        one, two = self.toxiproxy.populate(wanted)
        self.round_trip(one)
        self.round_trip(two)
        # The client itself finds that they are there, or that one differs.
        wanted = [
            {"name": "one", "upstream": self.upstream, "listen": one.listen},
            {"name": "two", "upstream": self.upstream, "listen": "127.0.0.1:0"},
        ]
        (other,) = self.toxiproxy.populate(wanted)
        self.assertEqual(other.name, "two")
        self.round_trip(other)
        self.toxiproxy.destroy_all()
        self.assertEqual(self.toxiproxy.proxies(), {})
        for proxy in (one, other):
            self.assertFalse(self.is_up(proxy))

    @in_thread
    def test_toxics(self) -> None:
        made = self.create()
        made.add_toxic(type="latency", attributes={"latency": 123})
        made.add_toxic(
            type="latency",
            name="second",
            stream="upstream",
            toxicity=0.5,
            attributes={"latency": 5, "jitter": 2},
        )
        found = made.toxics()
        self.assertEqual(list(found), ["second", "latency_downstream"])
        second = made.get_toxic("second")
        self.assertEqual(
            (second.type, second.stream, second.toxicity, second.attributes),
            ("latency", "upstream", 0.5, {"latency": 5, "jitter": 2}),
        )
        self.assertIsNone(made.get_toxic("third"))
        self.assertTrue(made.destroy_toxic("second"))
        self.assertEqual(list(made.toxics()), ["latency_downstream"])
        with self.assertRaises(NotFound):
            made.destroy_toxic("second")
        for wrong in (
            {"type": "latency", "stream": "lolstream"},
            {"type": "lag"},
            {"type": "latency", "attributes": {"latency": "long"}},
        ):
            with self.assertRaises(InvalidToxic):
                made.add_toxic(**wrong)
        with self.assertRaises(ProxyExists):
            made.add_toxic(type="latency")


class VocabularyOfTheCommandTests(VocabularyTests):
    """The same, of `nbtwisted proxy --toxiproxy-api` in a process of its own."""

    def setUp(self) -> None:
        # Before it is seen which sockets are open: the first process leaves one.
        self._running = RunningAPI()
        self.addCleanup(self._running.stop)
        super().setUp()

    def serve(self) -> int:
        return self._running.port


class EffectTests(ClientCase):
    """What each toxic does to a client; `make toxics` has the figures."""

    def with_toxic(self, kind: str, **attributes: int) -> Proxy:
        made = self.create(name=f"{kind} {attributes}")
        made.add_toxic(type=kind, attributes=attributes)
        return made

    @in_thread
    def test_latency(self) -> None:
        made = self.with_toxic("latency", latency=40)
        made.add_toxic(type="latency", stream="upstream", attributes={"latency": 30})
        self.assertGreaterEqual(self.round_trip(made), 0.069)
        made.destroy_toxic("latency_upstream")
        made.destroy_toxic("latency_downstream")
        # On a busy machine, sooner or later.
        while self.round_trip(made) >= 0.06:
            pass

    @in_thread
    def test_it_acts_on_links_that_are_open(self) -> None:
        made = self.create()
        with self.connect(made) as link:
            link.sendall(b"ECHO 1\n")
            self.assertEqual(read(link, 2), b"1\n")
            made.add_toxic(type="latency", attributes={"latency": 50})
            began = time.monotonic()
            link.sendall(b"ECHO 2\n")
            self.assertEqual(read(link, 2), b"2\n")
            self.assertGreaterEqual(time.monotonic() - began, 0.049)

    @in_thread
    def test_bandwidth(self) -> None:
        with self.connect(self.with_toxic("bandwidth", rate=1000)) as link:
            began = time.monotonic()
            link.sendall(b"SEND 100000\n")
            self.assertEqual(len(read(link, 100_000)), 100_000)
            self.assertGreaterEqual(time.monotonic() - began, 0.09)

    @in_thread
    def test_slow_close(self) -> None:
        with self.connect(self.with_toxic("slow_close", delay=60)) as link:
            link.sendall(b"ECHO hello\n")
            self.assertEqual(read(link, 6), b"hello\n")
            began = time.monotonic()
            link.sendall(b"CLOSE\n")
            self.assertEqual(link.recv(1), b"")
            self.assertGreaterEqual(time.monotonic() - began, 0.059)

    @in_thread
    def test_timeout(self) -> None:
        made = self.with_toxic("timeout", timeout=60)
        began = time.monotonic()
        with self.connect(made) as link:
            link.sendall(b"ECHO hello\n")
            self.assertEqual(link.recv(1), b"")
            self.assertGreaterEqual(time.monotonic() - began, 0.059)

    @in_thread
    def test_a_timeout_of_0_ends_when_it_is_removed(self) -> None:
        made = self.with_toxic("timeout", timeout=0)
        with self.connect(made) as link:
            link.sendall(b"ECHO hello\n")
            link.settimeout(0.1)
            with self.assertRaises(TimeoutError):
                link.recv(1)
            link.settimeout(PATIENCE)
            made.destroy_toxic("timeout_downstream")
            self.assertEqual(link.recv(1), b"")

    @in_thread
    def test_reset_peer(self) -> None:
        for seconds in (0.0, 0.06):
            made = self.with_toxic("reset_peer", timeout=int(seconds * 1000))
            with self.connect(made) as link:
                # Its time begins with the first byte.
                began = time.monotonic()
                link.sendall(b"ECHO hello\n")
                with self.assertRaises(ConnectionResetError):
                    link.recv(1)
                self.assertGreaterEqual(time.monotonic() - began, seconds * 0.98)

    @in_thread
    def test_slicer(self) -> None:
        made = self.with_toxic(
            "slicer", average_size=100, size_variation=20, delay=1000
        )
        with self.connect(made) as link:
            began = time.monotonic()
            link.sendall(b"SEND 3000\n")
            # A busy machine may read more than one at once, but not the first.
            first = link.recv(65536)
            self.assertGreaterEqual(len(first), 80)
            self.assertEqual(len(first) + len(read(link, 3000 - len(first))), 3000)
            # No more than 37 pieces, of 80 bytes, and 24 pauses at the least.
            self.assertGreaterEqual(time.monotonic() - began, 0.023)

    @in_thread
    def test_limit_data(self) -> None:
        with self.connect(self.with_toxic("limit_data", bytes=1000)) as link:
            link.sendall(b"SEND 5000\n")
            self.assertEqual(len(read(link, 5000)), 1000)

    @in_thread
    def test_toxicity(self) -> None:
        seen = []
        for _ in range(2):
            made = self.create()
            made.add_toxic(type="limit_data", toxicity=0.5, attributes={"bytes": 1})
            acted = []
            for _ in range(30):
                with self.connect(made) as link:
                    link.sendall(b"ECHO hello\n")
                    acted.append(len(read(link, 6)) == 1)
            seen.append(acted)
            made.destroy()
        # The same name, and the same seed: the same links.
        self.assertEqual(seen[0], seen[1])
        self.assertIn(True, seen[0])
        self.assertIn(False, seen[0])
