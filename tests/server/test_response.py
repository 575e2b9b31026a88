"""Replies as bytes."""

from __future__ import annotations

from random import Random
from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.server import version

from nbtwisted.memo import LONGEST_REMEMBERED, Memo
from nbtwisted.server.model.behaviour import Reply
from nbtwisted.server.model.body import Whole
from nbtwisted.server.model.controls import Drip
from nbtwisted.server.model.faults import Ending
from nbtwisted.server.model.response import Response, response_of

SERVER = b"Server: %b\r\n" % version
DATE = b"Thu, 01 Jan 1970 00:00:00 GMT"
CLOSE = b"Connection: close\r\n"
TIMING = b"Server-Timing: asked;dur=0, held;dur=0\r\n\r\n"


def response(
    status: int = 200,
    *headers: tuple[str, str],
    old: bool = False,
    **more: Any,
) -> Response:
    given = {
        "asked": 0.0,
        "status": status,
        "headers": headers,
        "body": Whole(b"abc"),
        "has_body": True,
        "fault": None,
        "drip": None,
        "rate": None,
        "interval": 0.0,
        **more,
    }
    http = b"HTTP/1.0" if old else b"HTTP/1.1"
    return response_of(Reply(**given), Random(7), (("X-For", "browsers"),), http)


def opening(*args: Any, connection: bytes = b"", held: float = 0, **more: Any) -> bytes:
    return response(*args, **more).opening(connection, held, DATE)


class OpeningTests(SynchronousTestCase):
    def test_whole(self) -> None:
        sent = response(200, ("A", "b"), ("C", "d"), asked=1.5)
        self.assertEqual(
            sent.opening(b"Connection: keep-alive\r\n", 1.50049, DATE),
            b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\n"
            + SERVER
            + b"Date: %b\r\nContent-Length: 3\r\nA: b\r\nC: d\r\n" % DATE
            + b"X-For: browsers\r\n"
            + b"Server-Timing: asked;dur=1500, held;dur=1500.5\r\n\r\nabc",
        )
        self.assertEqual((sent.sent, sent.pieces, sent.tail), (3, None, b""))
        self.assertFalse(sent.closes or sent.is_slow or sent.template.closes)

    def test_trailers_follow_a_body_in_chunks(self) -> None:
        trailers = (("A", "b"), ("C", "d"), ("A", "e"))
        chunks = Whole(b"abc", in_chunks=True)
        sent = opening(body=chunks, trailers=trailers)
        self.assertIn(b"\r\nTransfer-Encoding: chunked\r\nTrailer: A, C\r\n", sent)
        self.assertTrue(
            sent.endswith(b"\r\n\r\n3\r\nabc\r\n0\r\nA: b\r\nC: d\r\nA: e\r\n\r\n")
        )

    def test_there_are_no_trailers_without_chunks(self) -> None:
        chunks = Whole(b"abc", in_chunks=True)
        cases: list[dict[str, Any]] = [
            {"body": Whole(b"abc")},
            {"body": chunks, "old": True},
            {"body": chunks, "has_body": False},
            {"body": chunks, "fault": "truncate"},
            {"body": chunks, "fault": "malformed-chunk"},
        ]
        for more in cases:
            sent = response(trailers=(("A", "b"),), **more)
            pieces = b"".join(piece for piece, _ in sent.pieces or ())
            whole = sent.opening(b"", 0, DATE) + pieces + sent.tail
            self.assertNotIn(b"A: b", whole, more)
            self.assertNotIn(b"Trailer", whole, more)

    def test_milliseconds(self) -> None:
        for asked, held, shown in [
            (0.0, 0.0, b"asked;dur=0, held;dur=0"),
            (0.0004, 0.00004, b"asked;dur=0.4, held;dur=0"),
            (10.0, 10.0123, b"asked;dur=10000, held;dur=10012.3"),
        ]:
            field = b"\r\nServer-Timing: %b\r\n\r\n" % shown
            self.assertIn(field, opening(asked=asked, held=held))

    def test_a_status_without_a_name(self) -> None:
        self.assertTrue(opening(299).startswith(b"HTTP/1.1 299 Unknown\r\n"))

    def test_what_a_status_needs(self) -> None:
        self.assertIn(b"\r\nAllow: GET, HEAD, OPTIONS\r\n", opening(405))
        self.assertNotIn(b"GET", opening(405, ("allow", "PUT")))

    def test_what_is_given_is_not_said_twice(self) -> None:
        for name, value in [("server", b"s"), ("DATE", b"d"), ("Date", b"d")]:
            sent = opening(200, (name, value.decode())).lower()
            self.assertEqual(sent.count(b"\r\n%b: " % name.lower().encode()), 1)
            self.assertIn(b": %b\r\n" % value, sent)
            self.assertEqual(sent.count(b"\r\n\r\n"), 1)
        both = opening(200, ("Server", "s"), ("Date", "d"))
        self.assertNotIn(SERVER, both)
        self.assertNotIn(DATE, both)

    def test_close_is_said_once(self) -> None:
        for value, closes in [("close", True), ("Close", True), ("Upgrade", False)]:
            sent = response(200, ("connection", value))
            self.assertEqual((sent.closes, sent.template.closes), (closes, closes))
            given = sent.opening(CLOSE, 0, DATE).lower()
            self.assertEqual(given.count(b"close"), 1)
        self.assertFalse(response(200, ("A", "close")).closes)

    def test_long_heads_are_not_remembered(self) -> None:
        self.patch(Memo, "is_on", True)
        room = LONGEST_REMEMBERED - len("X-ForbrowsersA")
        for size, is_kept in [(room, True), (room + 1, False)]:
            sent = [response(200, ("A", "x" * size)) for _ in range(3)]
            self.assertEqual(sent[0], sent[2])
            self.assertIs(sent[1].template is sent[2].template, is_kept)


