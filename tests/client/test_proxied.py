"""Requests through proxies, on a network in memory."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionRefusedError

from nbtwisted.client.connection.opening import HEAD_START
from nbtwisted.client.errors import (
    ConnectFailed,
    NameNotResolved,
    ProxyNotResolved,
    RequestError,
    SOCKSFailed,
    TunnelFailed,
)
from nbtwisted.client.proxies import Proxies
from nbtwisted.client.request.retrying import Retries
from nbtwisted.client.result import Response
from nbtwisted.client.results import har
from tests.client.in_memory import A_TURN, Addresses, Connection, Network, result_of
from tests.guard import ClockCase

WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
FOUND = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: %b\r\n\r\n"
OPEN = b"HTTP/1.1 200 Open\r\n\r\n"
BUSY = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"
FOUND_AT: dict[str, Any] = {"p": ("10.0.0.9",), "h": ("10.0.0.1",)}
LOGIN = b"\r\nProxy-Authorization: Basic bWU6c2VjcmV0\r\n"


class ProxiedCase(ClockCase):
    def setUp(self) -> None:
        super().setUp()
        self.clock = self.network = Network()

    def getter(
        self, proxy: str = "http://me:secret@p:3128", *, but: str = "", **more: Any
    ) -> Any:
        options = {"more_to_come": True, "connections": 9, **more}
        options.setdefault(
            "resolver",
            Addresses(p=("10.0.0.9",), h=("10.0.0.1",), i=("10.0.0.2",), j=("::1",)),
        )
        return self.network.getter(proxies=Proxies.read(proxy, but), **options)

    def carry(self, connection: Connection, answer: bytes = WHOLE) -> bytes:
        """Take a request, and answer it."""
        sent = connection.take_request()
        connection.answer(answer)
        self.network.advance(A_TURN)
        return sent

    def close(self, getter: Any, *connections: Connection) -> None:
        closed = getter.close()
        for connection in connections:
            self.assertEqual(connection.state, "aborting")
            connection.finish()
        self.successResultOf(closed)

    def error(
        self, request: Deferred[Response], kind: type[RequestError]
    ) -> RequestError:
        error = self.failureResultOf(request, kind).value
        assert isinstance(error, RequestError)
        return error


class InTheClearTests(ProxiedCase):
    """By http through an http proxy, which passes requests on."""

    def test_asks_for_the_whole_url(self) -> None:
        getter = self.getter()
        request = getter.get("http://me:own@h:81/a?b#c")
        self.assertEqual(self.network.attempts, [("10.0.0.9", 3128)])
        connection = self.network.accept()
        sent = self.carry(connection)
        self.assertTrue(sent.startswith(b"GET http://h:81/a?b HTTP/1.1\r\nHost: h:81"))
        self.assertIn(LOGIN, sent)
        self.assertIn(b"\r\nAuthorization: Basic bWU6b3du\r\n", sent)
        response = self.successResultOf(request)
        self.assertEqual((response.body, response.url), (b"hello", "http://h:81/a?b#c"))
        self.assertIsNone(response.timing.proxy)
        self.close(getter, connection)

    def test_one_connection_for_all_hosts(self) -> None:
        getter = self.getter()
        first = getter.get("http://h/")
        connection = self.network.accept()
        self.carry(connection)
        second = getter.get("http://i/")
        self.assertIn(b"GET http://i/ HTTP/1.1", self.carry(connection))
        self.assertEqual(len(self.network.attempts), 1)
        for request in (first, second):
            self.successResultOf(request)
        self.close(getter, connection)

    def test_no_archive_tells_who_we_are(self) -> None:
        getter = self.getter()
        request = getter.get("http://h/")
        connection = self.network.accept()
        self.assertIn(LOGIN, self.carry(connection))
        result = self.successResultOf(request).result
        archive = json.dumps(list(har.entries(0, result)))
        self.assertIn("Proxy-Authorization", archive)
        self.assertNotIn("bWU6c2VjcmV0", archive)
        self.close(getter, connection)

    def test_a_header_in_place_of_ours(self) -> None:
        getter = self.getter(headers=[("proxy-authorization", "x")])
        request = getter.get("http://h/")
        connection = self.network.accept()
        sent = self.carry(connection)
        self.assertNotIn(LOGIN, sent)
        self.assertIn(b"\r\nproxy-authorization: x\r\n", sent)
        self.successResultOf(request)
        self.close(getter, connection)

    def test_the_proxys_own_answer_is_a_response(self) -> None:
        getter = self.getter()
        request = getter.get("http://h/")
        connection = self.network.accept()
        self.carry(connection, BUSY.replace(b"503", b"407"))
        self.assertEqual(self.successResultOf(request).status, 407)
        self.close(getter, connection)


class ApartTests(ProxiedCase):
    """Connections that go different ways are not used for each other's requests."""

    def test_redirected_to_where_no_proxy_is_used(self) -> None:
        getter = self.getter(but="i", max_redirects=3)
        request = getter.get("http://h/")
        by_proxy = self.network.accept()
        self.assertIn(LOGIN, self.carry(by_proxy, FOUND % b"http://i/b"))
        self.assertEqual(self.network.attempts[1:], [("10.0.0.2", 80)])
        direct = self.network.accept()
        sent = self.carry(direct, FOUND % b"http://h/c")
        self.assertTrue(sent.startswith(b"GET /b HTTP/1.1\r\nHost: i\r\n"), sent)
        self.assertNotIn(b"Proxy", sent)
        # And back again.
        self.assertIn(LOGIN, self.carry(by_proxy))
        self.assertEqual(len(self.network.attempts), 2)
        self.successResultOf(request)
        self.close(getter, by_proxy, direct)

    def test_to_tls_and_to_each_host_a_tunnel(self) -> None:
        getter = self.getter(tls={"verify": False})
        requests, connections = [], []
        for url in ("http://h/", "https://h/", "https://i/", "https://h:444/"):
            requests.append(getter.get(url))
            connection = self.network.accept()
            connections.append(connection)
            if url.startswith("https"):
                asked = connection.value()
                connection.clear()
                place = url[8:-1] if url.count(":") > 1 else f"{url[8:-1]}:443"
                self.assertTrue(asked.startswith(b"CONNECT %b " % place.encode()))
                self.assertIn(LOGIN, asked)
                connection.answer(OPEN)
                connection.secure()
                sent = self.carry(connection)
                self.assertTrue(sent.startswith(b"GET / HTTP/1.1\r\n"), sent)
                self.assertNotIn(b"Proxy", sent)
            else:
                self.carry(connection)
        self.assertEqual(self.network.attempts, [("10.0.0.9", 3128)] * 4)
        # Each is good for another of its own.
        again = getter.get("https://i/")
        self.assertEqual(len(self.network.attempts), 4)
        self.carry(connections[2])
        for request in (*requests, again):
            self.successResultOf(request)
        order = (0, 1, 3, 2)
        self.close(getter, *(connections[number] for number in order))

    def test_socks_is_for_one_host_in_the_clear_too(self) -> None:
        getter = self.getter("socks5h://p")
        connections = []
        for host in ("h", "i"):
            request = getter.get(f"http://{host}/")
            connection = self.network.accept()
            connections.append(connection)
            connection.clear()
            connection.answer(b"\5\0")
            self.assertIn(b"\3\1%b\0\x50" % host.encode(), connection.value())
            connection.clear()
            connection.answer(b"\5\0\0\1" + bytes(6))
            self.carry(connection)
            self.successResultOf(request)
        self.assertEqual(self.network.attempts, [("10.0.0.9", 1080)] * 2)
        self.close(getter, *connections)


