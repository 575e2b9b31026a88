"""What twisted.web is told of responses that it does not make."""

from __future__ import annotations

from typing import Any

from twisted.web.server import NOT_DONE_YET
from twisted.web.test.requesthelper import DummyRequest

from tests.guard import ClockCase
from tests.server.in_memory import Visit, asking


class TwistedWebTests(ClockCase):
    def setUp(self) -> None:
        super().setUp()
        self.logged: list[tuple[bytes, int, int]] = []

    def visit(self) -> Visit:
        visit = Visit(self.clock, channel="twisted")
        visit.site.log = self.log
        self.addCleanup(visit.leave)
        return visit

    def log(self, request: Any) -> None:
        self.logged.append((request.uri, request.code, request.sentLength))

    def test_its_log_has_the_status_and_the_size(self) -> None:
        visit = self.visit()
        for target in ("/?_delay=0", "/status/418", "/bytes/1000", "/get?_status=204"):
            visit.get(target, "Connection: keep-alive")
        self.assertEqual(
            self.logged,
            [
                *((b"/?_delay=0", 200, 19), (b"/status/418", 418, 0)),
                *((b"/bytes/1000", 200, 1000), (b"/get?_status=204", 204, 0)),
            ],
        )

    def test_no_status_was_sent(self) -> None:
        visit = self.visit()
        visit.get("/get?_fault=empty")
        self.assertEqual(self.logged, [(b"/get?_fault=empty", 0, 0)])
        self.assertTrue(visit.is_closed)

    def test_http_2_is_refused(self) -> None:
        # It has no connection of its own to be closed or reset.
        resource: Any = self.visit().site.resource
        request: Any = DummyRequest([b"get"])
        request.clientproto = b"HTTP/2"
        self.assertEqual(resource.render(request), NOT_DONE_YET)
        self.assertEqual((request.responseCode, request.finished), (505, 1))

    def test_a_body_that_is_too_large(self) -> None:
        for size, status in [(1024 * 1024, 200), (1024 * 1024 + 1, 413)]:
            visit = self.visit()
            visit.send(asking("/post", method="POST", body=b"x" * size))
            self.assertEqual(visit.reply("POST").status, status)

    def test_a_method_that_is_none(self) -> None:
        visit = self.visit()
        visit.send(b"G\xffT /get HTTP/1.1\r\nHost: t\r\n\r\n")
        self.assertIn(b"HTTP/1.1 400 ", visit.received)

    def test_a_client_that_does_not_read(self) -> None:
        visit = self.visit()
        visit.get("/range/1000000?_delay=1")
        visit.stop_reading()
        self.clock.advance(1)
        self.assertEqual(visit.received, b"")
        visit.read_on()
        self.assertEqual(len(visit.reply().body), 1_000_000)

    def test_one_that_does_not_read_what_comes_after_the_response(self) -> None:
        visit = self.visit()
        visit.get("/ip")
        visit.stop_reading()
        visit.read_on()
        visit.get("/ip")
        self.assertEqual(visit.received.count(b"HTTP/1.1 200 OK"), 2)
