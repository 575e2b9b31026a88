"""What is refused before it is a request, in memory and on a clock."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.task import Clock

from tests.guard import ClockCase
from tests.server.in_memory import CHANNEL, Reply, Visit

KIB = 1024


class ChannelTests(ClockCase):
    def setUp(self) -> None:
        super().setUp()
        self.site_clock = Clock()
        self.visits: list[Visit] = []

        self.addCleanup(self.no_timer_outlives_its_connection)

    def no_timer_outlives_its_connection(self) -> None:
        for visit in self.visits:
            visit.leave()
        self.assertEqual(self.site_clock.getDelayedCalls(), [])

    def visit(self, **more: Any) -> Visit:
        visit = Visit(self.clock, site_clock=self.site_clock, channel="ours", **more)
        self.visits.append(visit)
        return visit

    def send(self, *pieces: bytes) -> Reply:
        visit = self.visit()
        for piece in pieces:
            visit.send(piece)
        return visit.reply()

    def refused(self, *pieces: bytes) -> tuple[int, str]:
        visit = self.visit()
        for piece in pieces:
            visit.send(piece)
        # A body of many chunks is read over several turns.
        self.site_clock.pump([0] * 8)
        reply = visit.reply()
        self.assertTrue(visit.is_closed)
        self.assertEqual(reply.headers["connection"], "close")
        self.assertEqual(reply.headers["content-type"], "application/json")
        self.assertEqual(reply.headers["server-timing"], "asked;dur=0, held;dur=0")
        self.assertRegex(
            reply.headers["date"], r"^\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT$"
        )
        # What still comes is let go by.
        before = visit.received
        visit.send(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n" * 3)
        self.assertEqual(visit.received, before)
        return reply.status, reply.json()["expected"]

    def test_target(self) -> None:
        head = b"GET /get?%b HTTP/1.1\r\nHost: test\r\n\r\n"
        longest = 16 * KIB - len("/get?")
        self.assertEqual(self.send(head % (b"x" * longest)).status, 200)
        expected = (414, "a target of at most 16384 bytes")
        self.assertEqual(self.refused(head % (b"x" * (longest + 1))), expected)
        self.assertEqual(self.refused(b"GET /" + b"x" * 70 * KIB), expected)
        self.assertEqual(self.refused(b"x" * 70 * KIB), expected)

    def test_head(self) -> None:
        def head(size: int) -> bytes:
            start = b"GET /get?_size=1 HTTP/1.1\r\nHost: test\r\n"
            line = b"A: %b\r\n" % (b"x" * 1000)
            lines = line * ((size - len(start)) // len(line) - 1)
            rest = size - len(start + lines) - len(b"B: \r\n\r\n")
            return start + lines + b"B: " + b"x" * rest + b"\r\n\r\n"

        self.assertEqual(len(head(9000)), 9000)
        self.assertEqual(self.send(head(64 * KIB)).status, 200)
        expected = (431, "a head of at most 65536 bytes")
        self.assertEqual(self.refused(head(64 * KIB + 1)), expected)
        self.assertEqual(
            self.refused(b"GET / HTTP/1.1\r\nA: " + b"x" * 70 * KIB), expected
        )

    def test_each_request_has_its_own_cap(self) -> None:
        visit = self.visit()
        request = b"GET /?_delay=0 HTTP/1.1\r\nHost: t\r\nA: %b\r\n\r\n"
        for _ in range(3):
            visit.send(request % (b"x" * 50 * KIB))
        self.assertEqual(visit.received.count(b"HTTP/1.1 200 OK"), 3)

    def test_body(self) -> None:
        head = b"POST /anything HTTP/1.1\r\nHost: t\r\nContent-Length: %d\r\n\r\n"
        largest = 1024 * KIB
        reply = self.send(head % largest, b"x" * largest)
        self.assertEqual(len(reply.json()["data"]), largest)
        expected = (413, "a body of at most 1048576 bytes")
        self.assertEqual(self.refused(head % (largest + 1)), expected)
        self.assertEqual(self.refused(head % (largest + 1) + b"x" * 5000), expected)

    def test_body_in_chunks(self) -> None:
        head = b"POST /post HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n"
        chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
        reply = self.send(head, chunk * 16 + b"0\r\n\r\n")
        self.assertEqual(len(reply.json()["data"]), 1024 * KIB)
        self.assertEqual(self.refused(head, *[chunk] * 17)[0], 413)
        self.assertEqual(self.refused(head, chunk * 17)[0], 413)
        # Where there is nothing more to come, the connection can stay.
        self.assertEqual(self.send(head + chunk * 17 + b"0\r\n\r\n").status, 413)

    def test_what_is_no_request(self) -> None:
        for bad in [
            b"\x16\x03\x01\r\n",
            b"GET\r\n\r\n",
            b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
            b"GET / HTTP/1.1\r\nA b: c\r\n\r\n",
            b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
            b"GET / HTTP/1.1\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
            b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            b"GET / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\nA: \x00\r\n\r\n",
            b"POST /post HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
        ]:
            self.assertEqual(self.refused(bad)[0], 400, bad)

    def test_what_cannot_become_a_request(self) -> None:
        hello = bytes.fromhex("16030100f8010000f40303")  # TLS
        for beginning in [hello, b"\x80", b" ", b"{", b"\r\n\x00", b"\r\n \r"]:
            whole, bytewise = [beginning], [bytes([b]) for b in beginning]
            for pieces in [whole, bytewise] if beginning != hello else [whole]:
                self.assertEqual(self.refused(*pieces)[0], 400, beginning)
        for line in [b"A: b\r\r\n", b"A: b\n\r\n", b"A\rB: c\r\n", b"\n\r\n"]:
            begun = b"GET /get HTTP/1.1\r\nHost: test\r\n" + line
            for pieces in [begun], [bytes([byte]) for byte in begun]:
                self.assertEqual(self.refused(*pieces)[0], 400, line)
        head = b"\r\n\r\nGET /get HTTP/1.1\r\nHost: test\r\n\r\n"
        self.assertEqual(self.send(*(bytes([byte]) for byte in head)).status, 200)

    def test_what_no_server_has_to_understand(self) -> None:
        post = b"POST /post HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: %b\r\n\r\n"
        for status, expected, request in [
            (505, "HTTP/1.1", b"GET / HTTP/2.0\r\nHost: t\r\n\r\n"),
            (505, "HTTP/1.1", b"GET / HTTP/0.9\r\n\r\n"),
            (505, "HTTP/1.1", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
            (501, "Transfer-Encoding: chunked, or none", post % b"gzip, chunked"),
            (501, "Transfer-Encoding: chunked, or none", post % b"identity"),
        ]:
            self.assertEqual(self.refused(request), (status, expected))
            self.assertEqual(self.refused(request, b"")[0], status)

    def test_a_refusal_to_head_has_no_content(self) -> None:
        large = b"HEAD / HTTP/1.1\r\nHost: t\r\nContent-Length: 9999999\r\n\r\n"
        for request in [
            b"HEAD / HTTP/1.1\r\n\r\n",
            b"HEAD / HTTP/2.0\r\n\r\n",
            b"HEAD / HTTP/1.1\r\nA : b\r\n\r\n",
            b"HEAD /" + b"x" * 70 * KIB,
            b"HEAD / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"fffffff\r\n",
            b"HEAD / HTTP/1.1\r\nHost: t\r\nA: " + b"x" * 70 * KIB,
            large,
        ]:
            visit = self.visit()
            visit.send(request)
            reply = visit.reply("HEAD")
            self.assertEqual(reply.body, b"")
            self.assertTrue(visit.received.endswith(b"\r\n\r\n"))
            self.assertGreater(int(reply.headers["content-length"]), 0)

    def test_a_later_version_is_answered_as_this_one(self) -> None:
        visit = self.visit()
        for _ in range(2):
            visit.send(b"GET /stream/1 HTTP/1.2\r\nHost: t\r\n\r\n")
        self.assertEqual(visit.received.count(b"HTTP/1.1 200 OK\r\n"), 2)
        self.assertEqual(visit.received.count(b"Transfer-Encoding: chunked"), 2)
        self.assertFalse(visit.is_closed)

    def test_a_body_in_chunks_by_the_letter(self) -> None:
        head = b"POST /post HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n"
        body = b'2 ; a = "b"\r\nab\r\n1\t;c\r\nc\r\n0\r\nTrailer: t\r\n\r\n'
        for pieces in ([head + body], [head, *(bytes([b]) for b in body)]):
            self.assertEqual(self.send(*pieces).json()["data"], "abc")
        visit = self.visit()
        visit.send((head + body) * 3)
        self.assertEqual(visit.received.count(b'"data": "abc"'), 3)
        for bad in [b"1 \r\na\r\n0\r\n\r\n", b"1\r\nab\r\n", b"0\r\nno colon\r\n\r\n"]:
            self.assertEqual(self.refused(head + bad)[0], 400, bad)
        self.assertEqual(self.refused(head + b"0\r\n" + b"A: b\r\n" * 12_000)[0], 431)

    def test_a_length_of_many_zeros(self) -> None:
        zeros = b"POST /post HTTP/1.1\r\nHost: t\r\nContent-Length: " + b"0" * 5000
        self.assertEqual(self.send(zeros + b"1\r\n\r\na").json()["data"], "a")
        self.assertEqual(self.refused(zeros.replace(b"0", b"9") + b"\r\n\r\n")[0], 400)

    def test_an_expectation_that_nobody_meets(self) -> None:
        request = b"GET /get HTTP/1.1\r\nHost: t\r\nExpect: tea\r\n\r\n"
        self.assertEqual(self.refused(request)[0], 417)

    def test_a_form_that_is_none(self) -> None:
        reply = self.send(
            b"POST /post HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\n"
            b"Content-Type: multipart/form-data; boundary=x\r\n\r\nabc"
        )
        self.assertEqual((reply.status, reply.json()["form"]), (200, {}))

    def test_is_in_the_journal(self) -> None:
        visit = self.visit(peer="127.0.0.1")
        visit.send(b"\x16\x03\x01\r\n")
        again = Visit(self.clock, site=visit.site, peer="127.0.0.1")
        self.visits.append(again)
        again.get("/__admin/requests")
        (entry,) = again.reply().json()["requests"]
        self.assertEqual((entry["status"], entry["outcome"]), (400, "answered"))

    def test_deadline_of_the_head(self) -> None:
        silent, half, slow, whole = (self.visit() for _ in range(4))
        half.send(b"GET / HTTP/1.1\r\nHost: t")
        whole.get("/delay/300")
        for _ in range(29):
            slow.send(b"x")
            self.site_clock.advance(1)
        self.assertFalse(silent.is_closed or half.is_closed or slow.is_closed)
        self.site_clock.advance(1)
        self.assertTrue(silent.is_closed)
        self.assertTrue(half.is_closed)
        self.assertTrue(slow.is_closed)
        self.site_clock.advance(300)
        self.assertFalse(whole.is_closed)

    def test_deadline_of_a_later_head(self) -> None:
        visit = self.visit()
        visit.get("/?_delay=0")
        self.site_clock.advance(20)
        visit.get("/?_delay=0")
        self.site_clock.advance(20)
        visit.send(b"G")
        self.site_clock.advance(9)
        self.assertFalse(visit.is_closed)
        visit.send(b"E")
        self.site_clock.advance(1)
        self.assertTrue(visit.is_closed)

    def test_who_lingers_is_let_go(self) -> None:
        visit = self.visit()
        visit.send(b"no request\r\n")
        json.loads(visit.received.partition(b"\r\n\r\n")[2])
        # Our half is closed, and theirs when the time is over.
        self.site_clock.pump([1] * 4)
        self.assertFalse(visit.is_aborted)
        # twisted.web's channel first asks nicely, which Twisted would wait for.
        self.site_clock.pump([1] * (1 if CHANNEL == "ours" else 16))
        self.assertTrue(visit.is_aborted)

    def test_deadline_of_a_head_behind_another(self) -> None:
        visit = self.visit()
        visit.send(b"GET /ip HTTP/1.1\r\nHost: t\r\n\r\nGET /ip HT")
        self.site_clock.advance(29)
        self.assertFalse(visit.is_closed)
        self.site_clock.advance(1)
        self.assertTrue(visit.is_closed)