class WhereTests(ProxiedCase):
    """Which address is connected to, and which the proxy is asked for."""

    def test_a_proxys_addresses_by_turns(self) -> None:
        addresses = Addresses(p=("10.0.0.8", "10.0.0.9"))
        request = self.getter(resolver=addresses).get("http://h/")
        self.network.advance(HEAD_START)
        expected = [("10.0.0.8", 3128), ("10.0.0.9", 3128)]
        self.assertEqual(self.network.attempts, expected)
        for number in range(2):
            self.network.refuse(ConnectionRefusedError(), number)
        error = self.error(request, ConnectFailed)
        self.assertEqual((error.phase, error.exit_code), ("proxy", 7))
        words = "the proxy http://p:3128: 10.0.0.8 port 3128: "
        self.assertTrue(str(error).startswith(words), error)

    def test_resolve_is_for_proxies_too(self) -> None:
        self.getter(overrides={("p", 3128): ("10.9.9.9",)}).get("http://h/").addErrback(
            lambda _: None
        ).cancel()
        self.assertEqual(self.network.attempts, [("10.9.9.9", 3128)])

    def test_socks5_is_asked_for_an_address(self) -> None:
        cases: list[tuple[str, dict[str, Any], bytes]] = [
            ("http://h/", {}, b"\1\x0a\0\0\1\0\x50"),
            ("http://j/", {}, b"\4" + bytes(15) + b"\1\0\x50"),
            ("http://10.0.0.7/", {}, b"\1\x0a\0\0\7\0\x50"),
            ("http://h/", {"overrides": {("h", 80): ["10.0.0.3"]}}, b"\1\x0a\0\0\3\0P"),
        ]
        for url, more, expected in cases:
            request = self.getter("socks5://p", **more).get(url)
            connection = self.network.accept()
            connection.clear()
            connection.answer(b"\5\0")
            self.assertEqual(connection.value(), b"\5\1\0" + expected)
            request.cancel()
            connection.finish()
            self.failureResultOf(request)

    def test_names_that_are_not_found(self) -> None:
        for proxy, name, kind, words in [
            ("http://p", "p", ProxyNotResolved, "the proxy: cannot find it"),
            ("socks5://p", "p", ProxyNotResolved, "the proxy: cannot find it"),
            ("socks5://p", "h", NameNotResolved, "cannot find it"),
        ]:
            found: Deferred[tuple[str, ...]] = Deferred()
            addresses = Addresses(**{**FOUND_AT, name: found})
            request = self.getter(proxy, resolver=addresses).get("http://h/")
            found.errback(NameNotResolved("cannot find it"))
            error = self.error(request, kind)
            self.assertEqual(str(error), words)
            self.assertIsNone(error.__traceback__)
            self.assertEqual(self.network.attempts, [])

    def test_cancelled_while_names_are_looked_up(self) -> None:
        for proxy, name in [
            ("http://p", "p"),
            ("socks5://p", "p"),
            ("socks5://p", "h"),
        ]:
            addresses = Addresses(**{**FOUND_AT, name: Deferred})
            request = self.getter(proxy, resolver=addresses).get("http://h/")
            request.cancel()
            self.failureResultOf(request)
            self.assertEqual(self.network.attempts, [])

    def test_not_beside_a_unix_socket(self) -> None:
        request = self.getter(unix_socket="/run/x.sock").request("http://h/")
        request.start(lambda *_: None)
        self.assertEqual(len(self.network.unixClients), 1)
        self.assertEqual(self.network.attempts, [])
        sent = request.so_far().attempts[0].request
        self.assertTrue(sent.startswith(b"GET / HTTP/1.1\r\n"), sent)
        self.assertNotIn(b"Proxy", sent)
        request.cancel()


