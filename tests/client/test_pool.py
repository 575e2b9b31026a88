"""How connections are opened: to which address, by which socket, and why not."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectError, ConnectionDone
from twisted.python.failure import Failure

from nbtwisted.client.connection.opening import interleaved
from nbtwisted.client.connection.pool import LONGEST_UNIX_PATH, Pool, socket_path
from nbtwisted.client.connection.protocol import Connection
from nbtwisted.client.connection.reader import Limits
from nbtwisted.client.errors import ConnectFailed, RequestError
from nbtwisted.client.message import Message
from nbtwisted.client.result import Response
from nbtwisted.client.target import Origin
from tests.client.in_memory import Addresses, Network
from tests.guard import ClockCase

WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


class AddressesTests(ClockCase):
    def test_families_take_turns(self) -> None:
        for given_, expected in {
            ("a", "b"): ("a", "b"),
            ("::a", "::b", "c", "d"): ("::a", "c", "::b", "d"),
            ("a", "b", "c", "::d"): ("a", "::d", "b", "c"),
            (): (),
        }.items():
            self.assertEqual(interleaved(given_), expected)

    @given(st.lists(st.sampled_from(["1.1", "2.2", "::1", "::2"])))
    def test_none_is_lost(self, addresses: list[str]) -> None:
        self.assertEqual(sorted(interleaved(addresses)), sorted(addresses))
        self.assertEqual(interleaved(addresses)[:1], (*addresses[:1],))


class OpeningCase(ClockCase):
    def setUp(self) -> None:
        super().setUp()
        self.clock = self.network = Network()

    def get(self, url: str = "http://h/", **options: Any) -> Deferred[Response]:
        return self.network.getter(
            resolver=Addresses(h=("10.0.0.1", "10.0.0.2")), **options
        ).get(url)

    def failed(self, request: Deferred[Response]) -> str:
        error = self.failureResultOf(request, ConnectFailed).value
        assert isinstance(error, RequestError)
        self.assertEqual(self.network.getDelayedCalls(), [])
        return str(error)


class FailedTests(OpeningCase):
    def test_why(self) -> None:
        request = self.get()
        # One of the system's, and ones of Twisted's, with a number or without.
        self.network.refuse(ConnectError(113))
        self.network.refuse(ConnectionDone())
        words = "10.0.0.1 port 80: No route to host; 10.0.0.2 port 80: ConnectionDone"
        self.assertEqual(self.failed(request), words)
        request = self.get("http://10.0.0.3:81/")
        self.network.refuse(ConnectError())
        self.assertEqual(self.failed(request), "10.0.0.3 port 81: ConnectError")

    def test_at_once(self) -> None:
        errors = [OSError(24, "Too many open files"), OSError("no number")]

        def fail(*_: object, **__: object) -> None:
            raise errors.pop(0)

        self.patch(self.network, "connectTCP", fail)
        words = "10.0.0.1 port 80: Too many open files; 10.0.0.2 port 80: no number"
        self.assertEqual(self.failed(self.get()), words)


class UnixTests(OpeningCase):
    def test_in_place_of_any_host(self) -> None:
        request = self.get(unix_socket="/run/x.sock")
        ((path, factory, timeout, _),) = self.network.unixClients
        self.assertEqual((path, timeout), ("/run/x.sock", None))
        self.assertEqual(self.network.attempts, [])
        factory.clientConnectionFailed(None, Failure(ConnectError(2)))
        words = "/run/x.sock: No such file or directory"
        self.assertEqual(self.failed(request), words)

    def test_paths(self) -> None:
        for path in ("x", "é" * 53, "x" * LONGEST_UNIX_PATH):
            self.assertEqual(socket_path(path), path)
        for path in ("", "é" * 54, "x" * (LONGEST_UNIX_PATH + 1)):
            with self.assertRaisesRegex(ValueError, "a path of 1 to 107 bytes"):
                socket_path(path)
            if path:
                with self.assertRaises(ValueError):
                    self.get(unix_socket=path)


class TLSFilesTests(OpeningCase):
    def test_what_is_wrong_is_told_before_anything_is_sent(self) -> None:
        for url in ("http://h/", "https://h/"):
            with self.assertRaises(FileNotFoundError):
                self.get(url, tls={"authorities": "/nowhere"})
        self.assertEqual(self.network.attempts, [])


class LeavingTests(OpeningCase):
    """Connections that are closed because nobody needs them."""

    def test_all_are_gone_before_it_is_closed(self) -> None:
        getter = self.network.getter(more_to_come=True, connections=3)
        kept = []
        for host in ("10.0.0.1", "10.0.0.2"):
            request = getter.get(f"http://{host}/")
            connection = self.network.accept()
            connection.take_request()
            connection.answer(WHOLE)
            self.successResultOf(request)
            kept.append(connection)
        closed = getter.close()
        kept[1].finish()
        self.assertNoResult(closed)
        kept[0].finish()
        self.successResultOf(closed)


class _Asks:
    """Sends a request as soon as it can, and keeps nothing of the response."""

    def host_resolved(self) -> None: ...

    def connection_made(self, connection: Connection) -> None: ...

    def tunnel_made(self, connection: Connection) -> None: ...

    def connection_ready(self, connection: Connection) -> None:
        connection.send(Message(b"GET / HTTP/1.1\r\n\r\n"))

    def request_sent(self) -> None: ...

    def bytes_received(self) -> None: ...

    def exchange_over(
        self, connection: Connection, error: RequestError | None
    ) -> None: ...


class IdleTests(OpeningCase):
    def test_the_oldest_leaves_where_too_many_are_free(self) -> None:
        pool = Pool(
            self.network, limits=Limits(), keeps_alive=True, most=10, most_idle=2
        )
        route = pool.route(Origin(False, "10.0.0.1", 80))
        ends = []
        for _ in range(3):
            pool.open(pool.new(route, _Asks()))
            ends.append(self.network.accept())
            ends[-1].take_request()
        for end in ends:
            end.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        self.assertEqual([end.state for end in ends], ["aborting", "open", "open"])
        closed = pool.close()
        for end in ends:
            end.finish()
        self.successResultOf(closed)
