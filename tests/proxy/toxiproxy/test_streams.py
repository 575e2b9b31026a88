"""The streams of TCP mode, as the proxies of the API have them."""

from __future__ import annotations

from typing import Any

from twisted.internet.testing import MemoryReactorClock

from nbtwisted.proxy.stream.place import Upstream
from nbtwisted.proxy.toxiproxy.errors import ApiError
from nbtwisted.proxy.toxiproxy.listening import Address
from nbtwisted.proxy.toxiproxy.streams import Streams
from tests.guard import ClockCase


class StreamsTests(ClockCase):
    def setUp(self) -> None:
        super().setUp()
        self.clock: Any = MemoryReactorClock()
        self.streams = Streams(self.clock, seed=7, allow_remote=False)

    def test_upstreams(self) -> None:
        for text, place in (
            ("localhost:6379", ("localhost", 6379)),
            ("LOCALHOST:1", ("localhost", 1)),
            ("127.1:1", ("127.0.0.1", 1)),
            ("[::1]:22", ("::1", 22)),
            ("tcp://a.example:5432", ("a.example", 5432)),
            ("tls+tcp://a.example:5432", ("a.example", 5432)),
        ):
            self.assertEqual(self.streams.place_of(text), place)

    def test_upstreams_that_cannot_be_read(self) -> None:
        for text in ("nowhere", ":1", "a:0", "a:b", "a:65536", "http://a:1", "a b:1"):
            with self.assertRaises(ApiError) as caught:
                self.streams.place_of(text)
            self.assertEqual(
                caught.exception.message,
                f"upstream {text}: expected host:port, such as localhost:6379",
            )
            self.assertEqual(caught.exception.status, 400)

    def test_what_is_printed_of_them_is_printable(self) -> None:
        with self.assertRaises(ApiError) as caught:
            self.streams.place_of("a\r\nb\x1b[2J" + "c" * 1000)
        self.assertTrue(caught.exception.message.isprintable())
        self.assertLess(len(caught.exception.message), 200)

    def test_a_stream_listens_where_it_is_told(self) -> None:
        for host, port in (("127.0.0.1", 26379), ("::1", 0)):
            stream = self.streams.make("a", Address(host, port), "localhost:1", [])
            self.successResultOf(stream.start())
            number, _, _, interface = self.clock.tcpServers[-1]
            self.assertEqual((interface, number), (host, port))
            self.assertEqual(stream.upstream, Upstream("localhost", 1))
            self.successResultOf(stream.stop())

    def test_seeds_follow_from_the_name(self) -> None:
        def seeds(streams: Streams, *names: str) -> list[int]:
            address = Address("127.0.0.1", 0)
            return [streams.make(it, address, "localhost:1", []).seed for it in names]

        a, b = seeds(self.streams, "a", "b")
        self.assertNotEqual(a, b)
        again = Streams(self.clock, seed=7, allow_remote=False)
        self.assertEqual(seeds(again, "b", "a"), [b, a])
        other = Streams(self.clock, seed=8, allow_remote=False)
        self.assertNotEqual(seeds(other, "a"), [a])
