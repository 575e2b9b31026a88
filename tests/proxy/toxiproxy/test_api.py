"""The API as its connections have it: bytes in, bytes out, over streams in memory."""

from __future__ import annotations

import json

from nbtwisted.proxy.toxiproxy.api import ToxiproxyAPI
from tests.guard import ClockCase
from tests.proxy.toxiproxy.in_memory import MemoryStreams
from tests.server.in_memory import Visit, answers

REDIS = {"name": "redis", "listen": "localhost:26379", "upstream": "localhost:6379"}


def asking(method: str, target: str, given: object = None) -> bytes:
    body = b"" if given is None else json.dumps(given).encode()
    head = f"{method} {target} HTTP/1.1\r\nHost: localhost:8474\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


class SiteCase(ClockCase):
    def setUp(self) -> None:
        super().setUp()
        self.streams = MemoryStreams()
        self.api = ToxiproxyAPI(self.clock, seed=7, streams=self.streams)
        self.visits: list[Visit] = []
        self.addCleanup(self._end)

    def _end(self) -> None:
        for visit in self.visits:
            visit.leave()

    def visit(self, peer: str = "127.0.0.1") -> Visit:
        visit = Visit(self.clock, site=self.api.site(), peer=peer, here="127.0.0.1")
        self.visits.append(visit)
        return visit


class SiteTests(SiteCase):
    def test_requests_on_one_connection(self) -> None:
        visit = self.visit()
        visit.send(asking("GET", "/version"))
        visit.send(asking("POST", "/proxies", REDIS))
        visit.send(asking("DELETE", "/proxies/redis"))
        got = answers(visit.received, ["GET", "POST", "DELETE"])
        self.assertEqual([status for status, _, _ in got], [200, 201, 204])
        _, headers, body = got[1]
        self.assertEqual(headers["content-type"], "application/json")
        self.assertEqual(headers["content-length"], str(len(body)))
        self.assertEqual(json.loads(body)["listen"], "127.0.0.1:26379")
        self.assertNotIn("content-length", got[2][1])

    def test_the_list_is_made_while_it_is_sent(self) -> None:
        visit = self.visit()
        for name in ("b", 'a"', "c"):
            given = {**REDIS, "name": name, "listen": ""}
            visit.send(asking("POST", "/proxies", given))
        visit.send(asking("GET", "/proxies"))
        self.clock.advance(0.1)
        *_, (status, headers, body) = answers(visit.received, ["POST"] * 3 + ["GET"])
        self.assertEqual(status, 200)
        self.assertEqual(headers["transfer-encoding"], "chunked")
        listed = json.loads(body)
        self.assertEqual(list(listed), ['a"', "b", "c"])
        for name, proxy in listed.items():
            self.assertEqual(proxy["name"], name)

    def test_no_page_may_read_it(self) -> None:
        visit = self.visit()
        visit.send(asking("GET", "/version"))
        ((_, headers, _),) = answers(visit.received, ["GET"])
        self.assertNotIn("access-control-allow-origin", headers)
        self.assertIn("default-src 'none'", headers["content-security-policy"])

    def test_controls_of_the_server_do_nothing_here(self) -> None:
        visit = self.visit()
        head = b"POST /reset?_read=1&_delay=9 HTTP/1.1\r\nX-Nbtwisted-Read: 1\r\n"
        visit.send(head + b"Host: localhost\r\nContent-Length: 50\r\n\r\n" + b" " * 50)
        ((status, _, _),) = answers(visit.received, ["POST"])
        self.assertEqual(status, 204)

    def test_a_body_that_is_too_large(self) -> None:
        visit = self.visit()
        head = b"POST /populate HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1048577"
        visit.send(head + b"\r\n\r\n")
        ((status, _, _),) = answers(visit.received, ["POST"])
        self.assertEqual(status, 413)

    def test_other_machines(self) -> None:
        visit = self.visit(peer="192.168.1.9")
        visit.send(asking("GET", "/proxies"))
        ((status, _, _),) = answers(visit.received, ["GET"])
        self.assertEqual(status, 403)


class WaitingTests(SiteCase):
    def setUp(self) -> None:
        super().setUp()
        self.visit().send(asking("POST", "/proxies", REDIS))
        self.streams.is_slow = True

    def test_the_answer_comes_when_the_port_is_closed(self) -> None:
        visit = self.visit()
        visit.send(asking("POST", "/proxies/redis", {"enabled": False}))
        self.clock.advance(1)
        self.assertEqual(visit.received, b"")
        self.streams.closing.pop().callback(None)
        visit.send(asking("GET", "/proxies/redis"))
        got = answers(visit.received, ["POST", "GET"])
        for status, headers, body in got:
            self.assertEqual(status, 200)
            self.assertEqual(headers["content-type"], "application/json")
            self.assertFalse(json.loads(body)["enabled"])
        self.assertEqual(len(got), 2)

    def test_a_refusal_that_waited(self) -> None:
        deleting, making = self.visit(), self.visit()
        deleting.send(asking("DELETE", "/proxies/redis"))
        making.send(asking("DELETE", "/proxies/redis"))
        self.streams.closing.pop().callback(None)
        ((status, _, body),) = answers(making.received, ["DELETE"])
        self.assertEqual(status, 404)
        self.assertEqual(json.loads(body), {"error": "proxy not found", "status": 404})

    def test_a_client_that_leaves_meanwhile(self) -> None:
        visit = self.visit()
        visit.send(asking("DELETE", "/proxies/redis"))
        visit.leave()
        self.streams.closing.pop().callback(None)
        self.assertEqual(visit.received, b"")
        self.assertEqual(len(self.api.collection), 0)

    def test_stopping_waits_for_all_ports(self) -> None:
        stopped = self.api.stop()
        self.assertNoResult(stopped)
        self.streams.closing.pop().callback(None)
        self.successResultOf(stopped)
        self.assertTrue(all(visit.is_aborted for visit in self.visits))
        self.assertEqual(self.streams.open, {})