class FramingTests(SynchronousTestCase):
    def test_a_length(self) -> None:
        for has_body, old, end in [
            *((True, False, b"abc"), (False, False, b""), (True, True, b"abc")),
        ]:
            found = response(has_body=has_body, old=old)
            head = found.opening(b"", 0, DATE)
            self.assertIn(b"\r\nContent-Length: 3\r\n", head)
            self.assertTrue(head.endswith(TIMING + end))
            self.assertEqual((found.sent, found.pieces), (len(end), None))

    def test_what_is_paced_does_not_go_with_its_head(self) -> None:
        for more in ({"drip": Drip(2.0, 3)}, {"rate": 2.0}, {"interval": 1.0}):
            found = response(**more)
            self.assertTrue(found.opening(b"", 0, DATE).endswith(TIMING), more)
            assert found.pieces is not None
            pieces = list(found.pieces)
            self.assertEqual(b"".join(piece for piece, _ in pieces), b"abc")
            self.assertGreater(sum(seconds for _, seconds in pieces), 0.9)

    def test_statuses_without_a_body(self) -> None:
        for status in (204, 304):
            head = opening(status, has_body=False)
            self.assertNotIn(b"Content-Length", head)
            self.assertTrue(head.endswith(TIMING))

    def test_chunks_that_are_there(self) -> None:
        body = Whole(b"0123456789", in_chunks=True)
        head = opening(body=body)
        self.assertIn(b"\r\nTransfer-Encoding: chunked\r\n", head)
        self.assertTrue(head.endswith(TIMING + b"a\r\n0123456789\r\n0\r\n\r\n"))
        self.assertEqual(response(body=body).sent, 10)
        empty = opening(body=Whole(b"", in_chunks=True))
        self.assertTrue(empty.endswith(TIMING + b"0\r\n\r\n"))

    def test_chunks_to_come(self) -> None:
        found = response(body=Whole(b"abc", in_chunks=True), interval=1.0)
        self.assertTrue(found.is_chunked)
        assert found.pieces is not None
        self.assertEqual(b"".join(piece for piece, _ in found.pieces), b"abc")
        self.assertEqual((found.tail, found.sent), (b"0\r\n\r\n", 0))
        self.assertTrue(found.opening(b"", 0, DATE).endswith(TIMING))

    def test_chunks_are_not_for_old_clients(self) -> None:
        body = Whole(b"abc", in_chunks=True)
        for has_body in (True, False):
            found = response(body=body, has_body=has_body, old=True)
            self.assertTrue(found.closes)
            self.assertFalse(found.template.closes or found.is_chunked)
            head = found.opening(CLOSE, 0, DATE)
            self.assertNotIn(b"chunked", head)
            self.assertNotIn(b"Content-Length", head)
            self.assertTrue(head.endswith(TIMING + (b"abc" if has_body else b"")))
        self.assertFalse(response(body=body).closes)

    def test_to_head_no_chunks_are_announced(self) -> None:
        head = opening(body=Whole(b"abc", in_chunks=True), has_body=False)
        self.assertNotIn(b"chunked", head)
        self.assertTrue(head.endswith(TIMING))


class FaultTests(SynchronousTestCase):
    def test_no_head(self) -> None:
        for fault, ending, tail in [
            ("reset", Ending.RESET, 0),
            ("empty", Ending.CLOSE, 0),
            ("stall", Ending.HOLD, 0),
            ("garbage", Ending.CLOSE, 200),
        ]:
            found = response(fault=fault)
            self.assertEqual(found.opening(CLOSE, 0, DATE), b"")
            self.assertEqual((found.status, found.pieces), (None, None))
            self.assertEqual((found.ending, len(found.tail)), (ending, tail))

    def test_a_chunk_that_is_none(self) -> None:
        found = response(fault="malformed-chunk")
        self.assertTrue(found.is_chunked)
        self.assertEqual(found.tail, b"this is no chunk size\r\n")
        self.assertEqual(found.ending, Ending.CLOSE)

    def test_a_slow_head(self) -> None:
        found = response(fault="slow-headers")
        self.assertTrue(found.is_slow and found.closes)
        self.assertFalse(response(fault="truncate").is_slow)
