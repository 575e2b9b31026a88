"""Lines of JSON over a time, and trailers, in memory."""

from __future__ import annotations

import json
import re

from tests.server.every_channel import EveryChannelCase


class LinesTests(EveryChannelCase):
    def test_over_a_time(self) -> None:
        visit = self.visit("ours")
        visit.get("/jsonl?count=3&duration=4&delay=1&a=b")
        self.clock.advance(0.9)
        self.assertEqual(visit.received, b"")
        self.clock.advance(0.1)
        for count in range(1, 4):
            self.assertEqual(visit.received.count(b'"id": '), count)
            self.clock.advance(2)
        reply = visit.reply()
        kind = "application/x-ndjson; charset=utf-8"
        self.assertEqual(reply.headers["content-type"], kind)
        lines = [json.loads(line) for line in reply.body.splitlines()]
        self.assertEqual([line["id"] for line in lines], [0, 1, 2])
        self.assertEqual(lines[0]["args"]["a"], "b")

    def test_ten_at_once_unless_told(self) -> None:
        self.assertEqual(len(self.ask("/jsonl").body.splitlines()), 10)

    def test_unreadable(self) -> None:
        for query in [
            "count=0",
            "count=101",
            "duration=x",
            "delay=301",
            "duration=301",
        ]:
            reply = self.ask(f"/jsonl?{query}")
            self.assertEqual(reply.status, 400, query)
            self.assertEqual(reply.json()["control"], query.partition("=")[0])


class TrailersTests(EveryChannelCase):
    def received(self, target: str, *headers: str, **how: str) -> bytes:
        visits = [self.visit(channel) for channel in ("ours", "twisted")]
        for visit in visits:
            visit.get(target, *headers, **how)
        first, second = (re.sub(rb"\r\nDate: [^\r]+", b"", v.received) for v in visits)
        self.assertEqual(first, second)
        return first

    def test_behind_the_body(self) -> None:
        got = self.received("/trailers?X-A=1&X-B=2%203&X-A=4&_delay=0")
        self.assertIn(b"\r\nTransfer-Encoding: chunked\r\nTrailer: X-A, X-B\r\n", got)
        self.assertTrue(got.endswith(b"\r\n0\r\nX-A: 1\r\nX-A: 4\r\nX-B: 2 3\r\n\r\n"))
        echo = self.ask("/trailers?X-A=1", method="POST", body=b"abc").json()
        self.assertEqual((echo["args"], echo["data"]), ({"X-A": "1"}, "abc"))

    def test_in_chunks_without_any(self) -> None:
        got = self.received("/trailers")
        self.assertNotIn(b"Trailer", got)
        self.assertTrue(got.endswith(b"\r\n0\r\n\r\n"))

    def test_behind_a_body_that_drips(self) -> None:
        visit = self.visit("ours")
        visit.get("/trailers?X-A=1&_drip=2s/2")
        self.assertIn(b"\r\nTrailer: X-A\r\n", visit.received)
        self.assertNotIn(b"X-A: 1", visit.received)
        self.clock.advance(2)
        self.assertTrue(visit.received.endswith(b"\r\n0\r\nX-A: 1\r\n\r\n"))

    def test_not_where_there_are_no_chunks(self) -> None:
        for query in ["&_size=5", "&_status=204"]:
            got = self.received(f"/trailers?X-A=1{query}")
            self.assertNotIn(b"Trailer", got)
            self.assertNotIn(b"X-A: 1", got)
        self.assertNotIn(b"Trailer", self.received("/trailers?X-A=1", method="HEAD"))

    def test_fields_that_do_not_follow_a_body(self) -> None:
        for name in [
            *("Content-Length", "transfer-encoding", "Host", "Trailer", "Set-Cookie"),
            *(
                "Authorization",
                "Cache-Control",
                "Content-Type",
                "TE",
                "If-Match",
                "Vary",
            ),
        ]:
            reply = self.ask(f"/trailers?X-A=1&{name}=1")
            self.assertEqual(reply.status, 400, name)
            self.assertIn("Server-Timing", reply.json()["expected"])

    def test_unreadable(self) -> None:
        for query in ["a%20b=1", "a=%0d%0ab:c", "=1", "a=%00", "%C3%A9=1"]:
            self.assertEqual(self.ask(f"/trailers?{query}").status, 400, query)