class BadProxyTests(ProxiedCase):
    def test_what_it_answers(self) -> None:
        for proxy, answers, kind in [
            ("http://p", [b"HTTP/1.1 407 No\r\n\r\n" + b"x" * 100_000], TunnelFailed),
            ("http://p", [b"garbage\r\n"], TunnelFailed),
            ("http://p", [OPEN + b"early"], TunnelFailed),
            ("socks5h://p", [b"\4"], SOCKSFailed),
            ("socks5h://p", [b"\5\0", b"\5\5"], SOCKSFailed),
        ]:
            request = self.getter(proxy, tls={}).get("https://h/")
            connection = self.network.accept()
            for answer in answers:
                connection.answer(answer)
            self.assertIsNone(connection.handshake)
            self.assertEqual(connection.state, "aborting")
            self.assertNoResult(request)
            connection.finish()
            error = self.error(request, kind)
            self.assertEqual(self.network.getDelayedCalls(), [])
            (attempt,) = result_of(error).attempts
            self.assertTrue(attempt.is_tunnelled)
            self.assertEqual((attempt.head, attempt.received), (None, 0))

    def test_what_may_be_otherwise_next_time(self) -> None:
        for answer, tries in [(b"HTTP/1.1 502 x", 2), (b"HTTP/1.1 407 x", 1)]:
            getter = self.getter(retries=Retries(1, delay=0.0), tls={})
            request = getter.get("https://h/")
            for _ in range(tries):
                connection = self.network.accept()
                connection.answer(answer + b"\r\n\r\n")
                connection.finish()
                self.network.advance(A_TURN)
            error = self.error(request, TunnelFailed)
            self.assertEqual(result_of(error).tries, tries)
